"""Between the clock on the wall and UTC: for single times, Arrow arrays and SQL, by the same table of changes.

All three follow Python's rule with `fold=0`. A wall time that happens twice (the hour that daylight saving gives back)
means the first of the two; a wall time that never happens (the hour it takes) is read with the offset before the
change, which moves it forward by the length of the gap. Engines differ on both, so none of theirs is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1)


def local_to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    """A naive wall time of a zone as naive UTC."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC).replace(tzinfo=None)


def utc_to_local(utc: datetime, zone: ZoneInfo) -> datetime:
    """A naive UTC time as the naive wall time of a zone."""
    return utc.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None, fold=0)


@dataclass(frozen=True)
class Offsets:
    """The offsets from UTC of a zone over the years: `seconds[i]` holds from `changes[i - 1]` until `changes[i]`.

    `changes` are naive UTC times, ascending; `seconds` has one entry more.
    """

    changes: tuple[datetime, ...]
    seconds: tuple[int, ...]

    def thresholds(self) -> tuple[datetime, ...]:
        """The wall times from which on each new offset is used to read a wall time (fold=0)."""
        pairs = zip(self.changes, self.seconds[:-1], self.seconds[1:], strict=True)
        return tuple(change + timedelta(seconds=max(before, after)) for change, before, after in pairs)

    def between(self, first: datetime, last: datetime) -> Offsets:
        """Only what matters for times from `first` to `last` (wall time or UTC: two days of reserve on both sides)."""
        reserve = timedelta(days=2)
        low = first - reserve if first - datetime.min > reserve else datetime.min
        high = last + reserve if datetime.max - last > reserve else datetime.max
        start = sum(change < low for change in self.changes)
        stop = sum(change <= high for change in self.changes)
        return Offsets(self.changes[start:stop], self.seconds[start : stop + 1])


@lru_cache(maxsize=32)
def offsets_of(zone: str) -> Offsets:
    """The changes of a zone from 1900 to 2100, found by looking at every day and halving those with a change.

    Later years keep the last offset, as they do in the tz database's own compact form without its final rule.
    """
    info = ZoneInfo(zone)

    def offset(utc: datetime) -> int:
        shift = utc.replace(tzinfo=UTC).astimezone(info).utcoffset()
        assert shift is not None
        return round(shift.total_seconds())

    changes: list[datetime] = []
    day, end = datetime(_FIRST_YEAR, 1, 1), datetime(_LAST_YEAR, 1, 1)
    seconds = [offset(day)]
    while day < end:
        following = day + timedelta(days=1)
        after = offset(following)
        if after != seconds[-1]:
            low, high = day, following
            while high - low > _SECOND:
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                low, high = (low, middle) if offset(middle) == after else (middle, high)
            changes.append(high)
            seconds.append(after)
        day = following
    return Offsets(tuple(changes), tuple(seconds))


# ------------------------------------------------------------------------------------------- Arrow
def local_to_utc_array(local: pa.Array | pa.ChunkedArray, zone: str) -> pa.Array:
    """Naive wall times, shape (n,), as naive UTC with microseconds; nulls stay nulls."""
    offsets = offsets_of(zone)
    return _shifted(local, offsets.thresholds(), offsets.seconds, -1)


def utc_to_local_array(utc: pa.Array | pa.ChunkedArray, zone: str) -> pa.Array:
    """Naive UTC times, shape (n,), as naive wall times with microseconds; nulls stay nulls."""
    offsets = offsets_of(zone)
    return _shifted(utc, offsets.changes, offsets.seconds, 1)


def _shifted(
    times: pa.Array | pa.ChunkedArray, edges: tuple[datetime, ...], seconds: tuple[int, ...], sign: int
) -> pa.Array:
    if isinstance(times, pa.ChunkedArray):
        times = times.combine_chunks()
    micros = times.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    values: npt.NDArray[np.int64] = micros.fill_null(0).to_numpy(zero_copy_only=False)
    limits = np.array([(edge - _EPOCH) // timedelta(microseconds=1) for edge in edges], dtype=np.int64)
    shift = np.array(seconds, dtype=np.int64)[np.searchsorted(limits, values, side="right")] * 1_000_000
    return pa.array(values + sign * shift, mask=times.is_null().to_numpy(zero_copy_only=False)).cast(pa.timestamp("us"))


# ------------------------------------------------------------------------------------------- SQL
def local_to_utc_sql(local: exp.Expression, zone: str, first: datetime, last: datetime) -> exp.Expression:
    """The same in SQL, for a naive TIMESTAMP expression whose values lie between `first` and `last`."""
    offsets = offsets_of(zone).between(first, last)
    return _shifted_sql(local, offsets.thresholds(), [-seconds for seconds in offsets.seconds])


def utc_to_local_sql(utc: exp.Expression, zone: str, first: datetime, last: datetime) -> exp.Expression:
    """Naive UTC to naive wall time in SQL, for values between `first` and `last`."""
    offsets = offsets_of(zone).between(first, last)
    return _shifted_sql(utc, offsets.changes, list(offsets.seconds))


def _shifted_sql(time: exp.Expression, edges: tuple[datetime, ...], seconds: list[int]) -> exp.Expression:
    if seconds == [0]:
        return time
    shift = _nested_case(time, edges, seconds)
    return exp.paren(exp.Add(this=time.copy(), expression=exp.Anonymous(this="TO_SECONDS", expressions=[shift])))


def _nested_case(time: exp.Expression, edges: tuple[datetime, ...], seconds: list[int]) -> exp.Expression:
    """A balanced tree of comparisons: few per row, however many changes there are."""
    if not edges:
        return exp.Literal.number(seconds[0])
    middle = len(edges) // 2
    before = _nested_case(time, edges[:middle], seconds[: middle + 1])
    after = _nested_case(time, edges[middle + 1 :], seconds[middle + 1 :])
    return exp.Case().when(exp.LT(this=time.copy(), expression=moment_sql(edges[middle])), before).else_(after)


def moment_sql(moment: datetime) -> exp.Expression:
    """A literal TIMESTAMP of a naive time."""
    text = moment.isoformat(sep=" ", timespec="microseconds")
    return exp.cast(exp.Literal.string(text), "timestampntz")
