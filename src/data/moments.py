"""Dates that stand as columns of a table, seen as events: an arrival, a conversion, a payment that is overdue.

Each becomes a view with some of the table's columns and `at`, so that populations, targets and features over them are
declared, and cut at a cutoff, like all others.

What lasts (an open complaint, a subscription, an unpaid bill) has two events: where it begins, `open` is 1, where it
ends, -1, and `lasted` holds the days between. So the sum of `open` up to a cutoff is how many were open then, and no
end shows before it came. An amount goes the same way: `open_fee` is the fee at the start, and taken off at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from .convert import sql
from .engine import Engine


@dataclass(frozen=True)
class View:
    """A table read as events: the view's columns by those of the table, and the column that says when.

    Without the first of the columns there are no events. `until` is the column of the end of what lasts; a row without
    one has not ended. `amount` is open as long as it. With `after` days, the event is that it still lasts so many days
    after it began. `everybody`: the key is not the row's own one, so that an event may lie in another bucket than whom
    it concerns, and all of them are read.
    """

    table: str
    columns: Mapping[str, str]
    at: str
    until: str = ""
    amount: str = ""
    after: int = 0
    everybody: bool = False

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns without which there is no such view."""
        return (next(iter(self.columns.values())), self.at, *([self.until] if self.until else []))


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


ARREARS = 30  # days after which a payment that was not made is in arrears
_SUBSCRIPTION = ("customer_id", "plan", "fee", "known_at")
MOMENTS = {
    "arrivals": View("prospects", _same("prospect_id"), "created_at"),
    "conversions": View("prospects", _same("prospect_id", "customer_id"), "converted_at"),
    "acquisitions": View("customers", _same("customer_id", "referred_by"), "acquired_at"),
    "referrals": View("customers", {"customer_id": "referred_by"}, "acquired_at", everybody=True),
    "births": View("customers", {"customer_id": "customer_id", "known_at": "acquired_at"}, "birth_date"),
    "customer_stages": View("stages", {"customer_id": "entity_id"} | _same("stage", "known_at"), "at"),
    "prospect_stages": View("stages", {"prospect_id": "entity_id"} | _same("stage", "known_at"), "at"),
    "rungs": View(
        "transactions",
        {"tier": "next_tier"} | _same("customer_id", "line", "order_id", "amount", "known_at"),
        "at",
    ),
    "subscription_starts": View("subscriptions", _same(*_SUBSCRIPTION), "started_at"),
    "subscription_ends": View("subscriptions", _same(*_SUBSCRIPTION, "end_reason"), "ended_at"),
    "subscription_changes": View(
        "subscriptions", _same(*_SUBSCRIPTION, "term_ends_at", "end_reason"), "started_at", "ended_at", "fee"
    ),
    "issues": View("interactions", _same("customer_id", "kind", "known_at"), "at", "resolved_at"),
    "dues": View("payments", _same("customer_id", "known_at"), "due_at", "paid_at", "amount"),
    "arrears": View("payments", _same("customer_id", "amount", "known_at"), "due_at", "paid_at", after=ARREARS),
}
_ONLY_AT_THE_END = ("end_reason",)


def origin_of(name: str) -> str:
    """The table of the contract behind a view; the name itself where it is a table."""
    return MOMENTS[name].table if name in MOMENTS else name


def why_absent(name: str, tables: Mapping[str, Mapping[str, str]]) -> str:
    """Why there is no such table or view, in words."""
    origin = origin_of(name)
    needed = MOMENTS[name].needed if name in MOMENTS and origin in tables else ()
    absent = [column for column in needed if column not in tables[origin]]
    return f"{origin} has no {absent[0]}" if absent else f"no table {origin}"


def moments_of(columns: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The views for which there are tables, with their columns and types."""
    views = {}
    for name, view in MOMENTS.items():
        present = columns.get(view.table, {})
        if not all(column in present for column in view.needed):
            continue
        kinds = {own: present[theirs] for own, theirs in view.columns.items() if theirs in present}
        if view.until and not view.after:
            kinds |= {"open": "BIGINT", "lasted": "DOUBLE"}
            kinds |= {f"open_{view.amount}": present[view.amount]} if view.amount in present else {}
        views[name] = {**kinds, "at": present[view.at]}
    return views


def read_whole(tables: Iterable[str]) -> list[str]:
    """Those of some tables of which events concern others than the customers of their rows."""
    return sorted({view.table for view in MOMENTS.values() if view.everybody} & set(tables))


def define_moments(
    engine: Engine,
    columns: Mapping[str, Mapping[str, str]],
    named: Callable[[str], str] = str,
    of_all: Callable[[str], str] | None = None,
) -> None:
    """Define these views in the engine; a row without its date or key is no event.

    `named` gives the names of tables, `of_all` those of the tables of everybody, where they have others.
    """
    for name, kinds in moments_of(columns).items():
        view = MOMENTS[name]
        reads = of_all or named if view.everybody else named
        source, begun = exp.to_table(reads(view.table)), exp.column(view.at, quoted=True)
        carried = {own: exp.column(theirs, quoted=True) for own, theirs in view.columns.items() if own in kinds}
        if not view.until:
            dates = (begun, *carried.values()) if view.everybody else (begun,)
            engine.define(named(name), _events(source, carried | {"at": begun}, *dates))
            continue
        ended = exp.column(view.until, quoted=True)
        if view.after:
            later = sql(f"b + INTERVAL {view.after} DAY", b=begun)
            still = sql("e IS NULL OR e > l", e=ended, l=later)
            engine.define(named(name), _events(source, carried | {"at": later}, begun).where(still))
            continue
        days = sql("(EPOCH_US(e) - EPOCH_US(b)) / 8.64e10", e=ended, b=begun)
        amount = {f"open_{view.amount}": view.amount} if view.amount in columns[view.table] else {}
        at_start = {own: _nothing(kinds[own]) if own in _ONLY_AT_THE_END else value for own, value in carried.items()}
        at_start |= {"open": _whole(1), "lasted": _nothing("DOUBLE")}
        at_start |= {own: exp.column(theirs, quoted=True) for own, theirs in amount.items()}
        at_end = carried | {"open": _whole(-1), "lasted": exp.cast(days, "double")}
        at_end |= {own: exp.Neg(this=exp.column(theirs, quoted=True)) for own, theirs in amount.items()}
        later = sql("greatest(b, e)", b=begun, e=ended)  # a bill that was paid in advance is settled when it is due
        starts = _events(source, at_start | {"at": begun}, begun)
        ends = _events(source.copy(), at_end | {"at": later}, ended, begun)
        engine.define(named(name), exp.union(starts, ends, distinct=False))


def _events(source: exp.Expression, columns: Mapping[str, exp.Expression], *dates: exp.Expression) -> exp.Select:
    query = exp.select(*(exp.alias_(value.copy(), name, quoted=True) for name, value in columns.items())).from_(source)
    return query.where(*(exp.Not(this=exp.Is(this=date.copy(), expression=exp.Null())) for date in dates))


def _whole(number: int) -> exp.Expression:
    return exp.cast(exp.convert(number), "bigint")


def _nothing(kind: str) -> exp.Expression:
    return exp.cast(exp.Null(), kind)
