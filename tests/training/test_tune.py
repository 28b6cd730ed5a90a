"""The search: the same for a seed, resumed where it was left, within its budget and its space."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import optuna
import pyarrow as pa
import pytest
from pydantic import ValidationError

from rapport.config import LearnerConfig, SearchSpace, TuningConfig
from rapport.language.declarations import FeatureColumn
from rapport.registry.tracking import process_name
from rapport.training import folds
from rapport.training.folds import Fold
from rapport.training.tune import search
from rapport.training.tune_pictures import pictures

COLUMNS = tuple(FeatureColumn(name, block="test", family=name) for name in ("a", "b", "noise"))
LEARNER = LearnerConfig(n_estimators=150, min_child_samples=20, early_stopping_rounds=40)


def rows(seed: int, size: int = 1500) -> tuple[pa.Table, np.ndarray]:
    random = np.random.default_rng(seed)
    values = random.normal(size=(size, 3))
    chance = 1 / (1 + np.exp(-(2 * values[:, 0] + 4 * values[:, 0] * values[:, 1])))
    return pa.table(dict(zip(("a", "b", "noise"), values.T, strict=True))), (random.random(size) < chance).astype(float)


FOLD = Fold(*rows(0), *rows(1))


def run(trials: int, store: Path | None = None, *, seed: int = 0, parts=(FOLD,), **more):
    return search(parts, COLUMNS, LEARNER, TuningConfig(trials=trials, **more), seed=seed, threads=1, store=store)


def told(found) -> list[tuple]:
    """What is the same in two equal searches: all but the time it took."""
    return [(trial.learner, trial.rounds, trial.log_loss, trial.given_up) for trial in found.trials]


@pytest.fixture(scope="module")
def whole():
    return run(12)


def test_the_search_is_the_same_for_a_seed(whole):
    assert told(run(12)) == told(whole)
    assert told(run(12, seed=1)) != told(whole)


def test_first_trials_are_the_configured_learner_and_good_practice(whole):
    first, slower, larger = (trial.learner for trial in whole.trials[:3])
    assert first == LEARNER
    assert (slower.num_leaves, slower.learning_rate) == (5, 0.02)
    assert (larger.num_leaves, larger.learning_rate) == (31, 0.05)


def test_the_best_trial_is_taken_with_its_trees(whole):
    best = min((trial for trial in whole.trials if not trial.given_up), key=lambda trial: trial.log_loss)
    assert whole.learner == best.learner.model_copy(update={"n_estimators": max(best.rounds, 10)})
    assert best.log_loss <= whole.trials[0].log_loss
    assert any(trial.given_up for trial in whole.trials)
    assert sum(whole.importance.values()) == pytest.approx(1)


def test_a_stored_search_goes_on_where_it_was_left(whole, tmp_path):
    part = run(5, tmp_path)
    assert part.resumed == 0
    rest = run(12, tmp_path)
    assert rest.resumed == 5
    assert told(rest) == told(whole)
    heard: list = []
    again = search(
        (FOLD,), COLUMNS, LEARNER, TuningConfig(trials=12), seed=0, threads=1, store=tmp_path, told=heard.append
    )
    assert heard == []
    assert again.resumed == 12
    assert again.learner == whole.learner


def test_a_killed_trial_is_tried_again(whole, tmp_path, monkeypatch):
    calls = []

    def killed(self, *arguments):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt  # leaves the trial as running, as a kill does
        return measure(self, *arguments)

    measure = folds.PreparedFold.measure
    monkeypatch.setattr(folds.PreparedFold, "measure", killed)
    with pytest.raises(KeyboardInterrupt):
        run(12, tmp_path)
    (file,) = tmp_path.iterdir()
    own = process_name(os.getpid())
    assert own in file.read_text()
    gone = f"{own.split('/')[0]}/99999999/1"  # a number that no process has
    file.write_text(file.read_text().replace(own, gone))
    rest = run(12, tmp_path)
    assert rest.resumed == 5
    assert told(rest) == told(whole)


def test_other_rows_or_another_space_are_another_study(tmp_path):
    run(1, tmp_path)
    assert run(1, tmp_path, parts=(Fold(*rows(2), *rows(1)),)).resumed == 0
    assert run(1, tmp_path, space={"num_leaves": {"low": 5, "high": 40}}).resumed == 0
    assert run(1, tmp_path, seed=1).resumed == 0
    assert len(list(tmp_path.iterdir())) == 4


def test_seconds_end_the_search_but_never_before_the_first_trial():
    found = run(50, seconds=1e-6)
    assert len(found.trials) == 1
    assert found.learner.num_leaves == LEARNER.num_leaves


def test_no_trials_measure_the_configured_learner():
    found = run(0)
    assert [trial.learner for trial in found.trials] == [LEARNER]


def test_what_the_space_leaves_out_stays(whole):
    kept = run(6, space={"learning_rate": None, "num_leaves": {"low": 12, "high": 14}})
    assert {trial.learner.learning_rate for trial in kept.trials} == {LEARNER.learning_rate}
    # The range is widened to hold the learner's own 10 leaves.
    assert all(10 <= trial.learner.num_leaves <= 14 for trial in kept.trials)
    assert {trial.learner.cat_l2 for trial in whole.trials} == {LEARNER.cat_l2}  # there are no categories


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_leafs": {"low": 5, "high": 9}},
        {"num_leaves": {"low": 9, "high": 5}},
        {"num_leaves": {"low": 1, "high": 5}},
        {"learning_rate": {"low": 0.0, "high": 0.1, "log": True}},
        {"subsample": {"low": 0.5, "high": 1.5}},
        {"num_leaves": {"low": 5, "high": 9, "step": 2}},
    ],
)
def test_a_space_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        SearchSpace.model_validate(wrong)


def test_several_folds_are_averaged():
    both = (FOLD, Fold(*rows(2), *rows(3)))
    mean = run(1, parts=both).trials[0]
    alone = [run(1, parts=(fold,)).trials[0].log_loss for fold in both]
    assert mean.log_loss == pytest.approx(np.mean(alone))
    assert len(run(8, parts=both).trials) == 8


def test_a_larger_fold_is_sampled():
    small = run(1, rows=200).trials[0]
    assert small.log_loss != run(1).trials[0].log_loss


def test_pictures_of_the_search(whole):
    made = pictures(whole)
    assert set(made) == {"plots/tuning_history.png", "plots/tuning_importance.png"}
    (axes,) = made["plots/tuning_history.png"].axes
    best = axes.get_lines()[0].get_ydata()
    assert list(best) == sorted(best, reverse=True)
    assert set(pictures(run(1))) == {"plots/tuning_history.png"}


def test_optuna_keeps_quiet():
    assert optuna.logging.get_verbosity() >= optuna.logging.WARNING
