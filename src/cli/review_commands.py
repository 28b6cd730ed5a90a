"""The commands of reviewers: review, explain, approve, reject."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ..config import load_config
from .console import Console
from .group import CONFIG, DAY, JSON, TASK, command


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
