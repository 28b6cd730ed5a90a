"""Compiled kernels: they run a forest's program over a chunk of rows, all rows of the chunk at every step.

A program is a list of operations, one a line of nine integers; `tables_build` writes it and says what the tables hold.
Its steps are alike for every row, so the compiler turns them into vector instructions; a row's own way through a tree
shows only in the index at which it reads a table.

**Contributions.** On the path to a leaf of value v let the m distinct features be j, with z_j the cover ratio of j (the
product of the children's shares of their parents' training rows) and o_j = 1 if the row meets every condition on j,
else 0. Path-dependent TreeSHAP (Lundberg et al. 2020, "From local explanations to global understanding with explainable
AI for trees") weighs the subsets of the path by Shapley's weights, which are integrals of t^s (1-t)^(m-1-s), so that

    phi_f = v (o_f - z_f) * integral over t in [0, 1] of the product over j != f of (t o_j + (1 - t) z_j) dt.

The integrand is a polynomial of degree m - 1: Gauss-Legendre with ceil(m / 2) nodes is exact. It depends on the row
only through the m bits o, hence finite tables: Yang 2021, "Fast TreeSHAP" v2; Nadel & Wettenstein 2025, "Woodelf".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Operations and their operands. A *condition* is one byte a row, 1 where the row goes left at the split; *reached* is 1
# where it arrives at a node; *met* has one bit for each distinct feature of the path, 1 if all its conditions are met.
NUMERIC = 0  # condition, column of bins, shift, limit: 1 where bin + shift <= limit
CATEGORY = 1  # condition, column of bins, offset of 256 flags
CATEGORY_OR = 2  # the same, for the further codes of one split
REACH = 3  # from level, to level, condition, side
SCORE = 4  # level, number of conditions, their offset, offset of the table
MEET = 5  # from level, to level, condition, side, bit: the path's first condition on a feature
MEET_AGAIN = 6  # the same, for a further condition on the feature of that bit
DENSE = 7  # level, bits of the path, number of conditions, their offset, offset of the table, slots, their offset, bits
LAZY = 8  # level, bits of the path, number of conditions, their offset, first leaf, leaves, slots, their offset
WIDTH = 9

FILL_TILE = 256
MAX_BITS = 32  # of a key
MAX_NODES = MAX_BITS // 2


class Leaves(NamedTuple):
    """Leaves of sub-trees, each with one entry for every distinct feature on its path."""

    value: NDArray[np.float64]  # (leaves,)
    start: NDArray[np.int64]  # (leaves + 1,) into the entries
    ratio: NDArray[np.float64]  # (entries,) z
    ones: NDArray[np.uint32]  # (entries,) bits of the key that must be 1 ...
    zeros: NDArray[np.uint32]  # (entries,) ... and 0, for o = 1
    slot: NDArray[np.int64]  # (entries,) which of the sub-tree's features


class Quadrature(NamedTuple):
    """Gauss-Legendre nodes and weights on [0, 1]: row q holds q of them."""

    node: NDArray[np.float64]  # (MAX_NODES + 1, MAX_NODES)
    weight: NDArray[np.float64]


class Program(NamedTuple):
    """The operations and everything that they point into."""

    operations: NDArray[np.int64]  # (operations, WIDTH)
    flags: NDArray[np.uint8]  # of categorical conditions
    conditions: NDArray[np.int64]  # lists of conditions
    scores: NDArray[np.float64]  # tables of leaf values
    tables: NDArray[np.float64]  # tables of contributions: of each sub-tree (slots, 2 ** bits)
    slots: NDArray[np.int64]  # lists of columns of `total`
    leaves: Leaves  # of sub-trees that are filled lazily
    quadrature: Quadrature


class Workspace(NamedTuple):
    """The memory of one thread, for R rows at most."""

    bins: NDArray[np.uint8]  # (columns of bins, R)
    condition: NDArray[np.uint8]  # (most splits of a tree, R)
    reached: NDArray[np.uint8]  # (levels, R)
    met: NDArray[np.uint32]  # (levels, R)
    place: NDArray[np.uint16]  # (R,)
    key: NDArray[np.uint32]  # (R,)
    row_of: NDArray[np.uint32]  # (R,)
    seen_key: NDArray[np.uint32]  # (power of two >= 2 R,) hash table of the keys of a chunk
    seen_row: NDArray[np.int32]
    distinct: NDArray[np.uint32]  # (R,)
    filled: NDArray[np.float64]  # (MAX_BITS + 8, R)
    product: NDArray[np.float64]  # (MAX_NODES, FILL_TILE)
    meets: NDArray[np.float64]  # (MAX_BITS, FILL_TILE)
    score: NDArray[np.float64]  # (R,) result: sum of leaf values
    total: NDArray[np.float64]  # (used features, R) result: contributions


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
    """Fill the dense tables; `dense` has one line each: bits, offset of the table, slots, first leaf, leaves."""
    product, meets = np.empty((MAX_NODES, FILL_TILE)), np.empty((MAX_BITS, FILL_TILE))
    for entry in range(dense.shape[0]):
        bits, offset, slots, first, count = dense[entry]
        size = 1 << bits
        out = tables[offset : offset + slots * size].reshape(slots, size)
        fill(np.arange(size).astype(np.uint32), leaves, first, count, quadrature, product, meets, out)


@njit(cache=True, nogil=True)
def _sub_tree_key(met, path_bits, conditions, condition, key, rows):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The bits of the path and, above them, the conditions inside the sub-tree."""
    for r in range(rows):
        key[r] = met[r]
    for k in range(conditions.shape[0]):
        c, bit = condition[conditions[k]], np.uint32(path_bits + k)
        for r in range(rows):
            key[r] |= np.uint32(c[r]) << bit


@njit(cache=True, nogil=True)
def _number_keys(key, rows, seen_key, seen_row, distinct, row_of):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Number the distinct keys of a chunk by their first appearance; return how many there are."""
    mask = np.uint32(seen_key.shape[0] - 1)
    found = 0
    seen_row[:] = -1
    for r in range(rows):
        h = ((key[r] * np.uint32(2654435761)) >> np.uint32(15)) & mask
        while seen_row[h] >= 0 and seen_key[h] != key[r]:
            h = (h + np.uint32(1)) & mask
        if seen_row[h] < 0:
            seen_row[h] = found
            seen_key[h] = key[r]
            distinct[found] = key[r]
            found += 1
        row_of[r] = np.uint32(seen_row[h])
    return found


@njit(cache=True, nogil=True)
def run(operations, rows, p, w):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Run operations of program `p` over the first `rows` rows in workspace `w`: adds to w.score and w.total."""
    w.reached[0, :rows] = 1
    w.met[0, :rows] = 0
    for e in range(operations.shape[0]):
        op, a, b, c, d, f, g, h, i = operations[e]
        if op == NUMERIC:
            out, x, shift, limit = w.condition[a], w.bins[b], np.uint8(c), np.uint8(d)
            for r in range(rows):  # a missing value, 255, wraps to 0 if shift is 1 and goes left
                out[r] = np.uint8(x[r] + shift) <= limit
        elif op == CATEGORY:
            out, x, flags = w.condition[a], w.bins[b], p.flags[c : c + 256]
            for r in range(rows):
                out[r] = flags[x[r]]
        elif op == CATEGORY_OR:
            out, x, flags = w.condition[a], w.bins[b], p.flags[c : c + 256]
            for r in range(rows):
                out[r] |= flags[x[r]]
        elif op == REACH:
            above, below, left, side = w.reached[a], w.reached[b], w.condition[c], np.uint8(d)
            for r in range(rows):
                below[r] = above[r] & (left[r] ^ side)
        elif op == SCORE:
            reached, place, table = w.reached[a], w.place, p.scores[d : d + (2 << b)]
            for r in range(rows):
                place[r] = np.uint16(reached[r]) << np.uint16(b)
            for k in range(b):
                left, bit = w.condition[p.conditions[c + k]], np.uint16(k)
                for r in range(rows):
                    place[r] |= np.uint16(left[r]) << bit
            for r in range(rows):
                w.score[r] += table[place[r]]
        elif op == MEET:
            above_, below_, left, side_, bit_ = w.met[a], w.met[b], w.condition[c], np.uint32(d), np.uint32(f)
            for r in range(rows):
                below_[r] = above_[r] | ((np.uint32(left[r]) ^ side_) << bit_)
        elif op == MEET_AGAIN:
            above_, below_, left, side_, bit_ = w.met[a], w.met[b], w.condition[c], np.uint32(d ^ 1), np.uint32(f)
            for r in range(rows):
                below_[r] = above_[r] & ~((np.uint32(left[r]) ^ side_) << bit_)
        elif op == DENSE:
            _sub_tree_key(w.met[a], b, p.conditions[d : d + c], w.condition, w.key, rows)
            size = 1 << i
            for slot in range(g):
                total, table = w.total[p.slots[h + slot]], p.tables[f + slot * size : f + (slot + 1) * size]
                for r in range(rows):
                    total[r] += table[w.key[r]]
        elif op == LAZY:
            _sub_tree_key(w.met[a], b, p.conditions[d : d + c], w.condition, w.key, rows)
            found = _number_keys(w.key, rows, w.seen_key, w.seen_row, w.distinct, w.row_of)
            fill(w.distinct[:found], p.leaves, f, g, p.quadrature, w.product, w.meets, w.filled[:h])
            for slot in range(h):
                total, table = w.total[p.slots[i + slot]], w.filled[slot]
                for r in range(rows):
                    total[r] += table[w.row_of[r]]
