"""What the model looks at, cohort by cohort: tenths of the score, errors beside hits, groups of people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from ..explain.review import ReasonCohort, Subject
from ..explain.review_words import percent
from .attributes import Grouped
from .experiment import Trained
from .fairness import FLAGGED
from .material import Floats, target_of

SHOWN_GROUPS = 6
FEWEST_ROWS = 20
Rows = npt.NDArray[np.bool_]
HITS, FALSE_ALARMS, MISSES, LEFT = "flagged, rightly", "false alarms", "misses", "not flagged, rightly"


def reason_cohorts(
    trained: Trained, contributions: Floats, attributes: Sequence[Grouped], subject: Subject
) -> tuple[tuple[str, ...], tuple[ReasonCohort, ...], str]:
    """Names of the strongest groups of features, their mean contributions by cohort, and the errors in a sentence.

    `contributions` (n, p + 1) are those of `trained.explained`; `attributes` have the codes of `trained.tested`.
    """
    explainer = trained.fitted.explainer
    by_group = explainer.group_contributions(contributions)
    strongest = np.argsort(-np.abs(by_group).mean(axis=0), kind="stable")[:SHOWN_GROUPS]
    names = tuple(explainer.groups[i] for i in strongest)
    by_group = by_group[:, strongest]
    target = target_of(trained.explained)
    probability = trained.fitted.model.calibrator.apply(contributions.sum(axis=1))
    cohorts = tuple(
        ReasonCohort(
            kind,
            value,
            int(rows.sum()),
            float(probability[rows].mean()),
            float(target[rows].mean()),
            tuple(by_group[rows].mean(axis=0).tolist()),
        )
        for kind, value, rows in _cohorts(trained, probability, target, attributes)
        if rows.sum() >= FEWEST_ROWS
    )
    return names, cohorts, _errors_in_words(names, cohorts, subject)


def _cohorts(
    trained: Trained, probability: Floats, target: Floats, attributes: Sequence[Grouped]
) -> Iterator[tuple[str, str, Rows]]:
    order = np.argsort(-probability, kind="stable")
    ends = {0: " (highest scores)", 9: " (lowest scores)"}
    for tenth, rows in enumerate(np.array_split(order, 10)):
        yield "score", f"tenth {tenth + 1}{ends.get(tenth, '')}", _mask(rows, len(order))
    flagged = _mask(order[: round(FLAGGED * len(order))], len(order))
    happened = target == 1
    yield "error", HITS, flagged & happened
    yield "error", FALSE_ALARMS, flagged & ~happened
    yield "error", MISSES, ~flagged & happened
    yield "error", LEFT, ~flagged & ~happened
    entity = trained.material.task.entity
    place = pc.index_in(trained.explained[entity], value_set=trained.tested[entity].combine_chunks())
    place = place.to_numpy()
    for attribute in attributes:
        for code, name in enumerate(attribute.names):
            yield attribute.attribute, name, attribute.code[place] == code


def _mask(rows: npt.NDArray[np.int64], n: int) -> Rows:
    mask = np.zeros(n, np.bool_)
    mask[rows] = True
    return mask


def _errors_in_words(names: Sequence[str], cohorts: Sequence[ReasonCohort], subject: Subject) -> str:
    """What tells false alarms and misses from the hits."""
    errors = {cohort.value: cohort for cohort in cohorts if cohort.kind == "error"}
    hits = errors.get(HITS)
    if hits is None:
        return ""
    sentences = []
    alarms, misses = errors.get(FALSE_ALARMS), errors.get(MISSES)
    if alarms is not None:
        share = alarms.rows / (alarms.rows + hits.rows)
        group, theirs, own = _furthest(names, alarms, hits)
        sentences.append(
            f"Of the fifth with the highest scores, {percent(share)} were false alarms. They differ from the rightly "
            f"flagged most in “{group}” (mean effect {theirs:+.2f}, where those have {own:+.2f})."
        )
    if misses is not None:
        share = misses.rows / (misses.rows + hits.rows)
        group, theirs, own = _furthest(names, misses, hits)
        sentences.append(
            f"Of all {subject.positives}, {percent(share)} are not in that fifth. What keeps their scores low is "
            f"mostly “{group}” ({theirs:+.2f}, where the rightly flagged have {own:+.2f})."
        )
    return " ".join(sentences)


def _furthest(names: Sequence[str], some: ReasonCohort, others: ReasonCohort) -> tuple[str, float, float]:
    gaps = np.subtract(some.contributions, others.contributions)
    i = int(np.argmax(np.abs(gaps)))
    return names[i], some.contributions[i], others.contributions[i]
