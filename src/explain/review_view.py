"""From a `Review` to what the template prints: rows, positions and texts, with nothing left to compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from .review_parts import Cohort, Customer, FairGroup, Figure, ReasonCohort, Review, Score
from .review_words import percent

SHOWN_CUSTOMERS = 60  # asked-for ones first, the others spread over the range of scores
_TICKS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


@dataclass(frozen=True)
class Bar:
    """One line of a waterfall; `left` and `width` in percent of the drawing, `effect` "raises", "lowers" or ""."""

    words: str
    group: str
    left: float
    width: float
    effect: str
    without: str = ""


@dataclass(frozen=True)
class Waterfall:
    """From the starting point to one score; `start` and `end` in percent of the drawing, ticks as (place, text)."""

    start: float
    end: float
    start_text: str
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]


def waterfall(review: Review, score: Score) -> Waterfall:
    """Lay one score's reasons out along the raw score, with ticks that are written as probabilities."""
    rest = score.raw - score.base - sum(reason.contribution for reason in score.reasons)
    stops = np.cumsum([score.base, *(reason.contribution for reason in score.reasons), rest])
    low, high = float(stops.min()), float(stops.max())
    pad = max(0.06 * (high - low), 0.05)
    low, span = low - pad, high - low + 2 * pad

    def place(raw: float) -> float:
        return round(100 * (raw - low) / span, 2)

    bars = []
    lines = [(r.words, r.group, r.contribution, percent(r.without)) for r in score.reasons]
    lines.append(("All other reasons together, each weaker than these", "", rest, ""))
    for start, (words, group, value, without) in zip(stops[:-1], lines, strict=True):
        left, right = place(min(start, start + value)), place(max(start, start + value))
        effect = "raises" if value > 0 else "lowers" if value < 0 else ""
        bars.append(Bar(words, group, left, round(right - left, 2), effect, without))
    start_text = percent(review.probability(score.base))
    return Waterfall(place(score.base), place(score.raw), start_text, tuple(bars), _ticks(review, low, span))


def _ticks(review: Review, low: float, span: float) -> tuple[tuple[float, str], ...]:
    """Round probabilities inside the drawing, at least a seventh of its width apart."""
    raws = np.linspace(low, low + span, 400)
    chances = np.maximum.accumulate([review.probability(raw) for raw in raws])
    kept: list[tuple[float, str]] = []
    for tick in sorted(_TICKS, key=lambda t: (t not in (0.01, 0.1, 0.5, 0.9, 0.99), t)):
        if chances[0] < tick < chances[-1]:
            at = 100 * int(np.searchsorted(chances, tick)) / 399
            if 3 <= at <= 97 and all(abs(at - other) >= 14 for other, _ in kept):
                kept.append((round(at, 2), percent(tick)))
    return tuple(sorted(kept))


def shown_customers(review: Review) -> tuple[Customer, ...]:
    """The customers of the page, the highest score first: those asked for, and others spread over the range."""
    asked = [c for c in review.customers if c.asked_for][:SHOWN_CUSTOMERS]
    others = sorted((c for c in review.customers if not c.asked_for and c.scores), key=_best)
    room = SHOWN_CUSTOMERS - len(asked)
    if len(others) > room:
        others = (
            [others[i] for i in np.unique(np.linspace(0, len(others) - 1, room).round().astype(int))] if room else []
        )
    return tuple(sorted(asked, key=_best, reverse=True)) + tuple(reversed(others))


def _best(customer: Customer) -> float:
    return max((score.probability for score in customer.scores), default=0.0)


def measure_line(
    model: float, low: float | None, high: float | None, rule: float | None, ceiling: float | None
) -> dict[str, float | None]:
    """Places in percent on a number line from 0 to a round end above all values."""
    top = max(v for v in (model, high, rule, ceiling) if v is not None)
    end = 1.0 if top > 0.5 else 0.5 if top > 0.2 else 0.2 if top > 0.1 else 0.1
    values = {"model": model, "low": low, "high": high, "rule": rule, "ceiling": ceiling, "end": end}
    return {k: None if v is None else round(100 * v / end, 2) for k, v in values.items()}


def sorted_cohorts(cohorts: Sequence[Cohort]) -> tuple[Cohort, ...]:
    """Cohorts with the smallest gain first; those that are too few to tell stand last."""
    return tuple(sorted(cohorts, key=lambda c: (c.gain is None, c.gain if c.gain is not None else 0.0)))


def fairness_tables(groups: Sequence[FairGroup]) -> list[tuple[str, list[FairGroup]]]:
    """The groups by attribute, in their order."""
    return [(attribute, list(found)) for attribute, found in groupby(groups, key=lambda group: group.attribute)]


def cohort_tables(cohorts: Sequence[ReasonCohort]) -> list[tuple[str, list[ReasonCohort]]]:
    """The cohorts by kind, in their order."""
    return [(kind, list(found)) for kind, found in groupby(cohorts, key=lambda cohort: cohort.kind)]


def heat(review: Review, value: float) -> int:
    """How strong a cell's colour is, 0 to 45 %: text stays readable on the strongest."""
    largest = max((abs(v) for cohort in review.reason_cohorts for v in cohort.contributions), default=0.0)
    return round(45 * abs(value) / largest) if largest else 0


def figure_mark(figure: Figure) -> Markup:
    """A mark where a group's figure differs from that of the others beyond chance, with words for those who listen."""
    if figure.gap_low is None or figure.gap_high is None or figure.gap_low <= 0 <= figure.gap_high:
        return Markup("")
    side, sign = ("up", "▲") if figure.gap_low > 0 else ("down", "▼")
    words = "higher than for the others" if side == "up" else "lower than for the others"
    return Markup('<span class="mark-{}" aria-hidden="true">{}</span><span class="hidden">{}: </span>').format(
        side, sign, words
    )


def spread_rows(probability: npt.NDArray[np.floating[Any]], most: int = 30) -> npt.NDArray[np.int64]:
    """Row numbers of at most `most` scores over the whole range, the highest first, for the sample of customers.

    Half are spread evenly over the ranks (what is usual), half over the values (so that high scores, which are few,
    are there too).
    """
    order = np.argsort(-np.asarray(probability), kind="stable").astype(np.int64)
    if len(order) <= most:
        return order
    ordered = np.asarray(probability)[order]
    by_value = np.unique(np.searchsorted(-ordered, -np.linspace(ordered[0], ordered[-1], most // 2)))
    left = np.setdiff1d(np.arange(len(order)), by_value)
    by_rank = left[np.linspace(0, len(left) - 1, most - len(by_value)).round().astype(int)]
    chosen: npt.NDArray[np.int64] = order[np.sort(np.concatenate([by_value, by_rank]))]
    return chosen
