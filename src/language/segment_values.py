"""Segments of the values of one column: how many there are, the share of the largest, measures of single values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlglot import exp

from .declarations import Distinct, Measure, Predicate, TopShare
from .expressions import ZERO, conditions, filtered, known, predicates, total
from .loop import share_of_largest
from .parts import Output, Part, columns_of
from .pieces import PIECE, Pieces
from .segments import Atoms, Segments, from_pieces, largest, reduced, summed, value_of

FEW_AGGREGATES = 40  # of one query; wider ones cost more than several of them


def by_value(pieces: Pieces, members: Sequence[Output], column: str, where: Sequence[exp.Expression]) -> Segments:
    """Measures of the values of one column: how many there are, the share of the largest, and those of single values.

    Events that meet the conditions are reduced to key and value, with a column for each sum, window and cutoff; where
    there are sums, over their pieces. Where only single values are asked for, those pieces are enough.
    """
    if not any(isinstance(member.measure, Distinct | TopShare) for member in members):
        return _of_single_values(pieces, members, column, where)
    keys, needed = pieces.group.key, {column, *(name for member in members for name in columns_of(member.measure))}
    values = _Values(pieces, column)
    finals = {cutoff: [m.named(values.of(m, cutoff)) for m in members] for cutoff in pieces.cutoffs.edges}
    grouped = [*keys, column]
    rows: exp.Expression = exp.select(exp.Star()).from_(pieces.events(needed), copy=False).where(*where, copy=False)
    rows = rows.subquery("w", copy=False)
    steps = []
    if len(values.atoms):
        steps.append(reduced(rows, [*grouped, *pieces.carried], values.atoms.columns()))
        rows = steps[0].table
    steps.append(reduced(rows, grouped, [exp.alias_(value, name, copy=False) for name, value in values.wide.items()]))
    together = len(members) * len(finals) <= FEW_AGGREGATES
    if together:
        wide = [
            exp.alias_(f.this, _numbered(f.alias, i), quoted=True)
            for i, columns in enumerate(finals.values())
            for f in columns
        ]
        steps.append(reduced(steps[-1].table, keys, wide))
    parts = {}
    for i, (cutoff, columns) in enumerate(finals.items()):
        if together:
            columns = [m.named(exp.column(_numbered(m.name, i), quoted=True)) for m in members]
        query = exp.select(*map(exp.column, keys), *columns).from_(steps[-1].table, copy=False)
        parts[cutoff] = (
            Part(keys, tuple(members), query if together else query.group_by(*map(exp.column, keys), copy=False)),
        )
    return Segments(tuple(steps), parts)


def _of_single_values(
    pieces: Pieces, members: Sequence[Output], column: str, where: Sequence[exp.Expression]
) -> Segments:
    """Direct measures of single values of a column, from one row for each key, value and piece."""
    atoms, needed = Atoms(), {column, *(name for member in members for name in columns_of(member.measure))}
    values = []
    for member in members:
        test = conditions(_single(member.measure, column))
        values.append((member, value_of(pieces, atoms, member.measure, []), test))
    rows = exp.select(exp.Star()).from_(pieces.events(needed), copy=False).where(*where, copy=False)
    by = [*pieces.group.key, column, *pieces.carried]
    step = reduced(rows.subquery("w", copy=False), by, atoms.columns())
    parts = {c: from_pieces(pieces, step, atoms, values, c, pieces.visible(c)) for c in pieces.cutoffs.edges}
    return Segments((step,), parts)


def _single(measure: Measure, column: str) -> Predicate:
    """The condition that asks for one value of a column."""
    (single,) = (part for part in predicates(measure.where) if part.column == column)
    return single


def _numbered(name: str, cutoff: int) -> str:
    return f"{name}__{cutoff}"


class _Values:
    """The columns of a table with one row for each key and value, as the measures ask for them."""

    def __init__(self, pieces: Pieces, column: str) -> None:
        self.pieces, self.column, self.atoms = pieces, column, Atoms()
        self.wide: dict[str, exp.Expression] = {}

    def of(self, member: Output, cutoff: datetime) -> exp.Expression:
        """A measure at a cutoff."""
        measure, value = member.measure, exp.column(self.column)
        if isinstance(measure, Distinct):
            return filtered(exp.Count(this=exp.Star()), [known(value), self._seen(cutoff, member.window)])
        if isinstance(measure, TopShare):
            sum_, kept_as = total(measure.column, self.pieces.types[measure.column]), self.pieces.narrow
            summed_ = self.atoms.add(sum_, summed, kept_as.get(measure.column, ""))
            return share_of_largest(exp.column(self._sum(summed_, cutoff, member.window)), known(value))
        (test,) = conditions(_single(measure, self.column))
        of_value = value_of(self.pieces, self.atoms, measure, [])

        def get(name: str) -> exp.Expression:
            return filtered(self.atoms.merged(name, self._sum(name, cutoff, member.window)), [test])

        return of_value(get, cutoff)

    def _sum(self, atom: str, cutoff: datetime, window: int | None) -> str:
        """The column of an atom, merged over the pieces of a window."""
        seen = [*self.pieces.visible(cutoff), *self.pieces.since(cutoff, window)]
        name = f"{atom}_{'life' if window is None else window}_{self.pieces.cutoffs.number(cutoff)}"
        self.wide[name] = self.atoms.kept(atom, filtered(self.atoms.merged(atom), seen))
        return name

    def _seen(self, cutoff: datetime, window: int | None) -> exp.Expression:
        """That a value was seen in a window: by a bit for each of its pieces, else by the last one at each cutoff."""
        pieces, piece = self.pieces, exp.column(PIECE)
        if pieces.fits_a_mask:
            self.wide["__pieces"] = exp.BitwiseOrAgg(this=pieces.bit(piece))
            mask = exp.Literal.number(pieces.mask(cutoff, window))
            common = exp.paren(exp.BitwiseAnd(this=exp.column("__pieces"), expression=mask))
            return exp.NEQ(this=common, expression=ZERO.copy())
        last = f"__last_{pieces.cutoffs.number(cutoff)}"
        self.wide[last] = filtered(largest(piece), pieces.visible(cutoff))
        return known(exp.column(last)) if window is None else pieces.after(exp.column(last), cutoff, window)
