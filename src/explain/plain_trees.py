"""Contributions and raw scores by a model's own code, with the interface of the tables: slower, for every model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError
from .tables_results import Members, TopGroups, write_top

Floats = NDArray[np.float64]
TOLERANCE = 1e-8  # of additivity, relative


class Plain:
    """A model behind the methods of `tables.TreeTables`.

    `score` takes a matrix (n, p) to raw scores (n,), `explain` to contributions (n, p + 1), the last column the bias.
    """

    def __init__(self, score: Callable[[Floats], Floats], explain: Callable[[Floats], Floats]) -> None:
        self._score_of, self._contributions_of = score, explain

    def raw_score(self, X: Floats) -> Floats:
        """Raw scores (n,)."""
        return self._score_of(X)

    def contributions(self, X: Floats) -> Floats:
        """Contributions (n, p + 1), the last column being the bias; ModelError if they do not add up to the score."""
        return self._explain(X)[0]

    def top_groups(self, X: Floats, groups: ArrayLike, k: int) -> TopGroups:
        """The k strongest groups of each row and the raw score; `groups` (p,) gives each feature's group id."""
        return top_of(*self._explain(X), groups, k)

    def _explain(self, X: Floats) -> tuple[Floats, Floats]:
        contributions, score = self._contributions_of(X), self.raw_score(X)
        gap = (np.abs(contributions.sum(axis=1) - score) / (1 + np.abs(score))).max(initial=0.0)
        if not gap <= TOLERANCE:
            raise ModelError(
                f"the model's contributions do not add up to the raw score (off by {gap:.1e}): train the model anew"
            )
        return contributions, score


class PlainTrees(Plain):
    """A lightgbm.Booster by LightGBM's own code."""

    def __init__(self, booster: Any, threads: int | None = None) -> None:
        self.booster, self.threads = booster, threads
        super().__init__(lambda X: self._predict(X, raw_score=True), lambda X: self._predict(X, pred_contrib=True))

    def _predict(self, X: Floats, **kind: bool) -> Floats:
        return np.asarray(self.booster.predict(X, num_threads=self.threads or 0, **kind), np.float64)


def top_of(contributions: Floats, score: Floats, groups: ArrayLike, k: int) -> TopGroups:
    """The k strongest groups of each row of contributions (n, p + 1), with raw scores (n,); each row has its own bias.

    Raises ModelError if the contributions do not add up to the scores.
    """
    members = Members.of(np.asarray(groups), np.arange(contributions.shape[1] - 1))
    top = TopGroups.empty(len(score), k)
    total = np.ascontiguousarray(contributions[:, :-1].T)
    gap = write_top(total, score - contributions[:, -1], 0.0, members, 0, len(score), top)
    top.raw_score[:] = score
    if not gap <= TOLERANCE:
        raise ModelError(f"contributions do not add up to the raw score (off by {gap:.1e}): do not use these reasons")
    return top
