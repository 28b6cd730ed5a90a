"""Numbers and metrics in the words of a reader who is not a programmer."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

from .review_parts import Measure, Subject

Unit = Literal["share", "times", "number"]


@dataclass(frozen=True)
class MetricWords:
    """How a metric is called and read. `term` is the name that a specialist knows it by."""

    label: str
    meaning: str
    term: str
    unit: Unit = "share"
    less_is_better: bool = False


QUEUES = (1, 2, 5, 10)  # per cent of the rows that a queue for a person holds
METRICS = {
    "average_precision": MetricWords(
        "Purity of the list",
        "Go down the list from the highest score. At each of the {positives} found, what share of those above were "
        "right? This is the mean. A perfect list has 100 %.",
        "average precision",
    ),
    "roc_auc": MetricWords(
        "Right order",
        "Take one of the {positives} and one of the {negatives}. How often does the first have the higher score? "
        "Guessing gives 50 %.",
        "area under the ROC curve",
    ),
    "capture_at_20pct": MetricWords(
        "Found in the top fifth", "Share of all {positives} among the 20 % with the highest scores.", "capture at 20 %"
    ),
    "lift_at_10pct": MetricWords(
        "Hits in the top tenth",
        "How many times more {positives} the top 10 % hold than a random 10 % would.",
        "lift at 10 %",
        "times",
    ),
    "ece": MetricWords(
        "Gap between promise and outcome",
        "Mean distance between the promised share and what happened, over ten groups of equal size. Less is better.",
        "expected calibration error",
        "share",
        True,
    ),
    "brier": MetricWords(
        "Error of the percentages",
        "Mean squared distance between the promised chance and what happened. Less is better.",
        "Brier score",
        "number",
        True,
    ),
    "log_loss": MetricWords(
        "Penalty for confident errors",
        "Grows when something happens that the model held for nearly impossible. Less is better.",
        "logarithmic loss",
        "number",
        True,
    ),
    **{
        f"gain_at_{percent}pct": MetricWords(
            f"Found in a queue of {percent} %",
            f"Share of all {{positives}} among the {percent} % with the highest scores.",
            f"gain at {percent} %",
        )
        for percent in QUEUES
    },
    **{
        f"false_alarms_at_{percent}pct": MetricWords(
            f"False alarms in a queue of {percent} %",
            f"Share of the {percent} % with the highest scores that are {{negatives}}. Less is better.",
            f"false alarms at {percent} %",
            "share",
            True,
        )
        for percent in QUEUES
    },
    "map_at_10": MetricWords(
        "Quality of the first ten",
        "How early in a list of ten offers the right ones stand, averaged over {entities}. A perfect list has 100 %.",
        "mean average precision at 10",
    ),
    "recall_at_10": MetricWords(
        "Bought offers that the list held",
        "Of the offers that a {entity} bought, the share that stood among its first ten.",
        "recall at 10",
    ),
    "precision_at_10": MetricWords(
        "Offers in the list that were bought",
        "Share of the ten offers that the {entity} then bought.",
        "precision at 10",
    ),
    "hit_rate_at_10": MetricWords(
        "Lists with a hit",
        "Share of lists of ten in which at least one offer was bought, among {entities} who bought any.",
        "hit rate at 10",
    ),
    "ndcg_at_10": MetricWords(
        "Order of the first ten",
        "As the quality of the first ten, but a right offer loses less by standing later.",
        "NDCG at 10",
    ),
}


def metric_words(measure: Measure, subject: Subject) -> MetricWords:
    """Label, meaning and unit of a measure, with the subject's words filled in."""
    known = metric_named_in_words(measure.name)
    meaning = measure.meaning
    if not meaning:
        names = {k: getattr(subject, k) for k in ("entity", "entities", "positives", "negatives")}
        meaning = known.meaning.format(**names)
    return MetricWords(measure.label or known.label, meaning, known.term, known.unit, known.less_is_better)


def metric_named_in_words(name: str) -> MetricWords:
    """Label, term and unit of a metric by its name in MLflow; its meaning still has the subject's fields open."""
    return METRICS.get(name) or MetricWords(name.replace("_", " ").capitalize(), "", name, "number")


def number(value: float | None, unit: Unit = "share", signed: bool = False) -> str:
    """A metric's value: 41.8 %, 3.9 times, 0.213; with a sign, shares become points. Numbers never part from units."""
    if value is None:
        return "–"
    figure = f"{100 * value:.1f}" if unit == "share" else f"{value:.1f}" if unit == "times" else f"{value:.3f}"
    figure = figure.replace("-", "−")
    if signed and not figure.strip("−0."):
        figure = figure.replace("−", "±") if "−" in figure else f"±{figure}"
    elif signed and not figure.startswith("−"):
        figure = f"+{figure}"
    word = {"share": "points" if signed else "%", "times": "times", "number": ""}[unit]
    return f"{figure}\u00a0{word}".rstrip()


def interval(low: float | None, high: float | None, unit: Unit = "share", signed: bool = False) -> str:
    """A 95 % interval as "38.2 to 45.1 %"; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"{number(low, unit, signed).split(chr(0xA0))[0]} to {number(high, unit, signed)}"


def percent(value: float) -> str:
    """A probability: 83 %, 4.2 %, < 0.1 %, > 99.9 %."""
    if value < 0.001:
        return "<\u00a00.1\u00a0%"
    if value > 0.999:
        return ">\u00a099.9\u00a0%"
    return f"{100 * value:.0f}\u00a0%" if 0.0995 <= value < 0.9905 else f"{100 * value:.1f}\u00a0%"


def rank(percentile: float) -> str:
    """A percentile (0 to 100) as 87 %; at the ends 99.4 %, and never all or none: 0.1 % to 99.9 %."""
    inside = min(max(percentile, 0.1), 99.9)
    return f"{inside:.0f}\u00a0%" if 1 <= inside < 99 else f"{inside:.1f}\u00a0%"


def observed(value: float) -> str:
    """A share that was counted: as a probability, but none is 0 % and all is 100 %."""
    return f"{100 * value:.0f}\u00a0%" if value in (0, 1) else percent(value)


def count(value: int) -> str:
    """A whole number with thin spaces between thousands: 12 345."""
    return f"{value:,}".replace(",", "\u202f")


def plural(noun: str) -> str:
    """More than one of it: campaigns, categories, days."""
    return f"{noun[:-1]}ies" if noun[-1:] == "y" and noun[-2:-1] not in (*"aeiou", "") else f"{noun}s"


def clean(text: object, limit: int = 300) -> str:
    """A text from data, fit for a page: control characters become blanks, long texts end with an ellipsis."""
    full = str(text)
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in full[:limit])
    return kept.strip() + ("…" if len(full) > limit else "")


def joined(parts: list[str]) -> str:
    """Parts as "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
