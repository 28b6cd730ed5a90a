"""The commands of the nightly job: score."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from ..config import load_config
from .console import Console
from .group import CONFIG, DAY, JSON, TASK, command


@command
@CONFIG
@TASK
@click.option("--model", help="Alias, version, models:/ or runs:/ URI, or an exported folder; default: the champion.")
@click.option("--as-of", type=DAY, help="Local date; default: the config's score_as_of, else the end of the data.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the scores; default: scores/<config>/<task>.")
@click.option("--force", is_flag=True, help="Score again what is already there.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@JSON
def score(
    config_path: Path,
    task: str,
    model: str | None,
    as_of: datetime | None,
    out: Path | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Score in a batch: probabilities, percentiles and reasons for everyone, as Parquet."""
    from ..data.ingest import open_dataset
    from ..models.bundle import load_bundle
    from ..scoring.batch import score as score_task

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    with console.step("check"):
        data = open_dataset(config, progress=console.say)
    if model is not None and Path(model).is_dir():
        bundle = load_bundle(model, threads=config.threads)
    else:
        from ..registry.versions import load  # a machine with an exported folder needs no registry

        bundle = load(config, task, model or "champion", threads=config.threads)
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
