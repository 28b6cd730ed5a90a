"""For whom a model is better than the rule, and for whom it is not: the primary metric by attribute."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..explain.review import Cohort
from ..language.declarations import FeatureColumn
from .evaluate import Interval, bootstrap
from .experiment import Trained
from .judge import lists_of
from .material import target_of

ATTRIBUTES = 4
VALUES = 6
FEWEST_POSITIVES = 20
REPLICATES = 200
MISSING = "not known"


def cohorts_of(trained: Trained) -> tuple[Cohort, ...]:
    """The primary metric on the explained test rows, for each common value of the profile's categories.

    Where a value holds fewer than 20 positives, its size is told and its metric is not.
    """
    columns = [c for c in trained.fitted.model.columns if c.kind == "category" and c.block == "profile"][:ATTRIBUTES]
    return tuple(cohort for column in columns for cohort in _by_value(trained, column))


def _by_value(trained: Trained, column: FeatureColumn) -> list[Cohort]:
    rows = trained.explained
    values = pc.fill_null(rows[column.name].cast(pa.string()), MISSING)
    counted = sorted(pc.value_counts(values).to_pylist(), key=lambda item: (-item["counts"], item["values"]))
    return [_cohort(trained, column, item["values"], pc.equal(values, item["values"])) for item in counted[:VALUES]]


def _cohort(trained: Trained, column: FeatureColumn, value: str, chosen: pa.ChunkedArray) -> Cohort:
    task, rows = trained.material.task, trained.explained.filter(chosen)
    target = target_of(rows)
    name = column.name.replace("_", " ")
    positives = int(target.sum())
    if not FEWEST_POSITIVES <= positives < len(target):
        return Cohort(name, value, len(target), positives)
    metric = task.primary_metric
    rule = trained.fitted.rules.fitted[trained.judgement.rule]
    found = bootstrap(
        [metric],
        target,
        {"model": trained.fitted.explainer.raw_score(rows), "rule": rule.score(rows)},
        np.asarray(rows[task.entity].to_numpy(zero_copy_only=False)),
        groups=lists_of(task, rows),
        replicates=REPLICATES,
        seed=trained.material.seed,
    )
    model, other, gain = (found.estimates["model"], found.estimates["rule"], found.gains["rule"])
    return Cohort(
        name,
        value,
        len(target),
        positives,
        model=_finite(model[metric].estimate),
        rule=_finite(other[metric].estimate),
        **_gain(gain[metric]),
    )


def _gain(gain: Interval) -> dict[str, float | None]:
    return {"gain": _finite(gain.estimate), "gain_low": _finite(gain.low), "gain_high": _finite(gain.high)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
