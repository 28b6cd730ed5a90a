from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from rapport.data.clock import (
    local_to_utc,
    local_to_utc_array,
    local_to_utc_sql,
    moment_sql,
    offsets_of,
    utc_to_local,
    utc_to_local_array,
    utc_to_local_sql,
)
from rapport.data.engine import DuckDBEngine

ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Sydney",
    "Australia/Lord_Howe",  # changes by half an hour
    "America/Havana",  # changes at midnight
    "America/Sao_Paulo",  # had changes at midnight, has none now
    "Asia/Kolkata",
    "UTC",
)
times = st.datetimes(datetime(1950, 1, 1), datetime(2060, 1, 1))


def test_a_wall_time_that_happens_twice_is_the_first_of_the_two() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert local_to_utc(datetime(2024, 10, 27, 2, 30), berlin) == datetime(2024, 10, 27, 0, 30)
    assert local_to_utc(datetime(2024, 10, 27, 3, 0), berlin) == datetime(2024, 10, 27, 2, 0)


def test_a_wall_time_that_never_happens_moves_forward_by_the_gap() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    moved = local_to_utc(datetime(2024, 3, 31, 2, 30), berlin)
    assert utc_to_local(moved, berlin) == datetime(2024, 3, 31, 3, 30)


def test_the_fold_of_the_machine_plays_no_part() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    twice = datetime(2024, 10, 27, 2, 30)
    assert local_to_utc(twice.replace(fold=1), berlin) == local_to_utc(twice, berlin)


def test_changes_of_new_york_in_2017_are_those_of_the_law() -> None:
    of_2017 = [change for change in offsets_of("America/New_York").changes if change.year == 2017]
    assert of_2017 == [datetime(2017, 3, 12, 7), datetime(2017, 11, 5, 6)]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), st.lists(times, min_size=1, max_size=20))
def test_arrays_agree_with_python(zone: str, moments: list[datetime]) -> None:
    info = ZoneInfo(zone)
    array = pa.array([*moments, None], pa.timestamp("us"))
    expected = [moment.replace(tzinfo=info).astimezone(UTC).replace(tzinfo=None) for moment in moments]
    assert local_to_utc_array(array, zone).to_pylist() == [*expected, None]
    assert utc_to_local_array(array, zone).to_pylist() == [*(utc_to_local(moment, info) for moment in moments), None]


@pytest.mark.parametrize("zone", ZONES)
def test_sql_agrees_with_python_around_every_change(zone: str) -> None:
    info, first, last = ZoneInfo(zone), datetime(2005, 1, 1), datetime(2025, 1, 1)
    changes = [change for change in offsets_of(zone).changes if first < change < last] or [first + timedelta(days=99)]
    steps = [timedelta(minutes=minutes) for minutes in (-125, -60, -30, -1, 0, 1, 30, 59, 60, 125)]
    around = [change + step + timedelta(hours=hours) for change in changes for step in steps for hours in (0, -5, 10)]
    with DuckDBEngine(threads=1) as engine:
        engine.add_table("moments", pa.table({"x": pa.array(around, pa.timestamp("us"))}))
        x = exp.column("x", quoted=True)
        utc, local = (make(x, zone, min(around), max(around)) for make in (local_to_utc_sql, utc_to_local_sql))
        found = engine.arrow(exp.select(exp.alias_(utc, "utc"), exp.alias_(local, "local")).from_("moments"))
    assert found["utc"].to_pylist() == [local_to_utc(moment, info) for moment in around]
    assert found["local"].to_pylist() == [utc_to_local(moment, info) for moment in around]


def test_sql_needs_only_the_changes_of_its_span() -> None:
    sql = local_to_utc_sql(exp.column("x"), "Europe/Berlin", datetime(2024, 5, 1), datetime(2024, 6, 1)).sql("duckdb")
    assert "CASE" not in sql
    assert "-7200" in sql


def test_literals_keep_microseconds() -> None:
    with DuckDBEngine(threads=1) as engine:
        moment = datetime(2024, 5, 1, 23, 59, 59, 999999)
        assert engine.arrow(exp.select(moment_sql(moment))).column(0)[0].as_py() == moment
