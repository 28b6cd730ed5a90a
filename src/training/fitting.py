"""From the windows before the test to a calibrated model: diet, search, fit, calibration, and the rules beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ..config import LearnerConfig
from ..errors import ModelError
from ..explain.contributions import Explainer, explainer
from ..language.declarations import FeatureColumn
from ..models.calibration import choose_calibrator, entity_folds
from ..models.classifier import BoostedClassifier, out_of_fold_scores
from ..models.worth import WorthModel
from ..registry.tracking import Run
from .diet import Diet, diet
from .finalists import fit_finalists
from .folds import Fold
from .judge import lists_of
from .material import Floats, Material, target_of
from .ranker import RankerChoice, as_classifier, lists_in, try_ranker
from .rules import Rules, fit_rules
from .splits import rolling_folds
from .tune import Found, Trial, search
from .tune_pictures import pictures
from .worth import fit_worth

Say = Callable[[str], None]
STUDIES = "tuning"  # folder of the studies below the home


@dataclass(frozen=True)
class Fitted:
    """A calibrated model with what was learned on the way."""

    model: BoostedClassifier
    explainer: Explainer
    rules: Rules
    trials: tuple[Trial, ...]
    learner: LearnerConfig
    calibration_scores: Floats
    diet: Diet
    worth: WorthModel | None = None
    choice: RankerChoice | None = None


def fit(material: Material, *, say: Say = lambda text: None, run: Run | None = None) -> Fitted:
    """Search, fit and calibrate on the windows before the test.

    ModelError where a ranker is configured without windows of its own for validation and calibration.
    """
    task, threads = material.task, material.data.config.threads
    training = material.table("train", negative_share=task.negative_share)
    eaten = diet(training, material.snapshots.columns)
    columns = eaten.kept
    if eaten.dropped:
        say(eaten.text)
    target = target_of(training)
    own, tuning = material.config.learner, material.config.tuning
    has_validation = "validation" in material.spines
    may_rank = task.ranks_within is not None and has_validation and "calibration" in material.spines
    if own.ranks and not may_rank:
        raise ModelError(f"{task.name}: a ranker needs a validation and a calibration window; add them to the split")
    tries_ranker = may_rank and tuning.try_ranker
    if has_validation:
        look = material.table("validation", negative_share=task.negative_share, from_whole=tries_ranker)
        folds = [Fold(training, target, look, target_of(look))]
    else:
        look = training
        folds = _folds(training, target)

    def told(trial: Trial) -> None:
        how = "given up" if trial.given_up else f"{trial.rounds} tree{'s' * (trial.rounds != 1)}"
        say(f"trial {trial.number + 1}: log loss {trial.log_loss:.4f}, {how}")
        if run is not None:
            _log_trial(run, trial)

    store = material.data.config.home / STUDIES / material.data.config.name / task.name
    searched = as_classifier(own)  # by log loss, whatever is fitted in the end
    found = search(folds, columns, searched, tuning, seed=material.seed, threads=threads, store=store, told=told)
    if found.resumed and tuning.trials:
        say(f"{found.resumed} of {len(found.trials)} trials were known from an earlier search")
    if run is not None:
        _log_search(run, found)
    learner, choice = found.learner, None
    if tries_ranker:
        say("trying a ranker beside the classifier")
        choice = try_ranker(material, folds[0], columns, learner, own)
        if run is not None:
            run.log_metrics(choice.metrics())
            run.set_tags({"rapport.learner": choice.learner})
    ranks = own.ranks if choice is None else choice.ranks
    if not has_validation:
        learner = _with_rounds(learner, material, columns, training, target)
    say("fitting the model")
    if has_validation and (ranks or training.num_rows > tuning.rows):
        model = fit_finalists(
            found,
            folds[0],
            columns,
            own,
            seed=material.seed,
            threads=threads,
            negative_share=task.negative_share,
            lists=lists_in(task, folds[0]) if ranks else None,
        )
        learner = model.config
    else:
        model = BoostedClassifier(
            learner, columns, seed=material.seed, threads=threads, negative_share=task.negative_share
        )
        model.fit(training, target)
    why = explainer(model, training, threads=threads)
    say("calibrating")
    if "calibration" in material.spines:
        calibration, _ = material.scored("calibration", lambda rows: {"raw": why.raw_score(rows)})
        raw, outcome, entity = calibration["raw"].to_numpy(), target_of(calibration), calibration[task.entity]
    else:
        outcome, entity = target, training[task.entity]
        raw = out_of_fold_scores(model, training, target, entity.to_numpy())
    calibrator = choose_calibrator(raw, outcome, entity.to_numpy(), seed=material.seed)
    calibrated = model.with_calibrator(calibrator)
    rules = fit_rules(task, columns, training, look, seed=material.seed, groups=lists_of(task, look))
    worth = None
    if task.worth is not None:
        say("fitting the worth")
        worth = fit_worth(material, calibrated, learner, training, raw)
    return Fitted(calibrated, why, rules, found.trials, learner, raw, eaten, worth, choice)


def _folds(training: pa.Table, target: Floats) -> list[Fold]:
    """Rolling folds inside the training window; two halves of the rows by time where it is too short for them."""
    pairs = rolling_folds(training["cutoff"], training["window_end"])
    usable = [(a, b) for a, b in pairs if min(target[a].sum(), target[b].sum()) >= 5]
    if not usable:
        order = np.argsort(training["cutoff"].to_numpy(), kind="stable")
        usable = [(order[: len(order) // 2], order[len(order) // 2 :])]
    return [Fold(training.take(pa.array(a)), target[a], training.take(pa.array(b)), target[b]) for a, b in usable]


def _with_rounds(
    learner: LearnerConfig, material: Material, columns: Sequence[FeatureColumn], training: pa.Table, target: Floats
) -> LearnerConfig:
    """The learner with the number of trees that is best over entity folds of all training rows.

    Rolling folds are fitted to a part of the rows, from which fewer trees can be learned than from all.
    """
    rounds = []
    for rest, fold in entity_folds(training[material.task.entity].to_numpy(), seed=material.seed):
        most = learner.model_copy(update={"n_estimators": material.config.learner.n_estimators})
        model = BoostedClassifier(most, columns, seed=material.seed)
        held_out = (training.take(pa.array(fold)), target[fold])
        rounds.append(model.fit(training.take(pa.array(rest)), target[rest], validation=held_out).rounds)
    return learner.model_copy(update={"n_estimators": max(int(np.median(rounds)), 10)})


def _log_search(run: Run, found: Found) -> None:
    best = min((trial for trial in found.trials if not trial.given_up), key=lambda trial: trial.log_loss)
    run.log_metrics(
        {
            "tuning.trials": len(found.trials),
            "tuning.given_up": sum(trial.given_up for trial in found.trials),
            "tuning.resumed": found.resumed,
            "tuning.log_loss": best.log_loss,
            "tuning.seconds": sum(trial.seconds for trial in found.trials[found.resumed :]),
        }
    )
    run.log_params({f"best.{name}": value for name, value in found.learner.model_dump().items()})
    if len(found.trials) > 1:
        for file, figure in pictures(found).items():
            run.log_figure(figure, file)


def _log_trial(run: Run, trial: Trial) -> None:
    with run.child(f"trial {trial.number + 1}") as child:
        child.log_params(trial.learner.model_dump())
        child.log_metrics({"validation.log_loss": trial.log_loss, "trees": trial.rounds, "seconds": trial.seconds})
