"""The commands: exit code 0 on success, 1 on a failed check or gate, 2 on wrong usage, with one plain line each."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ..config import load_config
from ..errors import RapportError
from .console import Console

CONFIG = click.argument("config_path", metavar="CONFIG", type=click.Path(path_type=Path))
TASK = click.argument("task")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else.")
DAY = click.DateTime(["%Y-%m-%d"])


def command(function: Callable[..., None]) -> click.Command:
    """A command whose faults by the user's hand end in one plain message and exit code 1."""

    @functools.wraps(function)
    def guarded(**arguments: Any) -> None:
        try:
            function(**arguments)
        except RapportError as error:
            click.echo(f"rapport {function.__name__.strip('_')}: {error}", err=True)
            sys.exit(1)

    return main.command(name=function.__name__.strip("_"))(guarded)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rapport")
def main() -> None:
    """Customer-relationship modelling: features as they were known, models with reasons, scores in batches."""


@command
@CONFIG
@click.option("--trials", type=click.IntRange(0), help="Trials of the search for hyperparameters.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Time for the search, for each task.")
@JSON
def run(config_path: Path, trials: int | None, seconds: float | None, as_json: bool) -> None:
    """Check, train, evaluate, register, export, score and explain: everything."""
    from . import run as pipeline

    console, config = Console(as_json=as_json), load_config(config_path)
    summary = pipeline.run(config, console, trials=trials, seconds=seconds)
    console.result(summary, pipeline.as_table(summary))
    if not as_json:
        for step, spent in summary["seconds"].items():
            console.note(f"{spent:8.1f} s  {step}")
        console.note(f"read {pipeline.REPORTS}/{config.name}/*.html; `mlflow ui` shows the runs")


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
@click.option("--cutoffs", multiple=True, type=DAY, help="Local dates; default: those of the split.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the Parquet files.")
@JSON
def features(
    config_path: Path, task: str, describe: bool, cutoffs: tuple[datetime, ...], out: Path | None, as_json: bool
) -> None:
    """Write snapshots as Parquet and print a profile of each feature."""
    from . import features as inspect

    console, config = Console(as_json=as_json), load_config(config_path)
    if describe:
        columns = inspect.dictionary(config, task, console)
        console.result({"features": [vars(column) for column in columns]}, inspect.as_dictionary_text(columns))
        return
    profile, folder = inspect.write(config, task, [day.date() for day in cutoffs], out, console)
    console.result({"folder": str(folder), "features": profile}, inspect.as_profile_table(profile))
    console.note(f"written to {folder}")


@command
@CONFIG
@TASK
@click.option("--trials", type=click.IntRange(0))
@click.option("--seconds", type=click.FloatRange(0, min_open=True))
@click.option("--seed", type=int)
@JSON
def train(
    config_path: Path, task: str, trials: int | None, seconds: float | None, seed: int | None, as_json: bool
) -> None:
    """Train, judge and register one task."""
    from ..data.ingest import open_dataset
    from ..training.experiment import train as train_task
    from ..training.record import record
    from .run import write_review

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    with console.step("check"):
        data = open_dataset(config, progress=console.say)
    with console.step("train"):
        trained = train_task(data, task, trials=trials, seconds=seconds, seed=seed, say=console.say)
    with console.step("explain"):
        page = write_review(config, task, record(trained))
    judgement = trained.judgement
    content = {
        "grade": judgement.grade.letter,
        "metrics": judgement.metrics(),
        "run_id": trained.run_id,
        "model_version": trained.registered.version,
        "review": str(page),
    }
    lines = [f"{name} {value:.4f}" for name, value in judgement.metrics().items()]
    lines.append(f"grade {judgement.grade.letter}: {'; '.join(judgement.grade.reasons)}")
    console.result(content, "\n".join(lines))


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


@command
@CONFIG
@TASK
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--model", default="champion", help="Alias, version or URI.")
@JSON
def export(config_path: Path, task: str, folder: Path, model: str, as_json: bool) -> None:
    """Copy the champion into a folder that scores without a tracking server."""
    from ..registry.versions import export as export_model

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    written = export_model(config, task, folder, model)
    console.result({"folder": str(written)}, f"exported to {written}")


@command
@CONFIG
@TASK
@click.option("--model", default="champion", help="Alias or version.")
@click.option("--id", "ids", multiple=True, help="Customers to add to the page.")
@JSON
def review(config_path: Path, task: str, model: str, ids: tuple[str, ...], as_json: bool) -> None:
    """Write the HTML page that a reviewer reads."""
    from . import reviewing

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    page = reviewing.write_page(config, task, model, ids, console)
    console.result({"review": str(page)}, f"written to {page}")


@command
@CONFIG
@TASK
@click.option("--id", "entity", required=True, help="The customer or prospect.")
@click.option("--model", default="champion", help="Alias or version.")
@click.option("--as-of", type=DAY, help="Local date; default: as in `score`.")
@JSON
def explain(config_path: Path, task: str, entity: str, model: str, as_of: datetime | None, as_json: bool) -> None:
    """Say why one customer has his score."""
    from . import reviewing

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    found = reviewing.explain(config, task, entity, model, None if as_of is None else as_of.date(), console)
    console.result(found, reviewing.as_text(found))


@command
@CONFIG
@TASK
@click.argument("version")
@click.option("--by", required=True, help="Who decides.")
@click.option("--note", required=True, help="Why.")
@JSON
def approve(config_path: Path, task: str, version: str, by: str, note: str, as_json: bool) -> None:
    """Record a reviewer's yes to a version."""
    _decide(config_path, task, version, "approved", by, note, as_json)


@command
@CONFIG
@TASK
@click.argument("version")
@click.option("--by", required=True, help="Who decides.")
@click.option("--note", required=True, help="Why.")
@JSON
def reject(config_path: Path, task: str, version: str, by: str, note: str, as_json: bool) -> None:
    """Record a reviewer's no to a version."""
    _decide(config_path, task, version, "rejected", by, note, as_json)


def _decide(config_path: Path, task: str, version: str, state: Any, by: str, note: str, as_json: bool) -> None:
    from . import reviewing

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    page = reviewing.decide(config, task, version, state, by, note)
    content = {"task": task, "version": version, "decision": state, "by": by, "review": str(page)}
    console.result(content, f"{task} version {version} is {state}; the page {page} says so")
