"""Segments of visits: the gap before each visit is computed once for all cutoffs.

Which visits there are, and so which gaps, is the same at every cutoff that sees them, unless a row became known after
the next cutoff or a visit goes on across one. The keys with such a visit get their visits anew for each cutoff.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlglot import exp

from .declarations import (
    DaysSinceNthLast,
    FadingVisits,
    GapLargest,
    GapMean,
    GapMedian,
    GapShape,
    GapSpread,
    Measure,
    Visits,
)
from .expressions import case_when, conditions, days, div, equal, number, predicates, ratio, seconds, typed, wide
from .loop import SECONDS_A_DAY, over_visits, spread
from .moments import timestamp
from .parts import Output, Part
from .pieces import PIECE, SEEN, Pieces
from .segments import Atoms, Segments, Step, Value, from_pieces, largest, reduced, summed, whole_number

_PREVIOUS = "__previous"
_EVERY = (GapMedian, GapShape, FadingVisits)
ONLY = "__only"  # the number of the one cutoff for which a visit stands; missing where it stands for all
_SLOT, _EARLY, _LATE = "__slot", "__early", "__late"  # between which cutoffs an event lies; a visit's first; its last


def visits(pieces: Pieces, members: Sequence[Output]) -> Segments:
    """Measures of visits: those of which pieces can be added up, and those that need every visit (`_EVERY`)."""
    chain = _Chain(pieces, [member.measure for member in members])
    every = [member for member in members if isinstance(member.measure, _EVERY)]
    added = [member for member in members if member not in every]
    steps, parts = [*chain.steps], defaultdict[datetime, tuple[Part, ...]](tuple)
    rows: exp.Expression = chain.query.subquery("g")
    if every:
        steps.append(Step.of(chain.query))
        rows = steps[-1].table
        for cutoff in pieces.cutoffs.edges:
            parts[cutoff] += (_of_every(chain, rows, every, cutoff),)
    if added:
        atoms = Atoms()
        values = [(member, _value_of(pieces, atoms, member), ()) for member in added]
        steps.append(reduced(rows, [*chain.keys, *chain.carried], atoms.columns()))
        for cutoff in pieces.cutoffs.edges:
            parts[cutoff] += from_pieces(pieces, steps[-1], atoms, values, cutoff, chain.visible(cutoff))
    return Segments(tuple(steps), parts)


def _of_every(chain: _Chain, rows: exp.Expression, members: Sequence[Output], cutoff: datetime) -> Part:
    at, since = timestamp(cutoff), chain.pieces.since
    columns = [member.named(over_visits(member, since(cutoff, member.window), at)) for member in members]
    query = exp.select(*chain.keys, *columns).from_(rows).where(*chain.visible(cutoff)).group_by(*chain.keys)
    return Part(chain.keys, tuple(members), query)


def _value_of(pieces: Pieces, atoms: Atoms, member: Output) -> Value:
    """How a measure is put together from atoms of visits and of the gaps before them."""
    gap, day = exp.column("gap"), exp.Literal.number(SECONDS_A_DAY)
    match member.measure:
        case Visits():
            count = atoms.add(exp.Count(this=exp.Star()), summed)
            return lambda get, _: whole_number(get(count))
        case GapMean():
            gaps, count = atoms.add(summed(gap), summed, "bigint"), atoms.add(exp.Count(this=gap), summed)
            return lambda get, _: div(ratio(get(gaps), get(count)), day.copy())
        case GapLargest():
            most = atoms.add(largest(gap), largest)
            return lambda get, _: div(number(get(most)), day.copy())
        case GapSpread():
            squares = atoms.add(summed(exp.Mul(this=wide(gap), expression=gap)), summed)
            gaps, count = atoms.add(summed(gap), summed, "bigint"), atoms.add(exp.Count(this=gap), summed)
            return lambda get, _: spread(get(squares), get(gaps), get(count))
        case DaysSinceNthLast(nth=nth):
            back = atoms.add(largest(exp.column(_back(nth))), largest)
            return lambda get, cutoff: _days_since(get(back), pieces.edge(cutoff, member.window), cutoff)
    raise TypeError(f"{type(member.measure).__name__} of visits is not put together from pieces")


def _days_since(then: exp.Expression, edge: exp.Expression | None, cutoff: datetime) -> exp.Expression:
    """Days from a moment to the cutoff, missing where it does not lie after the edge."""
    since = days(then, timestamp(cutoff))
    return since if edge is None else case_when(exp.GT(this=then.copy(), expression=edge), since)


def _back(nth: int) -> str:
    return f"__back_{nth}"


class _Chain:
    """The visits of each key in order, each with the gap to the one before it, and how many visits before began when.

    The columns are keys, `at`, `gap`, the piece of time and, where some visits stand for one cutoff only, which.
    """

    def __init__(self, pieces: Pieces, measures: Sequence[Measure]) -> None:
        self.pieces, self.keys = pieces, pieces.group.key
        self.where = measures[0].where
        self.order = "order_id" if "order_id" in pieces.types else None
        self.changes = pieces.late or self.order is not None
        self.carried = [PIECE, ONLY] if self.changes else [PIECE]
        self.steps: tuple[Step, ...] = ()
        self.nths = sorted({measure.nth for measure in measures if isinstance(measure, DaysSinceNthLast)})
        self.query = self._with_gaps(self._that_change() if self.changes else self._of_times())

    def visible(self, cutoff: datetime) -> list[exp.Expression]:
        """That a visit is one of those known at a cutoff."""
        happened = self.pieces.before(exp.column(PIECE), cutoff)
        if not self.changes:
            return [happened]
        only = exp.column(ONLY)
        here = equal(only.copy(), exp.Literal.number(self.pieces.cutoffs.number(cutoff)))
        return [happened, exp.or_(exp.Is(this=only, expression=exp.Null()), here)]

    def _events(self, *more: exp.Expression) -> exp.Subquery:
        needed = {predicate.column for predicate in predicates(self.where)} | ({self.order} if self.order else set())
        events = self.pieces.events(needed, whole_past=True)
        return exp.select("*", *more).from_(events).where(*conditions(self.where)).subquery("w")

    def _of_times(self) -> exp.Select:
        """One visit for each time."""
        if not self.nths:  # several events of one time follow each other: the gap tells the first of them
            return exp.select(*self.keys, "at", PIECE).from_(self._events())
        return exp.select(*self.keys, "at", PIECE).from_(self._events()).group_by(*self.keys, "at", PIECE)

    def _that_change(self) -> exp.Select:
        """Visits that stay as they are for all cutoffs, and for the other keys those of each cutoff."""
        slot = self.pieces.cutoffs.piece(exp.column("at"))
        events = self._events(exp.alias_(slot, _SLOT))
        seen = exp.column(SEEN if self.pieces.late else _SLOT)
        bounds = [exp.alias_(exp.Min(this=exp.column(_SLOT)), _EARLY), exp.alias_(exp.Max(this=seen), _LATE)]
        known = Step.of(self._grouped(events, self.keys).select(*bounds))
        moved = exp.NEQ(this=exp.column(_EARLY), expression=exp.column(_LATE))
        changing = Step.of(exp.select(*self.keys).distinct().from_(known.table).where(moved))
        self.steps = (known, changing)
        staying = exp.select(*(exp.column(name, "k") for name in (*self.keys, "at", PIECE)))
        staying = staying.select(exp.alias_(typed(exp.Null(), "int"), ONLY)).from_(known.table.as_("k"))
        staying = staying.join(changing.table.as_("c"), on=self._same("k", "c"), join_type="anti")
        numbers = [(number,) for number in range(len(self.pieces.cutoffs.edges))]
        cutoffs = exp.values(numbers, alias="n", columns=[ONLY])
        seen_then = exp.LTE(this=exp.column(seen.name, "w"), expression=exp.column(ONLY, "n"))
        at_each = exp.select("w.*", exp.column(ONLY, "n")).from_(events)
        at_each = at_each.join(changing.table.as_("c"), on=self._same("w", "c"), join_type="semi")
        at_each = at_each.join(cutoffs, on=seen_then)
        again = self._grouped(at_each.subquery("x"), (*self.keys, ONLY))
        again = exp.select(*self.keys, "at", PIECE, ONLY).from_(again.subquery("y"))
        return exp.select("*").from_(exp.union(staying, again, distinct=False).subquery("z"))

    def _grouped(self, events: exp.Subquery, by: Sequence[str]) -> exp.Select:
        """Events reduced to visits, each at the time of its last event."""
        last = [exp.alias_(exp.Max(this=exp.column(name, events.alias)), name) for name in ("at", PIECE)]
        query = exp.select(*by, *last).from_(events)
        if self.order is None:
            return query.group_by(*by, exp.column("at", events.alias))
        order = exp.column(self.order)
        no_order = exp.Is(this=order, expression=exp.Null())
        return query.group_by(*by, order, case_when(no_order, exp.column("at", events.alias)))

    def _same(self, left: str, right: str) -> exp.Expression:
        return exp.and_(*(equal(exp.column(key, left), exp.column(key, right)) for key in self.keys))

    def _with_gaps(self, visits: exp.Select) -> exp.Select:
        columns = [exp.alias_(self._before(1), _PREVIOUS)]
        columns += [exp.alias_(self._before(nth - 1) if nth > 1 else exp.column("at"), _back(nth)) for nth in self.nths]
        chain = exp.select(*self.keys, "at", *self.carried, *columns).from_(visits.subquery("u")).subquery("p")
        previous, backs = exp.column(_PREVIOUS), [_back(nth) for nth in self.nths]
        gap = exp.alias_(seconds(previous, exp.column("at")), "gap")
        query = exp.select(*self.keys, "at", *self.carried, gap, *backs).from_(chain)
        if self.changes or self.nths:
            return query
        return query.where(exp.NullSafeNEQ(this=previous.copy(), expression=exp.column("at")))

    def _before(self, count: int) -> exp.Expression:
        """The time of the visit so many before."""
        return exp.Window(
            this=exp.Lag(this=exp.column("at"), offset=exp.Literal.number(count)),
            partition_by=[exp.column(name) for name in (*self.keys, *self.carried[1:])],
            order=exp.Order(expressions=[exp.Ordered(this=exp.column("at"))]),
        )
