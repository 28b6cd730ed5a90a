"""From the raw values of a mapped column to its canonical type: ids, text, numbers, truth values, UTC timestamps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlglot import exp, parse_one

from .clock import local_to_utc_sql, moment_sql
from .csv_files import ZONED
from .engine import DuckDBEngine
from .schema import Column, Moment

_INTEGER = re.compile(r"^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER)$")
_DECIMAL = re.compile(r"^(DECIMAL|FLOAT$|DOUBLE$)")
_NAIVE = re.compile(r"^TIMESTAMP(_NS|_MS|_S)?$")
_ZONED = re.compile(r"^TIMESTAMP( WITH TIME ZONE|TZ_NS)$")
_FEW = 20
_FIRST, _LAST = datetime(1, 1, 3), datetime(9998, 12, 31)


@dataclass(frozen=True)
class Converted:
    """`tree`: the canonical value; `bad`: true in rows whose value could not be read (None where that cannot be).

    `nan`: true in rows whose value says of itself that it is no number, and counts as missing. `expected`: the words
    for what was expected there; `note`: how dates were read, where a reader should know.
    """

    tree: exp.Expression
    bad: exp.Expression | None = None
    expected: str = ""
    note: str = ""
    nan: exp.Expression | None = None


@dataclass(frozen=True)
class TimeSpan:
    """What must be known of a raw time column before it can be converted: its range, and whether it holds dates."""

    rows: int
    midnight: bool
    zoned: int
    first: datetime
    last: datetime


def sql(text: str, **parts: exp.Expression) -> exp.Expression:
    """A DuckDB expression with the named parts put in where their names stand as columns."""

    def put(node: exp.Expression) -> exp.Expression:
        is_part = isinstance(node, exp.Column) and not node.table and node.name in parts
        return exp.paren(parts[node.name].copy()) if is_part else node

    return _parsed(text).transform(put)


@cache
def _parsed(text: str) -> exp.Expression:
    return parse_one(text, dialect="duckdb")


def is_integer(kind: str) -> bool:
    """True for the integer types of the engine."""
    return _INTEGER.match(kind) is not None


def is_number(kind: str) -> bool:
    """True for the number types of the engine."""
    return is_integer(kind) or _DECIMAL.match(kind) is not None


def is_time(kind: str) -> bool:
    """True for the types of dates and timestamps."""
    return kind == "DATE" or _NAIVE.match(kind) is not None or _ZONED.match(kind) is not None


def is_a_number(value: exp.Expression) -> exp.Expression:
    """True for numbers, infinite ones too; false for NaN.

    Not written with `isnan`: Parquet's statistics do not count NaN, and from them DuckDB 2.0 concludes that a column
    with a finite largest value has none.
    """
    return sql("isfinite(x) OR isinf(x)", x=value)


# ------------------------------------------------------------------------------------------- ids, text, numbers
def convert_id(raw: exp.Expression, kind: str, *, as_integer: bool) -> Converted:
    """An id: BIGINT where all ids of its domain are integers, else its text exactly as it stands."""
    if not as_integer:
        whole = "CASE WHEN x = trunc(x) THEN CAST(TRY_CAST(x AS BIGINT) AS TEXT) ELSE CAST(x AS TEXT) END"
        as_text = whole if is_number(kind) and not is_integer(kind) else "CAST(x AS TEXT)"
        return Converted(sql("nullif(y, '')", y=sql(as_text, x=raw)))
    if is_integer(kind):
        tree = sql("TRY_CAST(x AS BIGINT)", x=raw)
        return Converted(tree, sql("x IS NOT NULL AND y IS NULL", x=raw, y=tree), "an id of at most 18 digits")
    tree = sql("CASE WHEN x = trunc(x) THEN TRY_CAST(x AS BIGINT) END", x=raw)
    bad = sql("n AND y IS NULL", n=is_a_number(sql("CAST(x AS DOUBLE)", x=raw)), y=tree)
    return Converted(tree, bad, "a whole number")


def holds_integers(kind: str) -> bool:
    """True for types whose ids may be integers, floats too: that is how a column of integers with gaps often comes."""
    return is_number(kind)


def convert_text(raw: exp.Expression) -> Converted:
    """Text as it stands; an empty text is a missing one."""
    return Converted(sql("nullif(CAST(x AS TEXT), '')", x=raw))


def convert_number(raw: exp.Expression, kind: str) -> Converted | None:
    """A double; NaN is missing. None where the type holds no numbers."""
    if is_integer(kind) or kind.startswith("DECIMAL"):
        return Converted(sql("CAST(x AS DOUBLE)", x=raw))
    if is_number(kind):
        nan = sql("x IS NOT NULL AND NOT n", n=is_a_number(raw), x=raw)
        return Converted(sql("CASE WHEN n THEN CAST(x AS DOUBLE) END", n=is_a_number(raw), x=raw), nan=nan)
    if kind != "VARCHAR":
        return None
    number = sql("TRY_CAST(nullif(x, '') AS DOUBLE)", x=raw)
    bad = sql("nullif(x, '') IS NOT NULL AND y IS NULL", x=raw, y=number)
    nan = sql("y IS NOT NULL AND NOT n", n=is_a_number(number), y=number)
    return Converted(sql("CASE WHEN n THEN y END", n=is_a_number(number), y=number), bad, "a number", nan=nan)


def convert_boolean(raw: exp.Expression, kind: str) -> Converted | None:
    """A truth value, also from 0 and 1 and from texts such as yes and no. None where the type holds none."""
    if kind == "BOOLEAN":
        return Converted(raw.copy())
    if is_integer(kind):
        return Converted(sql("x <> 0", x=raw))
    if kind != "VARCHAR":
        return None
    tree = sql("TRY_CAST(nullif(x, '') AS BOOLEAN)", x=raw)
    return Converted(tree, sql("nullif(x, '') IS NOT NULL AND y IS NULL", x=raw, y=tree), "true or false")


# ------------------------------------------------------------------------------------------- times
def time_spans(engine: DuckDBEngine, view: str, kinds: Mapping[str, str]) -> dict[str, TimeSpan]:
    """What must be known of the raw time columns of a view, in one pass; `kinds` maps them to their types."""
    columns = {name: kind for name, kind in kinds.items() if is_time(kind) or kind == "VARCHAR"}
    selected: list[exp.Expression] = []
    for number, (name, kind) in enumerate(columns.items()):
        raw = exp.column(name, quoted=True)
        naive = _naive(raw, kind)
        tests = {
            "rows": sql("count(y)", y=naive),
            "midnight": sql("coalesce(bool_and(y = date_trunc('day', y)), false)", y=naive),
            "zoned": sql("count_if(z)", z=_says_zone(raw)) if kind == "VARCHAR" else exp.Literal.number(0),
            "first": sql("min(y)", y=naive),
            "last": sql("max(y)", y=naive),
        }
        selected += [exp.alias_(test, f"{number} {key}", quoted=True) for key, test in tests.items()]
    if not columns:
        return {}
    row = engine.arrow(exp.select(*selected).from_(exp.table_(view, quoted=True))).to_pylist()[0]
    spans = dict[str, TimeSpan]()
    for number, name in enumerate(columns):
        rows, midnight, zoned, first, last = (row[f"{number} {key}"] for key in TimeSpan.__dataclass_fields__)
        spans[name] = TimeSpan(rows, midnight, zoned or 0, first or datetime(2000, 1, 1), last or datetime(2000, 1, 1))
    return spans


def convert_time(
    raw: exp.Expression, kind: str, span: TimeSpan | None, means: Moment, *, zone: str, clock: str
) -> Converted | None:
    """A time as naive UTC with microseconds (finer parts are cut off). None where the type holds no times.

    Times with an offset are moments as they are. Times without one are read on `clock`; dates (a DATE column, or
    midnight in every row) mean the start or the end of their day in the business zone `zone`.
    """
    if span is None:
        return None
    naive = _naive(raw, kind)
    if _ZONED.match(kind):
        return Converted(naive)
    dates = kind == "DATE" or (span.midnight and span.rows > 0 and span.zoned == 0)
    note = ""
    if dates:
        following = sql("y + INTERVAL 1 DAY", y=naive) if means == "end" else naive
        tree = local_to_utc_sql(following, zone, span.first, span.last)
        tree = sql("y - INTERVAL 1 MICROSECOND", y=tree) if means == "end" else tree
        if kind != "DATE":
            few = f" (only {span.rows} to judge by)" if span.rows < _FEW else ""
            note = f"midnight in every row{few}: read as dates, the {means} of the day in {zone}"
    else:
        tree = local_to_utc_sql(naive, clock, span.first, span.last)
        if span.zoned:
            tree = sql("CASE WHEN z THEN y ELSE t END", z=_says_zone(raw), y=naive, t=tree)
    if kind != "VARCHAR":
        return Converted(tree, note=note)
    bad = sql("nullif(x, '') IS NOT NULL AND y IS NULL", x=raw, y=naive)
    return Converted(tree, bad, "a date or time such as 2024-01-31 18:30:00", note)


def _naive(raw: exp.Expression, kind: str) -> exp.Expression:
    """The raw value as a TIMESTAMP: a wall time, or UTC where the value says its zone.

    Infinity and the year 9999, by which databases say "never", are missing values.
    """
    if kind.endswith("_NS"):
        # a cast would round, and move an event past the end of its day
        nanos = sql("epoch_ns(x)", x=raw)
        return sql("make_timestamp((n - ((n % 1000) + 1000) % 1000) // 1000)", n=nanos)
    if kind == "VARCHAR":
        zoned = sql("timezone('UTC', TRY_CAST(x AS TIMESTAMPTZ))", x=raw)
        time = sql("CASE WHEN z THEN t ELSE TRY_CAST(x AS TIMESTAMP) END", z=_says_zone(raw), t=zoned, x=raw)
    elif _ZONED.match(kind):
        time = sql("timezone('UTC', x)", x=raw)
    else:
        time = sql("CAST(x AS TIMESTAMP)", x=raw)
    return sql("CASE WHEN t BETWEEN a AND b THEN t END", t=time, a=moment_sql(_FIRST), b=moment_sql(_LAST))


def _says_zone(raw: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="regexp_matches", expressions=[raw.copy(), exp.Literal.string(ZONED)])


# ------------------------------------------------------------------------------------------- any column
def convert(
    column: Column, raw: exp.Expression, kind: str, span: TimeSpan | None, *, zone: str, clock: str, as_integer: bool
) -> Converted | None:
    """The canonical value of a contract's column; None where its type cannot hold it."""
    if column.type == "id":
        return convert_id(raw, kind, as_integer=as_integer)
    if column.type == "text":
        return convert_text(raw)
    if column.type == "number":
        return convert_number(raw, kind)
    if column.type == "boolean":
        return convert_boolean(raw, kind)
    return convert_time(raw, kind, span, column.date_means, zone=zone, clock=clock)


def convert_attribute(raw: exp.Expression, kind: str, span: TimeSpan | None, *, zone: str, clock: str) -> Converted:
    """An attribute keeps what it is: integers, numbers, truth values, text; dates and times become UTC timestamps."""
    if is_integer(kind):
        return Converted(sql("TRY_CAST(x AS BIGINT)", x=raw))
    if is_time(kind):
        time = convert_time(raw, kind, span, "start", zone=zone, clock=clock)
        assert time is not None
        return time
    number = convert_number(raw, kind) if is_number(kind) else None
    return number or (Converted(raw.copy()) if kind == "BOOLEAN" else convert_text(raw))
