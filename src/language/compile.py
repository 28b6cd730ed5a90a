"""From declarations to sqlglot trees.

A group of features becomes one SELECT with a row for each value of its key. It is made of parts, each of which computes
the columns that can share one pass over the events: direct aggregates; measures over visits; distinct values, reduced
first to the last time of each value, so that one pass serves all windows; shares, reduced first to sums by value.
"""

from __future__ import annotations

from sqlglot import exp

from .declarations import Condition, Feature, Group, Measure, Requirement, Together
from .expressions import COMPARISONS, ZERO, equal, of_somebody, ratio
from .loop import loop_parts
from .moments import Moment, PerRow
from .parts import Part, is_zero_without_events, outputs
from .sight import Columns, Sight


def compile_group(group: Group, moment: Moment, columns: Columns) -> list[Part]:
    """The queries that compute a group's columns; join each to the spine on its key (and cutoff, where it has one).

    `columns` are the columns of the tables at hand, by table. Keys without an event in sight have no row.
    """
    return loop_parts(Sight(group, moment, columns), outputs(group))


def compile_together(group: Group, moment: Moment, columns: Columns) -> exp.Select:
    """One query with all columns of a group, and a row for each of its keys in sight; a key has no missing part."""
    parts = compile_group(group, moment, columns)
    key = parts[0].key
    for part in parts:
        part.query.where(*of_somebody(key), copy=False)
    if len(parts) == 1:
        return parts[0].query
    everybody = exp.union(*(exp.select(*key).from_(part.query.subquery("k")) for part in parts), distinct=True)
    query = exp.select(*(exp.column(name, "a") for name in key)).from_(everybody.subquery("a"))
    for index, part in enumerate(parts):
        alias = f"p{index}"
        same = (equal(exp.column(name, alias), exp.column(name, "a")) for name in key)
        query = query.join(part.query.subquery(alias), on=exp.and_(*same), join_type="left")
        query = query.select(*(output.of(alias) for output in part.columns))
    return query


def compile_requirement(requirement: Requirement | Together, moment: Moment, columns: Columns) -> exp.Select:
    """The keys in sight (and cutoffs) with the measured value in a column `value`; compare it with `holds`.

    The value of requirements taken together is the number of those that hold.
    """
    if isinstance(requirement, Together):
        return _counted(requirement, moment, columns)
    measured = compile_measure(requirement.table, requirement.key, requirement.condition.measure, moment, columns)
    if requirement.over is None:
        return measured
    whole = compile_measure(requirement.over.table, requirement.key, requirement.over.measure, moment, columns)
    keys = _keys(requirement.key, moment)
    same = exp.and_(*(equal(exp.column(name, "a"), exp.column(name, "b")) for name in keys))
    share = ratio(exp.column("value", "a"), exp.column("value", "b"))
    query = exp.select(*(exp.column(name, "a") for name in keys), exp.alias_(share, "value"))
    return query.from_(measured.subquery("a")).join(whole.subquery("b"), on=same)


def _counted(together: Together, moment: Moment, columns: Columns) -> exp.Select:
    """The keys of which some part holds, and of how many it does."""
    keys = _keys(together.key, moment)
    parts = [
        exp.select(*(exp.column(name, "p") for name in keys))
        .from_(compile_requirement(part, moment, columns).subquery("p"))
        .where(holds(part.condition, exp.column("value", "p")))
        for part in together.parts
    ]
    found = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)
    counted = exp.alias_(exp.Count(this=exp.Star()), "value")
    return exp.select(*keys, counted).from_(found.subquery("u")).group_by(*keys)


def _keys(key: tuple[str, ...], moment: Moment) -> tuple[str, ...]:
    return (*key, *(("cutoff",) if isinstance(moment, PerRow) else ()))


def compile_measure(table: str, key: tuple[str, ...], measure: Measure, moment: Moment, columns: Columns) -> exp.Select:
    """The keys in sight (and cutoffs) with one measure in a column `value`."""
    feature = Feature("value", measure, definition="")
    (part,) = compile_group(Group(table, key, (feature,)), moment, columns)
    return part.query


def holds(condition: Condition, value: exp.Expression) -> exp.Expression:
    """The comparison itself; a key without events counts as zero in counts and sums, and fails any other test."""
    if is_zero_without_events(condition.measure):
        value = exp.Coalesce(this=value, expressions=[ZERO.copy()])
    return COMPARISONS[condition.operator](this=value, expression=exp.convert(condition.value))
