"""What a company would do without a model, so that every model is measured against it.

A rule ranks by one or two columns of the snapshot, which the task names; the prior is here too, and the logistic
regression in its own module. Each is fitted on the training rows, gives a `score` to rank by, and a `predict`: the
score's rank among the training scores, calibrated, so that log loss and Brier score can be reported for it as well.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from ..errors import ModelError
from .base import Floats
from .calibration import choose_calibrator
from .calibration_fits import sigmoid
from .encoding import numbers


class Rule(ABC):
    """A baseline: `fit` learns what little it needs, `score` ranks, `predict` gives probabilities."""

    name: str

    @abstractmethod
    def fit(
        self,
        table: pa.Table,
        target: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        negative_share: float = 1.0,
        seed: int = 0,
    ) -> Self:
        """Fit to training rows (n) and their target (n,), and return the rule itself.

        `groups` (n,) are the entities (default: each row is one); `negative_share` is the share of negatives that the
        training rows were sampled to. ModelError where a column is missing or no number, or the target has one class.
        """

    @abstractmethod
    def score(self, table: pa.Table) -> Floats:
        """The number (n,) to rank by, finite; large means likely."""

    def predict(self, table: pa.Table) -> Floats:
        """Probabilities (n,)."""
        return self.probability(self.score(table))

    @abstractmethod
    def probability(self, score: Floats) -> Floats:
        """The probabilities (n,) that scores (n,) of this rule stand for."""


class Prior(Rule):
    """The share of positives in training, for everyone."""

    name = "prior"

    def fit(
        self,
        table: pa.Table,
        target: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        negative_share: float = 1.0,
        seed: int = 0,
    ) -> Self:
        """See `Rule.fit`."""
        rate = labels_of(target).mean()
        self._log_odds = float(np.log(rate / (1 - rate)) + np.log(negative_share))
        return self

    def score(self, table: pa.Table) -> Floats:
        """The same log-odds for every row."""
        return np.full(table.num_rows, self._log_odds)

    def probability(self, score: Floats) -> Floats:
        """The same probability for every row."""
        return sigmoid(score)


class RankedRule(Rule):
    """A rule that ranks by columns of the snapshot.

    It has no scale of its own: its probability is the calibrated rank of the score among the training scores.
    """

    def fit(
        self,
        table: pa.Table,
        target: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        negative_share: float = 1.0,
        seed: int = 0,
    ) -> Self:
        """See `Rule.fit`."""
        labels = labels_of(target)
        self._learn(table)
        scores = self.score(table)
        self._scores = np.sort(scores)
        self._shift = float(np.log(negative_share))
        entities = np.arange(len(labels)) if groups is None else groups
        self._calibrator = choose_calibrator(self._log_odds_of_rank(scores), labels, entities, seed=seed)
        return self

    def probability(self, score: Floats) -> Floats:
        """Calibrated probabilities (n,)."""
        probability = self._calibrator.apply(self._log_odds_of_rank(score))
        return sigmoid(np.log(probability / (1 - probability)) + self._shift)

    def _log_odds_of_rank(self, scores: Floats) -> Floats:
        """Log-odds of the mid-rank among the training scores."""
        below = np.searchsorted(self._scores, scores, side="left")
        up_to = np.searchsorted(self._scores, scores, side="right")
        rank = ((below + up_to) / 2 + 0.5) / (len(self._scores) + 1)
        return np.asarray(np.log(rank / (1 - rank)))

    @abstractmethod
    def _learn(self, table: pa.Table) -> None:
        """Take from the training rows what `score` needs."""


class FirstKnown(RankedRule):
    """Rank by a column; where it is missing by the next one, and so on; `sign` -1 if small values mean likely.

    With several columns each is read as its rank among the training rows, which makes their units comparable. Rows in
    which all are missing get the middle.
    """

    def __init__(self, *columns: str, sign: int = 1, name: str | None = None) -> None:
        if not columns:
            raise ModelError("a rule needs at least one column")
        self.columns, self.sign, self.name = columns, sign, name or f"by {columns[0]}"
        self._known: list[Floats] = []

    def score(self, table: pa.Table) -> Floats:
        """The column itself, or ranks (0 to 1) where there are several; large means likely."""
        if len(self.columns) == 1:
            values = self.sign * numbers(table, self.columns[0])
            return np.where(np.isnan(values), self._middle, values)
        scores = np.full(table.num_rows, np.nan)
        for column, known in zip(self.columns, self._known, strict=True):
            values = self.sign * numbers(table, column)
            both = np.searchsorted(known, values, side="left") + np.searchsorted(known, values, side="right")
            scores = np.where(np.isnan(scores) & ~np.isnan(values), both / (2 * max(len(known), 1)), scores)
        return np.where(np.isnan(scores), 0.5, scores)

    def _learn(self, table: pa.Table) -> None:
        columns = [self.sign * numbers(table, column) for column in self.columns]
        self._known = [np.sort(values[~np.isnan(values)]) for values in columns]
        self._middle = float(np.median(self._known[0])) if len(self._known[0]) else 0.0


class CountThen(RankedRule):
    """Rank by a count, and among equal counts by a second column that is not negative; missing counts as zero.

    Personal frequency with popularity behind it, for instance: score = count + second / (1 + second).
    """

    def __init__(self, count: str, second: str, *, name: str | None = None) -> None:
        self.count, self.second, self.name = count, second, name or f"by {count}, then {second}"

    def score(self, table: pa.Table) -> Floats:
        """The count plus a share below 1 that orders equal counts."""
        second = np.maximum(np.nan_to_num(numbers(table, self.second)), 0)
        return np.asarray(np.nan_to_num(numbers(table, self.count)) + second / (1 + second))

    def _learn(self, table: pa.Table) -> None:
        """Nothing is learned."""


class Overdue(RankedRule):
    """Days since the last visit over the usual gap between visits: how overdue a customer is.

    A customer with one visit has no gap of his own: his days are taken over the median gap of the training rows, so
    that he is ranked by the plain days, on the scale of the others.
    """

    def __init__(self, days_since_last: str, usual_gap: str, *, name: str = "overdue") -> None:
        self.days_since_last, self.usual_gap, self.name = days_since_last, usual_gap, name

    def score(self, table: pa.Table) -> Floats:
        """The ratio; rows without any visit count as the most overdue of training."""
        ratio = self._ratio(table)
        return np.where(np.isnan(ratio), self._most, ratio)

    def _ratio(self, table: pa.Table) -> Floats:
        gap = numbers(table, self.usual_gap)
        usual = np.where(gap > 0, gap, self._median)
        return np.asarray(numbers(table, self.days_since_last) / usual)

    def _learn(self, table: pa.Table) -> None:
        gap = numbers(table, self.usual_gap)
        self._median = float(np.median(gap[gap > 0])) if (gap > 0).any() else 1.0
        self._most = float(np.nanmax(self._ratio(table), initial=0.0))


def labels_of(target: ArrayLike) -> Floats:
    """A target as float64 (n,); ModelError where it holds one class only."""
    labels = np.asarray(target, dtype=np.float64)
    if len(np.unique(labels)) < 2:
        raise ModelError("the training rows hold no positives or no negatives; check horizon and split")
    return labels
