from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.errors import ModelError
from rapport.models import bundle as bundles
from rapport.models.base import without_credentials
from rapport.models.bundle import INNER, load_bundle, percentiles, save_bundle
from rapport.models.classifier import BoostedClassifier
from rapport.models.manifest import MANIFEST, write_manifest

if TYPE_CHECKING:
    from conftest import Sample

METADATA = {
    "task": "churn",
    "keys": ["customer_id"],
    "horizon": 28,
    "run_id": "r" * 32,
    "model_name": "rapport.x.churn",
}
CONFIG = {"name": "x", "seed": 3, "sources": {"till": "postgresql://me:secret@db/till", "file": "a.csv"}}


@pytest.fixture(scope="module")
def folder(model: BoostedClassifier, later: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "model"
    save_bundle(model, path, METADATA, CONFIG, raw_scores=model.raw_score(later.table))
    return path


def test_a_loaded_bundle_is_the_saved_model(folder: Path, model: BoostedClassifier, later: Sample) -> None:
    loaded = load_bundle(folder, threads=1)
    assert loaded.metadata == METADATA
    assert (loaded.name, loaded.run_id, loaded.version) == ("rapport.x.churn", "r" * 32, None)
    assert loaded.columns == model.columns
    scored = loaded.predict(later.table)
    assert scored.column_names == ["score", "raw_score", "percentile"]
    np.testing.assert_array_equal(scored["score"], model.predict(later.table))
    np.testing.assert_array_equal(scored["raw_score"], model.raw_score(later.table))
    # In the window that gave the distribution, percentiles are ranks.
    ranks = np.argsort(np.argsort(scored["raw_score"])) / later.table.num_rows * 100
    np.testing.assert_allclose(scored["percentile"], ranks, atol=0.5)


def test_without_a_distribution_there_is_no_percentile(model: BoostedClassifier, later: Sample, tmp_path: Path) -> None:
    save_bundle(model, tmp_path / "m", {}, {})
    assert load_bundle(tmp_path / "m").predict(later.table).column_names == ["score", "raw_score"]


def test_percentiles_by_hand() -> None:
    distribution = np.array([1.0, 2.0, 2.0, 4.0])
    np.testing.assert_array_equal(
        percentiles(np.array([0.0, 1.0, 2.0, 3.0, 9.0]), distribution), [0, 12.5, 50, 75, 100]
    )


def test_there_is_nothing_in_it_but_text(folder: Path) -> None:
    files = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert files == [
        "calibration.json",
        "config.json",
        "features.json",
        "manifest.json",
        "model.json",
        "model.txt",
        "scores.json",
        "task.json",
    ]
    for name in files:
        content = (folder / name).read_bytes()
        assert not content.startswith((b"\x80", b"PK", b"c__"))  # pickle, zip, pickle of old
        text = content.decode("utf-8")
        assert str(Path.cwd()) not in text
        assert "secret" not in text
        if name.endswith(".json"):
            json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))


def test_credentials_are_left_out() -> None:
    sources = {"a": ["postgresql://u:p@h:1/d", 7, None], "b": "host=h user=u password='p q' port=1"}
    cleaned = {"a": ["postgresql://u:***@h:1/d", 7, None], "b": "host=h user=u password=*** port=1"}
    assert without_credentials(sources) == cleaned
    for harmless in ("postgresql://u:${PASSWORD}@h/d", "host=h password=${PASSWORD}", "postgresql://h/d"):
        assert without_credentials(harmless) == harmless
    assert without_credentials("data/my@file.csv") == "data/my@file.csv"


# ------------------------------------------------------------------------------------------- damage
def copy(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / "copy"))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_refused_and_named(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    changed = copy(folder, tmp_path_factory.mktemp("damage"))
    file = data.draw(st.sampled_from(sorted(changed.iterdir())))
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    with pytest.raises(ModelError, match=file.name.replace(".", r"\.")):
        load_bundle(changed)


def test_a_missing_file_is_refused_and_named(folder: Path, tmp_path: Path) -> None:
    for name in sorted(path.name for path in folder.iterdir()):
        damaged = copy(folder, tmp_path / name)
        (damaged / name).unlink()
        with pytest.raises(ModelError, match="holds no model" if name == MANIFEST else name.replace(".", r"\.")):
            load_bundle(damaged)


def test_an_extra_file_is_refused_and_named(folder: Path, tmp_path: Path) -> None:
    damaged = copy(folder, tmp_path)
    (damaged / "code").mkdir()
    (damaged / "code" / "evil.py").write_text("print(1)")
    with pytest.raises(ModelError, match=r"code/evil\.py"):
        load_bundle(damaged)


def test_a_link_is_refused_and_named(folder: Path, tmp_path: Path) -> None:
    damaged = copy(folder, tmp_path)
    (damaged / "model.txt").rename(tmp_path / "elsewhere.txt")
    (damaged / "model.txt").symlink_to(tmp_path / "elsewhere.txt")
    with pytest.raises(ModelError, match=r"model\.txt .* is a link"):
        load_bundle(damaged)


@pytest.mark.parametrize(
    "name", ["../outside.txt", "/etc/passwd", "a/../../outside.txt", "..\\outside.txt", "./model.txt"]
)
def test_a_name_that_leads_out_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    damaged = copy(folder, tmp_path)
    (tmp_path / "outside.txt").write_text("x")
    manifest = json.loads((damaged / MANIFEST).read_text())
    _write_forged(damaged, manifest["files"] | {name: {"bytes": 1, "sha256": "0" * 64}})
    with pytest.raises(ModelError, match="outside of it"):
        load_bundle(damaged)


def _write_forged(folder: Path, files: dict[str, Any]) -> None:
    """A manifest with a right digest of wrong content."""
    from rapport.models import manifest

    content = {"format": manifest.FORMAT, "about": {}, "files": files}
    manifest.write_json(folder / MANIFEST, content | {"digest": manifest._digest(content)})


def test_a_manifest_of_another_format_is_refused(folder: Path, tmp_path: Path) -> None:
    damaged = copy(folder, tmp_path)
    manifest = json.loads((damaged / MANIFEST).read_text())
    (damaged / MANIFEST).write_text(json.dumps(manifest | {"format": 2}))
    with pytest.raises(ModelError, match="format 2"):
        load_bundle(damaged)


@pytest.mark.parametrize("file", ["model.txt", "model.json", "features.json", "calibration.json"])
def test_nonsense_under_a_right_manifest_is_still_a_plain_error(folder: Path, tmp_path: Path, file: str) -> None:
    damaged = copy(folder, tmp_path)
    (damaged / file).write_text("{}" if file.endswith("json") else "tree\nnonsense\n")
    write_manifest(damaged)
    with pytest.raises(ModelError):
        load_bundle(damaged)


def test_folders_that_are_none(tmp_path: Path, model: BoostedClassifier) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ModelError, match="holds no model"):
            load_bundle(path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelError, match="not empty"):
        save_bundle(model, tmp_path, {}, {})
    with pytest.raises(ModelError, match="plain JSON values"):
        save_bundle(model, tmp_path / "new", {"at": np.datetime64("2017-01-01")}, {})


# ------------------------------------------------------------------------------------------- elsewhere
BLOCKED = """
import importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("mlflow", "optuna", "shap", "sklearn", "matplotlib"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Blocked())
import pyarrow.parquet as pq
from rapport.models.bundle import load_bundle

from rapport.config import Config
from rapport.registry import tracking, versions

table = pq.read_table(sys.argv[2])
found = versions.load(Config(name="x", sources={}, tables={}), "churn", sys.argv[1])
assert found.predict(table).equals(load_bundle(sys.argv[1]).predict(table))
pq.write_table(found.predict(table), sys.argv[3])
"""


def test_it_scores_where_the_training_packages_are_not_installed(folder: Path, later: Sample, tmp_path: Path) -> None:
    pq.write_table(later.table, tmp_path / "in.parquet")
    arguments = [str(folder), str(tmp_path / "in.parquet"), str(tmp_path / "out.parquet")]
    done = subprocess.run([sys.executable, "-c", BLOCKED, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "out.parquet").equals(load_bundle(folder).predict(later.table))


def test_the_outer_folder_loads_too_and_is_held_to_its_manifest(folder: Path, later: Sample, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    shutil.copytree(folder, outer / INNER)
    (outer / "MLmodel").write_text("flavors: {}")
    expected = load_bundle(folder).predict(later.table)
    assert load_bundle(outer).predict(later.table).equals(expected)
    write_manifest(outer, {"model_name": "rapport.x.churn", "model_version": "3", "run_id": "abc"})
    loaded = load_bundle(outer)
    assert (loaded.name, loaded.version, loaded.run_id) == ("rapport.x.churn", "3", "abc")
    (outer / "MLmodel").write_text("flavors: {python_function: {loader_module: evil}}")
    with pytest.raises(ModelError, match="MLmodel"):
        load_bundle(outer)


# ------------------------------------------------------------------------------------------- as pyfunc
def test_pyfunc_scores_pandas_frames_to_the_bit(folder: Path, later: Sample) -> None:
    loaded = load_bundle(folder)
    pyfunc = bundles._load_pyfunc(str(folder))
    expected = loaded.predict(later.table).to_pandas()
    pd.testing.assert_frame_equal(pyfunc.predict(loaded.frame(later.table)), expected, check_exact=True)
    # As Arrow gives it: 64-bit integers, columns that the model does not know, another order, another index.
    frame = later.table.select(later.table.column_names[::-1]).to_pandas().set_index(pd.RangeIndex(7, 3_007))
    pd.testing.assert_frame_equal(pyfunc.predict(frame), expected.set_index(frame.index), check_exact=True)
    objects = frame.astype(object).where(frame.notna(), None)
    pd.testing.assert_frame_equal(pyfunc.predict(objects), expected.set_index(frame.index), check_exact=True)
    categories = frame.astype({"region": "category"})
    pd.testing.assert_frame_equal(pyfunc.predict(categories), expected.set_index(frame.index), check_exact=True)


def test_pyfunc_reads_absent_columns_as_missing_and_says_so(
    folder: Path, later: Sample, caplog: pytest.LogCaptureFixture
) -> None:
    place = later.table.schema.get_field_index("visits_30d")
    missing = later.table.set_column(place, "visits_30d", pa.nulls(later.table.num_rows))
    scored = bundles._load_pyfunc(str(folder)).predict(later.table.drop_columns("visits_30d").to_pandas())
    assert "visits_30d" in caplog.text
    pd.testing.assert_frame_equal(scored, load_bundle(folder).predict(missing).to_pandas(), check_exact=True)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"other": [1]}, "none of the 4 features"),
        ({"visits_30d": ["many"]}, "'visits_30d' must be a number"),
        ({"visits_30d": [1, "many"]}, "'visits_30d' holds values of several kinds"),
        ({"region": [5]}, "'region' must be text"),
    ],
)
def test_pyfunc_names_what_is_wrong(folder: Path, frame: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        bundles._load_pyfunc(str(folder)).predict(pd.DataFrame(frame))


def test_the_example_is_nobodys_row(folder: Path, training: Sample) -> None:
    loaded = load_bundle(folder)
    example = loaded.example()
    assert example.column_names == [column.name for column in loaded.columns]
    assert example["region"].to_pylist() == ["north", "south", "east"]
    days = training.table["days_since_visit"].to_pandas()
    np.testing.assert_allclose(example["days_since_visit"], days.quantile([0.25, 0.5, 0.75]))
    assert loaded.predict(example).num_rows == 3
