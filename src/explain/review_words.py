"""Numbers, metrics and verdicts in the words of a reader who is not a programmer."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .review_parts import Cohort, Measure, Review, Score, Subject

Unit = Literal["share", "times", "number"]


@dataclass(frozen=True)
class MetricWords:
    """How a metric is called and read. `term` is the name that a specialist knows it by."""

    label: str
    meaning: str
    term: str
    unit: Unit = "share"
    less_is_better: bool = False


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
    "ndcg_at_10": MetricWords(
        "Order of the first ten",
        "As the quality of the first ten, but a right offer loses less by standing later.",
        "NDCG at 10",
    ),
}

GRADES = {
    "A": "Clearly better than the rule, with percentages that can be trusted, and steady from forecast to forecast.",
    "B": "Clearly better than the rule: it closes a good part of the gap between the rule and the best possible.",
    "C": "Better than the rule, but only by a little.",
    "D": "Not shown to be better than the rule. Do not use it.",
}


def metric_words(measure: Measure, subject: Subject) -> MetricWords:
    """Label, meaning and unit of a measure, with the subject's words filled in."""
    known = METRICS.get(measure.name) or MetricWords(
        measure.name.replace("_", " ").capitalize(), "", measure.name, "number"
    )
    meaning = measure.meaning
    if not meaning:
        names = {k: getattr(subject, k) for k in ("entity", "entities", "positives", "negatives")}
        meaning = known.meaning.format(**names)
    return MetricWords(measure.label or known.label, meaning, known.term, known.unit, known.less_is_better)


def number(value: float | None, unit: Unit = "share", signed: bool = False) -> str:
    """A metric's value: 41.8 %, 3.9 times, 0.213; with a sign, shares become points. Numbers never part from units."""
    if value is None:
        return "–"
    figure = f"{100 * value:.1f}" if unit == "share" else f"{value:.1f}" if unit == "times" else f"{value:.3f}"
    figure = figure.replace("-", "−")
    if signed and not figure.startswith("−"):
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


def count(value: int) -> str:
    """A whole number with thin spaces between thousands: 12 345."""
    return f"{value:,}".replace(",", "\u202f")


def clean(text: object, limit: int = 300) -> str:
    """A text from data, fit for a page: control characters become blanks, long texts end with an ellipsis."""
    full = str(text)
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in full[:limit])
    return kept.strip() + ("…" if len(full) > limit else "")


def joined(parts: list[str]) -> str:
    """Parts as "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def cohort_state(cohort: Cohort) -> Literal["worse", "maybe worse", "unclear", "better", "too few"]:
    """Whether the model beats the rule for a cohort, as far as the 95 % interval of the gain tells."""
    if cohort.gain is None or cohort.gain_low is None or cohort.gain_high is None:
        return "too few"
    if cohort.gain_high < 0:
        return "worse"
    if cohort.gain_low > 0:
        return "better"
    return "maybe worse" if cohort.gain < 0 else "unclear"


@dataclass(frozen=True)
class Verdict:
    """The answer to "may I use it?": yes, no or wait, a headline and reasons in sentences."""

    state: Literal["yes", "no", "wait"]
    headline: str
    sentences: tuple[str, ...]


def verdict(review: Review) -> Verdict:
    """May this version be used? From the decision first, then grade, alarms and failed checks."""
    failed = [check.question for check in review.checklist if check.passed is False]
    doubts = []
    if review.grade == "D":
        doubts.append(f"It is not shown to be better than the rule ({review.rule}).")
    if review.alarms:
        doubts.append(f"{_counted(len(review.alarms), 'alarm')} raised: see where it is weak.")
    if failed:
        doubts.append(f"{_counted(len(failed), 'check')} failed: see the decision.")
    ends = [review.next_scoring] if review.next_scoring else []
    decision = review.decision
    if decision is not None and decision.state == "rejected":
        return Verdict("no", "No: rejected", (f"{decision.by} rejected this version on {decision.at}.", *_note(review)))
    if decision is not None:
        mind = [f"Mind: {doubt[0].lower()}{doubt[1:]}" for doubt in doubts]
        said = f"{decision.by} approved this version on {decision.at}."
        return Verdict("yes", "Yes: approved", (said, *_note(review), *mind, *ends))
    if review.grade == "D":
        return Verdict("no", "No", tuple(doubts))
    if doubts:
        return Verdict("wait", "Not yet", (*doubts, "That must be cleared before a reviewer can approve it."))
    return Verdict("wait", "Not before review", ("The numbers allow it; a person must still decide.", *ends))


def _note(review: Review) -> tuple[str, ...]:
    return (f"Note: {review.decision.note}",) if review.decision is not None and review.decision.note else ()


def _counted(number_of: int, noun: str) -> str:
    return f"{number_of} {noun}{'s' if number_of != 1 else ''}"


def better_than_rule(review: Review) -> tuple[str, str]:
    """Is it better than today: a headline, and one sentence with the numbers of the primary measure."""
    measure = review.primary
    if measure is None or measure.rule is None:
        return "Not compared", "No rule was measured beside the model."
    words = metric_words(measure, review.subject)
    sentence = (
        f"{words.label} ({words.term}): {number(measure.model, words.unit)} for the model, "
        f"{number(measure.rule, words.unit)} for the rule ({review.rule})."
    )
    if measure.gain is None or measure.gain_low is None or measure.gain_high is None:
        return ("Yes" if review.grade != "D" else "Not shown"), sentence
    band = interval(measure.gain_low, measure.gain_high, words.unit, signed=True)
    sentence += f" The gain is {number(measure.gain, words.unit, signed=True)} (95 % interval: {band})."
    if measure.gain_low > 0:
        return "Yes", sentence
    return ("No" if measure.gain_high < 0 else "Not shown"), sentence


COHORT_WORDS = {
    "worse": "worse than the rule",
    "maybe worse": "perhaps worse",
    "unclear": "about the same",
    "better": "better than the rule",
    "too few": "too few to tell",
}


def cohorts_in_words(cohorts: Sequence[Cohort]) -> str:
    """For whom it is worse, as one or two sentences; empty where no groups were looked at."""
    if not cohorts:
        return ""
    named: dict[str, list[str]] = {state: [] for state in COHORT_WORDS}
    for cohort in cohorts:
        named[cohort_state(cohort)].append(f"{cohort.attribute} {cohort.value}")
    parts = []
    for state, names in named.items():
        if names:
            listed = f" ({joined(names)})" if "worse" in state and len(names) <= 4 else ""
            parts.append(f"{COHORT_WORDS[state]} for {len(names)}{listed}")
    looked = "1 group was" if len(cohorts) == 1 else f"{len(cohorts)} groups were"
    return f"{looked} looked at. The model is {'; '.join(parts)}."


def why(score: Score) -> str:
    """The score's reasons in short: what raises it most and what lowers it most, with the score without each."""
    sentences = []
    for sign, word in ((1, "raises"), (-1, "lowers")):
        found = [reason for reason in score.reasons if sign * reason.contribution > 0]
        if found:
            strongest = max(found, key=lambda reason: abs(reason.contribution))
            words = clean(strongest.words, 160).rstrip(".")
            sentences.append(f"What {word} it most: {words}. Without that it would be {percent(strongest.without)}.")
    return " ".join(sentences)


def like_this(review: Review, score: Score) -> str:
    """What happened in the test to those with scores like this one; empty where calibration is not known."""
    if not review.calibration:
        return ""
    near = min(review.calibration, key=lambda group: abs(group.promised - score.probability))
    which = "scores like this"
    if near == review.calibration[-1] and score.probability > near.promised:
        which = "the highest scores"
    elif near == review.calibration[0] and score.probability < near.promised:
        which = "the lowest scores"
    return (
        f"In the test, of the tenth with {which} ({percent(near.promised)} on average), {percent(near.happened)} "
        f"{clean(review.subject.outcome, 80)}."
    )


def checks_in_words(review: Review) -> str:
    """How many checks passed, failed, or wait for a person."""
    states = [check.passed for check in review.checklist]
    parts = [
        f"{states.count(state)} {words}"
        for state, words in ((True, "passed"), (False, "failed"), (None, "for you to judge"))
        if states.count(state)
    ]
    return f"Of {_counted(len(states), 'check')}, {joined(parts)}." if states else ""
