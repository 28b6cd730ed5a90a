"""One training from beginning to end: rows, search, fit, calibration, judgement, record, registration.

The model that is judged on the test window is the one that is registered: nothing is fitted again afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..config import LearnerConfig
from ..data.dataset import Dataset
from ..explain.contributions import Explainer, explainer
from ..features.own import checksums
from ..language.declarations import FeatureColumn
from ..models.bundle import save_bundle
from ..models.calibration import choose_calibrator, entity_folds
from ..models.classifier import BoostedClassifier
from ..models.encoding import numbers
from ..models.worth import WorthModel
from ..registry.lookup import Resolved
from ..registry.tracking import CONFIG_FILE, Run, start_run
from ..registry.versions import aliases, register
from .alarms import Alarm, raise_on
from .attributes import check_attributes
from .ceiling import open_truth, true_probability
from .diet import Diet, diet
from .evaluate import measure
from .extras import extras
from .folds import Fold
from .judge import Judgement, judge, lists_of
from .material import Floats, Material, target_of
from .rules import Rules, fit_rules
from .splits import rolling_folds
from .suspicions import suspicions
from .tune import Found, Trial, search
from .tune_pictures import pictures
from .worth import WorthScores, fit_worth, rule_amounts, rules_at_hand, worth_of

Say = Callable[[str], None]
EXPLAINED_ROWS = 10_000
GRADED = "grade.json"
MARGIN = "category_item_margin"  # what an offer that is taken earns, where margins are known
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


@dataclass(frozen=True)
class Trained:
    """A registered version and all that is known of it. `explained` are test rows with features, a sample."""

    material: Material
    fitted: Fitted
    judgement: Judgement
    tested: pa.Table
    explained: pa.Table
    alarms: tuple[Alarm, ...]
    extra_metrics: dict[str, float]
    registered: Resolved
    run_id: str

    @property
    def is_champion(self) -> bool:
        """True where this version holds the alias champion."""
        config = self.material.data.config
        return aliases(config, self.material.task.name).get("champion") == self.registered.version


def train(
    data: Dataset,
    name: str,
    *,
    trials: int | None = None,
    seconds: float | None = None,
    seed: int | None = None,
    say: Say = lambda text: None,
) -> Trained:
    """Train, judge and register one task.

    Raises DataError where there is nothing to learn from, GateError where a result is too good to be true.
    """
    config = data.config.task(name)
    seed = data.config.seed if seed is None else seed
    budget = {"trials": trials, "seconds": seconds}
    tuning = config.tuning.model_copy(update={key: value for key, value in budget.items() if value is not None})
    config = config.model_copy(update={"tuning": tuning})
    truth = open_truth(data.config)
    with start_run(data.config, name, fingerprint=data.fingerprint) as run:
        say("building the training rows")
        material = Material(data, name, config, seed=seed)
        check_attributes(data, material.task)
        run.log_params({"config": data.config.resolved(), "seed": seed})
        run.log_dict(data.config.resolved(), CONFIG_FILE)
        run.log_dict({"windows": [vars(facts) for facts in material.facts()]}, "windows.json")
        fitted = fit(material, say=say, run=run)
        say("judging on the test window")
        tested, explained = _test(material, fitted)
        if truth is not None:
            say("asking the truth for the ceiling")
        ceiling = None if truth is None else true_probability(truth, material.task, tested)
        judgement = _judge(material, fitted, tested, ceiling)
        auc = judgement.comparison.estimates["model"]["roc_auc"].estimate
        alarms = suspicions(material, fitted.model, auc, explained)
        extra = extras(material.task, tested, judgement.rule)
        extra |= _leave_one_out(material, fitted, tested) if material.task.is_planned else {}
        run.log_metrics({**judgement.metrics(), **extra})
        run.log_dict(judgement.graded(), GRADED)
        run.log_dict(
            {"kept": [column.name for column in fitted.diet.kept], "dropped": fitted.diet.dropped}, "diet.json"
        )
        run.log_dict({"alarms": [alarm.as_dict() for alarm in alarms]}, "alarms.json")
        raise_on(alarms, allow=config.allow_suspected_leak)
        say("registering")
        registered = _register(material, fitted, run, judgement.grade.letter)
    return Trained(material, fitted, judgement, tested, explained, alarms, extra, registered, run.id)


# ------------------------------------------------------------------------------------------- fitting
def fit(material: Material, *, say: Say = lambda text: None, run: Run | None = None) -> Fitted:
    """Search, fit and calibrate on the windows before the test."""
    task, threads = material.task, material.data.config.threads
    training = material.table("train", negative_share=task.negative_share)
    eaten = diet(training, material.snapshots.columns)
    columns = eaten.kept
    if eaten.dropped:
        say(eaten.text)
    target = target_of(training)
    has_validation = "validation" in material.spines
    if has_validation:
        look = material.table("validation", negative_share=task.negative_share)
        folds = [Fold(training, target, look, target_of(look))]
    else:
        look = training
        folds = _folds(training, target)

    def told(trial: Trial) -> None:
        how = "given up" if trial.given_up else f"{trial.rounds} trees"
        say(f"trial {trial.number + 1}: log loss {trial.log_loss:.4f}, {how}")
        if run is not None:
            _log_trial(run, trial)

    own, tuning = material.config.learner, material.config.tuning
    store = material.data.config.home / STUDIES / material.data.config.name / task.name
    found = search(folds, columns, own, tuning, seed=material.seed, threads=threads, store=store, told=told)
    if found.resumed and tuning.trials:
        say(f"{found.resumed} of {len(found.trials)} trials were known from an earlier search")
    if run is not None:
        _log_search(run, found)
    learner = found.learner
    if not has_validation:
        learner = _with_rounds(learner, material, columns, training, target)
    say("fitting the model")
    model = BoostedClassifier(learner, columns, seed=material.seed, threads=threads, negative_share=task.negative_share)
    if has_validation and training.num_rows > tuning.rows:
        # From all rows more trees can be learned than from the sample that was searched on.
        model.config = learner.model_copy(update={"n_estimators": own.n_estimators})
        model.fit(training, target, validation=(look, target_of(look)), sampled_validation=True)
        learner = learner.model_copy(update={"n_estimators": model.rounds})
        model.config = learner
    else:
        model.fit(training, target)
    why = explainer(model, training, threads=threads)
    say("calibrating")
    if "calibration" in material.spines:
        calibration, _ = material.scored("calibration", lambda rows: {"raw": why.raw_score(rows)})
        raw, outcome, entity = calibration["raw"].to_numpy(), target_of(calibration), calibration[task.entity]
    else:
        raw, outcome, entity = _out_of_fold(model, training, target, task.entity), target, training[task.entity]
    calibrator = choose_calibrator(raw, outcome, entity.to_numpy(), seed=material.seed)
    calibrated = model.with_calibrator(calibrator)
    rules = fit_rules(task, columns, training, look, seed=material.seed, groups=lists_of(task, look))
    worth = None
    if task.worth is not None:
        say("fitting the worth")
        worth = fit_worth(material, calibrated, learner, training, raw)
    return Fitted(calibrated, why, rules, found.trials, learner, raw, eaten, worth)


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


def _out_of_fold(model: BoostedClassifier, training: pa.Table, target: Floats, entity: str) -> Floats:
    """Raw scores (n,) of each row by a model of the same hyperparameters that saw no row of its entity."""
    raw = np.empty(training.num_rows)
    for rest, fold in entity_folds(training[entity].to_numpy(), seed=model.seed):
        other = BoostedClassifier(model.config, model.columns, seed=model.seed, threads=model.threads)
        other.fit(training.take(pa.array(rest)), target[rest])
        raw[fold] = other.raw_score(training.take(pa.array(fold)))
    return raw


# ------------------------------------------------------------------------------------------- judging
def _test(material: Material, fitted: Fitted) -> tuple[pa.Table, pa.Table]:
    """The test rows with the model's and the rules' scores, and a sample of them with features."""

    def score(rows: pa.Table) -> dict[str, Floats]:
        raw = fitted.explainer.raw_score(rows)
        scores = {"raw_score": raw, "score": fitted.model.calibrator.apply(raw)}
        if MARGIN in rows.column_names:
            scores["margin"] = np.nan_to_num(numbers(rows, MARGIN))
        for name, values in fitted.rules.scores(rows).items():
            scores[f"{name}:rank"] = values
        for name, values in fitted.rules.probabilities(rows).items():
            scores[f"{name}:probability"] = values
        if fitted.worth is not None:
            scores |= vars(fitted.worth.foretell(rows, scores["score"]))
            at_hand = rules_at_hand(material.task, rows.column_names)
            scores |= {f"{name}:amount": of for name, of in rule_amounts(material.task, at_hand, rows).items()}
        return scores

    return material.scored("test", score, keep=EXPLAINED_ROWS)


def _judge(material: Material, fitted: Fitted, tested: pa.Table, ceiling: Floats | None) -> Judgement:
    rules = {
        name: (tested[f"{name}:rank"].to_numpy(), tested[f"{name}:probability"].to_numpy())
        for name in fitted.rules.fitted
    }
    return judge(
        material.task,
        tested,
        rules,
        fitted.rules.chosen,
        replicates=material.config.bootstrap,
        seed=material.seed,
        worth=None if fitted.worth is None else _worth_scores(tested),
        ceiling=ceiling,
    )


def _worth_scores(tested: pa.Table) -> WorthScores:
    rules = [name.removesuffix(":amount") for name in tested.column_names if name.endswith(":amount")]
    expected, low, high = (tested[name].to_numpy() for name in ("expected", "low", "high"))
    return WorthScores(
        worth_of(tested), expected, low, high, {name: tested[f"{name}:amount"].to_numpy() for name in rules}
    )


def _leave_one_out(material: Material, fitted: Fitted, tested: pa.Table) -> dict[str, float]:
    """AUC within each test campaign by a model of all other campaigns, earlier and later: how far campaigns differ.

    An upper bound of what more campaigns would teach, not a forecast: the model has seen the future of others.
    """
    campaign = material.task.keys[1]
    everything = pa.concat_tables([material.table(name) for name in material.spines])
    of_row = everything[campaign].to_numpy(zero_copy_only=False)
    target = target_of(everything)
    rows, scores = [], []
    for left_out in np.unique(tested[campaign].to_numpy(zero_copy_only=False)):
        inside = of_row == left_out
        if not 5 <= target[inside].sum() < inside.sum():
            continue
        other = BoostedClassifier(fitted.learner, fitted.model.columns, seed=material.seed)
        other.fit(everything.filter(pa.array(~inside)), target[~inside])
        rows.append(np.flatnonzero(inside))
        scores.append(other.raw_score(everything.filter(pa.array(inside))))
    if not rows:
        return {}
    chosen = np.concatenate(rows)
    found = measure(["roc_auc_within"], target[chosen], np.concatenate(scores), groups=of_row[chosen])
    return {"leave_one_out.roc_auc_within": found["roc_auc_within"]}


# ------------------------------------------------------------------------------------------- keeping
def _register(material: Material, fitted: Fitted, run: Run, grade: str) -> Resolved:
    data, task = material.data, material.task
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        save_bundle(
            fitted.model,
            bundle,
            {
                "task": task.name,
                "keys": list(task.keys),
                "horizon": task.horizon,
                "run_id": run.id,
                "data_fingerprint": data.fingerprint,
                "learned": {name: list(values) for name, values in material.snapshots.learned.items()},
                "own_features": checksums(data.config),
                "windows": material.windows.as_dict(),
            },
            data.config.resolved(),
            raw_scores=fitted.calibration_scores,
            worth=fitted.worth,
        )
        return register(data.config, task.name, run, bundle, tags={"grade": grade})


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
