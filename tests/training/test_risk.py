"""Risk and unusual behaviour on a small company in which some send nearly everything back and some never pay."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_project import write_project

from rapport.config import Config
from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.errors import ConfigError, DataError
from rapport.explain.page import render
from rapport.registry.versions import load
from rapport.scoring.batch import score
from rapport.tasks.risk import CAUTION
from rapport.training.computed import draw_up
from rapport.training.experiment import train
from rapport.training.record import record

CUSTOMERS, ABUSERS, DEFAULTERS = 300, range(20), range(20, 40)
RISK = {
    "horizon": 60,
    "returns_from": 3,
    "split": {"train": ["2023-05-01", "2023-06-15"], "test": ["2023-09-01"]},
    "learner": {"n_estimators": 40, "num_leaves": 4, "learning_rate": 0.1, "min_child_samples": 10},
    "tuning": {"trials": 0},
    "bootstrap": 30,
    "alarm_auc": 1.0,  # such abusers are easily told
    "blocks": ["spending", "service", "lifecycle", "abuse"],
}


def tables() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    bought, back, bills = [], [], []
    for who in range(CUSTOMERS):
        for week in range(44):
            when = datetime(2023, 1, 1, 9) + timedelta(days=7 * week + 3 * float(rng.random()))
            bought.append({"customer_id": who, "at": when, "amount": 20.0})
            if rng.random() < (0.6 if who in ABUSERS else 0.02):
                back.append({"customer_id": who, "at": when + timedelta(days=4), "amount": 20.0})
            if week % 4 == 0:
                due = when + timedelta(days=14)
                unpaid = rng.random() < (0.5 if who in DEFAULTERS else 0.002)
                paid = None if unpaid else due + timedelta(days=float(rng.normal(-3, 4)))
                bills.append({"customer_id": who, "due_at": due, "paid_at": paid, "amount": 20.0})
    rows = {"transactions": bought, "returns": back, "payments": bills}
    return {name: pa.Table.from_pylist(content) for name, content in rows.items()}


def project(folder: Path, content: dict[str, Any], **risk: Any) -> Config:
    tasks = {"risk": RISK | risk, "unusual": {}}
    return write_project(folder, content, time_zone="UTC", observed_until="2023-11-01", tasks=tasks)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_dataset(project(tmp_path_factory.mktemp("risk"), tables()))


def test_a_queue_that_finds_both_kinds_and_warns_of_its_use(company: Dataset) -> None:
    trained = train(company, "risk")
    metrics = trained.judgement.metrics()
    found, alarms = metrics["test.gain_at_10pct"], metrics["test.false_alarms_at_10pct"]
    cases = np.asarray(trained.tested["target"].to_numpy()).sum()
    assert found * cases == pytest.approx((1 - alarms) * 0.1 * trained.tested.num_rows)  # by either way the same cases
    assert found > metrics["baseline.test.gain_at_10pct"]  # a rule sees one kind alone
    intervals = trained.judgement.intervals()
    assert intervals["test.false_alarms_at_5pct"].low < metrics["test.false_alarms_at_5pct"]
    page = render(record(trained))
    assert CAUTION in page
    assert "False alarms in a queue of 5 %" in page
    report = score(company, "risk", load(company.config, "risk"), force=True)
    table = pq.read_table(report.folder, partitioning=None).sort_by([("raw_score", "descending")])
    assert set(table["caution"].to_pylist()) == {CAUTION}
    queue = {int(who) for who in table["entity_id"].slice(0, 40).to_pylist()}
    assert len(queue & set(ABUSERS)) > 14
    assert len(queue & set(DEFAULTERS)) > 14
    assert table["reason_1"].null_count == 0


def test_what_is_rare_is_found_without_a_case(company: Dataset) -> None:
    draw_up(company, "unusual")
    report = score(company, "unusual", load(company.config, "unusual"), force=True)
    table = pq.read_table(report.folder, partitioning=None).sort_by([("raw_score", "descending")])
    queue = {int(who) for who in table["entity_id"].slice(0, 45).to_pylist()}
    assert len(queue & {*ABUSERS, *DEFAULTERS}) > 30
    assert table["caution"][0].as_py() == CAUTION
    assert table["reason_1_contribution"][0].as_py() > 0


def test_what_the_data_do_not_tell_is_named(tmp_path: Path) -> None:
    content = tables()
    del content["payments"]
    with pytest.raises(DataError, match="payments"):
        train(open_dataset(project(tmp_path, content)), "risk")
    with pytest.raises(ConfigError, match=r"tasks\.risk\.cases"):
        project(tmp_path, content, cases=[])
