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
@click.option("--set", "settings", multiple=True, metavar="FEATURE=VALUE", help="What if it were so? May be repeated.")
@click.option("--curve", "curves", multiple=True, metavar="FEATURE", help="The score over the values of a feature.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the curves to a .png or .svg.")
@click.option("--interaction", "pairs", multiple=True, metavar="FIRST,SECOND", help="What two features do together.")
@JSON
def explain(
    config_path: Path,
    task: str,
    entity: str,
    model: str,
    as_of: datetime | None,
    settings: tuple[str, ...],
    curves: tuple[str, ...],
    picture: Path | None,
    pairs: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say why one customer has his score, and what it would be with other values."""
    from . import explaining, explaining_words

    console, config = Console(as_json=as_json), load_config(config_path)
    config.task(task)
    asked = explaining.Asked(settings, curves, picture, pairs)
    day = None if as_of is None else as_of.date()
    found = explaining.explain(config, task, entity, model, day, asked, console)
    console.result(found, explaining_words.as_text(found, config.currency))


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
