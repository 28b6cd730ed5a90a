"""From a forest to its program: cut every tree into sub-trees, and plan a table for each.

The depth-first walk below a tree's root goes down until what is left of the path and of the sub-tree fits into the key
of one table: a bit for each distinct feature on the path, and one for each split of the sub-tree. Keys of at most
`bits` bits get a table that is filled now ("dense"); longer ones (leaves far down) are filled for the keys that a chunk
of rows brings ("lazy").
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .tables_bins import Binning
from .tables_cut import children, leaf_values, share, splits_below, walk
from .tables_kernels import (
    CATEGORY,
    CATEGORY_OR,
    DENSE,
    LAZY,
    MAX_BITS,
    MAX_NODES,
    MEET,
    MEET_AGAIN,
    NUMERIC,
    REACH,
    SCORE,
    WIDTH,
    Leaves,
    Program,
    Quadrature,
    fill_tables,
)
from .trees import Forest, TablesDoNotApply, Tree

SCORE_BITS = 9  # splits of a sub-tree in a table of leaf values
LAZY_SPLITS = 3  # of a sub-tree that is filled lazily
MAX_DEPTH = 400
Path = dict[int, tuple[float, int, int]]  # by feature: z, and the bits of the key that must be 1 and 0


@dataclass
class _LeafList:
    """`Leaves` in the making."""

    value: list[float] = field(default_factory=list)
    start: list[int] = field(default_factory=lambda: [0])
    ratio: list[float] = field(default_factory=list)
    ones: list[int] = field(default_factory=list)
    zeros: list[int] = field(default_factory=list)
    slot: list[int] = field(default_factory=list)

    def add(self, leaves: list[tuple[float, Path]], slots: dict[int, int]) -> tuple[int, int]:
        """Append the leaves of a sub-tree; return the first one's number and their count."""
        first = len(self.value)
        for value, path in leaves:
            self.value.append(value)
            for feature, (ratio, ones, zeros) in path.items():
                self.ratio.append(ratio)
                self.ones.append(ones)
                self.zeros.append(zeros)
                self.slot.append(slots[feature])
            self.start.append(len(self.slot))
        return first, len(leaves)

    def arrays(self) -> Leaves:
        return Leaves(
            np.array(self.value, np.float64),
            np.array(self.start, np.int64),
            np.array(self.ratio, np.float64),
            np.array(self.ones, np.uint32),
            np.array(self.zeros, np.uint32),
            np.array(self.slot, np.int64),
        )


def gauss_legendre() -> Quadrature:
    """Nodes and weights on [0, 1] for every number of nodes that a key can need."""
    node, weight = np.zeros((MAX_NODES + 1, MAX_NODES)), np.zeros((MAX_NODES + 1, MAX_NODES))
    for q in range(1, MAX_NODES + 1):
        x, w = np.polynomial.legendre.leggauss(q)
        node[q, :q], weight[q, :q] = (x + 1) / 2, w / 2
    return Quadrature(node, weight)


class ProgramBuilder:
    """Writes the program of a forest; `build` returns it. Tables take keys of at most `bits` bits."""

    def __init__(self, forest: Forest, binning: Binning, bits: int) -> None:
        self.forest, self.binning, self.bits = forest, binning, bits
        used = {int(feature) for tree in forest.trees for feature in tree.split_feature}
        self.used = np.array(sorted(used), np.int64)
        self.levels = 1
        self._row = {feature: row for row, feature in enumerate(sorted(used))}
        self._operations: list[tuple[int, ...]] = []
        self._flags: list[np.ndarray] = [np.zeros(256, np.uint8)]
        self._conditions: list[int] = []
        self._scores: list[np.ndarray] = [np.zeros(0)]
        self._score_size = 0
        self._slots: list[int] = []
        self._dense: list[tuple[int, ...]] = []
        self._table_size = 0
        self._dense_leaves, self._lazy_leaves = _LeafList(), _LeafList()

    def build(self) -> Program:
        """Walk all trees, then fill the dense tables."""
        for tree in self.forest.trees:
            self._write_conditions(tree)
            below = splits_below(tree)
            self._write_scores(tree, below)
            if tree.splits:
                self._write_contributions(tree, below)
        quadrature = gauss_legendre()
        tables = np.zeros(self._table_size)
        dense = np.array(self._dense, np.int64).reshape(-1, 5)
        fill_tables(dense, self._dense_leaves.arrays(), quadrature, tables)
        return Program(
            operations=np.array([[*op, *[0] * (WIDTH - len(op))] for op in self._operations], np.int64).reshape(
                -1, WIDTH
            ),
            flags=np.concatenate(self._flags),
            conditions=np.array(self._conditions, np.int64),
            scores=np.concatenate(self._scores),
            tables=tables,
            slots=np.array(self._slots, np.int64),
            leaves=self._lazy_leaves.arrays(),
            quadrature=quadrature,
        )

    def _write_conditions(self, tree: Tree) -> None:
        for split in range(tree.splits):
            if tree.categorical[split]:
                for i, (column, flags) in enumerate(self.binning.categorical(tree, split)):
                    self._operations.append((CATEGORY_OR if i else CATEGORY, split, column, 256 * len(self._flags)))
                    self._flags.append(flags)
            else:
                column, k = self.binning.numeric(tree, split)
                shift = int(tree.default_left[split])
                self._operations.append((NUMERIC, split, column, shift, k + shift))

    def _write_scores(self, tree: Tree, below: list[int]) -> None:
        stack: list[tuple[int, int, tuple[int, ...] | None]] = [(0 if tree.splits else -1, 0, None)]
        while stack:
            node, level, arrive = stack.pop()
            if arrive:
                self._operations.append(arrive)
            if node >= 0 and below[node] > SCORE_BITS:
                for side, child in children(tree, node):
                    stack.append((child, level + 1, (REACH, level, level + 1, node, side)))
                self._see_level(level + 1)
                continue
            splits = list(walk(tree, node))
            values = leaf_values(tree, node, {split: bit for bit, split in enumerate(splits)})
            self._operations.append((SCORE, level, len(splits), len(self._conditions), self._score_size))
            self._conditions += splits
            self._scores += [np.zeros(len(values)), values]
            self._score_size += 2 * len(values)

    def _write_contributions(self, tree: Tree, below: list[int]) -> None:
        stack: list[tuple[int, int, tuple[int, ...] | None, Path]] = [(0, 0, None, {})]
        while stack:
            node, level, arrive, path = stack.pop()
            if arrive:
                self._operations.append(arrive)
            splits = below[node] if node >= 0 else 0
            key_bits = len(path) + splits
            if key_bits <= self.bits or splits <= LAZY_SPLITS:
                if key_bits > MAX_BITS:
                    raise TablesDoNotApply(f"a path tests {len(path)} different features")
                self._write_sub_tree(tree, node, level, path)
                continue
            self._see_level(level + 1)
            feature = int(tree.split_feature[node])
            bit = list(path).index(feature) if feature in path else len(path)
            code = MEET_AGAIN if feature in path else MEET
            for side, child in children(tree, node):
                ratio = path[feature][0] if feature in path else 1.0
                longer = path | {feature: (ratio * share(tree, node, child), 1 << bit, 0)}
                stack.append((child, level + 1, (code, level, level + 1, node, side, bit), longer))

    def _write_sub_tree(self, tree: Tree, node: int, level: int, path: Path) -> None:
        """The table of one sub-tree, or its leaves if it is to be filled lazily."""
        splits = list(walk(tree, node))
        bit = {split: 1 << (len(path) + i) for i, split in enumerate(splits)}
        leaves: list[tuple[float, Path]] = []
        stack = [(node, path)]
        while stack:
            at, so_far = stack.pop()
            if at < 0:
                leaves.append((float(tree.leaf_value[~at]), so_far))
                continue
            feature = int(tree.split_feature[at])
            for side, child in children(tree, at):
                ratio, ones, zeros = so_far.get(feature, (1.0, 0, 0))
                ratio *= share(tree, at, child)
                met = (ratio, ones, zeros | bit[at]) if side else (ratio, ones | bit[at], zeros)
                stack.append((child, so_far | {feature: met}))
        slots: dict[int, int] = {}
        for _, so_far in leaves:
            for feature in so_far:
                slots.setdefault(feature, len(slots))
        bits = len(path) + len(splits)
        inside = level, len(path), len(splits), len(self._conditions)
        if bits <= self.bits:
            first, count = self._dense_leaves.add(leaves, slots)
            self._operations.append((DENSE, *inside, self._table_size, len(slots), len(self._slots), bits))
            self._dense.append((bits, self._table_size, len(slots), first, count))
            self._table_size += len(slots) << bits
        else:
            first, count = self._lazy_leaves.add(leaves, slots)
            self._operations.append((LAZY, *inside, first, count, len(slots), len(self._slots)))
        self._conditions += splits
        self._slots += [self._row[feature] for feature in slots]

    def _see_level(self, level: int) -> None:
        if level > MAX_DEPTH:
            raise TablesDoNotApply(f"a tree is more than {MAX_DEPTH} levels deep")
        self.levels = max(self.levels, level + 1)
