"""The trees of a LightGBM model, read from its text into arrays.

The text is LightGBM's own format (`Booster.model_to_string()`), which writes thresholds and leaf values with 17 digits,
so that what is read here is what the booster holds, to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MISSING_NONE, MISSING_ZERO, MISSING_NAN = 0, 1, 2
_CATEGORICAL, _DEFAULT_LEFT = 1, 2  # bits of `decision_type`; the bits above them are the missing type


class TablesDoNotApply(Exception):  # noqa: N818 - a signal to the caller, who has another way, not a fault
    """The model has a shape that tables do not cover: explain it with LightGBM's own code."""


@dataclass(frozen=True)
class Tree:
    """One tree. Splits are numbered from the root, 0; a child below zero is the leaf `~child`.

    A row goes left where its value is <= `threshold`, or where its category is one of `categories`; `default_left`
    says where a missing value goes. What is missing: NaN and zero (MISSING_ZERO), NaN (MISSING_NAN), or nothing, NaN
    being read as zero (MISSING_NONE). A missing or negative category goes right.
    """

    leaf_value: NDArray[np.float64]  # (leaves,)
    leaf_count: NDArray[np.float64]  # (leaves,) training rows
    split_feature: NDArray[np.int64]  # (splits,)
    threshold: NDArray[np.float64]  # (splits,)
    categorical: NDArray[np.bool_]  # (splits,)
    default_left: NDArray[np.bool_]  # (splits,)
    missing_type: NDArray[np.int64]  # (splits,)
    left_child: NDArray[np.int64]  # (splits,)
    right_child: NDArray[np.int64]  # (splits,)
    internal_count: NDArray[np.float64]  # (splits,) training rows
    categories: tuple[NDArray[np.int64], ...]  # (splits,) codes that go left; empty for a numeric split

    @property
    def splits(self) -> int:
        """Number of splits: one less than leaves."""
        return len(self.split_feature)

    @property
    def expected_value(self) -> float:
        """Mean leaf value over the training rows, as LightGBM computes it."""
        if self.splits == 0:
            return float(self.leaf_value[0])
        return float((self.leaf_count / self.internal_count[0] * self.leaf_value).sum())


@dataclass(frozen=True)
class Forest:
    """All trees of a model with one output: the raw score of a row is the sum of its leaf values, in this order."""

    trees: tuple[Tree, ...]
    num_features: int

    @property
    def expected_value(self) -> float:
        """The bias of the contributions: the sum of the trees' expected values."""
        return float(sum(tree.expected_value for tree in self.trees))


def parse_forest(text: str) -> Forest:
    """Read a model text.

    Raises TablesDoNotApply for several outputs (multiclass), averaged trees (random forests), linear trees, and nodes
    without training rows (their cover ratio is undefined); ValueError if the text is no LightGBM model.
    """
    head, *blocks = text.split("\nend of trees", 1)[0].split("\nTree=")
    fields = _fields(head)
    if "max_feature_idx" not in fields:
        raise ValueError("this is not the text of a LightGBM model")
    if int(fields.get("num_tree_per_iteration", "1")) != 1:
        raise TablesDoNotApply("the model has several outputs")
    if "average_output" in head.splitlines():
        raise TablesDoNotApply("the model averages its trees")
    return Forest(tuple(_tree(_fields(block)) for block in blocks), int(fields["max_feature_idx"]) + 1)


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _tree(fields: Mapping[str, str]) -> Tree:
    if fields.get("is_linear", "0") != "0":
        raise TablesDoNotApply("the model has linear trees")
    single = int(fields["num_leaves"]) == 1  # such a tree has no other field worth reading

    def floats(name: str) -> NDArray[np.float64]:
        return np.array([] if single else fields[name].split(), dtype=np.float64)

    def ints(name: str) -> NDArray[np.int64]:
        return floats(name).astype(np.int64)

    decision, threshold = ints("decision_type"), floats("threshold")
    categorical = (decision & _CATEGORICAL) > 0
    tree = Tree(
        leaf_value=np.array(fields["leaf_value"].split(), dtype=np.float64),
        leaf_count=floats("leaf_count"),
        split_feature=ints("split_feature"),
        threshold=threshold,
        categorical=categorical,
        default_left=(decision & _DEFAULT_LEFT) > 0,
        missing_type=decision >> 2 & 3,
        left_child=ints("left_child"),
        right_child=ints("right_child"),
        internal_count=floats("internal_count"),
        categories=_categories(fields, categorical, threshold),
    )
    if not single and min(tree.leaf_count.min(), tree.internal_count.min()) <= 0:
        raise TablesDoNotApply("the model has nodes without training rows")
    return tree


def _categories(
    fields: Mapping[str, str], categorical: NDArray[np.bool_], threshold: NDArray[np.float64]
) -> tuple[NDArray[np.int64], ...]:
    """The categories that go left at each split; `threshold` numbers the tree's bit sets of 32-bit words."""
    if not categorical.any():
        return (np.empty(0, np.int64),) * len(categorical)
    edges = np.array(fields["cat_boundaries"].split(), dtype=np.int64)
    words = np.array(fields["cat_threshold"].split(), dtype=np.uint32)
    bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
    sets = [np.flatnonzero(bits[32 * first : 32 * end]) for first, end in pairwise(edges)]
    nothing = np.empty(0, np.int64)
    return tuple(sets[int(t)] if is_set else nothing for is_set, t in zip(categorical, threshold, strict=True))
