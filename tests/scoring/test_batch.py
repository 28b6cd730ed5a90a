"""The job as a whole: rows, columns, buckets, and what stands in the folder."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from kiosk import BUCKETS, TASKS, Kiosk, table_of

from rapport.errors import DataError, ModelError, OutputError
from rapport.features.snapshot import Snapshots
from rapport.scoring.batch import score
from rapport.tasks import declare

NOW = datetime(2024, 7, 1, 3, tzinfo=UTC)


def _score(kiosk: Kiosk, task: str, out: Path, **more: object):  # type: ignore[no-untyped-def]
    return score(kiosk.data, task, kiosk.bundle(task), out=out, clock=lambda: NOW, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("task", TASKS)
def test_scores_are_those_of_the_model_on_the_same_snapshot(kiosk: Kiosk, out: Path, task: str) -> None:
    report = _score(kiosk, task, out)
    found = table_of(report.folder)
    declared = declare(task, kiosk.data.config.task(task))
    bundle = kiosk.bundle(task)
    snapshots = Snapshots(kiosk.data, declared, blocks=TASKS[task]["blocks"], learned=_learned(bundle))
    rows = snapshots.features(snapshots.to_score(report.job.cutoff))
    expected = rows.select(list(declared.keys))
    for name, column in zip(("score", "raw_score", "percentile"), bundle.predict(rows).columns, strict=True):
        expected = expected.append_column(name, column)
    names = {"entity_id": declared.entity} | ({"offer_id": "category"} if task == "next_offer" else {})
    found = found.rename_columns([names.get(name, name) for name in found.column_names])
    if declared.top is None:
        assert found.num_rows == expected.num_rows > 50
    joined = found.join(expected, list(declared.keys), right_suffix="_expected")
    for name in ("score", "raw_score", "percentile"):
        assert joined[name].to_pylist() == joined[f"{name}_expected"].to_pylist()


def _learned(bundle):  # type: ignore[no-untyped-def]
    return {name: tuple(values) for name, values in bundle.metadata["learned"].items()}


def test_columns_are_those_of_the_contract(kiosk: Kiosk, out: Path) -> None:
    reasons = [
        f"reason_{k}{suffix}" for k in range(1, 6) for suffix in ("", "_group", "_feature", "_value", "_contribution")
    ]
    ending = [
        "as_of",
        "score",
        "raw_score",
        "percentile",
        *reasons,
        "model_name",
        "model_version",
        "run_id",
        "scored_at",
    ]
    keys = {"churn": [], "conversion": ["campaign_id"], "next_offer": ["rank", "offer_id"]}
    for task, further in keys.items():
        schema = table_of(_score(kiosk, task, out / task).folder).schema
        assert schema.names == ["entity_id", *further, *ending]
        assert schema.field("as_of").type == pa.date32()
        assert schema.field("scored_at").type == pa.timestamp("us", tz="UTC")
        assert schema.field("entity_id").type == pa.string()


def test_every_row_has_reasons_in_words_that_add_up_to_less_than_all(kiosk: Kiosk, out: Path) -> None:
    rows = table_of(_score(kiosk, "churn", out).folder)
    assert pc.all(pc.greater(pc.utf8_length(rows["reason_1"]), 5)).as_py()
    sizes = [np.abs(rows[f"reason_{k}_contribution"].to_numpy()) for k in range(1, 4)]
    assert all((sizes[i] >= sizes[i + 1]).all() for i in range(2))
    names = {column.name for column in kiosk.bundle("churn").columns}
    assert set(rows["reason_1_feature"].to_pylist()) <= names


def test_one_part_a_bucket_and_nobody_twice(kiosk: Kiosk, out: Path) -> None:
    report = _score(kiosk, "churn", out)
    assert [part.file for part in report.parts] == [f"part-{i:03d}.parquet" for i in range(BUCKETS)]
    assert all(part.rows > 0 for part in report.parts)
    ids = table_of(report.folder)["entity_id"]
    assert len(pc.unique(ids)) == len(ids) == report.rows
    listed = {"_manifest.json", "_profile.json", *(part.file for part in report.parts)}
    assert {file.name for file in report.folder.iterdir()} == listed
    assert [file.name for file in out.iterdir()] == [report.folder.name]


def test_the_ranks_of_an_offer_list(kiosk: Kiosk, out: Path) -> None:
    rows = table_of(_score(kiosk, "next_offer", out).folder).to_pandas()
    assert rows["rank"].max() == TASKS["next_offer"]["top"]
    assert "soap" not in set(rows["offer_id"])
    for _, offers in rows.groupby("entity_id", sort=False):
        assert offers["rank"].tolist() == list(range(1, len(offers) + 1))
        assert offers["raw_score"].is_monotonic_decreasing
        assert offers["offer_id"].is_unique


def test_a_second_run_changes_nothing(kiosk: Kiosk, out: Path) -> None:
    first = _score(kiosk, "churn", out)
    before = _state(first.folder)
    again = score(kiosk.data, "churn", kiosk.bundle("churn"), out=out)
    assert (again.made, again.rows) == (0, first.rows)
    assert "complete already" in again.text
    assert _state(first.folder) == before


def test_the_same_inputs_give_the_same_bytes(kiosk: Kiosk, out: Path) -> None:
    one, other = _score(kiosk, "next_offer", out / "a"), _score(kiosk, "next_offer", out / "b")
    assert _bytes(one.folder) == _bytes(other.folder)


def test_force_replaces_what_another_model_wrote(kiosk: Kiosk, out: Path) -> None:
    first = _score(kiosk, "churn", out)
    other = kiosk.bundle("churn")
    object.__setattr__(other, "distribution", other.distribution[:-1])  # type: ignore[index]
    with pytest.raises(OutputError, match="holds scores of another model"):
        score(kiosk.data, "churn", other, out=out)
    before = _bytes(first.folder)
    report = score(kiosk.data, "churn", other, out=out, force=True)
    assert report.made == BUCKETS
    assert _bytes(first.folder) != before
    assert [file.name for file in out.iterdir()] == [report.folder.name]


def test_a_dry_run_counts_and_writes_nothing(kiosk: Kiosk, out: Path) -> None:
    report = _score(kiosk, "churn", out, dry_run=True)
    assert not out.exists()
    assert report.rows == _score(kiosk, "churn", out).rows


def test_a_day_names_its_first_moment(kiosk: Kiosk, out: Path) -> None:
    report = _score(kiosk, "churn", out, as_of=date(2024, 5, 1))
    assert report.job.cutoff == datetime(2024, 4, 30, 22)  # Berlin
    assert report.folder.name == "as_of=2024-05-01"
    assert set(table_of(report.folder)["as_of"].to_pylist()) == {date(2024, 5, 1)}


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (date(2023, 12, 31), "lies before the data begin"),
        (date(1, 1, 1), "beyond the calendar"),
        (date(9999, 12, 31), "beyond the calendar"),
        (date(2026, 1, 1), "nobody is to be scored"),
    ],
)
def test_a_day_without_anybody_leaves_nothing_behind(kiosk: Kiosk, out: Path, day: date, words: str) -> None:
    with pytest.raises(DataError, match=words):
        _score(kiosk, "churn", out / "deep", as_of=day)
    assert not out.exists()


def test_a_model_of_another_task_is_refused(kiosk: Kiosk, out: Path) -> None:
    with pytest.raises(ModelError, match="trained for the task 'churn', not for 'conversion'"):
        score(kiosk.data, "conversion", kiosk.bundle("churn"), out=out)


def test_a_model_of_another_horizon_is_refused(kiosk: Kiosk, out: Path) -> None:
    bundle = kiosk.bundle("churn")
    bundle.metadata["horizon"] = 28  # type: ignore[index]
    with pytest.raises(ModelError, match="trained with horizon 28, the config has 14"):
        score(kiosk.data, "churn", bundle, out=out)


def test_the_manifest_says_what_was_done(kiosk: Kiosk, out: Path) -> None:
    report = _score(kiosk, "churn", out)
    manifest = json.loads((report.folder / "_manifest.json").read_text())
    assert manifest["rows"] == report.rows == sum(part["rows"] for part in manifest["parts"])
    assert manifest["job"]["data"] == kiosk.data.fingerprint
    assert manifest["scored_at"] == NOW.isoformat()
    assert [column["name"] for column in manifest["columns"]] == table_of(report.folder).column_names


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in folder.iterdir()}


def _bytes(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}
