"""The search for hyperparameters: an Optuna study that persists and resumes. The only place with optuna.

The first trial is the configuration's own learner, the next ones what practice recommends: a search that finds nothing
costs nothing. A trial is judged by log loss on rows later than those it was fitted to: the validation window, or
rolling folds inside the training window where there is none. It is given up where it lags behind two thirds of those
before it, compared at equal progress (learning rate times trees), so that slow learners are not cut for being slow.

Rows are binned once, coarsely, and serve all trials. A study that is stored goes on where it was left: the same rows,
space and seed find it again, and what was tried is not tried twice. Each trial draws from the seed and the number of
trials before it, so that a study that was killed and resumed ends as one that was not.
"""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import optuna

from ..config import IntRange, LearnerConfig, TuningConfig
from ..language.declarations import FeatureColumn
from ..models.base import json_bytes
from ..registry.tracking import process_name
from .folds import Fold, PreparedFold

STARTUP = 4  # trials before the sampler learns
PROGRESS = 0.5  # learning rate times trees between two looks at a trial
EARLIEST = 6  # trials before anything is given up
WARMUP = 6  # looks before a trial may be given up
KEPT = 65.0  # per cent of trials, the best at a look, among which it must be
OF_CATEGORIES = ("cat_smooth", "cat_l2", "min_data_per_group", "max_cat_threshold")
DONE = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


@dataclass(frozen=True)
class Trial:
    """One set of hyperparameters, the best number of trees on average, and the log loss it reached.

    A trial that was given up has the loss that it had by then.
    """

    number: int
    learner: LearnerConfig
    rounds: int
    log_loss: float
    seconds: float
    given_up: bool = False


@dataclass(frozen=True)
class Found:
    """What a search found: the best learner, its n_estimators the best number of trees, and all trials in order.

    `resumed` of the trials are from an earlier search. `importance` is each hyperparameter's share of the differences
    in log loss (functional analysis of variance, Hutter et al. 2014); empty where too few trials were finished.
    """

    learner: LearnerConfig
    trials: tuple[Trial, ...]
    resumed: int
    importance: Mapping[str, float]


def search(
    folds: Sequence[Fold],
    columns: Sequence[FeatureColumn],
    learner: LearnerConfig,
    budget: TuningConfig,
    *,
    seed: int,
    threads: int | None = None,
    store: Path | None = None,
    told: Callable[[Trial], None] = lambda trial: None,
) -> Found:
    """Search until the budget is spent; with no trials the configured learner is measured once, for its trees.

    `store` is a folder in which the study is kept; its file is named by what it depends on. `told` hears of each new
    trial when it is done. Deterministic for a seed, unless the budget of seconds ends the search.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    prepared = [PreparedFold.of(fold, columns, learner, budget, seed) for fold in folds]
    space = _space(learner, budget, columns)
    study = _open(store, _key(prepared, learner, budget, space, seed))
    _revive(study, learner, space)
    started, most = time.monotonic(), max(budget.trials, 1)
    resumed = min(len(_done(study)), most)
    while (number := len(_done(study))) < most:
        if number and budget.seconds is not None and time.monotonic() - started > budget.seconds:
            break
        study.sampler = _sampler(seed, number)
        told(_run(study, prepared, learner, space, number, seed, threads))
    trials = tuple(_read(trial, number, learner) for number, trial in enumerate(_done(study)[:most]))
    best = min((trial for trial in trials if not trial.given_up), key=lambda trial: trial.log_loss)
    chosen = best.learner.model_copy(update={"n_estimators": max(best.rounds, 10)})
    return Found(chosen, trials, resumed, _importance(study, seed))


# ------------------------------------------------------------------------------------------- one trial
def _run(
    study: optuna.Study,
    prepared: Sequence[PreparedFold],
    learner: LearnerConfig,
    space: Mapping[str, Any],
    number: int,
    seed: int,
    threads: int | None,
) -> Trial:
    asked = study.ask()
    asked.set_user_attr("process", process_name(os.getpid()))
    tried = _suggest(asked, learner, space)
    started = time.monotonic()
    losses: list[float] = []
    rounds: list[int] = []
    state = optuna.trial.TrialState.COMPLETE
    try:
        for place, fold in enumerate(prepared):
            # Looks inside a fold come first; behind them one at the end of each fold, with the mean so far.
            watch = _Watch(asked, tried.learning_rate, losses) if place == 0 else None
            loss, trees = fold.measure(tried, seed, threads, watch)
            losses.append(loss)
            rounds.append(trees)
            asked.report(float(np.mean(losses)), 10_000 + place)
            if place < len(prepared) - 1 and asked.should_prune():
                raise optuna.TrialPruned
    except optuna.TrialPruned:
        state = optuna.trial.TrialState.PRUNED
    given_up = state is optuna.trial.TrialState.PRUNED
    done = Trial(
        number=number,
        learner=tried,
        rounds=int(np.mean(rounds)) if rounds else 0,
        log_loss=float(np.mean(losses)),
        seconds=time.monotonic() - started,
        given_up=given_up,
    )
    for name in ("rounds", "log_loss", "seconds"):
        asked.set_user_attr(name, getattr(done, name))
    study.tell(asked, None if given_up else done.log_loss, state=state)
    return done


class _Watch:
    """LightGBM's callback that reports a trial at equal steps of progress, and gives it up where it lags.

    The best loss so far is what is compared: late trees may only make a trial worse, and early stopping cuts them.
    """

    def __init__(self, trial: optuna.Trial, rate: float, losses: list[float]) -> None:
        self.trial, self.rate, self.losses = trial, rate, losses
        self.step, self.best = 0, float("inf")

    def __call__(self, environment: Any) -> None:
        self.best = min(self.best, float(environment.evaluation_result_list[0][2]))
        step = int(self.rate * (environment.iteration + 1) / PROGRESS)
        if step > self.step:
            self.step = step
            self.trial.report(self.best, step)
            if self.trial.should_prune():
                self.losses.append(self.best)
                raise optuna.TrialPruned


# ------------------------------------------------------------------------------------------- space and first trials
def _space(learner: LearnerConfig, budget: TuningConfig, columns: Sequence[FeatureColumn]) -> dict[str, Any]:
    """Optuna's distributions, widened to hold the configured learner; those of categories only where there are any."""
    has_categories = any(column.kind == "category" for column in columns)
    found: dict[str, Any] = {}
    for name, span in budget.space.ranges().items():
        if name in OF_CATEGORIES and not has_categories:
            continue
        own = getattr(learner, name)
        low, high = min(span.low, own), max(span.high, own)
        kind = (
            optuna.distributions.IntDistribution
            if isinstance(span, IntRange)
            else optuna.distributions.FloatDistribution
        )
        found[name] = kind(low, high, log=span.log and low > 0)
    return found


def _first(learner: LearnerConfig) -> tuple[LearnerConfig, ...]:
    """What is tried first: the configured learner, a slower one of smaller trees, and one of larger trees."""
    return (
        learner,
        learner.model_copy(
            update={"num_leaves": 5, "learning_rate": 0.02, "colsample_bytree": 0.2, "min_child_samples": 100}
        ),
        learner.model_copy(
            update={
                "num_leaves": 31,
                "max_depth": 8,
                "learning_rate": 0.05,
                "colsample_bytree": 0.5,
                "cat_smooth": 50.0,
            }
        ),
    )


def _suggest(trial: optuna.Trial, learner: LearnerConfig, space: Mapping[str, Any]) -> LearnerConfig:
    drawn = {
        name: trial.suggest_int(name, span.low, span.high, log=span.log)
        if isinstance(span, optuna.distributions.IntDistribution)
        else trial.suggest_float(name, span.low, span.high, log=span.log)
        for name, span in space.items()
    }
    return learner.model_copy(update=drawn)


def _point(learner: LearnerConfig, space: Mapping[str, Any]) -> dict[str, Any]:
    """A learner's place in the space, the nearest one where it lies outside."""
    return {name: min(max(getattr(learner, name), span.low), span.high) for name, span in space.items()}


# ------------------------------------------------------------------------------------------- the study and its file
def _key(
    prepared: Sequence[PreparedFold],
    learner: LearnerConfig,
    budget: TuningConfig,
    space: Mapping[str, Any],
    seed: int,
) -> str:
    """What a study depends on, as a digest: rows, learner, space, seed; not its budget, which may grow."""
    content = {
        "rows": [fold.digest for fold in prepared],
        "learner": learner.model_dump(mode="json"),
        "max_bin": budget.max_bin,
        "space": {name: repr(span) for name, span in space.items()},
        "seed": seed,
        "versions": [lgb.__version__, optuna.__version__],
    }
    return hashlib.sha256(json_bytes(content)).hexdigest()


def _open(store: Path | None, key: str) -> optuna.Study:
    storage = None
    if store is not None:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        store.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(store / f"{key[:16]}.journal")))
    pruner = optuna.pruners.PercentilePruner(KEPT, n_startup_trials=EARLIEST, n_warmup_steps=WARMUP)
    return optuna.create_study(storage=storage, study_name=key, load_if_exists=True, pruner=pruner)


def _revive(study: optuna.Study, learner: LearnerConfig, space: Mapping[str, Any]) -> None:
    """Enqueue the first trials of a new study; in an old one, those that were running when their process ended."""
    trials = study.get_trials(deepcopy=False)
    if not trials:
        for first in _first(learner):
            study.enqueue_trial(_point(first, space))
        return
    own = process_name(os.getpid())
    for trial in trials:
        if trial.state is optuna.trial.TrialState.RUNNING and _is_gone(trial.user_attrs.get("process", ""), own):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            if set(trial.params) == set(space):
                study.enqueue_trial(trial.params)


def _is_gone(process: str, own: str) -> bool:
    """True for a process that has ended on this machine; one elsewhere may be at work."""
    host, _, rest = process.partition("/")
    number = rest.partition("/")[0]
    if not number.isdigit():
        return True
    return host == own.partition("/")[0] and process_name(int(number)) != process


def _done(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    finished: list[optuna.trial.FrozenTrial] = study.get_trials(deepcopy=False, states=DONE)
    return finished


def _sampler(seed: int, number: int) -> optuna.samplers.BaseSampler:
    """The sampler of one trial: its draws depend on the seed and on how many trials there were before it."""
    drawn = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    return optuna.samplers.TPESampler(seed=drawn, n_startup_trials=STARTUP)


def _read(trial: optuna.trial.FrozenTrial, number: int, learner: LearnerConfig) -> Trial:
    facts = trial.user_attrs
    tried = learner.model_copy(update=trial.params)
    done = Trial(number, tried, facts["rounds"], facts["log_loss"], facts["seconds"])
    return replace(done, given_up=trial.state is optuna.trial.TrialState.PRUNED)


def _importance(study: optuna.Study, seed: int) -> dict[str, float]:
    finished = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(finished) < STARTUP or len({trial.value for trial in finished}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=UserWarning)
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=seed)
        )
    return {name: float(value) for name, value in found.items()}
