"""The commands that make models: run, train, export."""

from __future__ import annotations

from pathlib import Path

import click

from ..config import load_config
from .console import Console
from .group import CONFIG, JSON, SEED, TASK, command


@command
@CONFIG
@click.option("--trials", type=click.IntRange(0), help="Trials of the search for hyperparameters.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Time for the search, for each task.")
@JSON
def run(config_path: Path, trials: int | None, seconds: float | None, as_json: bool) -> None:
    """Check, train, evaluate, register, export, score and explain: everything."""
    from . import run as pipeline
    from .summary import REPORTS, as_table

    console, config = Console(as_json=as_json), load_config(config_path)
    summary = pipeline.run(config, console, trials=trials, seconds=seconds)
    console.result(summary, as_table(summary))
    if not as_json:
        for step, spent in summary["seconds"].items():
            console.note(f"{spent:8.1f} s  {step}")
        console.note(f"read {REPORTS}/{config.name}/*.html")
        console.note("`mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db` shows the runs")


@command
@CONFIG
@TASK
@click.option("--trials", type=click.IntRange(0), help="Trials of the search for hyperparameters.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Time for the search.")
@SEED
@JSON
def train(
    config_path: Path, task: str, trials: int | None, seconds: float | None, seed: int | None, as_json: bool
) -> None:
    """Train, judge and register one task."""
    from ..data.ingest import open_dataset
    from ..training.experiment import train as train_task
    from ..training.record import record
    from .run import write_review
    from .summary import as_table, judged

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    with console.step("check"):
        data = open_dataset(config, progress=console.say)
    with console.step("train"):
        trained = train_task(data, task, trials=trials, seconds=seconds, seed=seed, say=console.say)
    with console.step("explain"):
        page = write_review(config, task, record(trained))
    content = judged(trained) | {"review": str(page)}
    shown = {"config": config.name, "seconds": {"total": sum(console.seconds.values())}, "tasks": {task: content}}
    console.result(content, as_table(shown))
    if not as_json:
        console.note(f"grade {content['grade']}: {'; '.join(content['grade_reasons'])}")
        for text in content["simpler_as_good"]:
            console.note(text)
        if "learner" in content:
            console.note(content["learner"]["words"])
        console.note(f"read {page}")


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
