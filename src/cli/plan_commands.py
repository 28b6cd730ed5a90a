"""The command that turns scores into actions: plan."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from ..config import load_config
from .console import Console
from .group import CONFIG, DAY, JSON, command


@command
@CONFIG
@click.option("--as-of", type=DAY, help="Local date; default: the end of the data.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the plan; default: plan/<config>.")
@JSON
def plan(config_path: Path, as_of: datetime | None, out: Path | None, as_json: bool) -> None:
    """Choose what to do for whom, with the money there is."""
    from ..data.ingest import open_dataset
    from ..scoring.planning import plan as make

    console, config = Console(as_json=as_json), load_config(config_path)
    with console.step("check"):
        data = open_dataset(config, progress=console.say)
    with console.step("plan"):
        report = make(data, as_of=None if as_of is None else as_of.date(), out=out, say=console.say)
    console.result({"folder": str(report.folder), **report.summary}, _as_table(report.summary, config.currency))
    for rule, removed in report.summary["removed"].items():
        console.note(f"{removed:,} candidates less: {rule}")
    for limit in report.summary["limits"]:
        used = f"{limit['used']:,.2f} of {limit['limit']:,.2f} used"
        console.note(f"{limit['name']}: {used}; one more would bring {limit['price']:,.2f}")
    console.note(f"written to {report.folder}")


def _as_table(summary: dict[str, Any], currency: str) -> Table:
    title = (
        f"{summary['given']:,} of {summary['candidates']:,} get an action, expected to bring "
        f"{summary['expected_value']:,.2f} {currency} (at most {summary['gap']:.2%} below the best plan)"
    )
    table = Table(title=title, title_justify="left")
    for head in ("action", "direction", "channel", "given", "cost", "expected value"):
        table.add_column(head, justify="right" if head in ("given", "cost", "expected value") else "left")
    for name, action in summary["actions"].items():
        numbers = (f"{action['given']:,}", f"{action['cost']:,.2f}", f"{action['expected_value']:,.2f}")
        table.add_row(name, action["direction"], action["channel"], *numbers)
    return table
