"""The command that turns scores into actions, and tells later what they brought: plan."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from ..config import load_config
from .console import Console
from .group import CONFIG, DAY, JSON, command

if TYPE_CHECKING:
    from ..data.dataset import Dataset


@command
@CONFIG
@click.option("--as-of", type=DAY, help="Local date; default: the end of the data.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the plan; default: plan/<config>.")
@click.option("--evaluate", "horizon", type=click.IntRange(min=1), metavar="DAYS", help="What it brought in DAYS.")
@JSON
def plan(config_path: Path, as_of: datetime | None, out: Path | None, horizon: int | None, as_json: bool) -> None:
    """Choose what to do for whom, with the money there is; or tell what an earlier plan brought."""
    from ..data.ingest import open_dataset

    console, config = Console(as_json=as_json), load_config(config_path)
    with console.step("check"):
        data = open_dataset(config, progress=console.say)
    day = None if as_of is None else as_of.date()
    if horizon is None:
        _make(console, data, day, out)
    else:
        _evaluate(console, data, day, out, horizon)


def _make(console: Console, data: Dataset, day: date | None, out: Path | None) -> None:
    from ..scoring.planning import plan as make

    with console.step("plan"):
        report = make(data, as_of=day, out=out, say=console.say)
    console.result({"folder": str(report.folder), **report.summary}, _as_table(report.summary, data.config.currency))
    for rule, removed in report.summary["removed"].items():
        console.note(f"{removed:,} candidates less: {rule}")
    for limit in report.summary["limits"]:
        used = f"{limit['used']:,.2f} of {limit['limit']:,.2f} used"
        console.note(f"{limit['name']}: {used}; one more would bring {limit['price']:,.2f}")
    console.note(f"written to {report.folder}; look at {report.folder / 'plan.html'}")


def _evaluate(console: Console, data: Dataset, day: date | None, out: Path | None, horizon: int) -> None:
    from ..scoring.plan_evaluation import evaluate

    with console.step("evaluate"):
        found = evaluate(data, horizon=horizon, as_of=day, out=out)
    table = Table(
        title=f"Plan of {found.as_of}: what an action brought over doing nothing, {found.measured_by} of {horizon} "
        f"days less cost, for each of {found.customers:,} customers (promised: {found.promised:,.2f})",
        title_justify="left",
    )
    for head in ("estimate", "gain", "low", "high"):
        table.add_column(head, justify="left" if head == "estimate" else "right")
    estimates = (found.gain.inverse_propensity, found.gain.self_normalised, found.gain.doubly_robust)
    for name, one in zip(("inverse propensity", "self-normalised", "doubly robust"), estimates, strict=True):
        if one is not None:
            table.add_row(name, f"{one.value:,.2f}", f"{one.low:,.2f}", f"{one.high:,.2f}")
    console.result({**asdict(found), "as_of": found.as_of.isoformat()}, table)
    gain = found.gain
    console.note(
        f"overlap: {gain.agreeing:,} of {gain.rows:,} went without by chance or got it, whichever are fewer; they say "
        f"as much as a sample of {gain.effective:,.0f}; largest weight {gain.largest_weight:,.1f}"
    )


def _as_table(summary: dict[str, Any], currency: str) -> Table:
    title = (
        f"{summary['given']:,} of {summary['candidates']:,} get an action, expected to bring "
        f"{summary['expected_value']:,.2f} {currency} ({summary['expected_value_low']:,.2f} to "
        f"{summary['expected_value_high']:,.2f}; at most {summary['gap']:.2%} below the best plan)"
    )
    table = Table(title=title, title_justify="left")
    for head in ("action", "direction", "channel", "given", "cost", "expected value"):
        table.add_column(head, justify="right" if head in ("given", "cost", "expected value") else "left")
    for name, action in summary["actions"].items():
        numbers = (f"{action['given']:,}", f"{action['cost']:,.2f}", f"{action['expected_value']:,.2f}")
        table.add_row(name, action["direction"], action["channel"], *numbers)
    return table
