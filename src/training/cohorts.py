"""For whom a model is better than the rule, and for whom it is not: the primary metric by attribute."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..explain.review import Cohort
from ..explain.review_words import joined
from .attributes import FEWEST, MISSING, Grouped, unknown_alike
from .evaluate import bootstrap
from .experiment import Trained
from .judge import lists_of
from .material import target_of

REPLICATES = 200


def cohorts_of(trained: Trained, attributes: tuple[Grouped, ...]) -> tuple[Cohort, ...]:
    """The primary metric on the test rows, for each group of each attribute (codes of the test rows).

    Groups "not known" of several attributes that are the same rows are one.
    Where a group holds fewer than 20 positives or others, its size is told and its metric is not.
    """
    alike = unknown_alike(attributes)
    cohorts = []
    for attribute in attributes:
        for code, name in enumerate(attribute.names):
            together = alike[attribute.attribute] if name == MISSING else (attribute.attribute,)
            if together:
                cohorts.append(replace(_cohort(trained, attribute, code), attribute=joined(list(together))))
    return tuple(cohorts)


def _cohort(trained: Trained, attribute: Grouped, code: int) -> Cohort:
    task = trained.material.task
    chosen = np.flatnonzero(attribute.code == code)
    rows = trained.tested.take(chosen)
    target = target_of(rows)
    positives = int(target.sum())
    cohort = Cohort(attribute.attribute, attribute.names[code], len(target), positives)
    if min(positives, len(target) - positives) < FEWEST:
        return cohort
    metric = task.ranking_metric
    found = bootstrap(
        [metric],
        target,
        {"model": rows["raw_score"].to_numpy(), "rule": rows[f"{trained.judgement.rule}:rank"].to_numpy()},
        np.asarray(rows[task.entity].to_numpy(zero_copy_only=False)),
        groups=lists_of(task, rows),
        replicates=REPLICATES,
        seed=trained.material.seed,
    )
    model, other, gain = (found.estimates["model"], found.estimates["rule"], found.gains["rule"])
    return replace(
        cohort,
        model=_finite(model[metric].estimate),
        rule=_finite(other[metric].estimate),
        gain=_finite(gain[metric].estimate),
        gain_low=_finite(gain[metric].low),
        gain_high=_finite(gain[metric].high),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
