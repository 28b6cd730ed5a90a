"""Dates that stand as columns of a table, seen as events: an arrival, a conversion, the start of a subscription.

Each becomes a view with the table's own columns that name somebody and `at`, so that populations, targets and features
over them are declared, and cut at a cutoff, like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from .engine import DuckDBEngine

MOMENTS = {
    "arrivals": ("prospects", ("prospect_id",), "created_at"),
    "conversions": ("prospects", ("prospect_id", "customer_id"), "converted_at"),
    "acquisitions": ("customers", ("customer_id",), "acquired_at"),
    "subscription_starts": ("subscriptions", ("customer_id", "plan", "fee", "known_at"), "started_at"),
    "subscription_ends": ("subscriptions", ("customer_id", "plan", "fee", "end_reason", "known_at"), "ended_at"),
}


def moments_of(columns: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The views for which there are tables, with their columns and types."""
    views = {}
    for view, (table, carried, moment) in MOMENTS.items():
        present = columns.get(table, {})
        if moment in present:
            views[view] = {**{name: present[name] for name in carried if name in present}, "at": present[moment]}
    return views


def define_moments(
    engine: DuckDBEngine, columns: Mapping[str, Mapping[str, str]], named: Callable[[str], str] = str
) -> None:
    """Define these views in the engine; a row without the date is no event. `named` gives the names of tables."""
    for view, names in moments_of(columns).items():
        table, _, moment = MOMENTS[view]
        at = exp.column(moment, quoted=True)
        query = exp.select(*(exp.column(name, quoted=True) for name in names if name != "at"))
        query = query.select(exp.alias_(at, "at", quoted=True)).from_(exp.to_table(named(table)))
        engine.define(named(view), query.where(exp.Not(this=exp.Is(this=at.copy(), expression=exp.Null()))))
