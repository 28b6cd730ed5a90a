"""Snapshots are read again where data, configuration and code are the same, and built where any of them changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small_project import at, good_tables, write_project

from rapport.data.ingest import open_dataset
from rapport.features import cache
from rapport.features.battery import every_task
from rapport.features.snapshot import Snapshots
from rapport.language.declarations import Block, Feature, Fitted, Visible

CHURN = every_task()[0]
CUTOFF = at("2024-04-10")
Build = Callable[..., tuple[list[dict[str, Any]], bool]]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """The rows of a project's snapshot by way of the cache, and whether they had to be built for it."""
    opened = []

    def run(cutoff: datetime = CUTOFF, blocks: tuple[Any, ...] = ("spending",), **top: Any) -> tuple[Any, bool]:
        amounts = top.pop("amounts", [10.0, 4.5, 20.0, 8.0])
        tables = good_tables("products", "transactions")
        tables["transactions"]["amount"] = amounts
        data = open_dataset(write_project(tmp_path, tables, **top))
        opened.append(data)
        snapshots, built = Snapshots(data, CHURN, blocks=blocks), []
        features = snapshots.features
        monkeypatch.setattr(snapshots, "features", lambda spine: built.append(1) or features(spine))
        found = snapshots.stored(snapshots.population([cutoff], with_target=True))
        assert found.equals(features(snapshots.population([cutoff], with_target=True)))
        return found.to_pylist(), bool(built)

    yield run
    for data in opened:
        data.engine.close()


def test_the_same_again_is_read(build: Build) -> None:
    rows, built = build()
    assert built
    assert build() == (rows, False)


def test_other_data_other_rows_and_other_features_are_built(build: Build) -> None:
    rows, _ = build()
    dearer, built = build(amounts=[99.0, 4.5, 20.0, 8.0])
    assert built
    assert dearer != rows
    assert build(cutoff=at("2024-04-11"))[1]
    assert build(blocks=("rhythm",))[1]
    assert not build()[1]  # none of them took the place of the first


def test_another_configuration_is_built(build: Build) -> None:
    build()
    assert build(time_zone="Asia/Tokyo")[1]
    assert not build(threads=2)[1]  # which moves no value


def test_changed_code_is_built(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    build()
    monkeypatch.setattr(cache, "_code", lambda: "of another day")
    assert build()[1]


def test_functions_from_elsewhere_are_never_kept(build: Build) -> None:
    def compute(visible: Visible, spine: pa.Table) -> list[Any]:
        return [[1.0] * spine.num_rows]

    own = Block("own", fitted=(Fitted(("customer_id",), (Feature("one", None, "one"),), (), compute),))
    assert build(blocks=(own,))[1]
    assert build(blocks=(own,))[1]


def test_a_damaged_file_is_built_anew(build: Build, tmp_path: Path) -> None:
    rows, _ = build()
    (file,) = (tmp_path / "home/.cache/small/snapshots").glob("*.parquet")
    file.write_bytes(b"PAR1 and then nothing")
    assert build() == (rows, True)
    assert build() == (rows, False)


def test_the_least_used_go_when_there_are_too_many(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MOST_BYTES", 1)
    build()
    assert list((tmp_path / "home/.cache/small/snapshots").glob("*.parquet")) == []
    assert list((tmp_path / "home/.cache/small/snapshots").glob(".part-*")) == []
