"""Who is eligible at a cutoff, and what became of him: populations and targets as sqlglot trees.

The universe comes first and becomes the spine, a table with one row for each key and cutoff; requirements and target
are measured for the spine's rows and joined to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlglot import exp

from .compile import compile_measure, compile_requirement, holds
from .declarations import Count, Group, Pairs, Planned, Requirement, Seen, Together, Worth
from .expressions import ZERO, conditions, equal, number, of_somebody, typed
from .moments import SPINE, Moment, PerRow, Shared, timestamp
from .sight import Columns, Sight, source_of


def compile_universe(universe: Seen | Pairs, moment: Shared, columns: Columns) -> exp.Select:
    """The keys of the universe as of a shared cutoff, with the cutoff beside them."""
    if isinstance(universe, Seen):
        return compile_seen(universe, moment, columns).select(exp.alias_(moment.at(), "cutoff"))
    left, right = (compile_seen(side, moment, columns) for side in (universe.left, universe.right))
    keys = [exp.column(key, side) for side, seen in (("l", universe.left), ("r", universe.right)) for key in seen.key]
    query = exp.select(*keys, exp.alias_(moment.at(), "cutoff")).from_(left.subquery("l"))
    return query.join(right.subquery("r"), join_type="cross")


def compile_seen(seen: Seen, moment: Shared, columns: Columns) -> exp.Select:
    """The keys with an event in sight."""
    events = Sight(Group(seen.table, seen.key, ()), moment, columns).events([Count()], set())
    return exp.select(*seen.key).distinct().from_(events).where(*of_somebody(seen.key))


def compile_first_seen(seen: Seen, columns: Columns) -> exp.Select:
    """The keys with the moment `first_seen` from which on an event of theirs is in sight, whatever the cutoff."""
    at, types = exp.column("at"), columns[seen.table]
    known = exp.Coalesce(this=exp.column("known_at"), expressions=[at.copy()])
    seen_at = exp.Greatest(this=at, expressions=[known]) if "known_at" in types else at
    first = exp.alias_(exp.Min(this=seen_at), "first_seen")
    source = source_of(Group(seen.table, seen.key, ()), columns)
    return exp.select(*seen.key, first).from_(source).where(*of_somebody(seen.key)).group_by(*seen.key)


def compile_plans(universe: Planned, first: datetime, last: datetime, as_of: datetime | None) -> exp.Select:
    """The plans that begin in [first, last], each at its own cutoff; or as of a moment, those known and not yet begun.

    `window_end` is where a row's target window ends.
    """
    at, known_at = exp.column(universe.at), exp.column("known_at")
    cutoff = at if as_of is None else timestamp(as_of)
    carried = [exp.column(name) for name in dict.fromkeys((universe.at, universe.until, *universe.carry))]
    query = exp.select(*universe.key, exp.alias_(cutoff, "cutoff"), *carried)
    query = query.select(exp.alias_(exp.column(universe.until), "window_end")).distinct()
    begins = exp.Between(this=at.copy(), low=timestamp(first), high=timestamp(last))
    known = exp.LTE(this=known_at, expression=cutoff.copy())
    chosen = conditions(universe.where)
    return query.from_(universe.table).where(begins, known, *chosen, *of_somebody(universe.key))


def compile_spine(
    requirements: Sequence[Requirement],
    target: Requirement | Together | None,
    moment: Moment,
    columns: Columns,
    worth: Worth | None = None,
    treatment: Requirement | None = None,
) -> exp.Select:
    """The spine's rows that meet every requirement.

    A column `target` (0 or 1) comes with a target, a column `worth` (a double, 0 without events) with a worth, a column
    `treated` (0 or 1) with a treatment.
    """
    query = exp.select("s.*").from_(exp.to_table(SPINE).as_("s"))
    for index, requirement in enumerate(requirements):
        measured = compile_requirement(requirement, moment, columns)
        query = _joined(query, measured, requirement.key, f"r{index}", moment)
        query = query.where(holds(requirement.condition, exp.column("value", f"r{index}")))
    for name, alias, outcome in (("target", "t", target), ("treated", "c", treatment)):
        if outcome is not None:
            query = _joined(query, compile_requirement(outcome, moment, columns), outcome.key, alias, moment)
            came = holds(outcome.condition, exp.column("value", alias))
            query = query.select(exp.alias_(typed(came, "tinyint"), name))
    if worth is not None:
        measured = compile_measure(worth.table, worth.key, worth.measure, moment, columns)
        query = _joined(query, measured, worth.key, "w", moment)
        value = exp.Coalesce(this=exp.column("value", "w"), expressions=[ZERO.copy()])
        query = query.select(exp.alias_(number(value), "worth"))
    return query


def _joined(query: exp.Select, measured: exp.Select, key: tuple[str, ...], alias: str, moment: Moment) -> exp.Select:
    keys = (*key, *(("cutoff",) if isinstance(moment, PerRow) else ()))
    on = exp.and_(*(equal(exp.column(name, alias), exp.column(name, "s")) for name in keys))
    return query.join(measured.subquery(alias), on=on, join_type="left")
