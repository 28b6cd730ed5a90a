"""Time to leave, with a contract and without, on a small company where unhappy customers leave early."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_project import write_project

from rapport.config import Config, TimeToLeaveConfig
from rapport.data.checks import check
from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.errors import ConfigError, DataError
from rapport.features.snapshot import Snapshots
from rapport.registry.versions import load
from rapport.scoring.batch import score
from rapport.tasks import declare
from rapport.training.leaving import TrainedLeaving, follow, train_leaving

END = datetime(2024, 7, 1)
SPLIT = {"train": {"first": "2023-04-01", "last": "2023-12-01", "every": 30}, "test": ["2024-03-01", "2024-05-01"]}
LEARNER = {"n_estimators": 30, "num_leaves": 4, "learning_rate": 0.1, "min_child_samples": 10, "colsample_bytree": 1.0}
TASK = {"split": SPLIT, "learner": LEARNER, "bootstrap": 20, "blocks": ["service"], "every": 15, "horizons": [30, 60]}
LEAVE, CANCEL = TASK | {"active_within": 30}, TASK | {"plans": ["plus"]}


def tables(seed: int = 0, customers: int = 260) -> dict[str, Any]:
    """Everybody buys each week and has a subscription; the unhappy third complains often and leaves within months."""
    rng = np.random.default_rng(seed)
    bought: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    plans: list[dict[str, Any]] = []
    for who in range(customers):
        unhappy = rng.random() < 1 / 3
        began = datetime(2023, 1, 1, 10) + timedelta(days=int(rng.integers(0, 450)))
        leaves = began + timedelta(days=20 + float(rng.exponential(50 if unhappy else 500)))
        when = began
        while when < min(leaves, END):
            bought.append({"customer_id": who, "at": when, "amount": 10.0})
            if rng.random() < (0.5 if unhappy else 0.02):
                said.append({"customer_id": who, "at": when + timedelta(hours=1), "kind": "complaint"})
            when += timedelta(days=7)
        ended = leaves if leaves < END else None
        plans.append({"customer_id": who, "started_at": began, "ended_at": ended, "plan": "plus"})
    rows = {"transactions": bought, "interactions": said, "subscriptions": plans}
    return {name: pa.Table.from_pylist(content).to_pydict() for name, content in rows.items()}


def project(folder: Path, content: dict[str, Any], **tasks: Any) -> Config:
    return write_project(folder, content, time_zone="UTC", observed_until="2024-07-01", tasks=tasks)


@pytest.fixture(scope="module")
def company(shop: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    config = project(tmp_path_factory.mktemp("time"), tables(), time_to_leave=LEAVE, time_to_cancel=CANCEL)
    return open_dataset(config.model_copy(update={"name": "leaving", "home": shop.config.home}))


@pytest.fixture(scope="module", params=["time_to_leave", "time_to_cancel"])
def trained(company: Dataset, request: pytest.FixtureRequest) -> TrainedLeaving:
    return train_leaving(company, request.param)


def test_curves_beat_kaplan_meier(trained: TrainedLeaving) -> None:
    metrics, gain = trained.judged.metrics, trained.judged.intervals["gain.test.integrated_brier"]
    assert gain.low > 0
    assert trained.judged.letter in "BC"
    assert metrics["baseline.test.concordance"] == 0.5
    assert metrics["test.concordance"] > 0.65
    assert metrics["test.integrated_brier"] < metrics["baseline.test.integrated_brier"]
    assert "proportional_hazards.test.integrated_brier" in metrics
    assert metrics["test.calibration_error_30d"] < 0.1


def test_everybody_gets_a_falling_curve_and_reasons(company: Dataset, trained: TrainedLeaving) -> None:
    name = trained.task.name
    report = score(company, name, load(company.config, name), force=True)
    table = pq.read_table(report.folder, partitioning=None)
    soon, later = (table[f"leaves_within_{days}d"].to_numpy() for days in (30, 60))
    assert (soon > 0).all()
    assert (soon <= later).all()
    assert (later <= 1).all()
    np.testing.assert_allclose(table["score"].to_numpy(), later)
    assert table["reason_1"].null_count == 0
    assert "complaints" in table["reason_1_group"].to_pylist()
    assert ((table["expected_days"].to_numpy() > 0) & (table["expected_days"].to_numpy() <= 60)).all()


def test_who_left_when_by_hand(tmp_path: Path) -> None:
    """1 buys on, 2 leaves at once, 3 leaves after a month, 4 buys once only; looked at every 15 days from 1 March.

    3 buys until half a day past the 30th, and so he is still a customer of the last 30 days on the 60th.
    """
    march = datetime(2024, 3, 1)
    days = {1: range(-60, 120, 5), 2: range(-60, -5, 5), 3: range(-60, 31, 5), 4: [-20]}
    rows = [(who, march + timedelta(days=day, hours=12), 1.0) for who, all_of in days.items() for day in all_of]
    bought = {name: [row[i] for row in rows] for i, name in enumerate(("customer_id", "at", "amount"))}
    config = project(tmp_path, {"transactions": bought}, time_to_leave=LEAVE | {"blocks": ["rhythm"]})
    data = open_dataset(config)
    snapshots = Snapshots(data, declare("time_to_leave", config.task("time_to_leave")), blocks=["rhythm"])
    lives = follow(snapshots, [march], END)
    assert lives.rows["customer_id"].to_pylist() == [1, 2, 3, 4]
    assert lives.time.tolist() == [
        4,
        2,
        4,
        1,
    ]
    assert lives.event.tolist() == [False, True, False, True]
    censored = follow(snapshots, [march], march + timedelta(days=16))
    assert censored.time.tolist() == [1, 1, 1, 1]
    assert censored.event.tolist() == [False, False, False, True]


def test_overlapping_subscriptions_end_with_the_last_of_them(tmp_path: Path) -> None:
    march = datetime(2024, 3, 1)
    plans = {
        "customer_id": [1, 1, 2, 3],
        "started_at": [datetime(2023, 5, 1, 1)] * 4,
        "ended_at": [march + timedelta(days=10), march + timedelta(days=40), march + timedelta(days=10), None],
        "plan": ["plus", "plus", "plus", "card"],
    }
    config = project(tmp_path, tables(customers=5) | {"subscriptions": plans}, time_to_cancel=CANCEL)
    snapshots = Snapshots(open_dataset(config), declare("time_to_cancel", config.task("time_to_cancel")), blocks=[])
    lives = follow(Snapshots(snapshots.data, snapshots.task, blocks=["service"]), [march], END)
    assert dict(zip(lives.rows["customer_id"].to_pylist(), lives.time.tolist(), strict=True)) == {1: 3, 2: 1}


# ------------------------------------------------------------------------------------------- bad input
def test_subscriptions_that_end_before_they_start_are_named(tmp_path: Path) -> None:
    content = tables(customers=20)
    content["subscriptions"]["ended_at"][0] = datetime(2022, 1, 1)
    told = "\n".join(fault.text() for fault in check(project(tmp_path, content, time_to_cancel=CANCEL)).errors)
    assert "lies before started_at" in told


def test_a_horizon_past_the_data_is_refused(tmp_path: Path) -> None:
    data = open_dataset(project(tmp_path, tables(customers=30), time_to_leave=LEAVE | {"horizons": [30, 600]}))
    with pytest.raises(DataError, match=r"a horizon of 600 days reaches past the data: .* shorten `horizons`"):
        train_leaving(data, "time_to_leave")


def test_too_few_who_leave_are_not_enough_data(company: Dataset) -> None:
    """Five customers were there ten days after the shop opened."""
    early = TimeToLeaveConfig.model_validate(LEAVE | {"split": SPLIT | {"train": ["2023-01-10"]}})
    tasks = company.config.tasks.model_copy(update={"time_to_leave": early})
    data = replace(company, config=company.config.model_copy(update={"tasks": tasks}))
    with pytest.raises(DataError, match=r"not enough data: of \d+ training rows"):
        train_leaving(data, "time_to_leave")


def test_without_interactions_the_other_features_do(tmp_path: Path) -> None:
    content = {name: rows for name, rows in tables(customers=9).items() if name != "interactions"}
    config = project(tmp_path, content, time_to_leave=LEAVE)
    task = declare("time_to_leave", config.task("time_to_leave"))
    snapshots = Snapshots(open_dataset(config), task, blocks=["rhythm", "service"])
    lives = follow(snapshots, [datetime(2024, 3, 1)], END)
    assert lives.rows.num_rows > 0
    assert any("service" in text and "interactions" in text for text in snapshots.plan.left_out)
    assert not {"complaints_90d", "failures_90d"} & set(lives.rows.column_names)


@pytest.mark.parametrize("horizons", [[30, 40], [60, 30], []])
def test_horizons_are_whole_periods_in_order(tmp_path: Path, horizons: list[int]) -> None:
    with pytest.raises(ConfigError, match="horizons"):
        project(tmp_path, tables(customers=3), time_to_leave=LEAVE | {"horizons": horizons})
