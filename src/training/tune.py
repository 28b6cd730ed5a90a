"""The search for hyperparameters: an Optuna study with a budget of trials and seconds. The only place with optuna.

The first trial is the configuration's own learner, the second a slower one of smaller trees: a search that finds
nothing costs nothing. A trial is judged by log loss on rows later than those it was fitted to: the validation window,
or rolling folds inside the training window where there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import optuna
import pyarrow as pa

from ..config import LearnerConfig, TuningConfig
from ..language.declarations import FeatureColumn
from ..models import boosting
from ..models.encoding import Encoder

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """Rows to fit on and rows to be judged by, with their targets."""

    fit: pa.Table
    fit_target: Floats
    look: pa.Table
    look_target: Floats


@dataclass(frozen=True)
class Trial:
    """One set of hyperparameters, the best number of trees on average, and the log loss it reached."""

    number: int
    learner: LearnerConfig
    rounds: int
    log_loss: float
    seconds: float


def search(
    folds: Sequence[Fold],
    columns: Sequence[FeatureColumn],
    learner: LearnerConfig,
    budget: TuningConfig,
    *,
    seed: int,
    threads: int | None = None,
    told: Callable[[Trial], None] = lambda trial: None,
) -> tuple[LearnerConfig, tuple[Trial, ...]]:
    """The best learner, its n_estimators set to the best number of trees, and all trials in order.

    With a budget of no trials the configured learner is measured once, for its number of trees. `told` hears of each
    trial when it is done. Deterministic for a seed, unless the budget of seconds ends the search.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    prepared = [_prepare(fold, columns) for fold in folds]
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=4))
    study.enqueue_trial(_point(learner))
    study.enqueue_trial(_point(_slower(learner)))
    trials: list[Trial] = []

    def objective(trial: optuna.Trial) -> float:
        started = time.monotonic()
        tried = _suggest(trial, learner)
        losses, rounds = zip(*(fold.measure(tried, seed, threads) for fold in prepared), strict=True)
        done = Trial(trial.number, tried, int(np.mean(rounds)), float(np.mean(losses)), time.monotonic() - started)
        trials.append(done)
        told(done)
        return done.log_loss

    study.optimize(objective, n_trials=max(budget.trials, 1), timeout=budget.seconds)
    best = min(trials, key=lambda trial: trial.log_loss)
    return best.learner.model_copy(update={"n_estimators": max(best.rounds, 10)}), tuple(trials)


@dataclass(frozen=True)
class _Prepared:
    """A fold as LightGBM data sets, binned once for all trials."""

    training: object
    validation: object
    look: Floats
    target: Floats
    cells: int

    def measure(self, learner: LearnerConfig, seed: int, threads: int | None) -> tuple[float, int]:
        threads = boosting.threads_for(self.cells, threads)
        settings = boosting.parameters(learner, seed=seed, threads=threads)
        text = boosting.train(
            settings,
            self.training,
            rounds=learner.n_estimators,
            validation=self.validation,
            patience=learner.early_stopping_rounds,
        )
        booster = boosting.from_text(text)
        raw = booster.predict(self.look, raw_score=True, num_threads=threads)
        return float(np.mean(np.logaddexp(0, raw) - self.target * raw)), int(booster.num_trees())


def _prepare(fold: Fold, columns: Sequence[FeatureColumn]) -> _Prepared:
    encoder = Encoder.fit(columns, fold.fit)
    matrix = encoder.encode(fold.fit)
    training = boosting.dataset(encoder, matrix, fold.fit_target)
    look = encoder.encode(fold.look)
    validation = boosting.dataset(encoder, look, fold.look_target, reference=training)
    return _Prepared(training, validation, look, fold.look_target, matrix.size)


def _suggest(trial: optuna.Trial, learner: LearnerConfig) -> LearnerConfig:
    return learner.model_copy(
        update={
            "num_leaves": trial.suggest_int("num_leaves", 5, 31, log=True),
            "max_depth": trial.suggest_int("max_depth", 3, 8),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 10, 200, log=True),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.15, 0.9),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 50.0, log=True),
            "cat_smooth": trial.suggest_float("cat_smooth", 5.0, 100.0, log=True),
            "cat_l2": trial.suggest_float("cat_l2", 5.0, 100.0, log=True),
        }
    )


def _point(learner: LearnerConfig) -> dict[str, float]:
    names = (
        "num_leaves",
        "max_depth",
        "learning_rate",
        "min_child_samples",
        "colsample_bytree",
        "subsample",
        "reg_lambda",
        "cat_smooth",
        "cat_l2",
    )
    return {name: getattr(learner, name) for name in names}


def _slower(learner: LearnerConfig) -> LearnerConfig:
    return learner.model_copy(
        update={"num_leaves": 5, "learning_rate": 0.02, "colsample_bytree": 0.2, "min_child_samples": 100}
    )
