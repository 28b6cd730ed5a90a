"""The compiled kernels: they fill tables, and run a program over a chunk of rows.

A program is a list of operations, one a line of integers; `tables_build` writes it. An operation does the same to every
row, so that the compiler can turn it into vector instructions; a row's own way through a tree shows only in the *key*
under which it reads the tables of a sub-tree. The trees come in blocks. In the first part of a block's operations each
row's conditions are tested and its keys are put together, a tile of rows at a time; in the second part tables are added
to the totals, for the whole chunk, so that a table is fetched into the cache once for many rows.

**What the tables hold.** On the path to a leaf of value v let the m distinct features be j, with z_j the cover ratio of
j (the product of the children's shares of their parents' training rows) and o_j = 1 if the row meets every condition on
j, else 0. Path-dependent TreeSHAP (Lundberg et al. 2020, "From local explanations to global understanding with
explainable AI for trees") weighs the subsets of the path by Shapley's weights, which are integrals of
t^s (1 - t)^(m - 1 - s), so that

    phi_f = v (o_f - z_f) * integral over t in [0, 1] of the product over j != f of (t o_j + (1 - t) z_j) dt.

The integrand is a polynomial of degree m - 1: Gauss-Legendre with ceil(m / 2) nodes is exact. It depends on the row
only through the m bits o, hence finite tables: Yang 2021, "Fast TreeSHAP" v2; Nadel & Wettenstein 2025, "Woodelf".

Constants and kernels stand in one file because numba's cache of compiled code looks at no other for changes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Operations and their operands. A *condition* is one byte a row, 1 where the row goes left at a split; a *word* is one
# byte a row with eight categorical conditions; *met* has one bit for each feature of a path, 1 if all its conditions
# are met. First part:
NUMERIC = 0  # condition, column of bins, shift, limit: 1 where bin + shift <= limit
LOOK_UP = 1  # word, column of bins, offset of its 256 values
TAKE_BIT = 2  # condition, word, mask
OR_BIT = 3  # the same, for the further codes of a split
MEET = 4  # from level, to level, condition, side, bit: the first condition of a path on a feature
MEET_AGAIN = 5  # the same, for a further condition on it
KEY = 6  # key, level, bits of the path, number of conditions, their offset
LONG_KEY = 7  # the same, for a long key
# Second part:
ADD = 8  # row of totals, then (key, offset of table) once
ADD_2 = 9  # ... twice
ADD_4 = 10  # ... four times
FILL = 11  # long key, first leaf, leaves, slots, their offset: tables that are filled for the keys of the chunk
WIDTH = 10

TILE = 4096  # rows of the first part
FILL_TILE = 256  # keys that are filled together
MAX_BITS = 32  # of a long key
MAX_NODES = MAX_BITS // 2


@njit(cache=True, nogil=True)
def fill(keys, leaves, first, count, quadrature, product, meets, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sum the contributions of leaves `first` .. `first + count - 1` for each key, into out (slots, keys)."""
    for low in range(0, keys.shape[0], FILL_TILE):
        n = min(FILL_TILE, keys.shape[0] - low)
        key = keys[low : low + n]
        for slot in range(out.shape[0]):
            out[slot, low : low + n] = 0.0
        for leaf in range(first, first + count):
            start = leaves.start[leaf]
            m = leaves.start[leaf + 1] - start
            q = (m + 1) >> 1
            for k in range(q):
                product[k, :n] = quadrature.weight[q, k] * leaves.value[leaf]
            for j in range(m):
                ones, zeros = leaves.ones[start + j], leaves.zeros[start + j]
                z, o = leaves.ratio[start + j], meets[j]
                for i in range(n):
                    o[i] = np.float64(((key[i] ^ ones) & (ones | zeros)) == np.uint32(0))
                for k in range(q):
                    t, g = quadrature.node[q, k], product[k]
                    rest = (1.0 - t) * z
                    for i in range(n):
                        g[i] *= rest + t * o[i]
            for j in range(m):
                z, o, total = leaves.ratio[start + j], meets[j], out[leaves.slot[start + j]]
                for k in range(q):  # (o - z) / (t o + (1 - t) z) is `never` where o = 0, `never + gain` where o = 1
                    t, g = quadrature.node[q, k], product[k]
                    never = -1.0 / (1.0 - t)
                    gain = (1.0 - z) / (t + (1.0 - t) * z) - never
                    for i in range(n):
                        total[low + i] += g[i] * (never + gain * o[i])


@njit(cache=True, nogil=True)
def fill_tables(dense, leaves, quadrature, tables):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Fill tables for all of their keys; `dense` has one line each: bits, offset, slots, first leaf, leaves."""
    product, meets = np.empty((MAX_NODES, FILL_TILE)), np.empty((MAX_BITS, FILL_TILE))
    for entry in range(dense.shape[0]):
        bits, offset, slots, first, count = dense[entry]
        size = 1 << bits
        out = tables[offset : offset + slots * size].reshape(slots, size)
        fill(np.arange(size).astype(np.uint32), leaves, first, count, quadrature, product, meets, out)


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
