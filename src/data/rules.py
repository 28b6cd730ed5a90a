"""The rules that rows must keep, as SQL conditions made from the contract's declarations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from .clock import moment_sql
from .convert import sql
from .schema import Column, Severity
from .typed import TypedTable

ABSURD = 10_000.0
"""An amount is absurd when it is so many times the median amount."""
BOUND = "999999999999"
"""No number of the contract is larger: what is larger is held there (see `enrich`)."""


@dataclass(frozen=True)
class Rule:
    """Rows for which `test` is true break the rule.

    `shown` are further columns of the view that an example should show; `alone`: the column's value says it all.
    """

    severity: Severity
    column: str | None
    what: str
    remedy: str
    test: exp.Expression
    shown: tuple[str, ...] = ()
    alone: bool = False


def row_rules(typed: TypedTable, now: datetime, observed_until: datetime | None) -> Iterator[Rule]:
    """The rules that a row keeps or breaks by itself; `now` and `observed_until` are naive UTC."""
    table = typed.table
    for name, expected in typed.doubtful.items():
        test = exp.column(f"bad {name}", quoted=True)
        remedy = f"correct the values, or map `{name}` to an expression that makes {expected} of them"
        kind = "text" if expected == "a number" else "values"
        yield Rule("error", name, f"holds {kind} where {expected} is expected", remedy, test, (f"raw {name}",))
    for name in typed.columns:
        column = table[name]
        if column.missing:
            test = _where("x IS NULL", name)
            for kind, names in (("bad", typed.doubtful), ("nan", typed.perhaps_nan)):
                if name in names:
                    test = exp.and_(test, exp.not_(exp.column(f"{kind} {name}", quoted=True)))
            remedy = f"fill in {name}, or leave these rows out with a `query:`"
            yield Rule(column.missing, name, "has no value", remedy, test)
        if name in typed.perhaps_nan:
            what, remedy = (
                "is not a number (NaN), and counts as missing",
                "correct the source, if these should have one",
            )
            yield Rule("warning", name, what, remedy, exp.column(f"nan {name}", quoted=True), (f"raw {name}",))
        if column.type == "number":
            yield from _number_rules(column)
        if column.type == "timestamp":
            yield from _time_rules(typed, column, now, observed_until)
        if column.allowed:
            listed = ", ".join(column.allowed)
            test = exp.not_(exp.column(name, quoted=True).isin(*column.allowed))
            yield Rule("error", name, "holds a value that the contract does not have", f"map them to: {listed}", test)
    owners = [name for name in table.entity if name in typed.columns]
    if len(owners) > 1:
        test = exp.and_(*(_where("x IS NULL", name) for name in owners))
        remedy = "fill in one of them, or leave these rows out with a `query:`"
        yield Rule("error", None, f"has neither {' nor '.join(owners)}", remedy, test)


def _number_rules(column: Column) -> Iterator[Rule]:
    name = column.name
    remedy = f"correct the source, or map `{name}` to an expression without it"
    test = _where("abs(x) > b", name, b=exp.Literal.number(BOUND))
    what = f"is infinite, or beyond a million millions; it counts as {int(BOUND):,}, with its sign"
    yield Rule("warning", name, what, remedy, test)
    if column.negative:
        booked = "; goods that came back belong in the table `returns`" if name in ("amount", "quantity") else ""
        test = _where("x < 0 AND x >= -b", name, b=exp.Literal.number(BOUND))
        yield Rule(column.negative, name, "is negative", f"correct the sign{booked}", test)
    if column.zero:
        remedy = "nothing to do if that can be (coupons, services)"
        yield Rule(column.zero, name, "is zero", remedy, _where("x = 0", name))


def _time_rules(typed: TypedTable, column: Column, now: datetime, observed_until: datetime | None) -> Iterator[Rule]:
    name, other = column.name, column.not_before
    if not column.may_be_future:
        remedy = "correct the source, or the `clock` of this table in the configuration"
        yield Rule("error", name, "lies in the future", remedy, _where("x > n", name, n=moment_sql(now)))
        if observed_until is not None and name == typed.table.event:
            test = _where("x > u AND x <= n", name, u=moment_sql(observed_until), n=moment_sql(now))
            remedy = "nothing uses them; set `observed_until` later, or leave it out, if they are right"
            yield Rule("warning", name, "lies after observed_until", remedy, test)
    if other and other in typed.columns:
        test = _where("x < o", name, o=exp.column(other, quoted=True))
        yield Rule("error", name, f"lies before {other}", f"correct {name} or {other}", test, (other,))


def absurd_rule(name: str, median: float) -> Rule:
    """Amounts that are thousands of times the usual one are mostly slips of a decimal point."""
    limits = {"m": exp.Literal.number(repr(ABSURD * median)), "b": exp.Literal.number(BOUND)}
    test = _where("abs(x) > m AND abs(x) <= b", name, **limits)
    what = f"is more than {ABSURD:,.0f} times the median ({median:,.2f})"
    return Rule("warning", name, what, "look at these rows: is a decimal point or a unit wrong?", test)


def duplicate_rule(typed: TypedTable, key: tuple[str, ...], parts: tuple[exp.Expression, ...]) -> Rule:
    """All rows but the first of each key, in the order of all columns; `parts` partition the rows further.

    The test is a window function: it stands in a select list, never in a WHERE.
    """
    columns = [exp.column(name, quoted=True) for name in (*typed.columns, *typed.attributes)]
    window = exp.Window(
        this=exp.RowNumber(),
        partition_by=[*(exp.column(name, quoted=True) for name in key), *parts],
        order=exp.Order(expressions=[exp.Ordered(this=column) for column in columns]),
    )
    test = exp.and_(exp.GT(this=window, expression=exp.Literal.number(1)), _where("x IS NOT NULL", key[0]))
    what = f"shares its {' and '.join(key)} with another row"
    remedy = "keep one row of each, for example with a `query:` that has SELECT DISTINCT or a GROUP BY"
    return Rule("error", key[0], what, remedy, test)


def reference_rule(typed: TypedTable, column: Column, parents: Mapping[str, str]) -> Rule | None:
    """Ids that stand in no parent table; `parents` maps the tables that are there to their checked views."""
    assert column.references is not None
    there = [(table, key) for table, key in column.references.parents if table in parents]
    if not there or (len(there) < len(column.references.parents)):
        return None
    keys: exp.Query | None = None
    for table, key in there:
        some = exp.select(exp.column(key, quoted=True)).from_(exp.table_(parents[table], quoted=True))
        keys = some if keys is None else exp.union(keys, some, distinct=False)
    assert keys is not None
    name = exp.column(column.name, quoted=True)
    known = exp.In(this=name.copy(), query=keys.subquery())
    listed = " or ".join(table for table, _ in there)
    wrong = column.references.severity
    remedy = f"add them to {listed}" + (
        ", or leave it: what is not known of them is missing" if wrong == "warning" else ""
    )
    test = exp.and_(exp.not_(exp.Is(this=name, expression=exp.Null())), exp.not_(known))
    return Rule(wrong, column.name, f"names ids that {listed} does not have", remedy, test, alone=True)


def _where(text: str, name: str, **parts: exp.Expression) -> exp.Expression:
    return sql(text, x=exp.column(name, quoted=True), **parts)
