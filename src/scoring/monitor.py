"""What became of old scores: when a target has matured, it is joined to what was forecast.

Each published day whose windows have ended by the end of the data is judged with the outcomes of today's data; a
line for each task says whether all is well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..config import MonitorConfig
from ..data.dataset import Dataset
from ..errors import ModelError
from ..features.outcomes import Outcomes
from ..tasks import declare
from ..tasks.base import Task
from .quality import chance_of_calibration, classification, lists
from .results import open_result, read_rows, results, scores_folder

METRICS = ("average_precision", "roc_auc", "ece", "brier", "log_loss", "mean_score", "positive_rate")


@dataclass(frozen=True)
class MonitoredDay:
    """One day's scores against what happened: matured `rows`, metrics by name, and what is wrong with them."""

    as_of: date
    model_version: str | None
    rows: int
    metrics: dict[str, float]
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True)
class MonitorReport:
    """All matured days of a task in order, and the days that have not matured yet."""

    task: str
    metric: str
    days: tuple[MonitoredDay, ...]
    waiting: tuple[date, ...]

    @property
    def alerts(self) -> tuple[str, ...]:
        """What is wrong with the last matured day."""
        return self.days[-1].alerts if self.days else ()

    @property
    def text(self) -> str:
        """The alert line of the task."""
        if not self.days:
            since = f"; the oldest scores are as of {self.waiting[0]}" if self.waiting else "; no scores are published"
            return f"{self.task}: nothing has matured yet{since}"
        last = self.days[-1]
        if self.alerts:
            return f"ALERT {self.task} as of {last.as_of}: {'; '.join(self.alerts)}"
        value = last.metrics.get(self.metric)
        quality = "" if value is None else f"{self.metric} {value:.3f}, "
        return f"ok {self.task} as of {last.as_of}: {quality}calibration error {last.metrics['ece']:.3f}"

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        days = [vars(day) | {"as_of": day.as_of.isoformat(), "alerts": list(day.alerts)} for day in self.days]
        return {"task": self.task, "metric": self.metric, "days": days, "alerts": list(self.alerts), "text": self.text}


def monitor(
    data: Dataset, task_name: str, *, out: Path | None = None, say: Callable[[str], None] = lambda text: None
) -> MonitorReport:
    """Judge every published day of a task whose windows have ended by the end of the data.

    Raises OutputError where a result is damaged.
    """
    task = declare(task_name, data.config.task(task_name))
    if task.target is None:
        raise ModelError(f"{task_name} is put together from what is known: it foretells nothing that could come true")
    if task.treatment is not None:
        raise ModelError(f"{task_name} foretells what a contact changes, which no single outcome shows")
    if task.outcomes:
        raise ModelError(f"{task_name} has no outcome of yes or no by which its old scores could be judged")
    metric = f"map_at_{task.top}" if task.ranks_within else task.ranking_metric
    outcomes, settings = Outcomes(data, task), data.config.scoring.monitor
    days: list[MonitoredDay] = []
    waiting = []
    for as_of, folder in results(out or scores_folder(data.config, task_name)).items():
        say(f"scores as of {as_of}")
        day = _judge(task, outcomes, as_of, folder)
        if day.rows == 0:
            waiting.append(as_of)
            continue
        first = days[0].metrics.get(metric) if days else None
        days.append(_with_alerts(day, settings, metric, first))
    return MonitorReport(task_name, metric, tuple(days), tuple(waiting))


def _judge(task: Task, outcomes: Outcomes, as_of: date, folder: Path) -> MonitoredDay:
    manifest = open_result(folder)
    here = {"entity_id": task.entity, "offer_id": task.keys[-1]}
    names = [name for name, _ in manifest.columns[: [name for name, _ in manifest.columns].index("as_of")]]
    rows = read_rows(folder, [*names, "score"])
    rows = rows.rename_columns([here.get(name, name) for name in rows.column_names])
    known = outcomes.of(rows, manifest.job.cutoff)
    rows = rows.join(known, list(task.keys), join_type="inner")
    if rows.num_rows == 0:
        return MonitoredDay(as_of, manifest.job.model_version, 0, {})
    target, score = rows["target"].to_numpy().astype(np.float64), rows["score"].to_numpy()
    metrics = classification(target, score) | {"ece_by_chance": chance_of_calibration(score)}
    if task.ranks_within:
        metrics |= _of_lists(task, rows, target, outcomes.positives(manifest.job.cutoff))
    return MonitoredDay(as_of, manifest.job.model_version, rows.num_rows, metrics)


def _of_lists(task: Task, rows: pa.Table, target: np.ndarray[Any, Any], positives: pa.Table) -> dict[str, float]:
    encoded = rows[task.entity].combine_chunks().dictionary_encode()
    place = pc.index_in(encoded.dictionary, value_set=positives[task.entity].combine_chunks())
    count = pc.fill_null(positives["n"].take(place), 0).to_numpy().astype(np.float64)
    rank = rows["rank"].to_numpy().astype(np.int64)
    return lists(encoded.indices.to_numpy().astype(np.int64), rank, target, count, task.top or int(rank.max()))


def _with_alerts(day: MonitoredDay, settings: MonitorConfig, metric: str, first: float | None) -> MonitoredDay:
    if day.rows < settings.least_rows:
        return day
    alerts, value = [], day.metrics.get(metric)
    error, limit = day.metrics["ece"], settings.calibration_error
    if limit is not None and error > max(limit, day.metrics["ece_by_chance"]):
        forecast, found = day.metrics["mean_score"], day.metrics["positive_rate"]
        alerts.append(f"calibration error {error:.3f} over {limit:g} ({forecast:.1%} forecast, {found:.1%} came true)")
    if value is not None and settings.primary_metric is not None and value < settings.primary_metric:
        alerts.append(f"{metric} {value:.3f} under {settings.primary_metric:g}")
    if value is not None and first is not None and settings.drop is not None and value < first * (1 - settings.drop):
        alerts.append(f"{metric} {value:.3f}, down {1 - value / first:.0%} from {first:.3f} on the first day")
    return MonitoredDay(day.as_of, day.model_version, day.rows, day.metrics, tuple(alerts))
