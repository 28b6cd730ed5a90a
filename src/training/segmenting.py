"""Segments of a data set: drawn up at one time, numbered like those of the version before, and watched since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from ..config import SegmentsConfig, TaskConfig
from ..data.dataset import Dataset
from ..errors import DataError, ModelError
from ..features.snapshot import Snapshots
from ..language.moments import shift, to_local
from ..models.clusters import Clusters
from ..registry.versions import aliases, load
from ..tasks.base import Task
from .diet import diet
from .event_cohorts import EventCohort, find_event_cohorts
from .grouping import Choice, Watched, choose_k, describe, watch
from .splits import windows_of


@dataclass(frozen=True)
class Segments:
    """The segments, why there are so many, how well their words hold, and what became of them, by local day.

    `cohorts` are the groups of prospects that events set off.
    """

    model: Clusters
    choice: Choice
    fidelity: float
    watched: dict[str, Watched]
    new: tuple[int, ...]
    cohorts: tuple[EventCohort, ...] = ()

    @property
    def alerts(self) -> tuple[str, ...]:
        """What is new or has grown, in words."""
        fresh = [
            f"segment {number} ({self.model.words[self.model.numbers.index(number)]}) is new since the version before"
            for number in self.new
        ]
        return (*fresh, *(text for one in self.watched.values() for text in one.alerts))

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "choice": {
                "k": self.choice.k,
                "words": self.choice.words,
                "stability": {str(k): value for k, value in self.choice.stability.items()},
                "silhouette": {str(k): value for k, value in self.choice.silhouette.items()},
            },
            "fidelity_of_words": self.fidelity,
            "watched": {day: [one.as_dict() for one in found.segments] for day, found in self.watched.items()},
            "alerts": list(self.alerts),
            "cohorts": [one.as_dict() | {"words": one.words} for one in self.cohorts],
        }


def draw_up_moments(data: Dataset, config: SegmentsConfig) -> tuple[list[datetime], list[datetime]]:
    """The cutoffs from which segments are drawn up, and the later ones at which they are watched."""
    zone, end = data.config.zone, data.observed_until
    if config.split is not None:
        windows = windows_of(config.split, zone)
        return list(windows.train), sorted({*windows.test, end})
    steps = [shift(end, -config.every * back, zone) for back in range(config.watched, -1, -1)]
    known = [moment for moment in steps if moment > data.first_event]
    return known[:1], known[1:]


def draw_up_segments(
    data: Dataset,
    task: Task,
    config: TaskConfig,
    snapshots: Snapshots,
    rows: pa.Table,
    later: Sequence[datetime],
    *,
    seed: int,
) -> Segments:
    """Segments of rows (n) with features, watched at later cutoffs.

    DataError where there are too few customers, ModelError where the data show nothing of their behaviour.
    """
    assert isinstance(config, SegmentsConfig)
    wanted = [column for column in snapshots.columns if column.name in task.behaviour]
    columns = diet(rows, wanted).kept
    if not columns:
        raise ModelError(f"{task.name}: the data show nothing of what customers do; it looks at {task.behaviour}")
    choice = choose_k(columns, rows, config.most, seed=seed)
    drawn = Clusters.fit(columns, rows, choice.k, seed=seed)
    before = _before(data, task.name)
    numbers, last = drawn.numbers, drawn.last_number
    new: tuple[int, ...] = ()
    if before is not None and {column.name for column in before.columns} <= set(rows.column_names):
        numbers, last = drawn.numbers_like(before, rows)
        new = tuple(number for number in numbers if number > before.last_number)
    said = describe(drawn, rows)
    model = drawn.with_names(numbers, said.words, last)
    watched = {}
    for moment in later:
        spine = snapshots.population([moment], with_target=False)
        if spine.num_rows == 0:
            raise DataError(f"{task.name}: nobody is eligible ({task.population_text}) as of {moment}")
        day = to_local(moment, data.config.zone).date().isoformat()
        watched[day] = watch(model, snapshots.features(spine), f"as of {day}")
    return Segments(model, choice, said.fidelity, watched, new, find_event_cohorts(data))


def _before(data: Dataset, name: str) -> Clusters | None:
    """The segments that are in use, if there are any."""
    if "champion" not in aliases(data.config, name):
        return None
    model = load(data.config, name).model
    return model if isinstance(model, Clusters) else None
