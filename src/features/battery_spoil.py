"""Spoilt copies of tables: whatever was not known at a cutoff is deleted, scrambled or doubled; the rest is kept.

This is written apart from the language, from the data contract alone, so that a mistake there is not repeated here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

import pyarrow as pa

from ..data.contract import TABLES

Row = dict[str, Any]
Way = Literal["deleted", "scrambled", "doubled"]
WAYS: tuple[Way, ...] = ("deleted", "scrambled", "doubled")

EVENTS = ("transactions", "responses", "interactions", "returns", "stages")
PLANS = ("campaigns", "offers", "contacts", "subscriptions", "payments")
_BEGINS = {
    "customers": "acquired_at",
    "customer_history": "valid_from",
    "prospects": "created_at",
    "subscriptions": "started_at",
    "payments": "due_at",
}
LATER: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "prospects": (("converted_at", ("converted_at", "customer_id")),),
    "customer_history": (("valid_to", ("valid_to",)),),
    "contacts": (("at", ("cost", "treated", "made")),),
    "interactions": (("resolved_at", ("resolved_at",)),),
    "subscriptions": (("ended_at", ("ended_at", "end_reason")),),
    "payments": (("paid_at", ("paid_at",)),),
}
"""Columns of a known row that come to be known later: from the moment in the first column on."""


def known_since(table: str, row: Row) -> datetime:
    """The moment from which on a row is known; `datetime.min` where nobody says.

    An event is known once it has happened and was recorded, a plan once it was made.
    """
    known: datetime | None = row.get("known_at")
    if table in EVENTS:
        at: datetime = row["at"]
        return max(at, known or at)
    if table in PLANS and known is not None:
        return known
    begun: datetime | None = row.get(_BEGINS.get(table, ""))
    return max(begun or datetime.min, (known or datetime.min) if table == "customer_history" else datetime.min)


def spoil(tables: Mapping[str, pa.Table], cutoff: datetime, way: Way, seed: int = 0) -> dict[str, pa.Table]:
    """The tables with all that was not known at the cutoff spoilt, and their rows in another order."""

    def spoilt(table: str, row: Row, other: Callable[[str], Any], random: Random) -> list[Row]:
        if known_since(table, row) > cutoff:
            if way == "scrambled":
                scrambled = {name: other(name) for name in row} | _own_key(table, row)
                return [_moved(scrambled, table, cutoff, random)]
            return [] if way == "deleted" else [row] if _own_key(table, row) else [row, row]
        return [_with_later_columns_spoilt(table, row, cutoff, way, other, random)]

    return _rewritten(tables, spoilt, seed)


def spoil_outside(
    tables: Mapping[str, pa.Table], cutoff: datetime, end: datetime, way: Way, seed: int = 0
) -> dict[str, pa.Table]:
    """The tables with all that did not happen in (cutoff, end] spoilt: no target may notice."""

    def inside(moment: datetime | None) -> bool:
        return moment is not None and cutoff < moment <= end

    def outside(random: Random) -> datetime:
        away = random.choice([timedelta(0), timedelta(days=random.random() * 90)])
        return random.choice([cutoff - away, end + timedelta(microseconds=1) + away])

    def spoilt(table: str, row: Row, other: Callable[[str], Any], random: Random) -> list[Row]:
        happened = "converted_at" if table == "prospects" else "at"
        if happened not in row or inside(row[happened]):
            return [row]
        if way == "scrambled":
            return [{name: other(name) for name in row} | _own_key(table, row) | {happened: outside(random)}]
        return [] if way == "deleted" else [row] if _own_key(table, row) else [row, row]

    return _rewritten(tables, spoilt, seed)


def shuffled(tables: Mapping[str, pa.Table], seed: int = 0) -> dict[str, pa.Table]:
    """The same rows in another order."""
    return _rewritten(tables, lambda table, row, other, random: [row], seed)


def _rewritten(
    tables: Mapping[str, pa.Table],
    rewrite: Callable[[str, Row, Callable[[str], Any], Random], list[Row]],
    seed: int,
) -> dict[str, pa.Table]:
    random = Random(seed)
    result = {}
    for name, table in tables.items():
        columns = {column: table[column].to_pylist() for column in table.column_names}

        def other(column: str, columns: dict[str, list[Any]] = columns) -> Any:
            return random.choice(columns[column])

        rows = [new for row in table.to_pylist() for new in rewrite(name, row, other, random)]
        result[name] = pa.Table.from_pylist(random.sample(rows, len(rows)), table.schema)
    return result


def _own_key(table: str, row: Row) -> Row:
    """The key of those tables that describe somebody: it must stay unique, for all who are known later."""
    described = TABLES[table].attributes
    return {name: row[name] for name in TABLES[table].key} if described else {}


def _moved(row: Row, table: str, cutoff: datetime, random: Random) -> Row:
    """A scrambled row, moved so that it still is not known at the cutoff; some become known the next microsecond."""
    later = cutoff + random.choice([timedelta(microseconds=1), timedelta(days=random.random() * 90)])
    begins = _BEGINS.get(table, "at")
    if "known_at" in row and (table in PLANS or random.random() < 0.5):
        return row | {"known_at": later}  # whenever it happened: before the cutoff too
    return row | {begins: later} | ({"known_at": None} if "known_at" in row else {})


def _with_later_columns_spoilt(
    table: str, row: Row, cutoff: datetime, way: Way, other: Callable[[str], Any], random: Random
) -> Row:
    for moment, columns in LATER.get(table, ()):
        planned = moment in columns  # what has no time yet may come at any
        if not planned if row[moment] is None else row[moment] <= cutoff:
            continue
        if way == "deleted":
            row = row | dict.fromkeys(columns)
        elif way == "scrambled":
            row = row | {column: other(column) for column in columns}
            if planned:
                row[moment] = cutoff + timedelta(microseconds=1, days=random.randint(0, 50))
    return row
