"""What a training says to people: the review that the page and the model card show."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..explain import illustrations
from ..explain.interactions import Interactions, strongest_partner
from ..explain.review import Check, Measure, Picture, Provenance, Review, Subject, Together, Window
from ..explain.review_answers import GRADES
from ..explain.review_words import interval, joined, metric_named_in_words, number
from ..explain.trees import TablesDoNotApply
from ..models.scoring_model import ScoringModel
from ..registry.versions import role
from ..tasks.base import Task
from .alarms import Alarm
from .attributes import grouped
from .cohort_reasons import reason_cohorts
from .cohorts import cohorts_of
from .customers import sample_customers
from .evaluate import Grade, Interval
from .experiment import Trained
from .fairness import fairness
from .figures import thinned
from .judge import Judgement
from .material import Floats, WindowFacts, target_of
from .rules import Rules
from .stability import over_the_test
from .worth import CAPTURE

TEXTS = ("svg", "alt", "words")  # of a picture, that may name the scale of effects
PAIRED_ROWS = 1_000  # for the interactions of a pair
PAIRED_FEATURES = 12
REMARKS = 2  # alarms that a line of the checklist tells in full
ONE_FORECAST = "The test holds one forecast that is large enough to judge; `rapport backtest` shows others."
SHOWN = ("average_precision", "roc_auc", "lift_at_10pct", "capture_at_20pct", "ece", "brier", "log_loss")
SHOWN_WORTH = ("worth_rmse", "worth_bias", "worth_capture_at_20pct")
SHOWN_LISTS = ("map_at_10", "recall_at_10", "hit_rate_at_10", "ndcg_at_10", "roc_auc", "ece")


def tell(trained: Trained) -> Review:
    """The review of a version that was just trained and judged."""
    material, fitted, judgement = trained.material, trained.fitted, trained.judgement
    task, config = material.task, material.data.config
    subject = _subject(task)
    tested = thinned(trained.tested)
    target, probability = target_of(tested), np.asarray(tested["score"].to_numpy(), np.float64)
    rule = np.asarray(tested[f"{judgement.rule}:rank"].to_numpy(), np.float64)
    bins, calibration_words = illustrations.calibration_story(target, probability, subject)
    contributions = fitted.explainer.contributions(trained.explained)
    values = fitted.model.encode(trained.explained)
    drivers, _ = illustrations.drivers(fitted.model.columns, contributions, values)
    columns = fitted.model.columns
    attributes = grouped(material.data, task, columns, trained.tested, target_of(trained.tested))
    groups, cohorts, errors = reason_cohorts(trained, contributions, attributes, subject)
    stability = over_the_test(trained)
    facts = material.facts()
    return Review(
        config=config.name,
        task=task.name,
        question=task.question,
        population=_sentence(task.population_text),
        target=_sentence(task.target_text),
        horizon=f"{task.horizon} days" if task.horizon else "until the campaign ends",
        grade=judgement.grade.letter,
        subject=subject,
        purpose=task.wording.purpose,
        rule=fitted.rules.words[judgement.rule],
        grade_words=grade_in_words(judgement.grade),
        positive_share=float(target_of(trained.tested).mean()),
        windows=tuple(_window(fact) for fact in facts),
        measures=_measures(task, judgement),
        calibration=bins,
        calibration_words=calibration_words,
        worth_words=worth_in_words(task, judgement),
        pictures=illustrations.quality_pictures(
            target, probability, rule, subject, rows="offers" if task.keys[1:] and not task.is_planned else ""
        ),
        drivers=drivers,
        driver_pictures=on_their_scale(
            fitted.model.config.ranks,
            (
                *illustrations.driver_pictures(columns, contributions, values, _categories(fitted.model)),
                *_together(fitted.model, contributions, values),
            ),
        ),
        in_log_odds=not fitted.model.config.ranks,
        cohorts=cohorts_of(trained, attributes),
        fairness=fairness(
            attributes,
            trained.tested["score"].to_numpy(),
            target_of(trained.tested),
            trained.tested[task.entity],
            seed=material.seed,
        ),
        reason_groups=groups,
        reason_cohorts=cohorts,
        error_words=errors,
        stability=stability,
        together=tuple(
            Together(pair.category, pair.other, pair.customers, pair.lift, pair.low, pair.high)
            for pair in (trained.together.strongest() if trained.together is not None else ())
        ),
        together_words="" if trained.together is None else trained.together.words,
        alarms=tuple(alarm.message for alarm in trained.alarms if alarm.stops),
        limits=(*_limits(trained), *(() if stability else (ONE_FORECAST,))),
        knots=_knots(fitted.model, fitted.calibration_scores),
        customers=sample_customers(trained),
        scored=pc.count_distinct(trained.tested[task.entity]).as_py(),
        scored_per=task.keys[1].removesuffix("_id") if len(task.keys) > 1 else "",
        checklist=_checklist(trained, fair=bool(attributes)),
        next_scoring=_next_scoring(task),
        provenance=Provenance(
            model_name=trained.registered.name or "",
            version=trained.registered.version or "",
            run_id=trained.run_id,
            data_fingerprint=material.data.fingerprint,
            observed_until=_local(trained, material.data.observed_until),
            role=role(config, task.name, str(trained.registered.version)),
        ),
    )


# ------------------------------------------------------------------------------------------- parts of the review
def _subject(task: Task) -> Subject:
    w = task.wording
    return Subject(w.entity, w.entities, w.outcome, w.positives, w.negatives)


def _next_scoring(task: Task) -> str:
    speaks = f"the {task.horizon} days after its date" if task.horizon else "its campaign, up to that campaign's end"
    return f"A score speaks of {speaks}: for another month, score again on the data of that day."


def grade_in_words(given: Grade) -> str:
    """What the letter means, and what decided it beside the gain, which the page shows with its interval."""
    return f"{GRADES[given.letter]} {_sentence('; '.join(given.reasons[1:]))}".strip()


def _sentence(text: str) -> str:
    return text and text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _window(fact: WindowFacts) -> Window:
    note = f"{fact.purged} rows left out: their outcome was not known when the next window began" if fact.purged else ""
    return Window(fact.name, fact.first, fact.last, fact.cutoffs, fact.rows, fact.entities, fact.positives, note)


def _measures(task: Task, judgement: Judgement) -> tuple[Measure, ...]:
    best = {name: one for known in judgement.best() for name, one in known.items()}
    names = [task.primary_metric, *(SHOWN_WORTH if task.worth else ()), *(SHOWN_LISTS if task.ranks_within else SHOWN)]
    names += task.metrics
    measures = []
    for name in dict.fromkeys(names):
        own, other, gain = judgement.beside_rule(name)
        measures.append(
            Measure(
                name,
                own.estimate,
                low=_finite(own.low),
                high=_finite(own.high),
                rule=_finite(other.estimate),
                rule_low=_finite(other.low),
                rule_high=_finite(other.high),
                gain=_finite(gain.estimate),
                gain_low=_finite(gain.low),
                gain_high=_finite(gain.high),
                ceiling=_finite(best[name].estimate) if name in best else None,
                primary=name == task.primary_metric,
            )
        )
    return tuple(measures)


def worth_in_words(task: Task, judgement: Judgement) -> tuple[str, ...]:
    """What the money shows, in sentences: how it is spread over customers, and how well its intervals hold."""
    texts = [] if judgement.concentration is None else [judgement.concentration.words(task.horizon)]
    simple = {} if judgement.lists is None else judgement.lists.estimates
    if judgement.rule in simple and judgement.concentration is not None:
        share = simple[judgement.rule][CAPTURE].estimate
        times = f", the model's {judgement.concentration.foretold / share:.2f} times as much" if share > 0 else ""
        texts.append(f"A list {judgement.rule.replace('_', ' ')} gets {share:.0%} into its top 20 %{times}.")
    covered, reach = (judgement.coverage.get(name) for name in ("worth_coverage_80pct", "worth_interval_above_zero"))
    if covered is not None and reach is not None:
        zero = (
            "" if reach == 1 else f" For {1 - reach:.0%} nothing is so likely that the interval is from zero to zero."
        )
        texts.append(f"The intervals are to hold 80 % of what comes, and held {covered:.1%}.{zero}")
    return tuple(texts)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _together(model: ScoringModel, contributions: Floats, values: Floats) -> tuple[Picture, ...]:
    """The strongest feature of numbers, and the one that it works with most; nothing where trees cannot say."""
    try:
        found = Interactions.from_booster(model.booster)
    except TablesDoNotApply:
        return ()
    size = np.abs(contributions[:, :-1]).mean(axis=0)
    numbers = [i for i in np.argsort(-size, kind="stable").tolist() if model.columns[i].kind == "number"]
    if not numbers:
        return ()
    first = numbers[0]
    others = [i for i in numbers[1:] if model.columns[i].family != model.columns[first].family][:PAIRED_FEATURES]
    few = values[np.unique(np.linspace(0, len(values) - 1, PAIRED_ROWS).astype(np.int64))]
    pair = strongest_partner(found, few, first, others)
    return () if pair is None else (illustrations.together_picture(model.columns, first, pair[0], few, pair[1]),)


def on_their_scale(ranks: bool, pictures: tuple[Picture, ...]) -> tuple[Picture, ...]:
    """Pictures of effects, which of a ranker are on its raw score and not in log-odds, as their labels then say."""
    if not ranks:
        return pictures
    texts = ({name: getattr(one, name).replace("log-odds", "raw score") for name in TEXTS} for one in pictures)
    return tuple(replace(one, **said) for one, said in zip(pictures, texts, strict=True))


def _left_out(texts: Sequence[str]) -> list[str]:
    """One sentence on the features for which the data lack something: blocks, and features of other blocks."""
    named = [re.sub(r"_?\{\w+\}", "", text.partition(":")[0]) for text in texts]
    blocks = {name for name in named if "." not in name}
    few = [name for name in dict.fromkeys(named) if "." not in name or name.partition(".")[0] not in blocks]
    return [f"The data lack what these features need, in part or all of it: {', '.join(few)}."] if few else []


def _limits(trained: Trained) -> tuple[str, ...]:
    material, judgement = trained.material, trained.judgement
    limits = [f"A score is {material.task.caution}."] if material.task.caution else []
    limits += as_good_words(judgement, trained.fitted.rules)
    limits += [trained.fitted.choice.words] if trained.fitted.choice is not None else []
    if not judgement.calibrated:
        limits.append("The probabilities are off by more than chance explains; read them as a ranking.")
    left_out_auc = trained.extra_metrics.get("leave_one_out.roc_auc_within")
    if left_out_auc is not None:
        within = judgement.comparison.estimates["model"]["roc_auc_within"].estimate
        limits.append(
            "Intervals hold for these campaigns; another campaign may differ. Within a campaign the order is right for "
            f"{number(within)} of pairs (AUC); with all other campaigns to learn from it would be for "
            f"{number(left_out_auc)}."
        )
    limits += material.left_out_words()
    limits += _left_out(material.snapshots.plan.left_out)
    if trained.fitted.diet.dropped:
        limits.append(trained.fitted.diet.in_short)
    days = (material.data.observed_until - material.data.first_event).days
    limits.append(f"The data span {days} days; whatever comes more rarely than that is new to the model.")
    return tuple(limits)


def as_good_words(judgement: Judgement, rules: Rules) -> list[str]:
    """A sentence for each simpler way that is as good as the model within the interval."""
    named = {name: rules.words.get(name, name.replace("_", " ")) for name in judgement.as_good()}
    return [
        f"Simpler and as good within the interval: {named[name]} (what the model gains over it: "
        f"{_gain_in_words(judgement.grade.metric, gain)})."
        for name, gain in judgement.as_good().items()
    ]


def _gain_in_words(metric: str, gain: Interval) -> str:
    """As the page writes it: purity of the list +1.3 points, 95 % interval −0.7 to +3.3 points."""
    words = metric_named_in_words(metric)
    band = interval(gain.low, gain.high, words.unit, signed=True)
    return f"{words.label.lower()} {number(gain.estimate, words.unit, signed=True)}, 95 % interval {band}"


def _checklist(trained: Trained, *, fair: bool) -> tuple[Check, ...]:
    judgement = trained.judgement
    gain, error = judgement.grade.gain, judgement.comparison.estimates["model"]["ece"].estimate
    return (
        Check(
            "Is it better than the rule on later data?",
            gain.low > 0,
            _sentence(_gain_in_words(judgement.grade.metric, gain)),
        ),
        Check(
            "Can its percentages be taken at their word?",
            judgement.calibrated,
            f"What it promises lies {number(error)} from what happened, as a mean over ten groups of equal size; "
            f"chance alone would give up to {number(judgement.band.high)}.",
        ),
        _leaks(trained.alarms),
        Check("Is its strongest reason one that you would expect?"),
        Check("May these attributes of people be used for this purpose?", None, _attributes(trained)),
        Check("Are groups of people treated in a way that you accept?", None, "See “Is it fair?”" if fair else ""),
    )


def _attributes(trained: Trained) -> str:
    """What the model reads of who people are."""
    names = [column.name.replace("_", " ") for column in trained.fitted.model.columns if column.block == "profile"]
    return f"It reads: {joined(names)}." if names else "It reads none."


def _leaks(alarms: Sequence[Alarm]) -> Check:
    """Whether a feature may know the outcome: alarms fail the check, what is only worth a look is a remark."""
    question, stops = "Is it free of suspected leaks?", [alarm for alarm in alarms if alarm.stops]
    if stops:
        return Check(question, False, _listed(stops))
    if not alarms:
        return Check(question, True)
    words = f"Nothing looks like a leak. Worth a look all the same: {_listed(alarms)}"
    return Check(question, True, words, remarks=True)


def _listed(alarms: Sequence[Alarm]) -> str:
    """The first alarms in full, and how many more there are."""
    others = [f"'{alarm.feature}'" if alarm.feature else alarm.kind for alarm in alarms[REMARKS:]]
    more = f"; and {len(others)} more like it: {joined(others)}" if others else ""
    return f"{'; '.join(alarm.message for alarm in alarms[:REMARKS])}{more}."


def _knots(model: ScoringModel, raw: Floats) -> tuple[tuple[float, float], ...]:
    low, high = float(np.min(raw)) - 1.0, float(np.max(raw)) + 1.0
    grid = np.linspace(low, high, 200)
    return tuple(zip(grid.tolist(), model.calibrator.apply(grid).tolist(), strict=True))


def _categories(model: ScoringModel) -> Mapping[str, Sequence[str]]:
    return {
        column.name: list(profile)
        for column in model.columns
        if isinstance(profile := model.quantiles[column.name], Mapping)
    }


def _local(trained: Trained, moment: Any) -> str:
    zone = trained.material.data.config.time_zone
    local = pc.local_timestamp(
        pc.assume_timezone(pa.scalar(moment, pa.timestamp("us")), "UTC").cast(pa.timestamp("us", zone))
    )
    return f"{local.as_py():%Y-%m-%d %H:%M}"
