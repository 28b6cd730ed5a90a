"""What companies' tables bring: each is one plain message, or a defined value of the features."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_project import at, good_tables, write_project
from sqlglot import exp

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


def test_infinite_amounts_are_kept_at_a_bound_and_flagged(opened: Any) -> None:
    """In the features of whoever has one, and of nobody else; two of them of both signs are no riddle."""
    data = opened({"amount": [float("-inf"), float("inf"), 20.0, 8.0], "customer_id": [1, 1, 1, 3]})
    assert [(fault.place, fault.count) for fault in data.report.warnings] == [("transactions.amount", 2)]
    assert data.report.errors == ()
    found = rows(data)
    assert found[1]["largest_amount_life"] == pytest.approx(999_999_999_999, rel=1e-15)
    assert found[1]["spend_life"] == 20.0
    good = opened({"amount": [10.0, 4.5, 20.0, 8.0], "customer_id": [2, 1, 1, 1]})
    spoilt = opened({"amount": [float("inf"), 4.5, 20.0, 8.0], "customer_id": [2, 1, 1, 1]})
    assert rows(spoilt)[1] == rows(good)[1]


def test_amounts_that_are_no_numbers_count_as_missing(opened: Any) -> None:
    data = opened({"amount": [10.0, float("nan"), 20.0, 8.0]})
    assert [(fault.place, fault.count) for fault in data.report.warnings] == [("transactions.amount", 1)]
    row = rows(data)[1]
    assert (row["spend_life"], row["spend_90d"], row["visits_90d"]) == (10.0, 0.0, 1)


def test_other_infinite_numbers_are_held_too(tmp_path: Path) -> None:
    tables = good_tables("customers", "products", "transactions")
    tables["products"]["margin_rate"] = [0.0, float("inf")]
    tables["transactions"]["amount"] = [float("inf"), 4.5, 20.0, 8.0]
    score = {"customer_id": [1], "at": [at("2024-04-02 10:00")], "kind": ["survey"], "score": [float("inf")]}
    with open_dataset(write_project(tmp_path, tables | {"interactions": score})).engine as engine:
        table = (
            engine.arrow(exp.select("customer_id", "margin").from_("transactions")).sort_by("customer_id").to_pylist()
        )
        margins = sorted(float(row["margin"]) for row in table if row["customer_id"] == 1)
        assert margins == [0.0, pytest.approx(999_999_999_999)]
        assert engine.arrow(exp.select("score").from_("interactions"))["score"].to_pylist() == [999_999_999_999.0]


def test_purchases_of_nobody_are_set_aside_only_if_asked_for(opened: Any) -> None:
    nobody = {"customer_id": [1, 1, None, 3]}
    with pytest.raises(DataError, match=r"transactions\.customer_id"):
        opened(nobody)
    assert set(rows(opened(nobody, strict=False))) == {1}


def test_a_window_longer_than_the_data_is_all_of_the_past(opened: Any) -> None:
    row = rows(opened({}))[1]
    assert (row["spend_365d"], row["visits_365d"]) == (row["spend_life"], row["visits_life"]) == (14.5, 2)


def test_customers_without_purchases_are_nobody_to_lose(opened: Any) -> None:
    assert set(rows(opened({"customer_id": [1, 1, 1, 1]}))) == {1}
