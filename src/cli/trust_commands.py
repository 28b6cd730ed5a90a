"""The commands by which a model earns and keeps trust: backtest, promote, rollback, trace."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from ..config import load_config
from .console import Console
from .group import CONFIG, DAY, JSON, SEED, TASK, command


@command
@CONFIG
@TASK
@click.option("--folds", type=click.IntRange(1), default=4, show_default=True, help="Test windows, newest first.")
@SEED
@JSON
def backtest(config_path: Path, task: str, folds: int, seed: int | None, as_json: bool) -> None:
    """Walk back through time: how this way of training would have worked before."""
    from . import backtesting

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    walked = backtesting.walk(config, task, folds, seed, console)
    console.result(walked.as_dict(), backtesting.as_table(walked.result))
    console.note(f"{task}: {walked.result.verdict}")
    for line in walked.result.left_out:
        console.note(f"left out: {line}")
    if walked.regraded is not None:
        grade = walked.regraded.grade
        console.note(f"version {walked.regraded.version}: grade {grade.letter} ({'; '.join(grade.reasons)})")
    console.note(f"written to {walked.picture} and {walked.table}; run {walked.run_id}")


@command
@CONFIG
@TASK
@click.option("--model", default="challenger", show_default=True, help="Alias or version that wants to take over.")
@SEED
@JSON
def promote(config_path: Path, task: str, model: str, seed: int | None, as_json: bool) -> None:
    """Make the challenger the champion, if it passes every gate."""
    from ..data.ingest import open_dataset
    from ..training.promote import promote as promote_version

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    with console.step("check"):
        data = open_dataset(config, progress=console.say)
    with console.step("promote"):
        decided = promote_version(data, task, model, seed=seed, say=console.say)
    gates = [f"  {'passed' if gate.passed else 'FAILED'}  {gate.name}: {gate.words}" for gate in decided.gates]
    window = f"  compared on {decided.rows:,} rows of {decided.window[0]} to {decided.window[1]}, seen by neither"
    console.result(decided.as_dict(), "\n".join([decided.message, window, *gates]))
    if not decided.promoted:
        sys.exit(1)


@command
@CONFIG
@TASK
@click.option("--by", default="", help="Who decides.")
@click.option("--note", default="", help="Why.")
@JSON
def rollback(config_path: Path, task: str, by: str, note: str, as_json: bool) -> None:
    """Give the alias back to the champion before."""
    from ..registry.versions import aliases
    from ..training.promote import rollback as roll_back

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    present = aliases(config, task).get("champion")
    former = roll_back(config, task, by=by, note=note)
    content = {"task": task, "champion": former, "challenger": present, "by": by, "note": note}
    console.result(content, f"{task}: version {former} is the champion again, instead of {present}")


@command
@CONFIG
@TASK
@click.argument("entity", metavar="ID")
@click.option("--as-of", type=DAY, help="Day of the score; default: the newest.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the scores; default: scores/<config>/<task>.")
@JSON
def trace(config_path: Path, task: str, entity: str, as_of: datetime | None, out: Path | None, as_json: bool) -> None:
    """Follow a score back to its model, run, data, configuration and commit."""
    from ..scoring.trace import trace as trace_score

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    found = trace_score(config, task, entity, as_of=None if as_of is None else as_of.date(), folder=out)
    console.result(found.as_json(), found.text)
