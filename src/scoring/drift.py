"""Inputs and scores against training, over the days that were scored: a table and a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..config import Config, Limit, ScoringLimits
from ..data.dataset import Dataset
from ..errors import OutputError
from ..models.bundle import Bundle
from ..tasks import declare
from .findings import Finding
from .guards import check_after, few_plans
from .job import define_job
from .manifest import Manifest
from .population import Population
from .profile import SCORE, ColumnProfile, Profile, count_rows, noise
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
    """One column of the last day: how far it drifted, whether chance explains that, and what it looks like.

    `psi` is against training, `jump` against the day before (None where there is none). `level` is `steady` (chance),
    `moved`, `warn` or `stop` by the limits, `grows` (the data reach further back than in training) or `few` (too few
    campaigns to tell).
    """

    name: str
    psi: float
    jump: float | None
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
    def stops(self) -> bool:
        """True where a limit is passed at which a job would stop; all other findings are warnings."""
        return any(finding.level == "stop" for finding in self.findings)

    @property
    def text(self) -> str:
        """The line of the task: ok, a warning, or an alert."""
        last = self.days[-1]
        if self.findings:
            begins = "ALERT" if self.stops else "warning"
            return f"{begins} {self.task} as of {last.as_of}: {'; '.join(finding.text for finding in self.findings)}"
        few = f" ({last.profile.plans} campaigns: too few to tell)" if few_plans(last.profile) else ""
        return f"ok {self.task} as of {last.as_of}: nothing drifted beyond the limits{few}"

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "task": self.task,
            "as_of": self.days[-1].as_of.isoformat(),
            "text": self.text,
            "columns": [line.as_json() for line in self.lines],
            "over_time": {
                line.name: {day.as_of.isoformat(): day.psi(line.name) for day in self.days} for line in self.lines
            },
            "findings": [finding.as_json() for finding in self.findings],
        }


def drift(config: Config, task_name: str, now: DriftDay | None = None, *, out: Path | None = None) -> DriftReport:
    """Drift of all published days of a task, and of one more that is not published (see `look_at`).

    Raises OutputError where there is neither, or where a profile is damaged.
    """
    days, manifests = list[DriftDay](), dict[date, Manifest]()
    for day, folder in results(out or scores_folder(config, task_name)).items():
        manifests[day] = manifest = open_result(folder)
        days.append(DriftDay(day, manifest.rows, manifest.job.model_version, read_profile(folder)))
    if now is not None:
        days = [day for day in days if day.as_of != now.as_of] + [now]
    if not days:
        raise OutputError(
            f"{task_name}: no scores are published yet, and so there is nothing to compare; run `rapport score`"
        )
    days.sort(key=lambda day: day.as_of)
    limits, last = config.scoring.limits, days[-1]
    before = days[-2] if len(days) > 1 else None
    earlier = None if before is None else before.profile
    lines = [_line(last.profile, column, limits, earlier) for column in last.profile.columns]
    lines.sort(key=lambda line: (line.level in ("grows", "few"), -line.psi, line.name))
    previous = None if before is None else manifests.get(before.as_of)
    findings = check_after(last.profile, last.rows, limits, last.as_of, previous, earlier)
    return DriftReport(task_name, tuple(days), tuple(lines), tuple(findings))


def look_at(
    data: Dataset,
    task_name: str,
    bundle: Bundle,
    as_of: date | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> DriftDay:
    """The population as a model would score it as of a day (default: the end of the data); nothing is published."""
    settings = data.config.task(task_name)
    task = declare(task_name, settings)
    job = define_job(data, task, settings, bundle, as_of)
    rows = 0
    with Population(data, task, bundle, job) as population:
        profile, scorer = population.empty, population.scorer()
        for bucket in range(job.parts):
            say(f"part {bucket + 1} of {job.parts}")
            for piece in population.pieces(bucket):
                profile = profile.plus(*count_rows(profile, piece, scorer.raw_scores(piece)))
                rows += piece.num_rows
    return DriftDay(job.as_of, rows, bundle.version, profile, published=False)


def _line(profile: Profile, column: ColumnProfile, limits: ScoringLimits, earlier: Profile | None) -> DriftLine:
    by_chance = noise(profile, column)
    same = None if earlier is None else next((c for c in earlier.columns if c.name == column.name), None)
    return DriftLine(
        column.name,
        column.psi,
        None if same is None else column.jump(same),
        by_chance,
        float(column.found[-1]),
        column.expected[-1],
        column.unseen,
        _level(profile, column, limits.score_psi if column.kind == SCORE else limits.feature_psi, by_chance),
    )


def _level(profile: Profile, column: ColumnProfile, limit: Limit, by_chance: float) -> str:
    if few_plans(profile):
        return "few"
    if column.grows:
        return "grows"
    if column.psi <= by_chance:
        return "steady"
    reached = [name for name in ("warn", "stop") if (value := getattr(limit, name)) is not None and column.psi >= value]
    return reached[-1] if reached else "moved"


def shown_columns(report: DriftReport, most: int = 12) -> Sequence[str]:
    """The columns of the picture: the scores first, then the features that drifted furthest on any day.

    Features that grow with the data come last: they drift by themselves.
    """
    grows = {line.name: line.level == "grows" for line in report.lines}
    furthest = sorted(grows, key=lambda name: (grows[name], -max(day.psi(name) or 0.0 for day in report.days)))
    return [name for name in furthest if name == SCORE] + [name for name in furthest if name != SCORE][: most - 1]
