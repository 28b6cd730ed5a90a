"""The measures of the language once more, slowly and in plain Python: what the compiler is compared with.

Events are dicts of canonical values; `value` follows the sentences of the measures' docstrings, one event at a time.
Sums are made with decimals and integers and divided as doubles, so that equal means equal to the bit.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from rapport.language.declarations import (
    Commonest,
    CommonestShare,
    Conjunction,
    Count,
    DaysSinceFirst,
    DaysSinceLast,
    DaysSinceNthLast,
    DaysUntil,
    Distinct,
    EffectiveNumber,
    FadingVisits,
    GapLargest,
    GapMean,
    GapMedian,
    GapShape,
    GapSpread,
    Largest,
    Latest,
    Mean,
    Measure,
    NewValues,
    Predicate,
    Sum,
    TopShare,
    Visits,
)

Event = Mapping[str, Any]
DAY = 86400.0
_MICROSECOND = timedelta(microseconds=1)
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
}


def days_before(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same wall time so many calendar days earlier (negative: later), as naive UTC."""
    local = moment.replace(tzinfo=UTC).astimezone(zone)
    earlier = datetime.combine(local.date() - timedelta(days=days), local.time(), tzinfo=zone)
    return earlier.astimezone(UTC).replace(tzinfo=None)


def in_past(events: Sequence[Event], cutoff: datetime) -> list[Event]:
    """What had happened and was known at the cutoff."""
    return [event for event in events if max(event["at"], event.get("known_at") or event["at"]) <= cutoff]


def in_future(events: Sequence[Event], cutoff: datetime, end: datetime) -> list[Event]:
    """What happened in (cutoff, end], whenever it came to be known."""
    return [event for event in events if cutoff < event["at"] <= end]


def meets(event: Event, where: Predicate | Conjunction | None) -> bool:
    """A test on a missing value does not hold, whatever it is."""
    parts = () if where is None else (where,) if isinstance(where, Predicate) else where.parts
    return all(
        event[part.column] is not None and _TESTS[part.operator](event[part.column], part.value) for part in parts
    )


def value(measure: Measure, events: Sequence[Event], cutoff: datetime, window: int | None, zone: ZoneInfo) -> Any:
    """A measure over the events of one key, as of a cutoff; events come in any order."""
    if measure.looks_ahead:
        assert measure.ahead is not None
        seen = in_future(events, cutoff, days_before(cutoff, -measure.ahead, zone))
        start = cutoff
    else:
        seen = in_past(events, cutoff)
        start = days_before(cutoff, window, zone) if window is not None else datetime.min
    kept = [event for event in seen if meets(event, measure.where)]
    inside = [event for event in kept if event["at"] > start]
    match measure:
        case Count():
            return len(inside)
        case Sum(column=column):
            return float(sum((event[column] for event in inside if event[column] is not None), Decimal(0)))
        case Mean(column=column):
            values = [event[column] for event in inside if event[column] is not None]
            return float(sum(values, Decimal(0))) / len(values) if values else None
        case Largest(column=column):
            return max((float(event[column]) for event in inside if event[column] is not None), default=None)
        case DaysSinceLast():
            return _days(max((event["at"] for event in inside), default=None), cutoff)
        case DaysSinceFirst():
            return _days(min((event["at"] for event in inside), default=None), cutoff)
        case DaysUntil(column=column):
            dates = [event[column] for event in inside if event[column] is not None]
            return (max(dates) - cutoff) // _MICROSECOND / 8.64e10 if dates else None
        case Latest(column=column):
            named = [(event["at"], event[column]) for event in inside if event[column] is not None]
            return max(named)[1] if named else None
        case Distinct(column=column):
            return len({event[column] for event in inside} - {None})
        case NewValues(column=column):
            return len(
                {event[column] for event in inside} - {event[column] for event in kept if event["at"] <= start} - {None}
            )
        case Commonest(column=column):
            counts = Counter(event[column] for event in inside if event[column] is not None)
            return max((count, name) for name, count in counts.items())[1] if counts else None
        case CommonestShare(column=column):
            counts = Counter(event[column] for event in inside if event[column] is not None)
            return max(counts.values()) / counts.total() if counts else None
        case EffectiveNumber(column=column):
            return _effective_number([event[column] for event in inside if event[column] is not None])
        case TopShare(column=column, of=of):
            return _top_share(inside, column, of)
    return _over_visits(measure, _visits(kept), start, cutoff)


def _days(moment: datetime | None, cutoff: datetime) -> float | None:
    return None if moment is None else (cutoff - moment) // _MICROSECOND / 8.64e10


def _effective_number(values: Sequence[Any]) -> float | None:
    shares = [count / len(values) for count in Counter(values).values()]
    return math.exp(-sum(share * math.log(share) for share in shares)) if values else None


def _top_share(events: Sequence[Event], column: str, of: str) -> float | None:
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for event in events:
        sums[event[of]] += event[column] or Decimal(0)
    named = [float(total) for name, total in sums.items() if name is not None and _has_value(events, column, of, name)]
    total = float(sum(sums.values(), Decimal(0)))
    return max(named) / total if named and total > 0 else None


def _has_value(events: Sequence[Event], column: str, of: str, name: Any) -> bool:
    return any(event[of] == name and event[column] is not None for event in events)


def _visits(events: Sequence[Event]) -> list[datetime]:
    """The time of each visit: that of its last event."""
    visits: dict[Any, datetime] = {}
    for event in events:
        order = event.get("order_id")
        name = ("order", order) if order is not None else ("at", event["at"])
        visits[name] = max(visits.get(name, event["at"]), event["at"])
    return sorted(visits.values())


def _over_visits(measure: Measure, visits: list[datetime], start: datetime, cutoff: datetime) -> Any:
    """Gaps run between consecutive visits, in whole seconds; a gap belongs to the windows of its later visit."""
    pairs = itertools.pairwise(visits)
    gaps = [(b - a) // timedelta(seconds=1) for a, b in pairs if b > start]
    inside = [visit for visit in visits if visit > start]
    match measure:
        case Visits():
            return len(inside)
        case DaysSinceNthLast(nth=nth):
            return _days(inside[-nth], cutoff) if len(inside) >= nth else None
        case FadingVisits(fade=fade):
            weights = (math.exp(-((cutoff - visit) // _MICROSECOND / 8.64e10) / fade) for visit in inside)
            return sum(math.floor(weight * 1e6 + 0.5) for weight in weights) / 1e6
        case GapMean():
            return sum(gaps) / len(gaps) / DAY if gaps else None
        case GapMedian():
            return statistics.median(gaps) / DAY if gaps else None
        case GapShape():
            positive = [gap for gap in gaps if gap > 0]
            if len(positive) < 2:
                return None
            s = max(math.log(statistics.fmean(positive)) - statistics.fmean(map(math.log, positive)), 1e-3)
            return (3 - s + math.sqrt((s - 3) ** 2 + 24 * s)) / (12 * s)
        case GapLargest():
            return max(gaps) / DAY if gaps else None
        case GapSpread():
            n = len(gaps)
            scaled = n * sum(gap * gap for gap in gaps) - sum(gaps) ** 2
            return math.sqrt(scaled / (n * (n - 1))) / DAY if n > 1 else None
    raise TypeError(type(measure).__name__)
