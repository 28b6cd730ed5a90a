"""Logistic regression, the simple learner that boosting is always measured against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from ..language.declarations import FeatureColumn
from .base import Floats
from .baselines import Rule, labels_of
from .boosting import CHUNK
from .calibration_fits import sigmoid
from .encoding import Encoder

LOGISTIC_ROWS = 100_000
"""It is fitted to at most so many rows, drawn by the seed: more do not move it."""


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
        labels = labels_of(target)
        if table.num_rows > LOGISTIC_ROWS:
            drawn = np.sort(np.random.default_rng(seed).choice(table.num_rows, LOGISTIC_ROWS, replace=False))
            table, labels = table.take(pa.array(drawn)), labels[drawn]
        self._encoder = Encoder.fit(self.columns, table)
        self._shift = float(np.log(negative_share))
        self._pipeline = self._new_pipeline().fit(self._matrix(table), labels)
        return self

    def score(self, table: pa.Table) -> Floats:
        """Log-odds (n,)."""
        scores = np.empty(table.num_rows)
        for start in range(0, table.num_rows, CHUNK):  # the pipeline holds several copies of what it reads
            part = self._matrix(table.slice(start, CHUNK))
            scores[start : start + len(part)] = self._pipeline.decision_function(part)
        return np.asarray(scores + self._shift)

    def probability(self, score: Floats) -> Floats:
        """Its own probabilities (n,), not calibrated again."""
        return sigmoid(score)

    def _matrix(self, table: pa.Table) -> Floats:
        matrix = self._encoder.encode(table)
        return np.where(np.isinf(matrix), np.nan, matrix)

    def _new_pipeline(self) -> Any:
        from sklearn.linear_model import LogisticRegression as Learner
        from sklearn.pipeline import make_pipeline

        ready = prepared(len(self.columns), self._encoder.categories)
        return make_pipeline(ready, Learner(C=self.penalty, max_iter=500))


def prepared(columns: int, categories: Sequence[int]) -> Any:
    """What a linear model of scikit-learn needs before it, for encoded matrices with so many columns."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    measured = [i for i in range(columns) if i not in categories]
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    scaled = make_pipeline(imputer, FunctionTransformer(_signed_log), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("numbers", scaled, measured), ("categories", one_hot, list(categories))])


def _signed_log(values: Floats) -> Floats:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
