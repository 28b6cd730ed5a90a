"""The typed view of a mapped table: canonical columns, and beside doubtful ones what they were and whether they fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from ..config import Config
from .contract import ENTITY_DOMAINS
from .convert import convert, convert_attribute, holds_integers, sql, time_spans
from .engine import DuckDBEngine
from .mapping import MappedTable
from .report import Fault
from .schema import Column, Table

_WORDS = {"number": "numbers", "timestamp": "dates or times", "boolean": "truth values", "id": "ids", "text": "text"}


@dataclass(frozen=True)
class TypedTable:
    """A table in canonical types, over the engine's view `view`.

    `columns` and `attributes` are the names that could be converted. For a column in `doubtful` the view also has
    `raw <column>` (the source's value as text) and `bad <column>` (true where it could not be read); the value says
    what was expected. For one in `perhaps_nan` it has `raw <column>` and `nan <column>` (true where it is NaN).
    """

    table: Table
    view: str
    columns: tuple[str, ...]
    attributes: tuple[str, ...]
    doubtful: Mapping[str, str]
    notes: tuple[str, ...]
    perhaps_nan: tuple[str, ...] = ()


def id_types(tables: Mapping[str, MappedTable]) -> tuple[dict[str, bool], list[str]]:
    """For each domain of ids: are they integers in all tables? And notes on the domains where tables disagree.

    Where a table's ids may be of customers or of prospects, the three domains are one.
    """
    kinds: dict[str, dict[str, bool]] = {}
    if "stages" in tables:
        shared: dict[str, bool] = {}
        kinds = dict.fromkeys(ENTITY_DOMAINS, shared)
    for name, mapped in tables.items():
        for column, kind in mapped.columns.items():
            domain = mapped.table[column].domain
            if domain:
                kinds.setdefault(domain, {})[f"{name}.{column}"] = holds_integers(kind)
    notes = dict.fromkeys(
        f"ids are text in {', '.join(place for place, whole in places.items() if not whole)}, so they are text in "
        f"{', '.join(place for place, whole in places.items() if whole)} too"
        for places in kinds.values()
        if len(set(places.values())) == 2
    )
    return {domain: all(places.values()) for domain, places in kinds.items()}, list(notes)


def type_table(
    engine: DuckDBEngine, mapped: MappedTable, config: Config, integers: Mapping[str, bool]
) -> tuple[TypedTable, list[Fault]]:
    """Define the view `typed.<name>` over a mapped table; faults are columns whose type cannot be converted."""
    table, faults = mapped.table, list[Fault]()
    mapping = config.tables[table.name]
    clock = mapping.clock or config.time_zone
    wanted = {name: kind for name, kind in mapped.columns.items() if table[name].type == "timestamp"}
    spans = time_spans(engine, mapped.view, wanted | _times_among(mapped.attributes))
    selected, doubtful, notes = list[exp.Expression](), dict[str, str](), list(mapped.notes)
    columns, attributes, perhaps_nan = list[str](), list[str](), list[str]()
    for name, kind in {**mapped.columns, **mapped.attributes}.items():
        raw, span = exp.column(name, quoted=True), spans.get(name)
        if name in mapped.columns:
            column = table[name]
            whole = integers.get(column.domain, False)
            converted = convert(column, raw, kind, span, zone=config.time_zone, clock=clock, as_integer=whole)
            if converted is None:
                faults.append(_wrong_type(table, column, kind))
                continue
            columns.append(name)
        else:
            converted = convert_attribute(raw, kind, span, zone=config.time_zone, clock=clock)
            attributes.append(name)
        selected.append(exp.alias_(converted.tree, name, quoted=True))
        if converted.note:
            notes.append(f"{table.name}.{name} is {converted.note}")
        nan = converted.nan if name in mapped.columns else None
        if converted.bad is not None or nan is not None:
            selected.append(exp.alias_(sql("CAST(x AS TEXT)", x=raw), f"raw {name}", quoted=True))
        if nan is not None:
            perhaps_nan.append(name)
            selected.append(exp.alias_(sql("coalesce(b, false)", b=nan), f"nan {name}", quoted=True))
        if converted.bad is not None:
            doubtful[name] = converted.expected
            selected.append(exp.alias_(sql("coalesce(b, false)", b=converted.bad), f"bad {name}", quoted=True))
    view = f"typed.{table.name}"
    engine.define(view, exp.select(*selected or [exp.Null()]).from_(exp.table_(mapped.view, quoted=True)))
    return TypedTable(
        table, view, tuple(columns), tuple(attributes), doubtful, tuple(notes), tuple(perhaps_nan)
    ), faults


def _times_among(kinds: Mapping[str, str]) -> dict[str, str]:
    return {name: kind for name, kind in kinds.items() if kind == "DATE" or kind.startswith("TIMESTAMP")}


def _wrong_type(table: Table, column: Column, kind: str) -> Fault:
    hint = "; seconds since 1970 are to_timestamp(column)" if column.type == "timestamp" else ""
    what = f"the source holds {kind} where {_WORDS[column.type]} are expected"
    remedy = f"map another column, or an expression that makes them{hint}"
    return Fault("error", table.name, column.name, what, remedy)
