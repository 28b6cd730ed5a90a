"""What companies' tables bring: each is one plain message, or a defined value of the features."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_project import at, good_tables, write_project

from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.errors import DataError
from rapport.features.battery import every_task
from rapport.features.snapshot import Snapshots

CHURN = every_task()[0]
CUTOFF = at("2024-04-10")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    """The small project with other transactions, opened."""
    data: list[Dataset] = []

    def run(transactions: dict[str, Any], **top: Any) -> Dataset:
        tables = good_tables("customers", "products", "transactions")
        tables["transactions"] |= transactions
        data.append(open_dataset(write_project(tmp_path, tables, **top)))
        return data[-1]

    yield run
    for one in data:
        one.engine.close()


def rows(data: Dataset) -> dict[int, dict[str, Any]]:
    snapshots = Snapshots(data, CHURN, blocks=["spending", "rhythm", "profile"])
    found = snapshots.features(snapshots.population([CUTOFF], with_target=False))
    return {row["customer_id"]: row for row in found.to_pylist()}


def test_absurd_amounts_are_kept_and_flagged(opened: Any) -> None:
    data = opened({"amount": [10.0, 500_000.0, 20.0, 8.0]})
    assert [(fault.table, fault.column, fault.count) for fault in data.report.warnings] == [
        ("transactions", "amount", 1)
    ]
    row = rows(data)[1]
    assert (row["largest_amount_life"], row["spend_life"]) == (500_000.0, 500_010.0)


def test_infinite_amounts_are_set_aside_only_if_asked_for(opened: Any) -> None:
    infinite = {"amount": [10.0, float("inf"), 20.0, 8.0]}
    with pytest.raises(DataError, match=r"transactions\.amount"):
        opened(infinite)
    row = rows(opened(infinite, strict=False)).get(1)
    assert row is None  # his only purchase of the last 56 days is the one set aside


def test_purchases_of_nobody_are_set_aside_only_if_asked_for(opened: Any) -> None:
    nobody = {"customer_id": [1, 1, None, 3]}
    with pytest.raises(DataError, match=r"transactions\.customer_id"):
        opened(nobody)
    assert set(rows(opened(nobody, strict=False))) == {1}


def test_customers_without_purchases_are_nobody_to_lose(opened: Any) -> None:
    assert set(rows(opened({"customer_id": [1, 1, 1, 1]}))) == {1}
