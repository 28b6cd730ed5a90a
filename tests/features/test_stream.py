"""The stream of scoring gives what `Snapshots` gives, to the bit: from one bucket or from several, in any pieces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from sqlglot import exp

from rapport.data.buckets import owner_of, write_table
from rapport.data.dataset import Dataset
from rapport.data.engine import DuckDBEngine
from rapport.features.battery import every_task, score, train
from rapport.features.battery_data import made_up_company
from rapport.features.blocks import BLOCKS
from rapport.features.stream import SnapshotStream
from rapport.tasks import Task

BUCKETS = 2


def in_buckets(folder: Path, engine: DuckDBEngine) -> Dataset:
    """The made-up company as ingest would have written it, its customers in two buckets."""
    company = made_up_company()
    data = company.dataset(engine)
    files = {}
    for name in company.tables:
        engine.define(f"rich.{name}", exp.select("*").from_(exp.to_table(name)))
        owner = owner_of(engine, name, f"rich.{name}")
        files[name] = write_table(engine, f"rich.{name}", owner, BUCKETS, folder / name)
        engine.drop(f"rich.{name}")
    for name in company.tables:
        engine.drop(name)
    data = replace(data, files=files, buckets=BUCKETS)
    data.register()
    return data


WIDE = [task for task in every_task() if len(task.keys) > 1]  # they read of one customer, and of everybody


@pytest.mark.parametrize("task", WIDE, ids=lambda task: task.name)
def test_buckets_and_pieces_do_not_matter(task: Task, tmp_path: Path, engine: DuckDBEngine) -> None:
    company, blocks = made_up_company(), [BLOCKS[name] for name in task.blocks if name in BLOCKS]
    learned = train(task, blocks, company).learned
    expected = score(task, blocks, company, learned).table
    data = in_buckets(tmp_path, engine)
    stream = SnapshotStream(data, task, blocks=None, learned=learned, rows=30)
    pieces = [list(stream.pieces(company.cutoffs[-1], bucket)) for bucket in range(BUCKETS)]
    counts = [stream.count(company.cutoffs[-1], bucket) for bucket in range(BUCKETS)]
    stream.close()
    assert counts == [sum(piece.num_rows for piece in bucket) for bucket in pieces]
    assert sum(count > 0 for count in counts) > 1
    together = pa.concat_tables([piece for bucket in pieces for piece in bucket])
    together = together.sort_by([(key, "ascending") for key in task.keys])
    assert together.column_names == expected.column_names
    for name in expected.column_names:
        assert together[name].to_pylist() == expected[name].to_pylist(), name
