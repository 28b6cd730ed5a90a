"""Contributions of trees that were boosted from a logistic regression: those of the trees plus the terms of the sum."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..models.linear_start import LinearStart
from .plain_trees import Plain, top_of
from .tables import TreeTables
from .tables_results import TopGroups

Floats = NDArray[np.float64]


class StartedTrees:
    """Trees and the linear start below them, behind the methods that trees alone have. Exact, as both are."""

    def __init__(self, trees: TreeTables | Plain, start: LinearStart) -> None:
        self.trees, self.start = trees, start

    def raw_score(self, X: Floats) -> Floats:
        """Raw scores (n,)."""
        return np.asarray(self.trees.raw_score(X) + self.start.raw_score(X))

    def contributions(self, X: Floats) -> Floats:
        """Contributions (n, p + 1), the last column being the bias."""
        out = self.trees.contributions(X)
        out[:, :-1] += self.start.contributions(X)
        out[:, -1] += self.start.intercept
        return out

    def top_groups(self, X: Floats, groups: ArrayLike, k: int) -> TopGroups:
        """The k strongest groups of each row and the raw score; `groups` (p,) gives each feature's group id."""
        if isinstance(self.trees, TreeTables):
            return self.trees.top_groups(X, groups, k, self.start)
        return top_of(self.contributions(X), self.raw_score(X), groups, k)
