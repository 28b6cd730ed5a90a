"""The compiler's plan of a task's features: which parts there are, how each is computed, why so, and its queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlglot import exp

from ..language.formulation import PlannedPart
from .snapshot import Snapshots


def explain_snapshots(snapshots: Snapshots, cutoffs: Sequence[datetime]) -> list[dict[str, Any]]:
    """A row for each part: `part`, `reads` (tables), `columns`, `formulation`, `why` and `sql`.

    The queries are those of the first cutoff, after the steps that serve all cutoffs. Where each row has a cutoff of
    its own, rows are joined to their events instead.
    """
    if snapshots.task.is_planned:
        why = "each row has a cutoff of its own"
        rows = [
            _row(
                f"{group.table} by {', '.join(group.key)}", [group.table], [f.name for f in group.features], "join", why
            )
            for group in snapshots.plan.groups
        ]
    else:
        rows = [_of_part(snapshots, part, cutoffs[0]) for part in snapshots.formulated(cutoffs)]
    for table in snapshots.plan.attributes:
        names = [name for _, name in table.columns]
        rows.append(_row("attributes", [table.table], names, "join", "one row for each key"))
    for fitted in snapshots.plan.fitted:
        names = [feature.name for feature in fitted.features]
        rows.append(_row("fitted", [table for table, _ in fitted.needs], names, "function", "fitted at each cutoff"))
    if snapshots.plan.derived:
        names = [feature.name for feature in snapshots.plan.derived]
        rows.append(_row("derived", [], names, "columns", "from other columns of the same row"))
    return rows


def _of_part(snapshots: Snapshots, part: PlannedPart, cutoff: datetime) -> dict[str, Any]:
    queries: list[exp.Expression] = [step.query for step in part.steps]
    queries += [one.query for one in part.at(cutoff)]
    reads = dict.fromkeys(table.name for query in queries for table in query.find_all(exp.Table))
    tables = [name for name in reads if name in snapshots.tables]
    names = [member.name for member in part.members]
    row = _row(part.words, tables, names, part.formulation, part.why)
    steps = [f"CREATE TEMP TABLE {step.name} AS {snapshots.engine.sql(step.query)}" for step in part.steps]
    row["sql"] = [*steps, *(snapshots.engine.sql(one.query) for one in part.at(cutoff))]
    return row


def _row(part: str, reads: list[str], columns: list[str], formulation: str, why: str) -> dict[str, Any]:
    return {"part": part, "reads": reads, "columns": columns, "formulation": formulation, "why": why, "sql": []}
