"""From a forest to its program: cut every tree into sub-trees, and plan tables for each.

The depth-first walk below a tree's root goes down until what is left of the path and of the sub-tree fits into the key
of one table: a bit for each distinct feature on the path, and one for each split of the sub-tree. Keys of at most
`bits` bits get tables for all of their values now; longer ones (leaves far down) get them chunk by chunk, for the keys
that are met. Leaf values, whose sum is the score, have tables too; there, one bit stands for the whole path.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .tables_bins import Binning
from .tables_cut import LeafList, Path, children, leaf_values, leaves_below, share, splits_below, walk
from .tables_kernels import (
    ADD,
    ADD_2,
    ADD_4,
    FILL,
    KEY,
    LONG_KEY,
    LOOK_UP,
    MAX_BITS,
    MEET,
    MEET_AGAIN,
    NUMERIC,
    OR_BIT,
    TAKE_BIT,
    WIDTH,
    fill_tables,
)
from .tables_program import Program, Quadrature, Sizes, Steps
from .trees import Forest, TablesDoNotApply, Tree

BLOCK = 4  # trees
SCORE_SPLITS = 9  # of a sub-tree in a table of leaf values
LONG_SPLITS = 3  # of a sub-tree with a long key
MAX_DEPTH = 400
Operation = tuple[int, ...]


@dataclass
class _Block:
    """A block of trees in the making. The first part is that of the conditions, then of the keys, tree by tree."""

    look_ups: list[Operation] = field(default_factory=list)
    trees: list[tuple[list[Operation], list[Operation], list[Operation]]] = field(default_factory=list)
    adds: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  # row of totals: key, offset, ...
    fills: list[Operation] = field(default_factory=list)
    keys: int = 0

    def first_part(self, contributions: bool) -> list[Operation]:
        """Conditions and keys; those that only contributions need can be left out."""
        steps = list(self.look_ups)
        for conditions, score_keys, keys in self.trees:
            steps += conditions + score_keys + (keys if contributions else [])
        return steps

    def second_part(self, rows: Sequence[int]) -> list[Operation]:
        """Tables added to some rows of the totals, as many as possible at a time."""
        steps = []
        for row in rows:
            pairs = self.adds.get(row, [])
            at = 0
            for code, tables in ((ADD_4, 4), (ADD_2, 2), (ADD, 1)):
                while len(pairs) - at >= 2 * tables:
                    steps.append((code, row, *pairs[at : at + 2 * tables]))
                    at += 2 * tables
        return steps


class ProgramBuilder:
    """Writes the program of a forest. Tables have keys of at most `bits` bits."""

    def __init__(self, forest: Forest, binning: Binning, bits: int) -> None:
        self.binning, self.bits = binning, bits
        used = sorted({int(feature) for tree in forest.trees for feature in tree.split_feature})
        self.used = np.array(used, np.int64)
        self._row = {feature: row for row, feature in enumerate(used)}
        self._score_row = len(used)
        self._words: list[NDArray[np.uint8]] = []
        self._conditions: list[int] = []
        self._slots: list[int] = []
        self._values: list[tuple[int, NDArray[np.float64]]] = []  # offset and content of tables of leaf values
        self._dense: list[tuple[int, int, int, int, int]] = []  # what `fill_tables` takes
        self._table_size = 0
        self._leaves, self._long_leaves = LeafList(), LeafList()
        self._levels = 1
        self._blocks = [self._block(forest.trees[at : at + BLOCK]) for at in range(0, len(forest.trees), BLOCK)]
        self.sizes = Sizes(
            columns=len(binning.columns.feature),
            conditions=max((tree.splits for tree in forest.trees), default=0),
            words=max((len(block.look_ups) for block in self._blocks), default=0),
            levels=self._levels,
            keys=max((block.keys for block in self._blocks), default=0),
            long_keys=max((len(block.fills) for block in self._blocks), default=0),
            totals=len(used) + 1,
        )

    def program(self) -> Program:
        """All tables, filled."""
        tables = np.zeros(self._table_size)
        for offset, values in self._values:
            tables[offset : offset + len(values)] = values
        quadrature = Quadrature.gauss_legendre()
        fill_tables(np.array(self._dense, np.int64).reshape(-1, 5), self._leaves.arrays(), quadrature, tables)
        return Program(
            words=np.concatenate([*self._words, np.zeros(0, np.uint8)]),
            conditions=np.array(self._conditions, np.int64),
            tables=tables,
            slots=np.array(self._slots, np.int64),
            leaves=self._long_leaves.arrays(),
            quadrature=quadrature,
        )

    def steps(self, *, contributions: bool) -> Steps:
        """The steps for scores alone, or for scores and contributions."""
        operations: list[Operation] = []
        edges = []
        for block in self._blocks:
            first = len(operations)
            operations += block.first_part(contributions)
            second = len(operations)
            operations += block.second_part([self._score_row])
            if contributions:
                operations += block.second_part(range(self._score_row)) + block.fills
            edges.append((first, second, len(operations)))
        lines = np.zeros((len(operations), WIDTH), np.int64)
        for line, operation in zip(lines, operations, strict=True):
            line[: len(operation)] = operation
        return Steps(lines, np.array(edges, np.int64).reshape(-1, 3))

    def _block(self, trees: Sequence[Tree]) -> _Block:
        block = _Block()
        word_of: dict[int, tuple[int, int]] = {}  # column of bins: its word with room, and how many bits are taken
        for tree in trees:
            conditions = self._tree_conditions(tree, block, word_of)
            score_keys: list[Operation] = []
            keys: list[Operation] = []
            below = splits_below(tree)
            self._write_scores(tree, below, block, score_keys)
            if tree.splits:
                self._write_contributions(tree, below, block, keys)
            block.trees.append((conditions, score_keys, keys))
        return block

    def _tree_conditions(self, tree: Tree, block: _Block, word_of: dict[int, tuple[int, int]]) -> list[Operation]:
        """One condition for each split. Categorical ones take a bit of a word each, eight on a column to a word."""
        steps: list[Operation] = []
        for split in range(tree.splits):
            if not tree.categorical[split]:
                column, k = self.binning.numeric(tree, split)
                shift = int(tree.default_left[split])
                steps.append((NUMERIC, split, column, shift, k + shift))
                continue
            for i, (column, flags) in enumerate(self.binning.categorical(tree, split)):
                word, bit = word_of.get(column, (-1, 8))
                if bit == 8:
                    word, bit = len(block.look_ups), 0
                    block.look_ups.append((LOOK_UP, word, column, 256 * len(self._words)))
                    self._words.append(np.zeros(256, np.uint8))
                word_of[column] = word, bit + 1
                self._words[block.look_ups[word][3] // 256] |= flags << bit
                steps.append((OR_BIT if i else TAKE_BIT, split, word, 1 << bit))
        return steps

    def _write_scores(self, tree: Tree, below: list[int], block: _Block, steps: list[Operation]) -> None:
        """Keys and tables of leaf values. Bit 0 of a key says that the row arrives at the sub-tree."""
        stack: list[tuple[int, int, Operation | None]] = [(0 if tree.splits else -1, 0, None)]
        while stack:
            node, level, arrive = stack.pop()
            if arrive:
                steps.append(arrive)
            if node >= 0 and below[node] > SCORE_SPLITS:
                code = MEET_AGAIN if level else MEET
                for side, child in children(tree, node):
                    stack.append((child, level + 1, (code, level, level + 1, node, side, 0)))
                self._see_level(level + 1)
                continue
            steps.append(self._key(KEY, block.keys, tree, node, level, min(level, 1)))
            values = leaf_values(tree, node)
            if level:
                values = np.stack([np.zeros(len(values)), values], axis=1).ravel()
            block.adds[self._score_row] += [block.keys, self._table_size]
            block.keys += 1
            self._values.append((self._table_size, values))
            self._table_size += len(values)

    def _write_contributions(self, tree: Tree, below: list[int], block: _Block, steps: list[Operation]) -> None:
        """Keys of the sub-trees into which the tree is cut, and their tables."""
        stack: list[tuple[int, int, Operation | None, Path]] = [(0, 0, None, {})]
        while stack:
            node, level, arrive, path = stack.pop()
            if arrive:
                steps.append(arrive)
            splits = below[node] if node >= 0 else 0
            if len(path) + splits <= self.bits:
                steps.append(self._key(KEY, block.keys, tree, node, level, len(path)))
                self._write_tables(tree, node, path, block)
                continue
            if splits <= LONG_SPLITS:
                steps.append(self._key(LONG_KEY, len(block.fills), tree, node, level, len(path)))
                self._write_leaves(tree, node, path, block)
                continue
            self._see_level(level + 1)
            feature = int(tree.split_feature[node])
            bit = list(path).index(feature) if feature in path else len(path)
            code = MEET_AGAIN if feature in path else MEET
            for side, child in children(tree, node):
                ratio = path[feature][0] if feature in path else 1.0
                longer = path | {feature: (ratio * share(tree, node, child), 1 << bit, 0)}
                stack.append((child, level + 1, (code, level, level + 1, node, side, bit), longer))

    def _key(self, code: int, number: int, tree: Tree, node: int, level: int, bits: int) -> Operation:
        """The key of a sub-tree: bits of the path and, above them, the conditions of its splits."""
        splits = list(walk(tree, node))
        self._conditions += splits
        if bits + len(splits) > MAX_BITS:
            raise TablesDoNotApply(f"a path tests {bits} different features")
        return code, number, level, bits, len(splits), len(self._conditions) - len(splits)

    def _write_tables(self, tree: Tree, node: int, path: Path, block: _Block) -> None:
        """Tables of contributions for all values of the key that comes next."""
        leaves, slots, bits = leaves_below(tree, node, path)
        self._dense.append((bits, self._table_size, len(slots), *self._leaves.add(leaves, slots)))
        for feature in slots:
            block.adds[self._row[feature]] += [block.keys, self._table_size]
            self._table_size += 1 << bits
        block.keys += 1

    def _write_leaves(self, tree: Tree, node: int, path: Path, block: _Block) -> None:
        """Leaves from which the tables of the long key that comes next are filled, chunk by chunk."""
        leaves, slots, _ = leaves_below(tree, node, path)
        first, count = self._long_leaves.add(leaves, slots)
        block.fills.append((FILL, len(block.fills), first, count, len(slots), len(self._slots)))
        self._slots += [self._row[feature] for feature in slots]

    def _see_level(self, level: int) -> None:
        if level > MAX_DEPTH:
            raise TablesDoNotApply(f"a tree is more than {MAX_DEPTH} levels deep")
        self._levels = max(self._levels, level + 1)
