"""Small questions about the nodes of a tree, which the cutting into sub-trees asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .tables_program import Leaves
from .trees import Forest, Tree

Path = dict[int, tuple[float, int, int]]  # by feature: cover ratio z, and the bits of the key that must be 1 and 0


@dataclass
class LeafList:
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
        """What was appended, as arrays."""
        return Leaves(
            np.array(self.value, np.float64),
            np.array(self.start, np.int64),
            np.array(self.ratio, np.float64),
            np.array(self.ones, np.uint32),
            np.array(self.zeros, np.uint32),
            np.array(self.slot, np.int64),
        )


def children(tree: Tree, node: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Side and child: 0 and the left one, 1 and the right one."""
    return (0, int(tree.left_child[node])), (1, int(tree.right_child[node]))


def share(tree: Tree, node: int, child: int) -> float:
    """The child's share of the node's training rows."""
    rows = tree.leaf_count[~child] if child < 0 else tree.internal_count[child]
    return float(rows / tree.internal_count[node])


def splits_below(tree: Tree) -> list[int]:
    """For each split the number of splits in its sub-tree, itself included; (splits,)."""
    below = [1] * tree.splits
    for node in reversed(list(walk(tree, 0 if tree.splits else -1))):
        below[node] += sum(below[child] for _, child in children(tree, node) if child >= 0)
    return below


def walk(tree: Tree, node: int) -> Iterator[int]:
    """The splits of a sub-tree in depth-first order; none for a leaf."""
    stack = [node]
    while stack:
        at = stack.pop()
        if at >= 0:
            yield at
            stack += [child for _, child in reversed(children(tree, at))]


def leaves_below(tree: Tree, node: int, path: Path) -> tuple[list[tuple[float, Path]], dict[int, int], int]:
    """Value and path of each leaf of a sub-tree that is reached by `path`, slots of their features, bits of the key.

    A key has first the bits of the path's features, 1 if met; then those of the sub-tree's splits as `walk` has them,
    1 where the row goes left.
    """
    bit = {split: 1 << (len(path) + i) for i, split in enumerate(walk(tree, node))}
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
    return leaves, slots, len(path) + len(bit)


def leaf_values(tree: Tree, node: int) -> NDArray[np.float64]:
    """The leaf value that each pattern of conditions inside a sub-tree leads to; (2 ** splits,)."""
    bit = {split: i for i, split in enumerate(walk(tree, node))}
    pattern = np.arange(1 << len(bit))
    values = np.zeros(len(pattern))
    stack = [(node, np.ones(len(pattern), np.bool_))]
    while stack:
        at, here = stack.pop()
        if at < 0:
            values[here] = tree.leaf_value[~at]
            continue
        left = (pattern >> bit[at] & 1).astype(np.bool_)
        stack += [(int(tree.left_child[at]), here & left), (int(tree.right_child[at]), here & ~left)]
    return values


def table_cells(forest: Forest, bits: int) -> int:
    """Number of cells that the tables of contributions with keys of at most `bits` bits will have."""
    cells = 0
    for tree in forest.trees:
        below = splits_below(tree)
        stack: list[tuple[int, frozenset[int]]] = [(0, frozenset())] if tree.splits else []
        while stack:
            node, path = stack.pop()
            key_bits = len(path) + (below[node] if node >= 0 else 0)
            if key_bits <= bits:
                cells += len(path.union(int(tree.split_feature[split]) for split in walk(tree, node))) << key_bits
            elif node >= 0:
                longer = path | {int(tree.split_feature[node])}
                stack += [(child, longer) for _, child in children(tree, node)]
    return cells
