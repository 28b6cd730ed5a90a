"""Inputs and scores against training, over the days that were scored: a table and a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..config import Limit
from ..data.dataset import Dataset
from ..errors import OutputError
from ..models.bundle import Bundle
from ..tasks import declare
from .findings import Finding
from .guards import check_after
from .job import define_job
from .population import Population
from .profile import SCORE, ColumnProfile, Profile, count_rows, empty_profile, noise
from .results import open_result, read_profile, results, scores_folder


@dataclass(frozen=True)
class DriftDay:
    """The profile of one day's population; `published` is False for one that was looked at just now."""

    as_of: date
    rows: int
    model_version: str | None
    profile: Profile
    published: bool = True

    def psi(self, name: str) -> float | None:
        """The index of a column; None where that day's model had no such feature."""
        return next((column.psi for column in self.profile.columns if column.name == name), None)


@dataclass(frozen=True)
class DriftLine:
    """One column of the last day: how far it drifted, whether chance explains that, and what it looks like."""

    name: str
    psi: float
    noise: float
    missing: float
    missing_in_training: float
    unseen: float
    level: str

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return vars(self).copy()


@dataclass(frozen=True)
class DriftReport:
    """All days in order, and the columns of the last one, the furthest drifted first."""

    task: str
    days: tuple[DriftDay, ...]
    lines: tuple[DriftLine, ...]
    findings: tuple[Finding, ...]

    @property
    def text(self) -> str:
        """One line for a terminal."""
        worst = self.lines[0]
        said = "; ".join(finding.text for finding in self.findings) or "nothing drifted beyond the limits"
        return f"{self.task} as of {self.days[-1].as_of}: {said} (largest: {worst.name} {worst.psi:.2f})"

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "task": self.task,
            "as_of": self.days[-1].as_of.isoformat(),
            "columns": [line.as_json() for line in self.lines],
            "over_time": {
                line.name: {day.as_of.isoformat(): day.psi(line.name) for day in self.days} for line in self.lines
            },
            "findings": [finding.as_json() for finding in self.findings],
        }


def drift(
    data: Dataset,
    task_name: str,
    bundle: Bundle | None = None,
    *,
    as_of: date | None = None,
    out: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> DriftReport:
    """Drift of all published days of a task; with a model, also that of a day (default: the end of the data), now.

    Raises OutputError where nothing is published and no model is given, or where a profile is damaged.
    """
    days = []
    for day, folder in results(out or scores_folder(data.config, task_name)).items():
        manifest = open_result(folder)
        days.append(DriftDay(day, manifest.rows, manifest.job.model_version, read_profile(folder)))
    if bundle is not None:
        now = _look(data, task_name, bundle, as_of, say)
        days = [day for day in days if day.as_of != now.as_of] + [now]
    if not days:
        raise OutputError(
            f"{task_name}: no scores are published yet, and so there is nothing to compare; run `rapport score`"
        )
    days.sort(key=lambda day: day.as_of)
    limits, last = data.config.scoring.limits, days[-1]
    lines = [
        _line(last.profile, column, limits.score_psi if column.kind == SCORE else limits.feature_psi)
        for column in last.profile.columns
    ]
    lines.sort(key=lambda line: (-line.psi, line.name))
    return DriftReport(task_name, tuple(days), tuple(lines), tuple(check_after(last.profile, last.rows, limits, None)))


def _look(data: Dataset, task_name: str, bundle: Bundle, as_of: date | None, say: Callable[[str], None]) -> DriftDay:
    """The population as it would be scored now."""
    settings = data.config.task(task_name)
    task = declare(task_name, settings)
    job = define_job(data, task, settings, bundle, as_of)
    profile, rows = empty_profile(bundle), 0
    with Population(data, task, bundle, job) as population:
        for bucket in range(job.parts):
            say(f"part {bucket + 1} of {job.parts}")
            for piece in population.pieces(bucket):
                profile = profile.plus(*count_rows(profile, piece, bundle.model.raw_score(piece)))
                rows += piece.num_rows
    return DriftDay(job.as_of, rows, bundle.version, profile, published=False)


def _line(profile: Profile, column: ColumnProfile, limit: Limit) -> DriftLine:
    by_chance = noise(profile, column)
    level = "steady"
    if column.psi > by_chance:
        reached = [
            name
            for name, value in (("warn", limit.warn), ("stop", limit.stop))
            if value is not None and column.psi >= value
        ]
        level = reached[-1] if reached else "moved"
    return DriftLine(
        column.name,
        column.psi,
        by_chance,
        float(column.found[-1]),
        column.expected[-1],
        column.unseen,
        level,
    )


def shown_columns(report: DriftReport, most: int = 12) -> Sequence[str]:
    """The columns of the picture: the scores first, then the features that drifted furthest on any day."""
    names = [line.name for line in report.lines]
    furthest = sorted(names, key=lambda name: -max(day.psi(name) or 0.0 for day in report.days))
    return [name for name in names if name == SCORE] + [name for name in furthest if name != SCORE][: most - 1]
