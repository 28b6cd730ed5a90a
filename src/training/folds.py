"""Rows to fit on and rows to look at, and the same as LightGBM data sets that serve all trials of a search."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from ..config import LearnerConfig, TuningConfig
from ..language.declarations import FeatureColumn
from ..models import boosting
from ..models.base import Floats
from ..models.classifier import linear_start
from ..models.encoding import Encoder


@dataclass(frozen=True)
class Fold:
    """Rows to fit on and rows to be judged by, with their targets."""

    fit: pa.Table
    fit_target: Floats
    look: pa.Table
    look_target: Floats

    def sampled(self, most: int, seed: int) -> Fold:
        """The fold with at most so many rows in either part, in their order: what a search sees."""
        return Fold(
            *_sampled(self.fit, self.fit_target, most, seed), *_sampled(self.look, self.look_target, most, seed)
        )


@dataclass(frozen=True)
class PreparedFold:
    """A fold as LightGBM data sets, binned once for all trials; `digest` of its rows, `cells` of its matrix."""

    training: lgb.Dataset
    validation: lgb.Dataset
    cells: int
    digest: str

    @classmethod
    def of(
        cls, fold: Fold, columns: Sequence[FeatureColumn], learner: LearnerConfig, budget: TuningConfig, seed: int
    ) -> PreparedFold:
        """Bin a fold, or a sample of it where it has more rows than the budget allows."""
        fold = fold.sampled(budget.rows, seed)
        encoder = Encoder.fit(columns, fold.fit)
        matrix, looked = encoder.encode(fold.fit), encoder.encode(fold.look)
        digest = hashlib.sha256()
        for array in (matrix, fold.fit_target, looked, fold.look_target):
            digest.update(np.ascontiguousarray(array).data)
        start = linear_start(learner, encoder, matrix, fold.fit_target)
        begun, met = (0.0, 0.0) if start is None else (start.raw_score(matrix), start.raw_score(looked))
        training = boosting.dataset(encoder, matrix, fold.fit_target, start=begun, max_bin=budget.max_bin)
        validation = boosting.dataset(
            encoder, looked, fold.look_target, reference=training, start=met, max_bin=budget.max_bin
        )
        return cls(training, validation, matrix.size, digest.hexdigest())

    def measure(
        self, learner: LearnerConfig, seed: int, threads: int | None, watch: Callable[..., Any] | None
    ) -> tuple[float, int]:
        """Log loss at the best number of trees, and that number; `watch` is a callback of LightGBM."""
        settings = boosting.parameters(learner, seed=seed, threads=boosting.threads_for(self.cells, threads))
        losses = boosting.validation_losses(
            settings,
            self.training,
            self.validation,
            rounds=learner.n_estimators,
            patience=learner.early_stopping_rounds,
            callbacks=() if watch is None else (watch,),
        )
        return min(losses), int(np.argmin(losses)) + 1


def _sampled(rows: pa.Table, target: Floats, most: int, seed: int) -> tuple[pa.Table, Floats]:
    """At most so many rows, in their order: a search on a sample finds what a search on all rows finds."""
    if rows.num_rows <= most:
        return rows, target
    drawn = np.sort(np.random.default_rng(seed).choice(rows.num_rows, most, replace=False))
    return rows.take(pa.array(drawn)), target[drawn]
