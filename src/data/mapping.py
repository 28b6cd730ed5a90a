"""From a company's columns to the canonical names: which expression over the source stands for which column.

Expressions are parsed, their columns are looked up in the source and quoted, and they are put back together by
sqlglot: no text of a configuration or of a file's header is ever pasted into a query.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import duckdb
import sqlglot
from sqlglot import exp

from ..config import TableMapping
from ..errors import DataError
from .contract import TABLES
from .convert import sql
from .engine import DuckDBEngine
from .expressions import listed, resolve
from .locations import near, view_name
from .report import Fault
from .schema import Table
from .sources import first_line

_RESERVED = frozenset({"cutoff", "target", "window_end", "entity_id", "as_of"})


@dataclass(frozen=True)
class MappedTable:
    """A canonical table over its source: `columns` and `attributes` map each name to its expression and type there.

    The types are the source's own; `view` is the engine's name of a view with these columns, not yet converted.
    """

    table: Table
    view: str
    columns: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def map_table(
    engine: DuckDBEngine, name: str, mapping: TableMapping, sources: Iterable[str]
) -> tuple[MappedTable | None, list[Fault]]:
    """Resolve one table's mapping and define the view `mapped.<name>` of its raw canonical columns.

    `sources` are all names; those that this table reads are open. The table is None where nothing of it can be read.
    """
    table, faults = TABLES[name], list[Fault]()
    try:
        origin = _origin(engine, name, mapping, list(sources))
    except DataError as error:
        return None, [Fault("error", name, None, str(error), f"correct `tables.{name}` in the configuration")]
    available = engine.columns(origin)
    expressions, used = dict[str, exp.Expression](), set[str]()
    for column in dict.fromkeys((*table.names, *mapping.columns)):
        if column not in mapping.columns:
            if column in available:
                expressions[column] = exp.column(column, quoted=True)
                used.add(column)
            continue
        if column not in table.names and not table.attributes:
            remedy = f"use one of: {', '.join(table.names)}{near(column, table.names)}"
            faults.append(Fault("error", name, column, "the contract has no such column", remedy))
            continue
        try:
            expressions[column], touched = resolve(mapping.columns[column], available)
            used |= touched
        except DataError as error:
            faults.append(Fault("error", name, column, str(error), f"correct `tables.{name}.columns.{column}`"))
    for needed in (column.name for column in table.columns if column.required):
        if needed not in mapping.columns and needed not in available:
            what = f"the column is required and not mapped; the source has {listed(available)}"
            remedy = f"map it under `tables.{name}.columns`{near(needed, available)}"
            faults.append(Fault("error", name, needed, what, remedy))
    owners = [column for column in table.entity if column in table.names]
    if owners and not set(owners) & set(expressions) and not any(table[owner].required for owner in owners):
        what = f"one of {' and '.join(owners)} is required; the source has {listed(available)}"
        faults.append(Fault("error", name, None, what, f"map it under `tables.{name}.columns`"))
    attributes, notes, bad_ignore = _attributes(table, mapping, available, used, expressions)
    faults += bad_ignore
    mapped = {**expressions, **{key: exp.column(column, quoted=True) for key, column in attributes.items()}}
    view = f"mapped.{name}"
    types = _define(engine, view, mapped, origin)
    if types is None:  # one of them cannot be computed: look at each by itself
        for column, expression in list(mapped.items()):
            try:
                engine.define(view, _selected({column: expression}, origin))
            except duckdb.Error as error:
                del mapped[column]
                what = f"`{mapping.columns.get(column, column)}` cannot be computed: {first_line(error)}"
                hint = _texts_among_numbers(engine, origin, expression, available)
                remedy = f"correct `tables.{name}.columns.{column}`, or the values in it"
                faults.append(Fault("error", name, column, what + hint, remedy))
        types = _define(engine, view, mapped, origin) or {}
    contract = {column: types[column] for column in mapped if column in table.names}
    others = {column: types[column] for column in mapped if column not in table.names}
    return MappedTable(table, view, contract, others, notes), faults


# ------------------------------------------------------------------------------------------- the raw view
def _define(
    engine: DuckDBEngine, view: str, mapped: Mapping[str, exp.Expression], origin: str
) -> dict[str, str] | None:
    """Define the view of the mapped columns and return their types; None where one of them cannot be computed."""
    try:
        engine.define(view, _selected(mapped, origin))
    except duckdb.Error:
        return None
    return engine.columns(view)


def _texts_among_numbers(
    engine: DuckDBEngine, origin: str, expression: exp.Expression, available: Mapping[str, str]
) -> str:
    """Columns in an expression that would be numbers, were it not for some values: how many, and one of them."""
    hints = []
    for name in {node.name for node in expression.find_all(exp.Column) if available.get(node.name) == "VARCHAR"}:
        column = exp.column(name, quoted=True)
        bad = sql("x IS NOT NULL AND TRY_CAST(x AS DOUBLE) IS NULL", x=column)
        one = sql("min(CASE WHEN b THEN x END)", b=bad, x=column)
        selected = [exp.alias_(sql("count_if(b)", b=bad), "bad"), exp.alias_(sql("count(x)", x=column), "rows")]
        tree = exp.select(*selected, exp.alias_(one, "example")).from_(exp.table_(origin, quoted=True))
        row = engine.arrow(tree).to_pylist()[0]
        if 0 < row["bad"] <= row["rows"] / 2:
            hints.append(
                f"; {name} holds text in {int(row['bad']):,} of {row['rows']:,} rows, such as '{row['example']}'"
            )
    return "".join(sorted(hints))


def _selected(mapped: Mapping[str, exp.Expression], origin: str) -> exp.Select:
    selected = [exp.alias_(expression, column, quoted=True) for column, expression in mapped.items()]
    return exp.select(*selected or [exp.Null()]).from_(exp.table_(origin, quoted=True))


# ------------------------------------------------------------------------------------------- where rows come from
def sources_of(mapping: TableMapping) -> set[str]:
    """The names of sources that a mapping reads (none for a query that cannot be read)."""
    if mapping.source is not None:
        return {mapping.source}
    try:
        tree = sqlglot.parse_one(mapping.query or "", dialect="duckdb")
    except sqlglot.errors.SqlglotError:
        return set()
    return {node.name for node in tree.find_all(exp.Table)}


def _origin(engine: DuckDBEngine, name: str, mapping: TableMapping, sources: list[str]) -> str:
    if mapping.source is not None:
        if mapping.source not in sources:
            raise DataError(f"there is no source '{mapping.source}'{near(mapping.source, sources)}")
        return view_name(mapping.source)
    assert mapping.query is not None
    try:
        tree = sqlglot.parse_one(mapping.query, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise DataError(f"its query is not readable SQL: {first_line(error)}") from error
    if not isinstance(tree, exp.Query):
        raise DataError("its query is no SELECT")
    local = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    for node in list(tree.find_all(exp.Table)):
        if not isinstance(node.this, exp.Identifier) or node.db:
            raise DataError(f"its query reads {node.sql('duckdb')}; only names under `sources` can be read")
        if node.name.lower() in local:
            continue
        if node.name not in sources:
            raise DataError(f"its query reads {node.name}, which is no source{near(node.name, sources)}")
        if not node.alias:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(node.name, quoted=True)))
        node.set("this", exp.to_identifier(view_name(node.name), quoted=True))
    view = f"query.{name}"
    try:
        engine.define(view, tree)
    except duckdb.Error as error:
        raise DataError(f"its query cannot be run: {first_line(error)}") from error
    return view


# ------------------------------------------------------------------------------------------- attributes
def _attributes(
    table: Table,
    mapping: TableMapping,
    available: Mapping[str, str],
    used: set[str],
    expressions: Mapping[str, exp.Expression],
) -> tuple[dict[str, str], tuple[str, ...], list[Fault]]:
    """Attribute name -> source column, for the columns that no mapping uses; what was renamed or left out is noted."""
    faults = [
        Fault(
            "error",
            table.name,
            column,
            f"`ignore` names {column}, which the source does not have",
            f"correct `tables.{table.name}.ignore`{near(column, available)}",
        )
        for column in mapping.ignore
        if column not in available
    ]
    if not table.attributes:
        return {}, (), faults
    taken = {*_RESERVED, *table.names, *expressions}
    attributes, notes = dict[str, str](), list[str]()
    for column, kind in available.items():
        if column in used or column in mapping.ignore:
            continue
        if re.search(r"\[|^(STRUCT|MAP|UNION|BLOB|INTERVAL|TIME$|TIME )", kind):
            notes.append(f"{table.name}.{column} is left out: {kind} is no type that a feature can be made of")
            continue
        name = base = clean_name(column)
        number = 2
        while name.lower() in taken:
            name, number = f"{base}_{number}", number + 1
        if name != column:
            notes.append(f"{table.name}.{column} is called {name}")
        taken.add(name.lower())
        attributes[name] = column
    return attributes, tuple(notes), faults


def clean_name(name: str) -> str:
    """A plain identifier: kept if it is one, else lower snake case."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return name
    cleaned = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return cleaned if re.match(r"[a-z_]", cleaned) else f"attribute_{cleaned}".rstrip("_")
