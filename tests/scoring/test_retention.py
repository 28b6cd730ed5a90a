"""Retention groups as a job: from published scores to rows that a person can act on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from kiosk import Kiosk

from rapport.config import RetentionConfig
from rapport.data.dataset import Dataset
from rapport.errors import ConfigError, DataError
from rapport.scoring.batch import score
from rapport.scoring.forget import forget
from rapport.scoring.retention import RetentionReport, retention

DAY = date(2024, 6, 12)


@pytest.fixture(scope="module")
def scored(kiosk: Kiosk, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    home = tmp_path_factory.mktemp("groups")
    data = replace(kiosk.data, config=kiosk.data.config.model_copy(update={"home": home}))
    score(data, "churn", kiosk.bundle("churn"), as_of=DAY, clock=lambda: datetime(2024, 7, 1, tzinfo=UTC))
    return data


def made(data: Dataset, **settings: Any) -> RetentionReport:
    rule = RetentionConfig.model_validate(settings)
    return retention(replace(data, config=data.config.model_copy(update={"retention": rule})), as_of=DAY)


def test_everybody_at_risk_has_a_group_a_treatment_and_reasons(scored: Dataset) -> None:
    report = made(scored, at_risk_from=0.2)
    rows = pq.read_table(report.folder / "part-000.parquet", partitioning=None)
    assert rows.equals(report.rows)
    assert 0 < rows.num_rows == report.summary["at_risk"] < report.summary["scored"]
    assert pc.min(rows["score"]).as_py() >= 0.2
    assert rows["why"].null_count == rows["reason_1"].null_count == 0
    assert sum(group["customers"] for group in report.summary["groups"].values()) == rows.num_rows
    let_go = pc.equal(rows["group"], "let_go")
    assert pc.is_null(rows["treatment"]).equals(let_go)
    assert set(rows["cause"].to_pylist()) == {None}  # defection was not scored here
    assert made(scored, at_risk_from=0.2).rows.equals(report.rows)


def test_who_is_forgotten_is_in_no_group(scored: Dataset) -> None:
    report = made(scored, at_risk_from=0.2)
    who = report.rows["entity_id"][0].as_py()
    forget(scored.config, who)
    rows = pq.read_table(report.folder / "part-000.parquet", partitioning=None)
    assert who not in rows["entity_id"].to_pylist()
    assert rows.num_rows == report.rows.num_rows - 1


def test_what_is_missing_is_named(scored: Dataset, kiosk: Kiosk, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no part `retention`"):
        retention(scored)
    with pytest.raises(DataError, match="nobody is at risk as of 2024-06-12"):
        made(scored, at_risk_from=1.0)
    empty = replace(scored, config=scored.config.model_copy(update={"home": tmp_path / "other"}))
    with pytest.raises(ConfigError, match="need the scores of 'churn' up to 2024-06-12"):
        made(empty)
