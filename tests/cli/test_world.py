"""`rapport world`: a folder of tables with the truth beside them, or one plain message and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from rapport.cli import main
from rapport.data.contract import TABLES


def world(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["world", *map(str, arguments)])


def test_a_world_is_written(tmp_path: Path) -> None:
    done = world(tmp_path / "w", "--customers", 256, "--seed", 3, "--set", "switches.dirty_values=false", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["rows"]["customers"] == 256
    assert set(said["rows"]) == set(TABLES) - {"customer_history"}  # nobody's attributes change in the world
    assert "256 customers (100%)" in done.stderr
    described = json.loads((tmp_path / "w/truth/world.json").read_text())
    assert (described["seed"], described["parameters"]["switches"]["dirty_values"]) == (3, False)
    assert pq.ParquetFile(tmp_path / "w/customers.parquet").metadata.num_rows == 256


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "buying.mean_rate=-0.1"), "buying.mean_rate"),
        (("--set", "end=2020-01-01"), "before it starts"),
        (("--customers", 3), "5 segments are more than 3 customers"),
        (("--seed", -1), "must not be negative"),
        (("--set", "wings=2"), "wings"),
        (("--set", "wings"), "write name=value"),
        (("--set", "buying=2", "--set", "buying.shape=2"), "a value of its own"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, arguments: tuple[object, ...], words: str
) -> None:
    done = world(tmp_path / "w", *arguments)
    assert done.exit_code == 1
    assert done.stderr.startswith("rapport world: ")
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    done = world(tmp_path, "--customers", 256)
    assert done.exit_code == 1
    assert "not an empty folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_a_place_that_cannot_hold_a_world_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = world(tmp_path / "file" / "w", "--customers", 256)
    assert done.exit_code == 1
    assert "cannot be written" in done.stderr
