"""Contributions and raw scores by LightGBM's own code, with the interface of the tables: slower, for every model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError
from .tables_results import Members, TopGroups, worst_gap, write_top

Floats = NDArray[np.float64]
TOLERANCE = 1e-8  # of additivity, relative


class PlainTrees:
    """A lightgbm.Booster behind the methods of `tables.TreeTables`."""

    def __init__(self, booster: Any, threads: int | None = None) -> None:
        self.booster = booster
        self.threads = threads

    def raw_score(self, X: Floats) -> Floats:
        """Raw scores (n,)."""
        return self._predict(X, raw_score=True)

    def contributions(self, X: Floats) -> Floats:
        """Contributions (n, p + 1), the last column being the bias; ModelError if they do not add up to the score."""
        return self._explain(X)[0]

    def top_groups(self, X: Floats, groups: ArrayLike, k: int) -> TopGroups:
        """The k strongest groups of each row and the raw score; `groups` (p,) gives each feature's group id."""
        contributions, score = self._explain(X)
        features = contributions.shape[1] - 1
        members = Members.of(np.asarray(groups), np.arange(features))
        top = TopGroups.empty(len(X), k)
        total = np.ascontiguousarray(contributions[:, :-1].T)
        write_top(total, members, np.empty((len(members.group), len(X))), 0, len(X), top)
        top.raw_score[:] = score
        return top

    def _explain(self, X: Floats) -> tuple[Floats, Floats]:
        contributions, score = self._predict(X, pred_contrib=True), self.raw_score(X)
        if not len(X):
            return contributions, score
        total = np.ascontiguousarray(contributions[:, :-1].T)
        gap = worst_gap(total, score, contributions[0, -1], np.empty(len(X)), len(X))
        if not gap <= TOLERANCE:
            raise ModelError(
                f"LightGBM's contributions do not add up to the raw score (off by {gap:.1e}): train the model anew"
            )
        return contributions, score

    def _predict(self, X: Floats, **kind: bool) -> Floats:
        return np.asarray(self.booster.predict(X, num_threads=self.threads or 0, **kind), np.float64)
