"""Proportional hazards, the model that every survival model is measured against, by scikit-learn.

The piecewise exponential model h_k(x) = exp(alpha_k + beta x), S_k = exp(-(h_1 + ... + h_k)), is a Poisson regression
with a log link on rows and periods (Holford, "The analysis of rates and of survivorship using log-linear models",
Biometrics 1980): Cox's model with a baseline that is constant within a period. It is reported, never saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..language.declarations import FeatureColumn
from .base import Floats
from .encoding import Encoder
from .hazard import Periods
from .logistic import prepared

MOST_ROWS = 50_000
"""It is fitted to at most so many rows and periods, drawn by the seed: more do not move it."""
_PENALTY = 1e-3


class ProportionalHazards:
    """The fitted regression; make it by `fit`."""

    def __init__(self, encoder: Encoder, pipeline: Any, periods: int) -> None:
        self._encoder, self._pipeline, self._periods = encoder, pipeline, periods

    @classmethod
    def fit(
        cls, columns: Sequence[FeatureColumn], table: pa.Table, periods: Periods, last: int, *, seed: int = 0
    ) -> ProportionalHazards:
        """Fit to a snapshot (n rows) as rows and periods (m), up to the period `last`."""
        from sklearn.linear_model import PoissonRegressor
        from sklearn.pipeline import make_pipeline

        if len(periods.row) > MOST_ROWS:
            drawn = np.random.default_rng(seed).choice(len(periods.row), MOST_ROWS, replace=False)
            periods = periods.take(np.sort(drawn))
        encoder = Encoder.fit(columns, table)
        categories = [*encoder.categories, len(columns)]
        matrix = np.column_stack([_finite(encoder.encode(table))[periods.row], periods.period])
        pipeline = make_pipeline(prepared(matrix.shape[1], categories), PoissonRegressor(alpha=_PENALTY, max_iter=500))
        return cls(encoder, pipeline.fit(matrix, periods.left), last)

    def curves(self, table: pa.Table) -> Floats:
        """P(still there at the end of each period), (n, periods)."""
        matrix = _finite(self._encoder.encode(table))
        ahead = range(1, self._periods + 1)
        each = [self._pipeline.predict(np.column_stack([matrix, np.full(len(matrix), k)])) for k in ahead]
        return np.asarray(np.exp(-np.cumsum(np.column_stack(each), axis=1)))


def _finite(matrix: Floats) -> Floats:
    return np.where(np.isinf(matrix), np.nan, matrix)
