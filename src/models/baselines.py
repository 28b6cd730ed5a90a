"""What a company would do without a model, so that every model is measured against it.

A rule ranks by one or two columns of the snapshot; the prior and the logistic regression are here too. Which columns a
rule reads is said by the task. Each rule is fitted on the training rows, gives a `score` to rank by, and a `predict`:
the score's rank among the training scores, calibrated, so that log loss and Brier score can be reported for it as well.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from ..errors import ModelError
from ..language.declarations import FeatureColumn
from .base import Floats
from .calibration import Calibrator, choose_calibrator
from .encoding import Encoder, numbers

LOGISTIC_ROWS = 100_000
"""The logistic regression is fitted to at most so many rows, drawn by the seed: more do not move it."""


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

    @abstractmethod
    def predict(self, table: pa.Table) -> Floats:
        """Probabilities (n,)."""


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
        rate = _labels(target).mean()
        self._log_odds = float(np.log(rate / (1 - rate)) + np.log(negative_share))
        return self

    def score(self, table: pa.Table) -> Floats:
        """The same log-odds for every row."""
        return np.full(table.num_rows, self._log_odds)

    def predict(self, table: pa.Table) -> Floats:
        """The same probability for every row."""
        return _sigmoid(self.score(table))


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
        labels = _labels(target)
        self._learn(table)
        scores = self.score(table)
        self._scores = np.sort(scores)
        self._shift = float(np.log(negative_share))
        entities = np.arange(len(labels)) if groups is None else groups
        self._calibrator = choose_calibrator(self._log_odds_of_rank(scores), labels, entities, seed=seed)
        return self

    def predict(self, table: pa.Table) -> Floats:
        """Calibrated probabilities (n,)."""
        probability = self._calibrator.apply(self._log_odds_of_rank(self.score(table)))
        return _sigmoid(np.log(probability / (1 - probability)) + self._shift)

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


class LogisticRegression(Rule):
    """Logistic regression on all features: the simple learner that boosting must beat.

    Numbers: the median for missing ones and an indicator, sign(x) ln(1 + |x|), scaled; categories: one-hot; L2 penalty
    with C = 0.1. It is reported, never saved.
    """

    name = "logistic regression"

    def __init__(self, columns: Sequence[FeatureColumn], *, penalty: float = 0.1) -> None:
        self.columns, self.penalty = tuple(columns), penalty

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
        labels = _labels(target)
        if table.num_rows > LOGISTIC_ROWS:
            drawn = np.sort(np.random.default_rng(seed).choice(table.num_rows, LOGISTIC_ROWS, replace=False))
            table, labels = table.take(pa.array(drawn)), labels[drawn]
        self._encoder = Encoder.fit(self.columns, table)
        self._shift = float(np.log(negative_share))
        self._pipeline = self._new_pipeline().fit(self._matrix(table), labels)
        return self

    def score(self, table: pa.Table) -> Floats:
        """Log-odds (n,)."""
        return np.asarray(self._pipeline.decision_function(self._matrix(table)) + self._shift)

    def predict(self, table: pa.Table) -> Floats:
        """Its own probabilities (n,), not calibrated again."""
        return _sigmoid(self.score(table))

    def _matrix(self, table: pa.Table) -> Floats:
        matrix = self._encoder.encode(table)
        return np.where(np.isinf(matrix), np.nan, matrix)

    def _new_pipeline(self) -> Any:
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression as Learner
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

        categories = list(self._encoder.categories)
        measured = [i for i in range(len(self.columns)) if i not in categories]
        imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        scaled = make_pipeline(imputer, FunctionTransformer(_signed_log), StandardScaler())
        one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        prepared = ColumnTransformer([("numbers", scaled, measured), ("categories", one_hot, categories)])
        return make_pipeline(prepared, Learner(C=self.penalty, max_iter=500))


def _labels(target: ArrayLike) -> Floats:
    labels = np.asarray(target, dtype=np.float64)
    if len(np.unique(labels)) < 2:
        raise ModelError("the training rows hold no positives or no negatives; check horizon and split")
    return labels


def _sigmoid(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def _signed_log(values: Floats) -> Floats:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
