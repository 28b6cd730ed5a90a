"""Where windows begin and end, when a late row comes to be known, and what a day is."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from language.bench import TIME, day, events, measured, moment, one
from language.oracle import days_before

from rapport.data.engine import DuckDBEngine
from rapport.language.declarations import Count, DaysSinceLast, GapMean, Latest, Measure, Sum, Visits
from rapport.language.moments import edge_name, midnight, shift, to_local, to_utc, with_edges

TICK = timedelta(microseconds=1)
NOW = day(100)
ZONES = ["America/New_York", "Australia/Sydney", "Asia/Shanghai", "UTC", "Australia/Lord_Howe"]


# ------------------------------------------------------------------------------------------- the edges of windows
@pytest.mark.parametrize(
    ("at", "in_feature", "in_target"),
    [
        (NOW - timedelta(days=28), 0, 0),  # exactly at the beginning: out
        (NOW - timedelta(days=28) + TICK, 1, 0),
        (NOW - TICK, 1, 0),
        (NOW, 1, 0),  # exactly at the cutoff: a feature, never a target
        (NOW + TICK, 0, 1),
        (NOW + timedelta(days=28), 0, 1),  # exactly at the end of the horizon: a target
        (NOW + timedelta(days=28) + TICK, 0, 0),
    ],
)
def test_edges(engine: DuckDBEngine, at: datetime, in_feature: int, in_target: int) -> None:
    table = events({"at": at, "amount": 1}, without=["known_at"])
    assert one(engine, table, Count(last=(28,)), NOW) == in_feature
    assert one(engine, table, Visits(last=(28,)), NOW) == in_feature
    assert one(engine, table, Sum(column="amount", last=(28,)), NOW) == in_feature
    assert one(engine, table, Count(ahead=28), NOW) == in_target
    assert one(engine, table, Sum(column="amount", ahead=28), NOW) == in_target


def test_a_gap_that_ends_in_the_window_counts_whole(engine: DuckDBEngine) -> None:
    table = events({"at": day(10)}, {"at": NOW - timedelta(days=7)}, {"at": NOW})
    assert one(engine, table, GapMean(last=(7,)), NOW) == 7.0  # the gap that ends at the edge is out
    assert one(engine, table, GapMean(last=(8,)), NOW) == 45.0


# ------------------------------------------------------------------------------------------- late and corrected rows
@pytest.mark.parametrize(
    ("at", "known_at", "visible"),
    [
        (day(90), day(99), True),
        (day(90), NOW, True),
        (day(90), NOW + TICK, False),
        (day(90), None, True),  # nobody said that it was late
        (NOW, None, True),
        (NOW + TICK, day(90), False),  # known before it happened: it has not happened yet
        (NOW + TICK, None, False),
    ],
)
def test_late_rows(engine: DuckDBEngine, at: datetime, known_at: datetime | None, visible: bool) -> None:
    table = events({"at": at, "known_at": known_at, "product": "tea"})
    assert one(engine, table, Count(), NOW) == int(visible)
    assert one(engine, table, Visits(last=(30,)), NOW) == int(visible)
    assert one(engine, table, Latest(column="product"), NOW) == ("tea" if visible else None)


def test_a_target_counts_what_came_to_be_known_late(engine: DuckDBEngine) -> None:
    late = {"at": day(110), "known_at": day(400)}
    before = {"at": day(99), "known_at": day(110)}  # neither a feature nor a target
    assert one(engine, events(late, before), Count(ahead=28), NOW) == 1


def test_a_late_row_moves_no_visit_before_it_is_known(engine: DuckDBEngine) -> None:
    rows = [{"at": day(70)}, {"at": day(80), "known_at": day(200)}, {"at": day(90)}]
    assert one(engine, events(*rows), GapMean(), NOW) == 20.0
    assert one(engine, events(*rows), GapMean(), day(300)) == 10.0


# ------------------------------------------------------------------------------------------- local calendar days
@pytest.mark.parametrize(
    ("zone", "cutoff", "days", "edge"),
    [
        # New York: clocks go forward on 10 March 2024, back on 3 November
        ("America/New_York", "2024-03-11 04:00", -1, "2024-03-10 05:00"),  # a day of 23 hours
        ("America/New_York", "2024-03-11 04:00", -7, "2024-03-04 05:00"),
        ("America/New_York", "2024-11-04 05:00", -1, "2024-11-03 04:00"),  # a day of 25 hours
        ("America/New_York", "2024-02-20 05:00", 28, "2024-03-19 04:00"),
        # Sydney: back on 7 April 2024, forward on 6 October
        ("Australia/Sydney", "2024-04-07 14:00", -1, "2024-04-06 13:00"),
        ("Australia/Sydney", "2024-10-06 13:00", -1, "2024-10-05 14:00"),
        # Shanghai keeps one time since 1991
        ("Asia/Shanghai", "2024-03-10 16:00", -30, "2024-02-09 16:00"),
    ],
)
def test_windows_are_days_of_the_business_calendar(
    engine: DuckDBEngine, zone: str, cutoff: str, days: int, edge: str
) -> None:
    info, now, at = ZoneInfo(zone), moment(cutoff), moment(edge)
    assert shift(now, days, info) == at
    assert to_local(now, info).time() == to_local(at, info).time()
    table = events({"at": at}, {"at": at + TICK})
    measure = Count(last=(-days,)) if days < 0 else Count(ahead=days)
    assert one(engine, table, measure, now, zone=info) == 1  # one of the two lies in the window


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(2019, 1, 1), datetime(2026, 1, 1)),
    st.integers(-400, 400),
)
def test_a_shift_keeps_the_time_of_day(name: str, at: datetime, days: int) -> None:
    zone = ZoneInfo(name)
    cutoff = midnight(at.date(), zone)
    moved = shift(cutoff, days, zone)
    assert to_local(moved, zone) == to_local(cutoff, zone) + timedelta(days=days)
    assert moved == days_before(cutoff, -days, zone)


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        (datetime(2024, 11, 3, 1, 30), datetime(2024, 11, 3, 5, 30)),  # comes twice: the first
        (datetime(2024, 3, 10, 2, 30), datetime(2024, 3, 10, 7, 30)),  # never comes: moves forward
    ],
)
def test_wall_times_that_come_twice_or_never(local: datetime, expected: datetime) -> None:
    assert to_utc(local, ZoneInfo("America/New_York")) == expected


def test_edges_of_many_cutoffs() -> None:
    zone = ZoneInfo("America/New_York")
    cutoffs = [moment("2024-03-11 04:00"), moment("2024-03-09 05:00"), moment("2024-03-11 04:00")]
    spine = with_edges(pa.table({"cutoff": pa.array(cutoffs, TIME)}), [28, -1, -1], zone)
    assert spine.column_names == ["cutoff", edge_name(-1), edge_name(28)]
    assert spine[edge_name(-1)].to_pylist() == [
        moment("2024-03-10 05:00"),
        moment("2024-03-08 05:00"),
        moment("2024-03-10 05:00"),
    ]
    assert with_edges(spine.slice(0, 0).select(["cutoff"]), [-7], zone).num_rows == 0


# ------------------------------------------------------------------------------------------- many cutoffs at once
@pytest.mark.parametrize("measure", [Count(last=(30,)), DaysSinceLast(), GapMean(), Visits(last=(7, None))], ids=str)
def test_cutoffs_of_one_key_do_not_mix(engine: DuckDBEngine, measure: Measure) -> None:
    table = events(*({"at": day(n * 7)} for n in range(30)))
    cutoffs = [day(20), day(100.5), day(101), day(400)]
    together = measured(engine, table, {"m": measure}, cutoffs, how="per row")
    for cutoff in cutoffs:
        alone = measured(engine, table, {"m": measure}, [cutoff])
        assert together[1, cutoff] == alone[1, cutoff]
