"""Hand-made events, and a measure computed over them in every formulation of the compiler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

import pyarrow as pa

from rapport.data.engine import DuckDBEngine
from rapport.language.compile import compile_group
from rapport.language.declarations import Feature, Group, Measure
from rapport.language.formulation import plan_group
from rapport.language.moments import SPINE, PerRow, Shared, with_edges
from rapport.language.parts import Part, is_zero_without_events, outputs
from rapport.language.sight import edges_needed

How = Literal["loop", "segments", "per row"]
UTC = ZoneInfo("UTC")
TIME = pa.timestamp("us")
MONEY = pa.decimal128(18, 6)
SCHEMA = {
    "customer_id": pa.int64(),
    "at": TIME,
    "amount": MONEY,
    "order_id": pa.string(),
    "product": pa.string(),
    "line": pa.string(),
    "term": TIME,
    "known_at": TIME,
}


def day(number: float) -> datetime:
    """So many days after the first of January 2024."""
    return datetime(2024, 1, 1) + timedelta(days=number)


def moment(text: str) -> datetime:
    """A naive UTC time from its ISO text."""
    return datetime.fromisoformat(text)


def events(*rows: Mapping[str, Any], without: Sequence[str] = ()) -> pa.Table:
    """An event table: what a row does not say is missing; the customer is 1, amounts are exact."""
    fields = {name: kind for name, kind in SCHEMA.items() if name not in without}
    complete = [{"customer_id": 1, **dict.fromkeys(set(fields) - {"customer_id"}), **row} for row in rows]
    for row in complete:
        row["amount"] = None if row["amount"] is None else Decimal(str(row["amount"]))
    return pa.Table.from_pylist(complete, pa.schema(list(fields.items())))


def measured(
    engine: DuckDBEngine,
    table: pa.Table,
    measures: Mapping[str, Measure],
    cutoffs: Sequence[datetime],
    *,
    zone: ZoneInfo = UTC,
    how: How = "loop",
    keys: Sequence[int] = (1,),
    key: str = "customer_id",
) -> dict[tuple[Any, datetime], dict[str, Any]]:
    """The measures of each key at each cutoff, by name (with the window, where there are several).

    Keys without events get what a snapshot gives them: zero for counts and sums, else None.
    """
    features = tuple(Feature(f"{name}_{{window}}", what, definition="") for name, what in measures.items())
    group = Group("events", (key,), features)
    engine.add_table("events", table)
    columns = {"events": engine.columns("events")}
    empty = {o.name: 0 if is_zero_without_events(o.measure) else None for o in outputs(group)}
    found = {(k, cutoff): dict(empty) for k in keys for cutoff in cutoffs}
    parts: list[tuple[datetime | None, Part]]
    if how == "loop":
        parts = [(c, part) for c in cutoffs for part in compile_group(group, Shared(c, zone), columns)]
    elif how == "segments":
        planned = plan_group(group, cutoffs, zone, columns, formulation="segments")
        for step in (step for each in planned for step in each.steps):
            engine.materialise(step.name, step.query)
        parts = [(c, part) for c in cutoffs for each in planned for part in each.at(c)]
    else:
        rows = [(k, cutoff) for k in keys for cutoff in cutoffs]
        spine = pa.table({key: [k for k, _ in rows], "cutoff": pa.array([c for _, c in rows], TIME)})
        engine.add_table(SPINE, with_edges(spine, edges_needed(list(measures.values())), zone))
        parts = [(None, part) for part in compile_group(group, PerRow(), columns)]
    for cutoff, part in parts:
        for row in engine.arrow(part.query).to_pylist():
            place = (row[key], cutoff or row["cutoff"])
            if place in found:
                found[place] |= {output.name: row[output.name] for output in part.columns}
    return found


def one(engine: DuckDBEngine, table: pa.Table, measure: Measure, cutoff: datetime, **options: Any) -> Any:
    """The value of one measure of customer 1; all formulations are asked and must agree."""
    answers = {}
    for how in get_args(How):
        (row,) = measured(engine, table, {"m": measure}, [cutoff], how=how, **options).values()
        answers[how] = list(row.values()) if len(row) > 1 else next(iter(row.values()))
    assert answers["loop"] == answers["segments"] == answers["per row"], str(answers)
    return answers["loop"]
