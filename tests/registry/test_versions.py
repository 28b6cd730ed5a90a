from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from rapport.config import Config
from rapport.errors import ModelError
from rapport.models.bundle import INNER, load_bundle
from rapport.registry import store, versions
from rapport.registry.tracking import Run, start_run

SaveBundle = Callable[[Run, Path], Path]


@pytest.fixture
def two(config: Config, save: SaveBundle, tmp_path: Path) -> list[versions.Resolved]:
    """Two versions of a model, each of its own run."""
    found = []
    for number in (1, 2):
        with start_run(config, "churn") as run:
            found.append(versions.register(config, "churn", run, save(run, tmp_path / f"bundle{number}")))
    return found


def test_the_first_version_is_champion_unreviewed_and_later_ones_challenge(
    config: Config, two: list[versions.Resolved], save: SaveBundle, tmp_path: Path
) -> None:
    name = f"rapport.{config.name}.churn"
    assert [(found.name, found.version) for found in two] == [(name, "1"), (name, "2")]
    assert versions.aliases(config, "churn") == {"champion": "1", "challenger": "2"}
    assert versions.version_tags(config, "churn")["review"] == "unreviewed"
    with start_run(config, "churn") as run:
        versions.register(config, "churn", run, save(run, tmp_path / "bundle3"), tags={"grade": "A"})
    assert versions.aliases(config, "churn") == {"champion": "1", "challenger": "3"}
    assert versions.version_tags(config, "churn", "3") == {"review": "unreviewed", "grade": "A"}
    versions.set_alias(config, "churn", "champion", "3")
    versions.tag_version(config, "churn", "3", {"review": "approved"})
    assert versions.resolve(config, "churn").version == "3"
    assert versions.version_tags(config, "churn")["review"] == "approved"
    assert versions.aliases(config, "next_offer") == {}


def test_the_role_of_a_version_follows_alias_and_decision(config: Config, two: list[versions.Resolved]) -> None:
    assert [versions.role(config, "churn", found.version or "") for found in two] == [
        "champion, not reviewed yet",
        "challenger, not reviewed yet",
    ]
    versions.tag_version(config, "churn", "2", {"review": "approved"})
    versions.set_alias(config, "churn", "champion", "2")
    versions.tag_version(config, "churn", "1", {"review": "rejected"})
    assert versions.role(config, "churn", "2") == "champion, approved"
    assert versions.role(config, "churn", "1") == "in no use, rejected"


def test_a_model_is_found_by_every_name_it_has(config: Config, two: list[versions.Resolved], tmp_path: Path) -> None:
    first, second = two
    name = first.name
    exported = versions.export(config, "churn", tmp_path / "exported", "2")
    for which, expected in {
        "champion": first,
        "challenger": second,
        "2": second,
        f"models:/{name}@champion": first,
        f"models:/{name}/2": second,
        f"runs:/{second.run_id}/bundle": second,
        f"runs:/{second.run_id}": second,
    }.items():
        assert versions.resolve(config, "churn", which) == expected, which
    for which in (exported, str(exported), exported / INNER):
        found = versions.resolve(config, "other_task", which)
        assert (found.folder, found.run_id) == (Path(which), second.run_id)
    assert versions.resolve(config, "churn", exported).version == "2"
    assert versions.resolve(config, "churn", exported).name == name


def test_a_folder_named_like_an_alias_is_not_taken_for_it(
    config: Config, two: list[versions.Resolved], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    versions.export(config, "churn", Path("champion"), "2")
    assert versions.resolve(config, "churn", "champion").version == "1"
    assert versions.resolve(config, "churn", "./champion").version == "2"
    shutil.move("champion", "elsewhere")
    assert versions.resolve(config, "churn", "elsewhere").version == "2"


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("9", "has no version '9'"),
        ("winner", "has no version 'winner'"),
        ("models:/rapport.nothing.churn@champion", "rapport.nothing.churn has no version 'champion'"),
        ("models:/broken", "names no model"),
        ("runs:/" + "0" * 32, "no registered model comes from run"),
        ("./absent", "holds no model"),
        ("s3://bucket/model", "names no model"),
    ],
)
def test_what_is_not_there_is_said(config: Config, which: str, message: str) -> None:
    with start_run(config, "churn"):
        pass
    with pytest.raises(ModelError, match=re.escape(message)):
        versions.resolve(config, "churn", which)


def test_an_unused_store_is_not_created_by_asking(config: Config, tmp_path: Path) -> None:
    fresh = config.model_copy(update={"home": tmp_path})
    with pytest.raises(ModelError, match="no model is registered yet"):
        versions.resolve(fresh, "churn")
    assert versions.aliases(fresh, "churn") == {}
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_of_another_run_is_not_registered(config: Config, save: SaveBundle, tmp_path: Path) -> None:
    with start_run(config, "churn") as run:
        folder = save(run, tmp_path / "bundle")
    with start_run(config, "churn") as other, pytest.raises(ModelError, match="save it within the run"):
        versions.register(config, "churn", other, folder)
    assert versions.aliases(config, "churn") == {}


def test_registered_exported_and_pyfunc_scores_are_equal_to_the_bit(
    config: Config, two: list[versions.Resolved], snapshot: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    expected = load_bundle(tmp_path / "bundle1").predict(snapshot)
    registered = versions.load(config, "churn", threads=1)
    assert registered.version == "1"
    assert registered.predict(snapshot).equals(expected)
    folder = versions.export(config, "churn", tmp_path / "exported")
    exported = load_bundle(folder)
    assert (exported.name, exported.version, exported.run_id) == (two[0].name, "1", two[0].run_id)
    assert exported.predict(snapshot).equals(expected)
    frame = exported.frame(snapshot)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    opened = mlflow.pyfunc.load_model(str(folder))
    pd.testing.assert_frame_equal(opened.predict(frame), expected.to_pandas(), check_exact=True)
    assert list(empty.iterdir()) == []
    assert opened.predict(opened.input_example).shape == (3, 3)
    load_bundle(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.store_uri(config))
    by_name = mlflow.pyfunc.load_model(f"models:/{two[0].name}@champion")
    pd.testing.assert_frame_equal(by_name.predict(frame), expected.to_pandas(), check_exact=True)
    # MLflow leaves a file of its own in the folder that it loads by name; that does no harm.
    assert versions.load(config, "churn").predict(snapshot).equals(expected)
    assert load_bundle(versions.export(config, "churn", tmp_path / "second")).predict(snapshot).equals(expected)


def test_an_export_is_an_mlflow_model_that_gives_nothing_away(
    config: Config, two: list[versions.Resolved], tmp_path: Path
) -> None:
    import yaml

    folder = versions.export(config, "churn", tmp_path / "exported")
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    outer = [name for name in files if not name.startswith("data/bundle/")]
    assert outer == [
        "MLmodel",
        "conda.yaml",
        "input_example.json",
        "manifest.json",
        "python_env.yaml",
        "requirements.txt",
        "serving_input_example.json",
    ]
    assert {Path(name).suffix for name in files} == {"", ".json", ".txt", ".yaml"}
    for name in files:
        text = (folder / name).read_bytes().decode("utf-8")
        for leak in (str(config.home), str(tmp_path), str(Path.cwd()), "http", "file://", "secret", "-url"):
            assert leak not in text, (name, leak)
    flavor = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]
    assert list(flavor) == ["python_function"]
    assert flavor["python_function"]["loader_module"] == "rapport.models.bundle"
    assert flavor["python_function"]["code"] is None
    # A package index must not be asked for Rapport: whoever owns the name there would be scoring.
    assert "rapport" not in (folder / "requirements.txt").read_text()


def test_mlflow_predicts_with_an_export(
    config: Config, two: list[versions.Resolved], snapshot: pa.Table, tmp_path: Path
) -> None:
    import json

    import mlflow

    folder = versions.export(config, "churn", tmp_path / "exported")
    exported = load_bundle(folder)
    exported.frame(snapshot).head(40).to_csv(tmp_path / "in.csv", index=False)
    mlflow.models.predict(
        str(folder),
        input_path=str(tmp_path / "in.csv"),
        content_type="csv",
        output_path=str(tmp_path / "out.json"),
        env_manager="local",
    )
    given = pd.DataFrame(json.loads((tmp_path / "out.json").read_text())["predictions"])
    pd.testing.assert_frame_equal(given, exported.predict(snapshot[:40]).to_pandas(), rtol=1e-12)


def test_an_export_replaces_an_export_and_nothing_else(
    config: Config, two: list[versions.Resolved], tmp_path: Path
) -> None:
    folder = tmp_path / "exported"
    folder.mkdir()
    versions.export(config, "churn", folder)
    versions.export(config, "churn", folder, "challenger")
    assert load_bundle(folder).version == "2"
    # A damaged one is mended.
    (folder / "MLmodel").write_text("damaged")
    versions.export(config, "churn", folder)
    assert load_bundle(folder).version == "1"
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="no export of Rapport"):
        versions.export(config, "churn", folder)
    assert (folder / "notes.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ModelError, match="no export of Rapport"):
        versions.export(config, "churn", tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle1", "bundle2", "exported", "file"]


def test_a_failed_export_leaves_the_earlier_one(
    config: Config, two: list[versions.Resolved], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = versions.export(config, "churn", tmp_path / "exported")
    damaged = two[1].folder / INNER / "model.txt"
    damaged.write_text(damaged.read_text() + " ")
    with pytest.raises(ModelError, match=r"model\.txt"):
        versions.export(config, "churn", folder, "challenger")
    assert load_bundle(folder).version == "1"

    def full(*arguments: object, **named: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(OSError, match="no space"):
        versions.export(config, "churn", folder)
    assert load_bundle(folder).version == "1"
    assert sorted(os.listdir(tmp_path)) == ["bundle1", "bundle2", "exported"]


def test_a_damaged_registered_model_is_refused(config: Config, two: list[versions.Resolved]) -> None:
    file = two[0].folder / INNER / "calibration.json"
    file.write_bytes(file.read_bytes().replace(b"0", b"1", 1))
    with pytest.raises(ModelError, match=r"calibration\.json"):
        versions.load(config, "churn")
    assert versions.load(config, "churn", "challenger").version == "2"


def test_a_model_from_a_remote_store_is_downloaded_once(
    config: Config, two: list[versions.Resolved], snapshot: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow.artifacts
    import mlflow.utils.uri

    downloads = []
    really = mlflow.artifacts.download_artifacts

    def counted(**arguments: str) -> str:
        downloads.append(arguments["artifact_uri"])
        return str(really(**arguments))

    monkeypatch.setattr(mlflow.utils.uri, "is_local_uri", lambda *_, **__: False)
    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", counted)
    here = config.model_copy(update={"home": tmp_path / "machine"})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.store_uri(config))
    for _ in range(2):
        found = versions.load(here, "churn")
        assert found.predict(snapshot).equals(load_bundle(tmp_path / "bundle1").predict(snapshot))
    assert len(downloads) == 1
    assert versions.resolve(here, "churn").folder.is_relative_to(tmp_path / "machine")
    versions.load(here, "churn", "challenger")
    assert len(downloads) == 2
