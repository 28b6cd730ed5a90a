"""The compiled kernel that runs a program over a chunk of rows."""

from __future__ import annotations

import numpy as np
from numba import njit

from .tables_fill import fill
from .tables_program import (
    ADD,
    ADD_2,
    ADD_4,
    FILL,
    KEY,
    LONG_KEY,
    LOOK_UP,
    MEET,
    MEET_AGAIN,
    NUMERIC,
    OR_BIT,
    TAKE_BIT,
    TILE,
)


@njit(cache=True, nogil=True)
def run(steps, program, rows, w):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Run the steps over the first `rows` rows of workspace `w`, from w.bins to w.total."""
    w.total[:] = 0.0
    for block in range(steps.block.shape[0]):
        first, second, end = steps.block[block]
        for low in range(0, rows, TILE):
            _find_keys(steps.operation[first:second], program, low, min(TILE, rows - low), w)
        _add_tables(steps.operation[second:end], program, rows, w)


@njit(cache=True, nogil=True)
def _find_keys(operations, program, low, n, w):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The first part of a block: keys of the n rows from row `low` on."""
    for e in range(operations.shape[0]):
        op, a, b, c, d, f = operations[e, :6]
        if op == NUMERIC:
            out, x, shift, limit = w.condition[a], w.bins[b, low : low + n], np.uint8(c), np.uint8(d)
            for r in range(n):  # a missing value, 255, wraps to 0 if shift is 1, and goes left
                out[r] = np.uint8(x[r] + shift) <= limit
        elif op == LOOK_UP:
            out, x, values = w.word[a], w.bins[b, low : low + n], program.words[c : c + 256]
            for r in range(n):
                out[r] = values[x[r]]
        elif op == TAKE_BIT:
            out, word, mask = w.condition[a], w.word[b], np.uint8(c)
            for r in range(n):
                out[r] = np.uint8(word[r] & mask) != np.uint8(0)
        elif op == OR_BIT:
            out, word, mask = w.condition[a], w.word[b], np.uint8(c)
            for r in range(n):
                out[r] |= np.uint8(word[r] & mask) != np.uint8(0)
        elif op == MEET:
            above, below, left, side, bit = w.met[a], w.met[b], w.condition[c], np.uint32(d), np.uint32(f)
            for r in range(n):
                below[r] = above[r] | ((np.uint32(left[r]) ^ side) << bit)
        elif op == MEET_AGAIN:
            above, below, left, side, bit = w.met[a], w.met[b], w.condition[c], np.uint32(d), np.uint32(f)
            for r in range(n):
                below[r] = above[r] & ~((np.uint32(left[r]) ^ np.uint32(1) ^ side) << bit)
        elif op == KEY:
            key, met = w.key[a, low : low + n], w.met[b]
            for r in range(n):
                key[r] = np.uint16(met[r])
            for k in range(d):
                left, place = w.condition[program.conditions[f + k]], np.uint16(c + k)
                for r in range(n):
                    key[r] |= np.uint16(np.uint16(left[r]) << place)
        elif op == LONG_KEY:
            long_key, met = w.long_key[a, low : low + n], w.met[b]
            for r in range(n):
                long_key[r] = met[r]
            for k in range(d):
                left, bit = w.condition[program.conditions[f + k]], np.uint32(c + k)
                for r in range(n):
                    long_key[r] |= np.uint32(left[r]) << bit


@njit(cache=True, nogil=True)
def _add_tables(operations, program, rows, w):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The second part of a block. Tables are added one by one, in the order of the trees: scores keep every bit."""
    tables = program.tables
    for e in range(operations.shape[0]):
        op, a, b, c, d, f, g, h, i, j = operations[e]
        if op == FILL:
            _add_filled(w.long_key[a], program.leaves, b, c, program.slots[f : f + d], program.quadrature, rows, w)
            continue
        total, key, table = w.total[a], w.key[b], tables[c:]
        if op == ADD:
            for r in range(rows):
                total[r] += table[key[r]]
        elif op == ADD_2:
            key_2, table_2 = w.key[d], tables[f:]
            for r in range(rows):
                total[r] = total[r] + table[key[r]] + table_2[key_2[r]]
        elif op == ADD_4:
            key_2, table_2, key_3, table_3, key_4, table_4 = (
                w.key[d],
                tables[f:],
                w.key[g],
                tables[h:],
                w.key[i],
                tables[j:],
            )
            for r in range(rows):
                total[r] = total[r] + table[key[r]] + table_2[key_2[r]] + table_3[key_3[r]] + table_4[key_4[r]]


@njit(cache=True, nogil=True)
def _add_filled(key, leaves, first, count, slots, quadrature, rows, w):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Number the distinct keys of the chunk, fill tables for these, and add the tables."""
    mask = np.uint32(w.seen.shape[0] - 1)
    distinct, seen, number = w.distinct, w.seen, w.number
    found = np.int32(0)
    for r in range(rows):
        place = _hash(key[r]) & mask
        while seen[place] >= 0 and distinct[seen[place]] != key[r]:
            place = (place + np.uint32(1)) & mask
        if seen[place] < 0:
            seen[place] = found
            distinct[found] = key[r]
            found += np.int32(1)
        number[r] = seen[place]
    for k in range(found):  # free the places for the next time
        place = _hash(distinct[k]) & mask
        while seen[place] >= 0:
            seen[place] = -1
            place = (place + np.uint32(1)) & mask
    fill(distinct[:found], leaves, first, count, quadrature, w.product, w.meets, w.filled[: slots.shape[0]])
    for slot in range(slots.shape[0]):
        total, table = w.total[slots[slot]], w.filled[slot]
        for r in range(rows):
            total[r] += table[number[r]]


@njit(inline="always")
def _hash(key):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    return (key * np.uint32(2654435761)) >> np.uint32(15)
