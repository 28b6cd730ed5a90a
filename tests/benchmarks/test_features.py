"""The benchmark of features compares like with like: declarations and peers give the same values."""

from __future__ import annotations

import pytest
from features_peers import with_pandas

import features


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    files = features.prepare(folder, 20_000)
    features.run_sql(folder, folder / "sql.parquet", features.CUTOFFS)
    with_pandas(folder, folder / "pandas.parquet", features.CUTOFFS)
    return folder, files


@pytest.mark.parametrize("formulation", ["loop", "segments", None])
def test_declarations_and_peers_are_equal(made, tmp_path, formulation):
    folder, files = made
    features.run_ours(files, tmp_path, features.CUTOFFS, formulation=formulation)
    assert features.pq_rows(tmp_path) > 1_000
    assert features.differences(tmp_path, folder / "sql.parquet") == {}
    assert features.differences(tmp_path, folder / "pandas.parquet") == {}


def test_buckets_hold_the_same_customers(made, tmp_path):
    folder, files = made
    for name, some in files.items():
        features._bucket(name, some, tmp_path / "buckets", 3)
    some = {name: tuple(sorted((tmp_path / "buckets" / name).glob("*.parquet"))) for name in files}
    features.run_ours(some, tmp_path / "out", features.CUTOFFS, memory_limit="200MB")
    assert features.differences(tmp_path / "out", folder / "sql.parquet") == {}


def test_a_difference_is_seen(made, tmp_path):
    folder, files = made
    features.run_ours(files, tmp_path, features.CUTOFFS[:5])
    assert features.differences(tmp_path, folder / "sql.parquet")["rows in one only"] > 100
