"""The commands of the nightly job: score, drift, monitor, forget."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Literal

import click

from ..config import load_config
from .console import Console
from .group import CONFIG, DAY, ENGINE, JSON, TASK, command

OUT = click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the scores; default: scores/<config>/<task>."
)


@command
@CONFIG
@TASK
@click.option("--model", help="Alias, version, models:/ or runs:/ URI, or an exported folder; default: the champion.")
@click.option("--as-of", type=DAY, help="Local date; default: the config's score_as_of, else the end of the data.")
@OUT
@ENGINE
@click.option("--force", is_flag=True, help="Score again what is already there.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@JSON
def score(
    config_path: Path,
    task: str,
    model: str | None,
    as_of: datetime | None,
    out: Path | None,
    engine: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Score in a batch: probabilities, percentiles and reasons for everyone, as Parquet."""
    from ..data.ingest import open_dataset
    from ..scoring.batch import score as score_task
    from .bundles import model_of, remarks_on

    console, config = Console(as_json=as_json), load_config(config_path, engine=engine)
    config.task(task)
    with console.step("check"):
        data = open_dataset(config, progress=console.say)
    bundle = model_of(config, task, model)
    for remark in remarks_on(config, task, model, bundle):
        console.note(f"warning: {remark}")
    with console.step("score"):
        report = score_task(
            data,
            task,
            bundle,
            as_of=None if as_of is None else as_of.date(),
            out=out,
            force=force,
            dry_run=dry_run,
            say=console.say,
        )
    content = {"folder": str(report.folder), "rows": report.rows, "parts": [part.file for part in report.parts]}
    console.result({**content, "as_of": report.job.as_of, "made": report.made}, report.text)


@command
@CONFIG
@TASK
@click.option("--as-of", type=DAY, help="Look at the data as of this local date, too; nothing is published.")
@click.option("--model", help="The model of that look, as in `score`; default: the champion.")
@OUT
@JSON
def drift(
    config_path: Path, task: str, as_of: datetime | None, model: str | None, out: Path | None, as_json: bool
) -> None:
    """Hold the published days against training and the day before; exit code 1 where a limit says stop."""
    from . import watching

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    day = None if as_of is None else as_of.date()
    report, picture = watching.see_drift(config, task, model, day, out, console)
    console.result({**report.as_json(), "picture": str(picture)}, watching.as_drift_table(report))
    _say(console, report.text, picture, alert=report.stops)


@command
@CONFIG
@TASK
@OUT
@JSON
def monitor(config_path: Path, task: str, out: Path | None, as_json: bool) -> None:
    """Join matured targets to old scores; exit code 1 where quality or calibration passed a limit."""
    from . import watching

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    report, picture = watching.see_matured(config, task, out, console)
    content = {**report.as_json(), "picture": None if picture is None else str(picture)}
    console.result(content, watching.as_monitor_table(report) if report.days else "")
    _say(console, report.text, picture, alert=bool(report.alerts))


@command
@CONFIG
@click.argument("identity", metavar="ID")
@click.option(
    "--kind",
    type=click.Choice(["customer", "prospect"]),
    default="customer",
    show_default=True,
    help="Of whom the id is.",
)
@click.option("--by", default="", help="Who ordered it, for the record.")
@click.option(
    "--out", multiple=True, type=click.Path(path_type=Path), help="A further folder with scores of his; repeat it."
)
@JSON
def forget(
    config_path: Path,
    identity: str,
    kind: Literal["customer", "prospect"],
    by: str,
    out: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Remove one customer from caches, scores, sinks and pages, with a record; he is never read again."""
    from . import watching

    console, config = Console(as_json=as_json), load_config(config_path)
    report = watching.forget_one(config, identity, kind, by, out, console)
    console.result(report.as_json(), report.text)
    for note in report.notes:
        console.note(note)


def _say(console: Console, text: str, picture: Path | None, *, alert: bool) -> None:
    """The task's one line, and the exit code of a failed gate where it is an alert."""
    console.note(text)
    if picture is not None:
        console.note(f"written to {picture}")
    if alert:
        sys.exit(1)
