"""Which features can be held against those of training, and which differ because time went on.

With more past in the data, all that is counted over the whole past grows, and a window of a year holds a year at last
where it held half of one in training. That is no fault of tonight's data, and no guard should cry for it: such features
are compared with the last job instead. Campaigns come one by one: a handful of them says nothing about the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlglot import exp

from ..features.plan import FeaturePlan
from ..features.stream import SnapshotStream
from ..language.declarations import Latest, Measure, Planned, Ratio
from ..language.parts import column_name
from ..language.population import compile_plans
from .job import Job

MORE_PAST = 1.25  # times as much past as in training: what counts over all of it has other values
FEWEST_PLANS = 5
DAY = timedelta(days=1)


def growing(
    plan: FeaturePlan, windows: Mapping[str, Sequence[str]], first_event: datetime, cutoff: datetime
) -> frozenset[str]:
    """Names of the features that have other values than in training because the data reach further back now.

    `windows` are those of the model's training (ISO moments, naive UTC). A feature over the whole past grows if there
    is a quarter more of it than at the average training cutoff; one over a window that reached beyond the first event
    at the first training cutoff does too; and so does a ratio of such features.
    """
    trained = [(datetime.fromisoformat(text) - first_event) / DAY for text in windows.get("train", ())]
    now = (cutoff - first_event) / DAY
    if not trained or now < MORE_PAST * sum(trained) / len(trained):
        return frozenset()
    found = {
        column_name(feature, window)
        for group in plan.groups
        for feature in group.features
        if isinstance(feature.what, Measure) and not isinstance(feature.what, Latest)
        for window in feature.what.last
        if window is None or window > min(trained)
    }
    for feature in plan.derived:  # a ratio may stand on another one before it
        if isinstance(feature.what, Ratio) and {feature.what.numerator, feature.what.denominator} & found:
            found.add(feature.name)
    return frozenset(found)


def plans_in_sight(stream: SnapshotStream, job: Job) -> int | None:
    """How many plans (campaigns) are scored; None for a task without plans. The tables' names stand for everybody."""
    universe: Any = stream.task.population.universe
    if not isinstance(universe, Planned):
        return None
    key = universe.key[-1]
    plans = compile_plans(universe, job.cutoff, datetime(9999, 1, 1), job.cutoff)
    rows = stream.engine.arrow(exp.select(key).distinct().from_(plans.subquery("p")))
    return int(rows.num_rows)
