"""One training from beginning to end: rows, search, fit, calibration, judgement, record, registration.

The model that is judged on the test window is the one that is registered: nothing is fitted again afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from ..data.dataset import Dataset
from ..features.groups import check_groups
from ..models.classifier import BoostedClassifier
from ..models.encoding import numbers
from ..models.worth import Foretold
from ..registry.lookup import Resolved
from ..registry.tracking import CONFIG_FILE, start_run
from ..registry.versions import aliases
from ..tasks.risk import QUEUES
from .alarms import Alarm, raise_on
from .associations import Associations, what_goes_together
from .attributes import check_attributes
from .ceiling import open_truth, share_of_abusers, true_probability, true_worth
from .evaluate import measure
from .extras import extras, true_margin_of_lists
from .fitting import Fitted, fit
from .judge import Judgement, judge
from .material import Floats, Material, target_of
from .registering import register_model
from .suspicions import suspicions
from .worth import WorthScores, rule_amounts, rules_at_hand, worth_of

Say = Callable[[str], None]
EXPLAINED_ROWS = 10_000
GRADED = "grade.json"
AMOUNT = ":amount"  # behind the name of a rule: what it foretells in money
MARGIN = "category_item_margin"  # what an offer that is taken earns, where margins are known


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
    together: Associations | None = None

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

    Raises ConfigError where `fairness` or `groups` lists what there is not, DataError where there is nothing to learn
    from, GateError where a result is too good to be true.
    """
    config = data.config.task(name)
    seed = data.config.seed if seed is None else seed
    budget = {"trials": trials, "seconds": seconds}
    tuning = config.tuning.model_copy(update={key: value for key, value in budget.items() if value is not None})
    config = config.model_copy(update={"tuning": tuning})
    check_attributes(data)
    truth = open_truth(data.config)
    with start_run(data.config, name, fingerprint=data.fingerprint) as run:
        say("building the training rows")
        material = Material(data, name, config, seed=seed)
        check_groups(material.snapshots.columns, config.groups, name)
        for text in material.left_out_words():
            say(text)
        run.log_params({"config": data.config.resolved(), "seed": seed})
        run.log_dict(data.config.resolved(), CONFIG_FILE)
        run.log_dict({"windows": [vars(facts) for facts in material.facts()]}, "windows.json")
        fitted = fit(material, say=say, run=run)
        say("judging on the test window")
        tested, explained = _test(material, fitted)
        if truth is not None:
            say("asking the truth for the ceiling")
        ceiling = None if truth is None else true_probability(truth, material.task, tested)
        of_worth = None if truth is None else true_worth(truth, material.task, tested)
        judgement = _judge(material, fitted, tested, ceiling, of_worth)
        auc = judgement.comparison.estimates["model"]["roc_auc"].estimate
        alarms = suspicions(material, fitted.model, auc, explained)
        extra = extras(material.task, tested, judgement.rule)
        if ceiling is not None and material.task.ranks_within:
            extra |= true_margin_of_lists(material.task, tested, ceiling, replicates=config.bootstrap, seed=seed)
        if truth is not None and name == "risk":
            extra |= share_of_abusers(truth, tested, tested["raw_score"].to_numpy(), QUEUES)
        extra |= _leave_one_out(material, fitted, tested) if material.task.is_planned else {}
        run.log_metrics({**judgement.metrics(), **extra})
        run.log_dict(judgement.graded(), GRADED)
        run.log_dict(
            {"kept": [column.name for column in fitted.diet.kept], "dropped": fitted.diet.dropped}, "diet.json"
        )
        run.log_dict({"alarms": [alarm.as_dict() for alarm in alarms]}, "alarms.json")
        raise_on(alarms, allow=config.allow_suspected_leak)
        together = None
        if material.task.ranks_within is not None:
            together = what_goes_together(material.snapshots, data.observed_until)
            run.log_dict(together.as_dict(most=1000), "together.json")
        say("registering")
        registered = register_model(
            material.snapshots, fitted.model, run, raw_scores=fitted.calibration_scores, windows=material.windows,
            grade=judgement.grade.letter, worth=fitted.worth,
        )  # fmt: skip
    return Trained(material, fitted, judgement, tested, explained, alarms, extra, registered, run.id, together)


# ------------------------------------------------------------------------------------------- judging
def _test(material: Material, fitted: Fitted) -> tuple[pa.Table, pa.Table]:
    """The test rows with the model's and the rules' scores, and a sample of them with features."""

    def score(rows: pa.Table) -> dict[str, Floats]:
        raw = fitted.explainer.raw_score(rows)
        scores = {"raw_score": raw, "score": fitted.model.calibrator.apply(raw)}
        if MARGIN in rows.column_names:
            scores["margin"] = np.nan_to_num(numbers(rows, MARGIN))
        scores |= fitted.rules.columns(rows)
        if fitted.worth is not None:
            scores |= vars(fitted.worth.foretell(rows, scores["score"]))
            at_hand = rules_at_hand(material.task, rows.column_names)
            scores |= {f"{name}{AMOUNT}": of for name, of in rule_amounts(material.task, at_hand, rows).items()}
        return scores

    return material.scored("test", score, keep=EXPLAINED_ROWS)


def _judge(
    material: Material, fitted: Fitted, tested: pa.Table, ceiling: Floats | None, of_worth: Floats | None
) -> Judgement:
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
        worth=None if fitted.worth is None else _worth_scores(tested, of_worth),
        ceiling=ceiling,
    )


def _worth_scores(tested: pa.Table, true: Floats | None) -> WorthScores:
    """What came beside what was foretold; a rule that could not be fitted at some cutoff is none."""
    amounts = [name for name in tested.column_names if name.endswith(AMOUNT)]
    rules = {name.removesuffix(AMOUNT): tested[name].to_numpy() for name in amounts}
    known = {name: amount for name, amount in rules.items() if np.isfinite(amount).all()}
    foretold = Foretold(*(tested[part.name].to_numpy() for part in fields(Foretold)))
    return WorthScores(worth_of(tested), foretold, known, true)


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
