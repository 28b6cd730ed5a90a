"""How a group's columns are computed for many cutoffs that all keys share: by a loop over them, or by segments.

The loop asks the events anew at each cutoff, and reads those of the longest window; segments read the events of all
cutoffs once and put windows together from what is left. So the loop is cheaper for few cutoffs, and for windows that
hardly overlap: what counts is how often it would read an event, on average. Over a million purchases and the columns of
benchmarks/features.py a reading of the loop took 1.1 to 1.4 s of the processor; segments for two cutoffs took 1.4 to
1.6 s, for three 1.9 s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from .declarations import (
    Count,
    DaysSinceFirst,
    DaysSinceLast,
    DaysSinceNthLast,
    Distinct,
    FadingVisits,
    GapLargest,
    GapMean,
    GapMedian,
    GapShape,
    GapSpread,
    Group,
    Largest,
    Latest,
    Mean,
    Measure,
    Predicate,
    Sum,
    TopShare,
    Visits,
)
from .expressions import conditions, predicates
from .loop import loop_parts, part_of
from .moments import PerRow, Shared
from .parts import Output, Part, outputs
from .pieces import Pieces
from .segment_values import by_value
from .segment_visits import visits
from .segments import Segments, Step, direct
from .sight import Columns, Sight

Formulation = Literal["loop", "segments"]
BREAK_EVEN = 1.25  # readings of an event by the loop, from which on segments are cheaper
FEW_VALUES = 3  # single values of a column, from which on they are measured together


@dataclass(frozen=True)
class Kind:
    """What the columns of a part have in common: the plan, the column whose values are told apart, the condition."""

    plan: Literal["direct", "values", "visits", "loop"]
    column: str = ""
    where: tuple[Predicate, ...] = ()


@dataclass(frozen=True)
class PlannedPart:
    """Some columns of a group at many cutoffs, how they are computed, and why so."""

    group: Group
    kind: Kind
    members: tuple[Output, ...]
    formulation: Formulation
    why: str
    cutoffs: tuple[datetime, ...]
    zone: ZoneInfo
    columns: Columns
    narrow: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """What is computed, in a few words."""
        kinds = list(dict.fromkeys(part_of(member.measure)[0] for member in self.members))
        what = f"values of {self.kind.column}" if self.kind.plan == "values" else ", ".join(kinds)
        return f"{self.group.table} by {', '.join(self.group.key)}: {what}"

    @property
    def steps(self) -> tuple[Step, ...]:
        """What has to be computed before `at` is asked."""
        return self._segments.steps if self.formulation == "segments" else ()

    def at(self, cutoff: datetime) -> list[Part]:
        """The queries at one of the cutoffs."""
        if self.formulation == "segments":
            return list(self._segments.parts[cutoff])
        moment = PerRow() if self.group.through else Shared(cutoff, self.zone)
        return loop_parts(Sight(self.group, moment, self.columns), self.members)

    @cached_property
    def _segments(self) -> Segments:
        measures = [member.measure for member in self.members]
        pieces = Pieces(self.group, self.cutoffs, self.zone, self.columns, measures, self.narrow)
        match self.kind.plan:
            case "values":
                where = [test for part in self.kind.where for test in conditions(part)]
                return by_value(pieces, self.members, self.kind.column, where)
            case "visits":
                return visits(pieces, self.members)
        return direct(pieces, self.members)


def plan_group(
    group: Group,
    cutoffs: Sequence[datetime],
    zone: ZoneInfo,
    columns: Columns,
    *,
    first_event: datetime | None = None,
    formulation: Formulation | None = None,
    narrow: Mapping[str, str] | None = None,
) -> tuple[PlannedPart, ...]:
    """The parts of a group at many cutoffs, each in the formulation that is cheaper, or in a given one where it can be.

    `first_event` is where the data begin, which bounds what a look at all of the past reads; `narrow` the columns whose
    sums fit into 64 bits, with the type that they then have (see `narrow`).
    """
    found: dict[Kind, list[Output]] = defaultdict(list)
    for kind, output in _kinds(group):
        found[kind].append(output)
    parts = []
    for kind, members in found.items():
        chosen, why = _choose(group, kind, members, sorted(cutoffs), first_event)
        if formulation is not None and kind.plan != "loop":
            chosen, why = formulation, "asked for"
        parts.append(PlannedPart(group, kind, tuple(members), chosen, why, tuple(cutoffs), zone, columns, narrow or {}))
    return tuple(parts)


def _kinds(group: Group) -> list[tuple[Kind, Output]]:
    """Each column of a group with the kind of part that computes it in segments, or else the loop."""
    members = outputs(group)
    if group.planned or group.through or any(member.measure.looks_ahead for member in members):
        return [(Kind("loop"), member) for member in members]
    singles: dict[Kind, set[object]] = defaultdict(set)
    for member in members:
        for kind, value in _of_single_values(member.measure):
            singles[kind].add(value)
    return [(_kind(member.measure, singles), member) for member in members]


def _kind(measure: Measure, singles: dict[Kind, set[object]]) -> Kind:
    where = predicates(measure.where)
    match measure:
        case Distinct(column=column) | TopShare(of=column):
            return Kind("values", column, where)
        case Visits() | GapMean() | GapSpread() | GapLargest() | GapMedian() | GapShape():
            return Kind("visits", where=where)
        case DaysSinceNthLast() | FadingVisits():
            return Kind("visits", where=where)
        case Count() | Sum() | Mean() | Largest() | DaysSinceLast() | DaysSinceFirst() | Latest():
            several = (kind for kind, _ in _of_single_values(measure) if len(singles[kind]) >= FEW_VALUES)
            return next(several, Kind("direct"))
    return Kind("loop")


def _of_single_values(measure: Measure) -> list[tuple[Kind, object]]:
    """The columns that a direct measure asks for one value of, with the rest of its condition, and that value."""
    if not isinstance(measure, Count | Sum | Mean | Largest | DaysSinceLast | DaysSinceFirst):
        return []
    parts = predicates(measure.where)
    found: list[tuple[Kind, object]] = []
    for part in parts:
        rest = tuple(other for other in parts if other is not part)
        if part.operator == "==" and not any(other.column == part.column for other in rest):
            found.append((Kind("values", part.column, rest), part.value))
    return found


def _choose(
    group: Group, kind: Kind, members: Sequence[Output], cutoffs: Sequence[datetime], first_event: datetime | None
) -> tuple[Formulation, str]:
    if group.planned:
        return "loop", "plans are visible before they happen"
    if group.through:
        return "loop", f"events are reached through {group.through}"
    if kind.plan == "loop":
        return "loop", "not a measure of which pieces can be added up"
    times = _readings(members, cutoffs, first_event)
    told = f"the loop would read an event {times:.1f} times"
    return ("segments" if times > BREAK_EVEN else "loop"), f"{told}; they break even at {BREAK_EVEN}"


def _readings(members: Sequence[Output], cutoffs: Sequence[datetime], first_event: datetime | None) -> float:
    """How often the loop over the cutoffs would read an event that any of them sees, were events spread evenly."""
    windows = [member.window for member in members]
    longest = None if None in windows else max(window for window in windows if window is not None)
    begin = first_event or cutoffs[0] - timedelta(days=365)
    starts = [begin if longest is None else max(begin, cutoff - timedelta(days=longest)) for cutoff in cutoffs]
    read = sum(((cutoff - start) / timedelta(days=1) for cutoff, start in zip(cutoffs, starts, strict=True)), 0.0)
    covered, end = 0.0, begin
    for cutoff, start in zip(cutoffs, starts, strict=True):
        covered += (cutoff - max(start, end)) / timedelta(days=1)
        end = cutoff
    return read / covered if covered > 0 else 1.0
