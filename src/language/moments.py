"""Where a window begins and ends: the only code that turns a cutoff and a number of days into a moment.

Timestamps are UTC without a zone; days are those of the business calendar, so that a window of 28 days that begins
at local midnight ends at local midnight, across a change of the clocks too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from .expressions import typed

SPINE = "spine"


def to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    """A local wall-clock time as naive UTC; an ambiguous time is its first occurrence, a skipped one moves forward."""
    return local.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


def to_local(moment: datetime, zone: ZoneInfo) -> datetime:
    """A naive UTC moment as naive local wall-clock time."""
    return moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The beginning of a local day as naive UTC: the cutoff that a date in a config stands for."""
    return to_utc(datetime.combine(day, time()), zone)


def shift(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The moment so many local calendar days later (or earlier), at the same local time of day."""
    return to_utc(to_local(moment, zone) + timedelta(days=days), zone)


def timestamp(moment: datetime) -> exp.Expression:
    """A literal of a naive UTC moment that no session's time zone can shift."""
    return typed(exp.Literal.string(moment.isoformat(sep=" ", timespec="microseconds")), "timestampntz")


@dataclass(frozen=True)
class Shared:
    """One cutoff for all rows: edges are literals."""

    cutoff: datetime
    zone: ZoneInfo

    def at(self) -> exp.Expression:
        """The cutoff."""
        return timestamp(self.cutoff)

    def edge(self, days: int) -> exp.Expression:
        """The cutoff moved by so many days (negative: into the past)."""
        return timestamp(shift(self.cutoff, days, self.zone))


@dataclass(frozen=True)
class PerRow:
    """Each row of the spine has a cutoff of its own: edges are columns of the spine (see `with_edges`)."""

    alias: str = "s"

    def at(self) -> exp.Expression:
        """The cutoff column."""
        return exp.column("cutoff", self.alias)

    def edge(self, days: int) -> exp.Expression:
        """The column that holds the cutoff moved by so many days."""
        return exp.column(edge_name(days), self.alias)


Moment = Shared | PerRow


def edge_name(days: int) -> str:
    """Name of the spine's column for an edge: `edge_m30` is 30 days before the cutoff, `edge_p28` 28 days after."""
    return f"edge_{'p' if days > 0 else 'm'}{abs(days)}"


def with_edges(spine: pa.Table, days: Iterable[int], zone: ZoneInfo) -> pa.Table:
    """The spine with one more timestamp column for every edge that a per-row query needs."""
    distinct = pc.unique(spine["cutoff"])
    index = pc.index_in(spine["cutoff"], distinct)
    moments = distinct.to_pylist()
    for offset in sorted(set(days)):
        edges = pa.array([shift(moment, offset, zone) for moment in moments], pa.timestamp("us"))
        spine = spine.append_column(edge_name(offset), edges.take(index))
    return spine
