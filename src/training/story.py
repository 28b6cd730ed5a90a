"""What a training says to people: the review that the page and the model card show, and the pictures of the run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..explain import illustrations
from ..explain.contributions import Explainer
from ..explain.review import Check, Customer, Measure, Provenance, Reason, Review, Score, Subject, Window, spread_rows
from ..explain.words import ReasonWriter, probability_without
from ..models.bundle import percentiles
from ..models.classifier import BoostedClassifier
from ..tasks.base import Task
from .alarms import Alarm
from .cohorts import cohorts_of
from .experiment import Trained
from .judge import Judgement
from .material import Floats, WindowFacts, target_of
from .rules import Rules

SAMPLE_CUSTOMERS = 30
REASONS = 5
PICTURED_ROWS = 200_000
SHOWN = ("average_precision", "roc_auc", "lift_at_10pct", "capture_at_20pct", "ece", "brier", "log_loss")
SHOWN_LISTS = ("map_at_10", "recall_at_10", "hit_rate_at_10", "ndcg_at_10", "roc_auc", "ece")


def tell(trained: Trained) -> Review:
    """The review of a version that was just trained and judged."""
    material, fitted, judgement = trained.material, trained.fitted, trained.judgement
    task, config = material.task, material.data.config
    subject = _subject(task)
    tested = _thinned(trained.tested)
    target, probability = target_of(tested), np.asarray(tested["score"].to_numpy(), np.float64)
    rule = np.asarray(tested[f"{judgement.rule}:rank"].to_numpy(), np.float64)
    bins, calibration_words = illustrations.calibration_story(target, probability, subject)
    contributions = fitted.explainer.contributions(trained.explained)
    values = fitted.model.encode(trained.explained)
    drivers, _ = illustrations.drivers(fitted.model.columns, contributions, values)
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
        grade_words=_sentence("; ".join(judgement.grade.reasons)),
        positive_share=float(target_of(trained.tested).mean()),
        windows=tuple(_window(fact) for fact in facts),
        measures=_measures(task, judgement),
        calibration=bins,
        calibration_words=calibration_words,
        pictures=illustrations.quality_pictures(target, probability, rule, subject),
        drivers=drivers,
        driver_pictures=illustrations.driver_pictures(
            fitted.model.columns, contributions, values, _categories(fitted.model)
        ),
        cohorts=cohorts_of(trained),
        alarms=tuple(alarm.message for alarm in trained.alarms if alarm.stops),
        limits=_limits(trained),
        knots=_knots(fitted.model, fitted.calibration_scores),
        customers=sample_customers(
            task, fitted.explainer, fitted.model, trained.explained, fitted.calibration_scores, config.currency
        ),
        scored=trained.tested.num_rows,
        checklist=_checklist(trained),
        provenance=Provenance(
            model_name=trained.registered.name or "",
            version=trained.registered.version or "",
            run_id=trained.run_id,
            data_fingerprint=material.data.fingerprint,
            observed_until=_local(trained, material.data.observed_until),
            role="champion, not reviewed yet" if trained.is_champion else "challenger",
        ),
    )


def figures(trained: Trained) -> dict[str, Any]:
    """The run's pictures as matplotlib figures by file name: quality, and SHAP as bar and beeswarm."""
    from ..explain import pictures

    tested, fitted = _thinned(trained.tested), trained.fitted
    target, probability = target_of(tested), np.asarray(tested["score"].to_numpy(), np.float64)
    rule = np.asarray(tested[f"{trained.judgement.rule}:rank"].to_numpy(), np.float64)
    contributions = fitted.explainer.contributions(trained.explained)
    grouped = np.abs(fitted.explainer.group_contributions(contributions)).mean(axis=0)
    names = [illustrations.spoken(column) for column in fitted.model.columns]
    return {
        "plots/roc.png": pictures.roc(target, probability, rule),
        "plots/precision_recall.png": pictures.precision_recall(target, probability, rule),
        "plots/calibration.png": pictures.calibration(target, probability),
        "plots/gains.png": pictures.gains(target, probability, rule),
        "plots/shap_bar.png": pictures.reason_bars(list(fitted.explainer.groups), grouped),
        "plots/shap_beeswarm.png": pictures.beeswarm(
            names, contributions[:, :-1], fitted.model.encode(trained.explained)
        ),
    }


def sample_customers(
    task: Task,
    explainer: Explainer,
    model: BoostedClassifier,
    rows: pa.Table,
    distribution: Floats,
    currency: str,
    number: int = SAMPLE_CUSTOMERS,
) -> tuple[Customer, ...]:
    """Rows spread over the range of scores, as customers with their reasons in words."""
    raw = explainer.raw_score(rows)
    chosen = spread_rows(model.calibrator.apply(raw), number)
    return customers_of(task, explainer, model, rows.take(pa.array(chosen)), distribution, currency)


def customers_of(
    task: Task,
    explainer: Explainer,
    model: BoostedClassifier,
    rows: pa.Table,
    distribution: Floats,
    currency: str,
) -> tuple[Customer, ...]:
    """Snapshot rows as customers of the page: a score a row, an entity's rows together, best first."""
    reasons = explainer.top_reasons(rows, REASONS)
    words = ReasonWriter(model.columns, model.quantiles, currency).write_batch(rows, reasons.feature)
    probability = model.calibrator.apply(reasons.raw_score)
    without = probability_without(reasons.group_contribution, reasons.raw_score, model.calibrator)
    percentile = percentiles(reasons.raw_score, np.sort(distribution))
    base = float(explainer.contributions(rows.slice(0, 1))[0, -1])
    labels = rows[task.keys[1]].to_pylist() if len(task.keys) > 1 else [""] * rows.num_rows
    by_entity: dict[str, list[Score]] = {}
    for row, entity in enumerate(rows[task.entity].to_pylist()):
        given = tuple(
            Reason(
                reasons.groups[reasons.group[row, k]],
                str(words[k][row].as_py()),
                float(reasons.group_contribution[row, k]),
                float(without[row, k]),
            )
            for k in range(REASONS)
            if reasons.group[row, k] >= 0
        )
        score = Score(
            float(probability[row]),
            float(percentile[row]),
            base,
            float(reasons.raw_score[row]),
            given,
            str(labels[row]),
        )
        by_entity.setdefault(str(entity), []).append(score)
    return tuple(
        Customer(entity, tuple(sorted(scores, key=lambda score: -score.probability)))
        for entity, scores in by_entity.items()
    )


# ------------------------------------------------------------------------------------------- parts of the review
def _subject(task: Task) -> Subject:
    w = task.wording
    return Subject(w.entity, w.entities, w.outcome, w.positives, w.negatives)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _window(fact: WindowFacts) -> Window:
    note = f"{fact.purged} rows left out: their outcome was not known when the next window began" if fact.purged else ""
    return Window(fact.name, fact.first, fact.last, fact.cutoffs, fact.rows, fact.entities, fact.positives, note)


def _measures(task: Task, judgement: Judgement) -> tuple[Measure, ...]:
    model = judgement.comparison.estimates["model"]
    rule, gains = judgement.comparison.estimates[judgement.rule], judgement.comparison.gains[judgement.rule]
    names = [task.primary_metric, *(SHOWN_LISTS if task.ranks_within else SHOWN)]
    measures = []
    for name in dict.fromkeys(names):
        own, other, gain = model[name], rule[name], gains[name]
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
                primary=name == task.primary_metric,
            )
        )
    return tuple(measures)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _limits(trained: Trained) -> tuple[str, ...]:
    material, judgement = trained.material, trained.judgement
    limits: list[str] = []
    limits += as_good_words(judgement, trained.fitted.rules)
    if not judgement.calibrated:
        limits.append("The probabilities are off by more than chance explains; read them as a ranking.")
    left_out_auc = trained.extra_metrics.get("leave_one_out.roc_auc_within")
    if left_out_auc is not None:
        within = judgement.comparison.estimates["model"]["roc_auc_within"].estimate
        limits.append(
            "Intervals hold for these campaigns; another campaign may differ. Within campaigns the AUC is "
            f"{within:.3f}; with all other campaigns to learn from it would be {left_out_auc:.3f}."
        )
    left_out = {name: n for name, n in material.purged.items() if n and name not in material.spines}
    limits += [f"{n} rows of campaigns {name} are left out." for name, n in left_out.items()]
    limits += [f"Feature block {text}; it is left out." for text in material.snapshots.plan.left_out]
    if trained.fitted.diet.dropped:
        limits.append(f"{trained.fitted.diet.text}. They are left out.")
    days = (material.data.observed_until - material.data.first_event).days
    limits.append(f"The data span {days} days; whatever comes more rarely than that is new to the model.")
    return tuple(limits)


def as_good_words(judgement: Judgement, rules: Rules) -> list[str]:
    """A sentence for each simpler way that is as good as the model within the interval."""
    return [
        f"Simpler and as good within the interval: {rules.words[name]} (difference {gain.estimate:+.3f}, 95 % interval "
        f"{gain.low:+.3f} to {gain.high:+.3f})."
        for name, gain in judgement.as_good().items()
    ]


def _checklist(trained: Trained) -> tuple[Check, ...]:
    judgement = trained.judgement
    gain = judgement.grade.gain
    return (
        Check(
            "Is it better than the rule on later data?",
            gain.low > 0,
            f"Gain in {judgement.grade.metric.replace('_', ' ')} {gain.estimate:.3f} "
            f"({gain.low:.3f} to {gain.high:.3f}).",
        ),
        Check(
            "Can its percentages be taken at their word?",
            judgement.calibrated,
            f"Calibration error {judgement.comparison.estimates['model']['ece'].estimate:.3f}; chance alone would give "
            f"up to {judgement.band.high:.3f}.",
        ),
        Check("Is it free of suspected leaks?", not any(a.stops for a in trained.alarms), _said(trained.alarms)),
        Check("Is its strongest reason one that you would expect?"),
        Check("May these attributes of people be used for this purpose?"),
    )


def _said(alarms: Sequence[Alarm]) -> str:
    return "; ".join(alarm.message if alarm.stops else f"to be looked at: {alarm.message}" for alarm in alarms)


def _knots(model: BoostedClassifier, raw: Floats) -> tuple[tuple[float, float], ...]:
    low, high = float(np.min(raw)) - 1.0, float(np.max(raw)) + 1.0
    grid = np.linspace(low, high, 200)
    return tuple(zip(grid.tolist(), model.calibrator.apply(grid).tolist(), strict=True))


def _categories(model: BoostedClassifier) -> Mapping[str, Sequence[str]]:
    return {
        column.name: list(profile)
        for column in model.columns
        if isinstance(profile := model.quantiles[column.name], Mapping)
    }


def _thinned(rows: pa.Table) -> pa.Table:
    """At most so many rows for pictures of curves, drawn evenly."""
    if rows.num_rows <= PICTURED_ROWS:
        return rows
    drawn = np.sort(np.random.default_rng(0).choice(rows.num_rows, PICTURED_ROWS, replace=False))
    return rows.take(pa.array(drawn))


def _local(trained: Trained, moment: Any) -> str:
    zone = trained.material.data.config.time_zone
    local = pc.local_timestamp(
        pc.assume_timezone(pa.scalar(moment, pa.timestamp("us")), "UTC").cast(pa.timestamp("us", zone))
    )
    return f"{local.as_py():%Y-%m-%d %H:%M}"
