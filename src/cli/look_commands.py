"""The command for one look at somebody: look."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from ..config import load_config
from .console import Console
from .group import CONFIG, DAY, JSON, command


@command
@CONFIG
@click.argument("entity_id", metavar="ID")
@click.option("--as-of", type=DAY, help="Local date; default: the end of the data.")
@JSON
def look(config_path: Path, entity_id: str, as_of: datetime | None, as_json: bool) -> None:
    """Show everything known and foretold of one customer or prospect."""
    from ..scoring.look import look as look_at

    console, config = Console(as_json=as_json), load_config(config_path)
    with console.step("look"):
        found = look_at(config, entity_id, None if as_of is None else as_of.date())
    console.result(found.as_dict(), found.text)
