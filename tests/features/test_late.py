"""Late and corrected data, attributes that change, several time zones: through ingest, as a company's tables come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from small_project import at, good_tables, write_project

from rapport.data.ingest import open_dataset
from rapport.features.battery import every_task
from rapport.features.snapshot import Snapshots
from rapport.language.moments import midnight

CHURN = every_task()[0]


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Any]:
    """Features of customer 1 as of the first moment of a local day."""
    opened = []

    def build(tables: dict[str, Any], day: date, blocks: list[str], **top: Any) -> dict[str, Any]:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        data = open_dataset(write_project(folder, good_tables("products", "transactions") | tables, **top))
        opened.append(data)
        snapshots = Snapshots(data, CHURN, blocks=blocks)
        found = snapshots.features(snapshots.population([midnight(day, data.config.zone)], with_target=False))
        (row,) = (row for row in found.to_pylist() if row["customer_id"] == 1)
        return row

    yield build
    for data in opened:
        data.engine.close()


def test_a_purchase_counts_from_when_it_was_known(rows: Any) -> None:
    tables = {
        "transactions": {
            "customer_id": [1, 1, 1],
            "at": [at("2024-03-01 10:00"), at("2024-03-02 10:00"), at("2024-04-09 08:00")],
            "known_at": [None, at("2024-03-20 10:00"), None],
            "amount": [10.0, 5.0, 1.0],
            "product_id": [10, 10, 10],
        }
    }
    assert rows(tables, date(2024, 3, 20), ["spending"])["spend_30d"] == 10.0
    late = rows(tables, date(2024, 3, 21), ["spending"])
    assert (late["spend_30d"], late["visits_28d"]) == (15.0, 2)


def test_a_cancelled_purchase_counts_until_its_correction_was_known(rows: Any) -> None:
    """A correction is a row of the opposite sign at the time of the purchase, known when it was made."""
    tables = {
        "transactions": {
            "customer_id": [1, 1, 1],
            "at": [at("2024-03-01 10:00"), at("2024-03-05 10:00"), at("2024-03-05 10:00")],
            "known_at": [None, None, at("2024-03-15 10:00")],
            "amount": [10.0, 50.0, -50.0],
            "product_id": [10, 10, 10],
        }
    }
    assert rows(tables, date(2024, 3, 10), ["spending"])["spend_30d"] == 60.0
    assert rows(tables, date(2024, 3, 16), ["spending"])["spend_30d"] == 10.0


HISTORY = {
    "customer_history": {
        "customer_id": [1, 1, 1, 1],
        "valid_from": [at("2023-01-01 08:00"), at("2024-02-10 08:00"), at("2024-02-10 08:00"), at("2024-05-01 08:00")],
        "known_at": [None, None, at("2024-02-20 08:00"), None],
        "town": ["Bonn", "Ulm", "Jena", "Kiel"],
    }
}


@pytest.mark.parametrize(
    ("day", "town"),
    [
        (date(2024, 2, 10), "Bonn"),
        (date(2024, 2, 11), "Ulm"),
        (date(2024, 2, 20), "Ulm"),
        (date(2024, 2, 21), "Jena"),  # it had been Jena all the time, but nobody knew
        (date(2024, 5, 2), "Kiel"),
    ],
)
def test_an_attribute_is_that_of_the_cutoff_as_known_then(rows: Any, day: date, town: str) -> None:
    assert rows(HISTORY, day, ["profile"])["town"] == town


def test_an_attribute_that_ended_is_missing(rows: Any) -> None:
    ended = {"customer_id": [1], "valid_from": [at("2024-01-01 08:00")], "valid_to": [at("2024-03-01 08:00")]}
    tables = {"customer_history": ended | {"town": ["Bonn"]}}
    assert rows(tables, date(2024, 3, 1), ["profile"])["town"] == "Bonn"
    assert rows(tables, date(2024, 3, 2), ["profile"])["town"] is None


@pytest.mark.parametrize(("zone", "weekday"), [("Asia/Tokyo", "Saturday"), ("America/Los_Angeles", "Friday")])
def test_days_are_those_of_the_business_wherever_the_clock_stands(rows: Any, zone: str, weekday: str) -> None:
    """A purchase at 20:00 UTC on Friday, 1 March, read on a UTC clock, is one of Saturday morning in Tokyo."""
    tables = {
        "transactions": {
            "customer_id": [1, 1],
            "at": [at("2024-03-01 20:00"), at("2024-04-09 08:00")],
            "amount": [10.0, 1.0],
            "product_id": [10, 10],
        }
    }
    mapping = {"transactions": {"source": "transactions", "clock": "UTC"}}
    row = rows(tables, date(2024, 3, 3), ["spending", "rhythm"], time_zone=zone, mapping=mapping)
    assert row["favourite_day"] == weekday
    assert row["weekend_items_90d"] == (1 if weekday == "Saturday" else 0)
    assert row["days_since_visit"] == pytest.approx(19 / 24 if zone == "Asia/Tokyo" else 36 / 24)


def test_tables_with_clocks_of_their_own_meet_at_the_same_moment(rows: Any) -> None:
    """One table writes Tokyo's wall time, one UTC: what happened at one moment is seen at the same cutoffs."""
    transactions = {
        "customer_id": [1, 1, 1],
        "at": [at("2024-02-20 08:00"), at("2024-03-02 09:00"), at("2024-04-09 08:00")],
        "amount": [1.0, 10.0, 1.0],
        "product_id": [10, 10, 10],
    }
    returns = {"customer_id": [1], "at": [at("2024-03-02 00:00:01")], "amount": [3.0]}
    mapping = {
        "transactions": {"source": "transactions", "clock": "Asia/Tokyo"},
        "returns": {"source": "returns", "clock": "UTC"},
    }
    tables = {"transactions": transactions, "returns": returns}
    before = rows(tables, date(2024, 3, 2), ["spending", "service"], mapping=mapping)
    after = rows(tables, date(2024, 3, 3), ["spending", "service"], mapping=mapping)
    assert (before["items_30d"], before["returns_90d"]) == (1, 0)
    assert (after["items_30d"], after["returns_90d"]) == (2, 1)
