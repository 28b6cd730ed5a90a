"""Answers to what a reviewer asks: is it better, for whom is it worse, may I use it, why this score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from .review_parts import Cohort, Customer, FairGroup, Provenance, Review, Score, Subject
from .review_words import clean, interval, joined, metric_words, number, observed, percent

GRADES = {
    "A": "Clearly better than the rule, with percentages that can be trusted, and steady from forecast to forecast.",
    "B": "Better than the rule beyond doubt, and by enough to matter.",
    "C": "Better than the rule, but only by a little.",
    "D": "Not shown to be better than the rule. Do not use it.",
}


NOT_IN_USE = {  # by the beginning of a version's role
    "challenger": "It is the challenger: the champion goes on scoring until `rapport promote` lets it take over.",
    "in no use": "Another version is in use.",
}


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
    ends += [sentence for role, sentence in NOT_IN_USE.items() if review.provenance.role.startswith(role)]
    ends += age_in_words(review.provenance)
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


def age_in_words(provenance: Provenance) -> list[str]:
    """A sentence where the data had ended a year or more before the model was trained on them; else none."""
    try:
        ended, trained = (date.fromisoformat(text[:10]) for text in (provenance.observed_until, provenance.trained_at))
    except ValueError:  # one of them is not told
        return []
    years = (trained - ended).days // 365
    if years < 1:
        return []
    return [f"The data ended {_counted(years, 'year')} before it was trained: do customers still behave as then?"]


def _note(review: Review) -> tuple[str, ...]:
    note = review.decision.note.strip() if review.decision is not None else ""
    return (f"Note: {note}{'' if note.endswith(('.', '!', '?')) else '.'}",) if note else ()


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


NAMED = ("worse", "maybe worse", "unclear")  # states whose groups are named


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
            listed = f" ({joined(names)})" if state in NAMED and len(names) <= 4 else ""
            parts.append(f"{COHORT_WORDS[state]} for {len(names)}{listed}")
    if not named["worse"] and not named["maybe worse"]:
        parts[-1] += "; it is shown to be worse for none"
    looked = "1 group was" if len(cohorts) == 1 else f"{len(cohorts)} groups were"
    return f"{looked} looked at. The model is {'; '.join(parts)}."


def spread_in_words(customers: Sequence[Customer]) -> str:
    """From which score to which those on the page go."""
    scores = [score.probability for customer in customers for score in customer.scores]
    if not scores:
        return "without a score"
    return f"their scores spread from {percent(min(scores))} to {percent(max(scores))}"


FIGURES = {
    "flagged": "the share in the top fifth",
    "found": "the share found of all {positives}",
    "false_alarms": "the share flagged in vain of all {negatives}",
}


def fairness_in_words(groups: Sequence[FairGroup], subject: Subject) -> str:
    """For each attribute the figure whose groups differ most, and how many differences lie beyond chance."""
    sentences = []
    for attribute in dict.fromkeys(group.attribute for group in groups):
        judged = [group for group in groups if group.attribute == attribute and group.figures]
        if len(judged) < 2:
            sentences.append(f"By {attribute}, the groups are too small to compare.")
            continue
        by_name = {
            name: sorted((f.value, group.value) for group in judged for f in group.figures if f.name == name)
            for name in FIGURES
        }
        widest = max(by_name, key=lambda name: by_name[name][-1][0] - by_name[name][0][0])
        (low, lowest), (high, highest) = by_name[widest][0], by_name[widest][-1]
        what = FIGURES[widest].format(positives=subject.positives, negatives=subject.negatives)
        sentences.append(
            f"By {attribute}, {what} goes from {observed(low)} ({lowest}) to {observed(high)} ({highest})."
        )
    known = [f for group in groups for f in group.figures if f.gap_low is not None and f.gap_high is not None]
    beyond = sum(not f.gap_low <= 0 <= f.gap_high for f in known if f.gap_low is not None and f.gap_high is not None)
    if known:
        sentences.append(
            f"Of {len(known)} comparisons of a group with all others, {beyond} lie beyond chance; of equal groups, one "
            "in twenty would."
        )
    return " ".join(sentences)


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
        f"In the test, of the tenth with {which} ({percent(near.promised)} on average), {observed(near.happened)} "
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
