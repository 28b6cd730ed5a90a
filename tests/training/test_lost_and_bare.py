"""Data at the edge: everybody is lost, nobody left a margin, too few are left to group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hand_made import at, bought, company

from rapport.config import Config
from rapport.data.dataset import Dataset
from rapport.data.engine import DuckDBEngine
from rapport.errors import RapportError
from rapport.training.material import Material

TASKS = {
    "churn": {"horizon": 30, "active_within": 30},
    "winback": {"horizon": 30, "silent_for": 60},
    "value": {"horizon": 30, "worth_of": "margin"},
}
SPLIT = {"train": ["2024-01-15"], "test": ["2024-04-15"]}


@pytest.fixture
def data() -> Iterator[Dataset]:
    """Thirty customers who all bought for the last time in October 2023, without a margin."""
    rows = [bought(n, (at("2023-09-01") + timedelta(days=n + d)).isoformat()) for n in range(30) for d in (0, 20)]
    with DuckDBEngine(memory_limit="500MB", threads=1) as engine:
        made = company(transactions=rows).dataset(engine)
        tasks = {name: task | {"split": SPLIT} for name, task in TASKS.items()}
        raw = {"name": "made_up", "time_zone": "UTC", "sources": {}, "tables": {}, "tasks": tasks}
        yield replace(made, config=Config.model_validate(raw))


def test_where_everybody_is_lost_churn_has_nobody_and_win_back_nobody_who_returned(data: Dataset) -> None:
    with pytest.raises(RapportError, match="churn: nobody is eligible in the train window"):
        Material(data, "churn", data.config.task("churn"))
    with pytest.raises(RapportError, match="winback: the train window has 0 positives among 30 rows"):
        Material(data, "winback", data.config.task("winback"))


def test_a_worth_of_margins_that_nobody_has_is_named(data: Dataset) -> None:
    bare = replace(data, columns={**data.columns, "transactions": _without(data, "margin")})
    with pytest.raises(RapportError, match=r"value needs transactions\.margin, which the data do not have"):
        Material(bare, "value", data.config.task("value"))


def _without(data: Dataset, column: str) -> dict[str, str]:
    return {name: kind for name, kind in data.columns["transactions"].items() if name != column}
