"""Segments: events reduced once, for many cutoffs, to a row for each key and piece of time; windows are sums of pieces.

A part consists of steps, each a table that is computed once from the events or from the step before, and of a query for
each cutoff that reads the last of them. Counts, sums, least and largest values are exact, so the pieces add up to the
same bits as a look at the events themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from .declarations import (
    Count,
    DaysSinceFirst,
    DaysSinceLast,
    Largest,
    Latest,
    Mean,
    Measure,
    Sum,
)
from .expressions import ZERO, conditions, days, filtered, known, number, plain, ratio, total, typed
from .moments import timestamp
from .parts import Output, Part, columns_of
from .pieces import PIECE, Pieces


@dataclass(frozen=True)
class Step:
    """A table that is computed before the queries of the cutoffs are asked."""

    name: str
    query: exp.Select

    @classmethod
    def of(cls, query: exp.Select) -> Step:
        """The step of a query; the same query has the same name."""
        return cls(f"reduced_{hashlib.md5(repr(query).encode(), usedforsecurity=False).hexdigest()}", query)

    @property
    def table(self) -> exp.Table:
        """The step's table."""
        return exp.to_table(self.name)


@dataclass(frozen=True)
class Segments:
    """Steps, in the order in which they are computed, and for each cutoff the parts that read them."""

    steps: tuple[Step, ...]
    parts: Mapping[datetime, tuple[Part, ...]]


SHORT = 1 / 3  # of a step's longest window; shorter windows than that see few of its rows

Merge = Callable[[exp.Expression], exp.Expression]
Get = Callable[[str], exp.Expression]
Value = Callable[[Get, datetime], exp.Expression]
"""A measure at a cutoff, from a function that gives each of its atoms, merged over the pieces of its window."""


class Atoms:
    """What is summed, or kept as least or largest, for each key and piece; what is asked for twice is kept once."""

    def __init__(self) -> None:
        self._kept: dict[exp.Expression, tuple[str, exp.Expression, Merge, str]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, aggregate: exp.Expression, merge: Merge, kept_as: str = "") -> str:
        """The column that holds an aggregate of events; `merge` makes one value of those of several pieces.

        `kept_as` is a type that holds any of these values, where the engine would take a larger one.
        """
        return self._kept.setdefault(aggregate, (f"__a{len(self._kept)}", aggregate, merge, kept_as))[0]

    def columns(self) -> list[exp.Expression]:
        """The aggregates, each under its name."""
        kept = ((name, _kept(aggregate, kept_as)) for name, aggregate, _, kept_as in self._kept.values())
        return [exp.alias_(value, name, copy=False) for name, value in kept]

    def merged(self, name: str, column: str | None = None) -> exp.Expression:
        """What an atom's values in several rows come to; they may lie in a column of another name."""
        return self._of(name)[2](exp.column(column or name))

    def kept(self, name: str, value: exp.Expression) -> exp.Expression:
        """What an atom's values in several rows come to, as it is kept for further merging."""
        return _kept(value, self._of(name)[3])

    def _of(self, name: str) -> tuple[str, exp.Expression, Merge, str]:
        return next(atom for atom in self._kept.values() if atom[0] == name)


def _kept(value: exp.Expression, kept_as: str) -> exp.Expression:
    return typed(value, kept_as) if kept_as else value


def summed(value: exp.Expression) -> exp.Expression:
    """The sum."""
    return exp.Sum(this=value)


def largest(value: exp.Expression) -> exp.Expression:
    """The largest value."""
    return exp.Max(this=value)


def smallest(value: exp.Expression) -> exp.Expression:
    """The smallest value."""
    return exp.Min(this=value)


def reduced(rows: exp.Expression, by: Sequence[str], aggregates: Sequence[exp.Expression]) -> Step:
    """The step that reduces rows by some columns."""
    keys = [exp.column(name) for name in by]
    query = exp.select(*keys, *aggregates).from_(rows, copy=False)
    return Step.of(query.group_by(*(key.copy() for key in keys), copy=False))


def from_pieces(
    pieces: Pieces,
    step: Step,
    atoms: Atoms,
    values: Sequence[tuple[Output, Value, Sequence[exp.Expression]]],
    cutoff: datetime,
    visible: Sequence[exp.Expression],
) -> tuple[Part, ...]:
    """The parts that merge a step's visible rows over the pieces of each window; a value may have further tests.

    Short windows are asked apart: one test then skips the many rows before all of them, not one for each value.
    """
    keys, parts = pieces.group.key, []
    longest = max((m.window for m, _, _ in values if m.window is not None), default=0)
    short = [value for value in values if value[0].window is not None and value[0].window <= longest * SHORT]
    for some in ([value for value in values if value not in short], short):
        columns = []
        for member, value, tests in some:
            seen = [*tests, *pieces.since(cutoff, member.window)]

            def get(name: str, seen: Sequence[exp.Expression] = seen) -> exp.Expression:
                return filtered(atoms.merged(name), seen)

            columns.append(member.named(value(get, cutoff)))
        if not columns:
            continue
        query = exp.select(*map(exp.column, keys), *columns).from_(step.table, copy=False).where(*visible, copy=False)
        if some is short:
            query.where(*pieces.since(cutoff, max(member.window or 0 for member, _, _ in short)), copy=False)
        query.group_by(*map(exp.column, keys), copy=False)
        parts.append(Part(keys, tuple(member for member, _, _ in some), query))
    return tuple(parts)


def direct(pieces: Pieces, members: Sequence[Output]) -> Segments:
    """Aggregates of events, straight from the pieces."""
    atoms = Atoms()
    values = [(m, value_of(pieces, atoms, m.measure, conditions(m.measure.where)), ()) for m in members]
    needed = {name for member in members for name in columns_of(member.measure)}
    step = reduced(pieces.events(needed), [*pieces.group.key, *pieces.carried], atoms.columns())
    parts = {c: from_pieces(pieces, step, atoms, values, c, pieces.visible(c)) for c in pieces.cutoffs.edges}
    return Segments((step,), parts)


def value_of(pieces: Pieces, atoms: Atoms, measure: Measure, where: Sequence[exp.Expression]) -> Value:
    """How a direct measure of the events that meet some conditions is put together from atoms."""

    def atom(aggregate: exp.Expression, merge: Merge, *more: exp.Expression, kept_as: str = "") -> str:
        return atoms.add(filtered(aggregate, [*where, *more]), merge, kept_as)

    match measure:
        case Count():
            count = atom(exp.Count(this=exp.Star()), summed, kept_as="bigint")
            return lambda get, _: whole_number(get(count))
        case Sum(column=column):
            sum_ = atom(total(column, pieces.types[column]), summed, kept_as=pieces.narrow.get(column, ""))
            return lambda get, _: number(exp.Coalesce(this=get(sum_), expressions=[ZERO.copy()]))
        case Mean(column=column):
            sum_ = atom(total(column, pieces.types[column]), summed, kept_as=pieces.narrow.get(column, ""))
            count = atom(exp.Count(this=exp.column(column)), summed, kept_as="bigint")
            return lambda get, _: ratio(get(sum_), get(count))
        case Largest(column=column):
            most = atom(largest(exp.column(column)), largest)
            return lambda get, _: number(get(most))
        case DaysSinceLast():
            last = atom(largest(exp.column("at")), largest)
            return lambda get, cutoff: days(get(last), timestamp(cutoff))
        case DaysSinceFirst():
            first = atom(smallest(exp.column("at")), smallest)
            return lambda get, cutoff: days(get(first), timestamp(cutoff))
        case Latest(column=column):
            value, order = exp.column(column), None
            if pieces.late:  # otherwise a piece has one row
                order = exp.column(atom(largest(exp.column("at")), largest, known(value)))
            latest = atom(_at_last(exp.column("at"))(value), _at_last(order), known(value))
            return lambda get, _: plain(get(latest), pieces.types[column])
    raise TypeError(f"{type(measure).__name__} is not put together from pieces")


def _at_last(time: exp.Expression | None) -> Merge:
    """The value at the last time, among equal times the largest value; or that of the last piece."""

    def merge(value: exp.Expression) -> exp.Expression:
        by = exp.column(PIECE) if time is None else exp.Struct(expressions=[time.copy(), value.copy()])
        return exp.ArgMax(this=value, expression=by)

    return merge


def whole_number(value: exp.Expression) -> exp.Expression:
    """A sum of counts as a count."""
    return typed(exp.Coalesce(this=value, expressions=[ZERO.copy()]), "bigint")
