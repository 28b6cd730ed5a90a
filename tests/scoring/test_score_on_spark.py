"""`rapport score --engine spark`: the rows, columns, words and counts of the same job on DuckDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from kiosk import Kiosk, table_of
from spark_here import new_spark

from rapport.data.dataset import Dataset
from rapport.scoring.batch import score
from rapport.scoring.manifest import read_manifest

NOW = datetime(2024, 7, 1, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def on_spark(kiosk: Kiosk) -> Iterator[Dataset]:
    with new_spark() as engine:
        data = replace(kiosk.data, engine=engine)
        data.register()
        yield data


@pytest.mark.parametrize("task", ["conversion", "next_offer"])
def test_scores_on_spark_are_those_on_duckdb(kiosk: Kiosk, on_spark: Dataset, out: Path, task: str) -> None:
    bundle = kiosk.bundle(task)
    expected = score(kiosk.data, task, bundle, out=out / "duckdb", clock=lambda: NOW)
    found = score(on_spark, task, bundle, out=out / "spark", clock=lambda: NOW)
    assert [part.rows for part in found.parts] == [part.rows for part in expected.parts]
    before, after = table_of(expected.folder), table_of(found.folder)
    assert after.schema.equals(before.schema)
    for name in before.column_names:
        if pa.types.is_floating(before[name].type):
            np.testing.assert_allclose(after[name].to_numpy(), before[name].to_numpy(), 1e-9, 1e-12, err_msg=name)
        else:
            assert after[name].equals(before[name]), name
    manifests = [read_manifest(report.folder) for report in (expected, found)]
    assert manifests[0] is not None
    assert manifests[1] is not None
    assert manifests[1].columns == manifests[0].columns
    assert manifests[1].faults(found.folder) == []
    profiles = [json.loads((report.folder / "_profile.json").read_bytes()) for report in (expected, found)]
    assert profiles[1] == profiles[0]
