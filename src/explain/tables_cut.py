"""Small questions about the nodes of a tree, which the cutting into sub-trees asks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .trees import Forest, Tree


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


def leaf_values(tree: Tree, node: int, bit: dict[int, int]) -> NDArray[np.float64]:
    """The leaf value that each pattern of conditions inside a sub-tree leads to; (2 ** splits,)."""
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
    """Number of cells that the dense tables for keys of at most `bits` bits will have."""
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
