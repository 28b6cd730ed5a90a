"""What the kernels work on: the program of a forest, and the memory of a thread. The kernels say how it is used."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .tables_kernels import FILL_TILE, MAX_BITS, MAX_NODES, TILE


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

    @classmethod
    def gauss_legendre(cls) -> Quadrature:
        """The rules for every number of nodes that a key can need."""
        node, weight = np.zeros((MAX_NODES + 1, MAX_NODES)), np.zeros((MAX_NODES + 1, MAX_NODES))
        for q in range(1, MAX_NODES + 1):
            x, w = np.polynomial.legendre.leggauss(q)
            node[q, :q], weight[q, :q] = (x + 1) / 2, w / 2
        return cls(node, weight)


class Steps(NamedTuple):
    """Operations in the order in which they run."""

    operation: NDArray[np.int64]  # (operations, WIDTH)
    block: NDArray[np.int64]  # (blocks, 3): where the first part starts, where the second starts, where it ends


class Program(NamedTuple):
    """What operations point into."""

    words: NDArray[np.uint8]  # values of words by bin, 256 each
    conditions: NDArray[np.int64]  # lists of conditions
    tables: NDArray[np.float64]  # tables of contributions and of leaf values, 2 ** bits of its key each
    slots: NDArray[np.int64]  # lists of rows of totals
    leaves: Leaves  # of the sub-trees whose tables are filled for each chunk
    quadrature: Quadrature


class Sizes(NamedTuple):
    """How much of everything a program needs in a workspace."""

    columns: int
    conditions: int
    words: int
    levels: int
    keys: int
    long_keys: int
    totals: int

    @property
    def bytes_a_row(self) -> int:
        """Memory for each row of a chunk."""
        return self.columns + 2 * self.keys + 4 * self.long_keys + 8 * self.totals


class Workspace(NamedTuple):
    """The memory of one thread, for chunks of at most R rows."""

    bins: NDArray[np.uint8]  # (columns of bins, R)
    condition: NDArray[np.uint8]  # (most splits of a tree, TILE)
    word: NDArray[np.uint8]  # (most words of a block, TILE)
    met: NDArray[np.uint32]  # (levels, TILE); level 0, the root, is always 0
    key: NDArray[np.uint16]  # (most keys of a block, R)
    long_key: NDArray[np.uint32]  # (most long keys of a block, R)
    seen: NDArray[np.int32]  # (power of two >= 2 R,) hash table of the long keys of a chunk: their number, -1 if free
    distinct: NDArray[np.uint32]  # (R,) long keys by number
    number: NDArray[np.int32]  # (R,) number of each row's long key
    filled: NDArray[np.float64]  # (MAX_BITS + 8, R) tables, by number
    product: NDArray[np.float64]  # (MAX_NODES, FILL_TILE)
    meets: NDArray[np.float64]  # (MAX_BITS, FILL_TILE)
    total: NDArray[np.float64]  # (used features + 1, R + 8) results: contributions, and in the last row scores

    @classmethod
    def allocate(cls, sizes: Sizes, rows: int) -> Workspace:
        """Memory for chunks of `rows` rows. Rows of totals have odd lengths: even ones would share cache lines."""
        tile, long = min(rows, TILE), rows if sizes.long_keys else 0
        return cls(
            bins=np.empty((sizes.columns, rows), np.uint8),
            condition=np.empty((sizes.conditions, tile), np.uint8),
            word=np.empty((sizes.words, tile), np.uint8),
            met=np.zeros((sizes.levels, tile), np.uint32),
            key=np.empty((sizes.keys, rows), np.uint16),
            long_key=np.empty((sizes.long_keys, rows), np.uint32),
            seen=np.full(1 << (2 * long).bit_length() if long else 0, -1, np.int32),
            distinct=np.empty(long, np.uint32),
            number=np.empty(long, np.int32),
            filled=np.empty((MAX_BITS + 8, long)),
            product=np.empty((MAX_NODES, FILL_TILE)),
            meets=np.empty((MAX_BITS, FILL_TILE)),
            total=np.empty((sizes.totals, rows + 8)),
        )
