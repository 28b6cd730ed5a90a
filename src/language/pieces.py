"""Time cut into pieces at all cutoffs and edges of windows, so that one look at the events serves many cutoffs.

Piece p holds the moments in (edge p - 1, edge p]. An event lies in the window (edge a, edge b] if its piece is above a
and at most b. Where rows may come to be known late, an event also carries the number of the first cutoff that sees it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlglot import exp

from .declarations import Group, Measure
from .expressions import of_somebody, typed
from .moments import shift, timestamp
from .sight import Columns, source_of

PIECE, SEEN = "__piece", "__seen"
_MOST_BITS = 62  # of a signed whole number of 64


@dataclass(frozen=True)
class Timeline:
    """Moments in order, all different."""

    edges: tuple[datetime, ...]

    @classmethod
    def of(cls, moments: Iterable[datetime]) -> Timeline:
        """The timeline of moments in any order."""
        return cls(tuple(sorted(set(moments))))

    def number(self, moment: datetime) -> int:
        """How many edges lie before a moment."""
        return bisect_left(self.edges, moment)

    def piece(self, at: exp.Expression, low: int = 0, high: int | None = None) -> exp.Expression:
        """The number of edges before a timestamp, by halving: a few comparisons instead of one for each edge."""
        high = len(self.edges) if high is None else high
        if low == high:
            return exp.Literal.number(low)
        middle = (low + high) // 2
        before = exp.LTE(this=at.copy(), expression=timestamp(self.edges[middle]))
        earlier = exp.If(this=before, true=self.piece(at, low, middle))
        return exp.Case(ifs=[earlier], default=self.piece(at, middle + 1, high))


class Pieces:
    """The events of a group's table that any of some measures may see at any of the cutoffs, in pieces of time.

    Every time condition of the segments is written here, as those of single moments are in `sight`.
    """

    def __init__(
        self,
        group: Group,
        cutoffs: Sequence[datetime],
        zone: ZoneInfo,
        columns: Columns,
        measures: Sequence[Measure],
        narrow: Mapping[str, str],
    ) -> None:
        self.group, self.cutoffs, self.zone = group, Timeline.of(cutoffs), zone
        self.types, self.source = columns[group.table], source_of(group, columns)
        self.narrow = narrow  # columns with the type of 64 bits that is wide enough for their sums
        self.late = "known_at" in self.types
        windows = [window for measure in measures for window in measure.last]
        self.whole_past = None in windows
        starts = {shift(cutoff, -window, zone) for cutoff in cutoffs for window in windows if window is not None}
        self.timeline = Timeline.of({*cutoffs, *starts})

    def events(self, needed: set[str], *, whole_past: bool = False) -> exp.Subquery:
        """The events of somebody, with keys, `at`, their piece, where rows may be late `__seen`, and needed columns."""
        at, until = exp.column("at", "e"), timestamp(self.cutoffs.edges[-1])
        known = exp.Greatest(this=at, expressions=[exp.Coalesce(this=exp.column("known_at", "e"), expressions=[at])])
        named = [exp.column(name, "e") for name in sorted({"at", *self.group.key, *needed})]
        query = exp.select(*named, exp.alias_(typed(self.timeline.piece(at), "smallint"), PIECE, copy=False))
        if self.late:
            slot = typed(self.cutoffs.piece(known), "smallint")
            query.select(exp.alias_(slot, SEEN, copy=False), copy=False)
        query.from_(exp.to_table(self.source).as_("e"), copy=False)
        past = exp.LTE(this=known if self.late else at, expression=until)
        query.where(*of_somebody(self.group.key), past, copy=False)
        if not (whole_past or self.whole_past):
            query.where(exp.GT(this=at, expression=timestamp(self.timeline.edges[0])), copy=False)
        return query.subquery("v", copy=False)

    @property
    def carried(self) -> list[str]:
        """The columns that say when an event may be seen, beside its key."""
        return [PIECE, SEEN] if self.late else [PIECE]

    def visible(self, cutoff: datetime) -> list[exp.Expression]:
        """That a row of events, or of what they were reduced to, was known at a cutoff."""
        if self.late:
            return [exp.LTE(this=exp.column(SEEN), expression=exp.Literal.number(self.cutoffs.number(cutoff)))]
        return [self.before(exp.column(PIECE), cutoff)]

    def before(self, piece: exp.Expression, cutoff: datetime) -> exp.Expression:
        """That a piece does not lie after a cutoff."""
        return exp.LTE(this=piece, expression=exp.Literal.number(self.timeline.number(cutoff)))

    def since(self, cutoff: datetime, window: int | None) -> list[exp.Expression]:
        """That it lies in the window that ends at the cutoff, after its open beginning."""
        return [] if window is None else [self.after(exp.column(PIECE), cutoff, window)]

    def edge(self, cutoff: datetime, window: int | None) -> exp.Expression | None:
        """The open beginning of a window; None where it is all of the past."""
        return None if window is None else timestamp(shift(cutoff, -window, self.zone))

    def after(self, piece: exp.Expression, cutoff: datetime, window: int) -> exp.Expression:
        """That a piece lies after the beginning of a window."""
        return exp.GT(this=piece, expression=exp.Literal.number(self._start(cutoff, window)))

    @property
    def fits_a_mask(self) -> bool:
        """True where one bit of a whole number can stand for each piece, and no row comes late."""
        return not self.late and len(self.timeline.edges) <= _MOST_BITS

    def bit(self, piece: exp.Expression) -> exp.Expression:
        """A whole number with the bit of a piece."""
        one = typed(exp.Literal.number(1), "bigint")
        return exp.BitwiseLeftShift(this=one, expression=typed(piece, "int"))

    def mask(self, cutoff: datetime, window: int | None) -> int:
        """The bits of the pieces of a window."""
        first = 0 if window is None else self._start(cutoff, window) + 1
        return sum(1 << piece for piece in range(first, self.timeline.number(cutoff) + 1))

    def _start(self, cutoff: datetime, window: int) -> int:
        return self.timeline.number(shift(cutoff, -window, self.zone))
