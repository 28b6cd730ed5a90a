"""Times, dates without a time, and the edges of days."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small_project import at, good_tables, write_project
from sqlglot import exp

from rapport.config import Config
from rapport.data.checks import check
from rapport.data.ingest import open_dataset

UTC = "timestamp"


def transactions(times: pa.Array | list[Any], **entry: Any) -> dict[str, Any]:
    rows = len(times)
    return {"customer_id": list(range(rows)), "at": times, "amount": [1.0] * rows, **entry}


def times_of(config: Config, table: str = "transactions", *columns: str) -> list[Any]:
    dataset = open_dataset(config)
    key = dataset.columns[table]
    rows = dataset.engine.arrow(exp.select("*").from_(table).order_by(next(iter(key)))).to_pylist()
    return [row["at"] if not columns else tuple(row[column] for column in columns) for row in rows]


def only(tmp_path: Path, times: pa.Array | list[Any], zone: str = "America/New_York", **entry: Any) -> list[datetime]:
    data = {"transactions": transactions(times)}
    mapping = {"transactions": {"source": "transactions", **entry}}
    return times_of(write_project(tmp_path, data, mapping, time_zone=zone))


# ------------------------------------------------------------------------------------------- clocks
def test_a_naive_time_is_read_on_the_business_clock(tmp_path: Path) -> None:
    assert only(tmp_path, [at("2017-01-10 12:00"), at("2017-07-10 12:00")]) == [
        at("2017-01-10 17:00"),
        at("2017-07-10 16:00"),
    ]


def test_a_table_may_have_a_clock_of_its_own(tmp_path: Path) -> None:
    assert only(tmp_path, [at("2017-01-10 12:00:00.5")], clock="UTC") == [at("2017-01-10 12:00:00.5")]
    assert only(tmp_path, [at("2017-01-10 12:00")], clock="Asia/Tokyo") == [at("2017-01-10 03:00")]


def test_the_clock_changes_in_the_night(tmp_path: Path) -> None:
    local = ["2017-03-12 01:59:59", "2017-03-12 02:30", "2017-03-12 03:00", "2017-11-05 01:30", "2017-11-05 02:00"]
    utc = ["2017-03-12 06:59:59", "2017-03-12 07:30", "2017-03-12 07:00", "2017-11-05 05:30", "2017-11-05 07:00"]
    assert only(tmp_path, [at(text) for text in local]) == [at(text) for text in utc]


def test_times_with_an_offset_are_moments(tmp_path: Path) -> None:
    aware = pa.array([at("2017-01-10 00:00"), at("2017-01-11 00:00")], pa.timestamp("us", tz="Asia/Tokyo"))
    assert only(tmp_path, aware, clock="Asia/Kolkata") == [at("2017-01-10 00:00"), at("2017-01-11 00:00")]


def test_text_with_and_without_offsets(tmp_path: Path) -> None:
    texts = ["2017-01-10T12:00:00", "2017-01-10T12:00:00Z", "2017-01-10 12:00:00+02:00", "2017-01-10 12:00:00.25-0500"]
    assert only(tmp_path, texts) == [
        at("2017-01-10 17:00"),
        at("2017-01-10 12:00"),
        at("2017-01-10 10:00"),
        at("2017-01-10 17:00:00.25"),
    ]


@pytest.mark.parametrize("before_1970", [False, True])
def test_nanoseconds_are_cut_off_never_rounded_into_the_next_day(tmp_path: Path, before_1970: bool) -> None:
    day = "1969-06-01" if before_1970 else "2017-06-01"
    nanos = pa.array([at(f"{day} 23:59:59.999999")], pa.timestamp("ns")).cast(pa.int64()).to_pylist()[0] + 999
    assert only(tmp_path, pa.array([nanos], pa.timestamp("ns")), zone="UTC") == [at(f"{day} 23:59:59.999999")]


@pytest.mark.parametrize("unit", ["s", "ms"])
def test_coarser_units_are_times_too(tmp_path: Path, unit: str) -> None:
    assert only(tmp_path, pa.array([at("2017-06-01 12:00:01")], pa.timestamp(unit)), zone="UTC") == [
        at("2017-06-01 12:00:01")
    ]


def test_numbers_are_no_times(tmp_path: Path) -> None:
    data = {"transactions": transactions([1_483_228_800, 1_483_315_200])}
    (fault,) = check(write_project(tmp_path, data)).errors
    assert (fault.column, "to_timestamp" in fault.remedy) == ("at", True)
    entry = {"source": "transactions", "columns": {"at": "to_timestamp(at)"}}
    assert times_of(write_project(tmp_path, data, {"transactions": entry})) == [at("2017-01-01"), at("2017-01-02")]


def test_never_is_a_missing_value(tmp_path: Path) -> None:
    data = {
        "subscriptions": {
            "customer_id": [1, 2, 3],
            "started_at": [at("2024-01-01 10:00")] * 3,
            "ended_at": [at("9999-12-31 23:59:59"), at("2024-02-01 10:00"), None],
        },
        **{"transactions": good_tables()["transactions"]},
    }
    config = write_project(tmp_path, data, time_zone="UTC")
    assert times_of(config, "subscriptions", "ended_at") == [(None,), (at("2024-02-01 10:00"),), (None,)]


# ------------------------------------------------------------------------------------------- dates
@pytest.mark.parametrize("kind", ["date", "timestamp", "text"])
def test_an_event_of_a_date_is_known_at_the_end_of_its_day(tmp_path: Path, kind: str) -> None:
    days = [date(2017, 3, 11), date(2017, 3, 12), date(2017, 11, 5)]
    times: dict[str, Any] = {
        "date": days,
        "timestamp": [datetime(day.year, day.month, day.day) for day in days],
        "text": [day.isoformat() for day in days],
    }
    assert only(tmp_path, times[kind], clock="UTC") == [
        at("2017-03-12 04:59:59.999999"),
        at("2017-03-13 03:59:59.999999"),  # the first day of daylight saving
        at("2017-11-06 04:59:59.999999"),  # the first day without
    ]


def test_one_time_that_is_not_midnight_makes_all_of_them_times(tmp_path: Path) -> None:
    assert only(tmp_path, [at("2017-01-10"), at("2017-01-10 00:00:00.000001")], zone="UTC") == [
        at("2017-01-10"),
        at("2017-01-10 00:00:00.000001"),
    ]


def test_midnight_of_the_clock_counts_not_of_utc(tmp_path: Path) -> None:
    """05:00 UTC is midnight in New York, and a time all the same."""
    assert only(tmp_path, [at("2017-01-10 05:00")], clock="UTC") == [at("2017-01-10 05:00")]


def test_few_midnights_are_noted_as_such_and_can_be_overruled(tmp_path: Path) -> None:
    data = {"transactions": transactions([at("2017-01-10")])}
    notes = check(write_project(tmp_path, data)).notes
    assert [("transactions.at" in note, "only 1 to judge by" in note) for note in notes] == [(True, True)]
    entry = {"source": "transactions", "columns": {"at": "timezone('UTC', at)"}}
    assert times_of(write_project(tmp_path, data, {"transactions": entry})) == [at("2017-01-10")]


def test_many_midnights_are_noted_without_doubt(tmp_path: Path) -> None:
    data = {"transactions": transactions([at("2017-01-10")] * 20)}
    (note,) = check(write_project(tmp_path, data)).notes
    assert "judge" not in note


def test_days_that_begin_or_end_with_a_change_of_the_clock(tmp_path: Path) -> None:
    """In Sao Paulo the clock went from 24:00 back to 23:00 on 17 February 2018, and from 0:00 to 1:00 on 4 November."""
    found = only(tmp_path, [date(2018, 2, 17), date(2018, 11, 3)], zone="America/Sao_Paulo")
    assert found == [at("2018-02-18 02:59:59.999999"), at("2018-11-04 02:59:59.999999")]


def test_campaigns_start_with_their_day_and_end_with_it(tmp_path: Path) -> None:
    config = write_project(tmp_path, good_tables())
    assert times_of(config, "campaigns", "starts_at", "ends_at", "known_at")[0] == (
        at("2024-02-29 23:00"),
        at("2024-03-20 22:59:59.999999"),
        at("2024-02-29 23:00"),
    )
    assert times_of(config, "contacts", "at", "known_at")[0] == (at("2024-02-29 23:00"),) * 2


def test_what_starts_on_a_date_starts_with_it(tmp_path: Path) -> None:
    data = good_tables()
    days = [date(2024, 1, 1)] * 3
    data["customers"] |= {"acquired_at": days, "birth_date": [date(1890, 5, 1), date(2000, 5, 1), None]}
    data["contacts"] |= {
        "at": [date(2024, 3, 2), date(2024, 3, 2), date(2024, 5, 2)],
        "known_at": [date(2024, 3, 1)] * 3,
    }
    data["subscriptions"] = {"customer_id": [1], "started_at": [date(2024, 1, 1)], "ended_at": [date(2024, 1, 31)]}
    data["prospects"] = {"prospect_id": [1], "created_at": [date(2024, 1, 1)], "converted_at": [date(2024, 1, 1)]}
    config = write_project(tmp_path, data)
    begin, end = at("2023-12-31 23:00"), at("2024-01-01 22:59:59.999999")
    born = (at("1890-04-30 23:00"), at("2000-04-30 22:00"), None)
    assert times_of(config, "customers", "acquired_at", "birth_date") == [(begin, day) for day in born]
    assert times_of(config, "contacts", "at", "known_at")[0] == (at("2024-03-01 23:00"), at("2024-02-29 23:00"))
    assert times_of(config, "subscriptions", "started_at", "ended_at") == [(begin, at("2024-01-31 22:59:59.999999"))]
    assert times_of(config, "prospects", "created_at", "converted_at") == [(begin, end)]


def test_local_at_is_the_wall_time_of_the_business(tmp_path: Path) -> None:
    local = [at("2017-03-12 01:59:59"), at("2017-03-12 03:00"), at("2017-07-01 12:00"), at("2017-11-05 02:00")]
    config = write_project(tmp_path, {"transactions": transactions(local)}, time_zone="America/New_York")
    assert times_of(config, "transactions", "local_at") == [(moment,) for moment in local]
