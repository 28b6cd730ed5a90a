"""The commands that read the data: check, features."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from ..config import load_config
from .console import Console
from .group import CONFIG, DAY, ENGINE, JSON, TASK, command


@command
@CONFIG
@JSON
def check(config_path: Path, as_json: bool) -> None:
    """Hold the data against the contract; every fault is named."""
    from ..data.checks import check as check_data

    console, config = Console(as_json=as_json), load_config(config_path)
    with console.step("check"):
        report = check_data(config)
    console.result(report.as_json(), report.text())
    if report.errors:
        sys.exit(1)


@command
@CONFIG
@TASK
@click.option("--describe", is_flag=True, help="Print the dictionary of features and build nothing.")
@click.option(
    "--explain",
    "explained",
    type=click.Choice(["plan", "sql"]),
    is_flag=False,
    flag_value="plan",
    help="Print how the features are computed, and build nothing: `plan` (default) or `sql`.",
)
@click.option("--cutoffs", multiple=True, type=DAY, help="Local dates; default: those of the split.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the Parquet files.")
@ENGINE
@JSON
def features(
    config_path: Path,
    task: str,
    describe: bool,
    explained: str | None,
    cutoffs: tuple[datetime, ...],
    out: Path | None,
    engine: str | None,
    as_json: bool,
) -> None:
    """Write snapshots as Parquet and print a profile of each feature."""
    from . import features as inspect

    console, config = Console(as_json=as_json), load_config(config_path, engine=engine)
    if describe:
        columns, left_out, in_short = inspect.dictionary(config, task, console)
        content = {"features": [vars(column) for column in columns], "left_out": left_out}
        console.result(content, inspect.as_dictionary_text(columns))
        for line in in_short:
            console.note(f"left out: {line}")
        return
    days = [day.date() for day in cutoffs]
    if explained:
        plan = inspect.explain(config, task, days, console)
        console.result({"parts": plan}, inspect.as_plan_text(plan, with_sql=explained == "sql"))
        return
    profile, folder = inspect.write(config, task, days, out, console)
    console.result({"folder": str(folder), "features": profile}, inspect.as_profile_table(profile))
    console.note(f"written to {folder}")
