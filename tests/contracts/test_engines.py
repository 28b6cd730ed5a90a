"""Spark gives what DuckDB gives: every block with every key, every population and target, to 1e-9.

The company that Spark reads lies in Parquet files, its rows in another order, and whatever was not known at the last
cutoff scrambled; the machine is in another time zone. So the tests of leakage hold on Spark too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from spark_here import assert_same, everywhere_in, new_spark

from rapport.data.dataset import Dataset
from rapport.data.engine import Engine
from rapport.features.battery import blocks_to_look_at, engine, every_task, train
from rapport.features.battery_data import Company, made_up_company
from rapport.features.battery_spoil import spoil
from rapport.features.blocks import BLOCKS
from rapport.features.snapshot import Snapshots
from rapport.tasks import Task

ZONES = ("UTC", "America/New_York", "Asia/Shanghai")
TASKS = {f"{task.name} of {' and '.join(task.keys)}": task for task in every_task()}
ONE_OF_EACH_KEY = [name for name, task in TASKS.items() if blocks_to_look_at(task)]


@dataclass(frozen=True)
class Filed(Company):
    """A company whose tables lie in files, two each, as ingest writes them for two buckets."""

    folder: Path = Path()

    def add(self, engine: Engine, name: str) -> None:
        table, files = self.tables[name], [self.folder / f"{name}-{part}.parquet" for part in (0, 1)]
        half = table.num_rows // 2
        for file, rows in zip(files, (table.slice(0, half), table.slice(half)), strict=True):
            pq.write_table(rows, file)
        engine.hold_files(name, files)


@pytest.fixture(scope="module")
def company() -> Company:
    return made_up_company()


@pytest.fixture(scope="module")
def filed(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Filed:
    spoilt = spoil(company.tables, company.cutoffs[-1], "scrambled")
    return Filed(spoilt, company.attributes, company.zone, company.cutoffs, tmp_path_factory.mktemp("files"))


@pytest.mark.parametrize("name", ONE_OF_EACH_KEY)
def test_every_block_is_the_same_on_spark(name: str, company: Company, filed: Filed) -> None:
    zone = ZONES[list(TASKS).index(name) % len(ZONES)]
    blocks = blocks_to_look_at(TASKS[name])
    expected = train(TASKS[name], blocks, company)
    with everywhere_in(zone):
        found = train(TASKS[name], blocks, filed, new_spark)
    assert found.learned == expected.learned
    assert found.blocks == expected.blocks
    assert_same(expected.table, found.table, f"{name} in {zone}")


@pytest.mark.parametrize("name", TASKS)
def test_who_is_eligible_and_what_became_of_him_is_the_same_on_spark(name: str, company: Company) -> None:
    expected = _population(TASKS[name], company, engine())
    assert TASKS[name].target is None or len(set(expected["target"].to_pylist())) > 1
    assert_same(expected, _population(TASKS[name], company, new_spark()), name)


def _population(task: Task, company: Company, opened: Any) -> pa.Table:
    with opened:
        snapshots = Snapshots(company.dataset(opened), task, blocks=())
        first, last = company.cutoffs
        if task.is_planned:
            return snapshots.planned(first, last, with_target=True)
        return snapshots.population([first, last], with_target=task.target is not None)


def test_segments_are_the_same_on_spark(company: Company, filed: Filed) -> None:
    task, blocks = TASKS["churn of customer_id"], [BLOCKS["spending"], BLOCKS["rhythm"]]
    expected = train(task, blocks, company, formulation="loop")
    assert_same(expected.table, train(task, blocks, filed, new_spark, "segments").table, "segments")


@pytest.mark.parametrize("zone", ZONES)
def test_no_zone_of_the_machine_moves_a_cutoff_on_spark(zone: str, company: Company, filed: Filed) -> None:
    """Cutoffs, windows and gaps across two changes of the clocks, to the microsecond."""
    task, blocks = TASKS["churn of customer_id"], [BLOCKS["rhythm"]]
    expected = _scored(task, blocks, company, company.cutoffs[-1], engine())
    with everywhere_in(zone):
        found = _scored(task, blocks, filed, company.cutoffs[-1], new_spark())
    assert_same(expected, found, zone)


def _scored(task: Task, blocks: list[Any], company: Company, cutoff: datetime, opened: Any) -> pa.Table:
    with opened:
        data: Dataset = company.dataset(opened)
        snapshots = Snapshots(data, task, blocks=blocks)
        return snapshots.features(snapshots.to_score(cutoff))
