"""`rapport drift`, `monitor` and `forget`: what the nightly scores look like, what became of them, whom they lose."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from rich.table import Table

from ..config import Config
from ..data.forgotten import Kind
from ..data.ingest import open_dataset
from ..scoring.drift import DriftReport, drift, look_at
from ..scoring.forget import ForgetReport, forget
from ..scoring.monitor import MonitorReport, monitor
from ..scoring.pictures import drift_picture, monitor_picture, save
from ..scoring.results import reports_folder
from .bundles import model_of
from .console import Console

SHOWN = 20  # columns of the table of drift; all of them stand in the JSON
_MEANS = {"grows": "grows by itself", "few": "too few campaigns", "moved": "moved a little"}
_METRICS = ("average_precision", "roc_auc", "ece", "mean_score", "positive_rate")


# ------------------------------------------------------------------------------------------- drift
def see_drift(
    config: Config, task: str, model: str | None, as_of: date | None, out: Path | None, console: Console
) -> tuple[DriftReport, Path]:
    """Drift of the published days, with `model` or `as_of` also of the data as they are now; and its picture."""
    now = None
    if model is not None or as_of is not None:
        with console.step("check"):
            data = open_dataset(config, progress=console.say)
        with console.step("drift"):
            now = look_at(data, task, model_of(config, task, model), as_of, console.say)
    report = drift(config, task, now, out=out)
    return report, save(drift_picture(report), reports_folder(config) / f"{task}.drift.svg")


def as_drift_table(report: DriftReport) -> Table:
    """The columns that drifted furthest on the last day."""
    last = report.days[-1]
    about = "published" if last.published else "not published"
    table = Table(title=f"{report.task} as of {last.as_of}: {last.rows:,} rows, {about}", title_justify="left")
    for head in ("column", "PSI since training", "since the day before", "missing", "unseen", "verdict"):
        table.add_column(head, justify="left" if head in ("column", "verdict") else "right")
    for line in report.lines[:SHOWN]:
        table.add_row(
            line.name,
            f"{line.psi:.2f}",
            "" if line.jump is None else f"{line.jump:.2f}",
            f"{line.missing:.0%} ({line.missing_in_training:.0%})",
            f"{line.unseen:.0%}" if line.unseen else "",
            _MEANS.get(line.level, line.level),
        )
    return table


# ------------------------------------------------------------------------------------------- monitor
def see_matured(config: Config, task: str, out: Path | None, console: Console) -> tuple[MonitorReport, Path | None]:
    """Old scores against what happened, and a picture where a day has matured."""
    with console.step("check"):
        data = open_dataset(config, progress=console.say)
    with console.step("monitor"):
        report = monitor(data, task, out=out, say=console.say)
    if not report.days:
        return report, None
    return report, save(monitor_picture(report), reports_folder(config) / f"{task}.monitor.svg")


def as_monitor_table(report: MonitorReport) -> Table:
    """A line a matured day."""
    metrics = list(dict.fromkeys([report.metric, *_METRICS]))
    table = Table(title=f"{report.task}: forecasts against what happened", title_justify="left")
    for head in ("as of", "model version", "rows", *(name.replace("_", " ") for name in metrics), "alerts"):
        table.add_column(head, justify="left" if head in ("as of", "alerts") else "right")
    for day in report.days:
        values = (day.metrics.get(name) for name in metrics)
        table.add_row(
            day.as_of.isoformat(),
            day.model_version or "",
            f"{day.rows:,}",
            *("" if value is None else f"{value:.3f}" for value in values),
            str(len(day.alerts) or ""),
        )
    return table


# ------------------------------------------------------------------------------------------- forget
def forget_one(
    config: Config, identity: str, kind: Kind, by: str, out: Sequence[Path], console: Console
) -> ForgetReport:
    """Remove one customer or prospect; the pages that may have shown him are written anew, without him."""
    with console.step("forget"):
        report = forget(config, identity, kind=kind, by=by, out=out)
    if report.pages:
        from . import reviewing  # needs the registry, which a scoring machine may lack

        for task in report.pages:
            console.say(f"writing the page of {task} anew")
            reviewing.write_page(config, task, "champion", (), console)
    return report
