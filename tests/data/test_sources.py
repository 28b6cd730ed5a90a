from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_project import NO_PROJECT
from sqlglot import exp

from rapport.data.engine import DuckDBEngine
from rapport.data.locations import Location, locate
from rapport.data.sources import open_source
from rapport.errors import DataError


def opened(folder: Path, location: str) -> tuple[dict[str, str], list[dict[str, object]]]:
    """Types and rows of a source, in its order."""
    with DuckDBEngine(threads=1) as engine:
        open_source(engine, locate("it", location, folder), NO_PROJECT)
        table = engine.arrow(exp.select("*").from_(exp.table_("source.it", quoted=True)))
        return engine.columns("source.it"), table.to_pylist()


def refused(folder: Path, location: str, environment: dict[str, str] | None = None) -> str:
    """The one message of a location that cannot be opened."""
    with DuckDBEngine(threads=1) as engine, pytest.raises(DataError) as error:
        open_source(engine, locate("it", location, folder, environment or {}), NO_PROJECT)
    assert "it" in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


# ------------------------------------------------------------------------------------------- files
def test_parquet_by_glob_with_columns_that_differ(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "p-1.parquet")
    pq.write_table(pa.table({"b": ["y"], "a": [2]}), tmp_path / "p-2.parquet")
    assert opened(tmp_path, "p-*.parquet")[1] == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_csv_types_are_those_that_fit_every_value(tmp_path: Path) -> None:
    rows = "\n".join(
        f"00{i},{i},{i}.5,2024-01-{i:02d},2024-01-{i:02d} 10:00,2024-01-{i:02d}T10:00Z,true,," for i in range(1, 29)
    )
    (tmp_path / "t.csv").write_text("code,whole,real,day,time,zoned,flag,empty,text\n" + rows + "\n7,7,7,,,,,,word\n")
    types, values = opened(tmp_path, "t.csv")
    assert types == {
        "code": "VARCHAR",
        "whole": "BIGINT",
        "real": "DOUBLE",
        "day": "DATE",
        "time": "TIMESTAMP",
        "zoned": "TIMESTAMP WITH TIME ZONE",
        "flag": "BOOLEAN",
        "empty": "VARCHAR",
        "text": "VARCHAR",
    }
    assert values[0]["code"] == "001"
    assert values[0]["text"] is None


def test_csv_text_far_down_a_column_keeps_the_column_text(tmp_path: Path) -> None:
    lines = "\n".join(str(i) for i in range(40_000))
    (tmp_path / "t.csv").write_text(f"n\n{lines}\nmany\n")
    types, values = opened(tmp_path, "t.csv")
    assert types == {"n": "VARCHAR"}
    assert values[-1] == {"n": "many"}


def test_csv_quotes_tabs_and_compression(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "t.tsv.gz").write_bytes(gzip.compress(b'a\tb "c"; --\n1\t"x, ""y"""\n'))
    types, values = opened(tmp_path, "t.tsv.gz")
    assert types["a"] == "BIGINT"
    assert values == [{"a": 1, 'b "c"; --': 'x, "y"'}]


def test_a_missing_file_names_itself_and_the_key(tmp_path: Path) -> None:
    message = refused(tmp_path, "sales.parquet")
    assert str(tmp_path / "sales.parquet") in message
    assert "sources.it" in message


def test_a_folder_is_told_how_to_be_a_glob(tmp_path: Path) -> None:
    (tmp_path / "sales.parquet").mkdir()
    assert "sales.parquet/*.parquet" in refused(tmp_path, "sales.parquet")


@pytest.mark.parametrize("name", ["broken.parquet", "broken.csv"])
def test_a_damaged_file_is_one_message(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PAR1\x00\xff\xfe\x00nothing" * 3)
    assert "cannot be read" in refused(tmp_path, name)


def test_an_unknown_kind_of_file_is_told_which_are_known(tmp_path: Path) -> None:
    assert ".parquet" in refused(tmp_path, "sales.xlsx")


@pytest.mark.parametrize("location", ["s3://bucket/x.parquet", "mysql://h/db#t", "https://h/x.parquet"])
def test_other_schemes_are_refused(tmp_path: Path, location: str) -> None:
    assert "not known here" in refused(tmp_path, location)


@pytest.mark.parametrize("location", ["truth/lives.parquet", "./truth/../Truth/lives.parquet", "link/lives.parquet"])
def test_the_truth_of_a_simulated_world_is_refused(tmp_path: Path, location: str) -> None:
    for folder in ("truth", "Truth"):
        (tmp_path / folder).mkdir(exist_ok=True)
        pq.write_table(pa.table({"a": [1]}), tmp_path / folder / "lives.parquet")
    (tmp_path / "link").symlink_to(tmp_path / "truth")
    assert "truth" in refused(tmp_path, location)


def test_a_project_that_lies_in_a_folder_named_truth_may_read_its_own_files(tmp_path: Path) -> None:
    folder = tmp_path / "truth" / "project"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"a": [1]}), folder / "a.parquet")
    assert opened(folder, "a.parquet")[1] == [{"a": 1}]


# ------------------------------------------------------------------------------------------- packages, variables
def test_a_file_of_a_package_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lib" / "some_shop" / "data"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("raise RuntimeError('imported')\n")
    pq.write_table(pa.table({"a": [1]}), package / "t.parquet")
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    assert opened(tmp_path, "package:some_shop/data/t.parquet")[1] == [{"a": 1}]
    assert "some_shop" not in sys.modules
    assert "no file data/u.parquet" in refused(tmp_path, "package:some_shop/data/u.parquet")


def test_a_package_that_is_not_installed_is_told_with_the_command(tmp_path: Path) -> None:
    assert "pip install no-such-shop" in refused(tmp_path, "package:no_such_shop/data/t.parquet")


def test_variables_are_filled_in_and_missed_by_name(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "june.parquet")
    assert locate("it", "${MONTH}.parquet", tmp_path, {"MONTH": "june"}).files == (tmp_path / "june.parquet",)
    assert "MONTH" in refused(tmp_path, "${MONTH}.parquet")


# ------------------------------------------------------------------------------------------- DuckDB files
@pytest.fixture
def stock(tmp_path: Path) -> Path:
    file = tmp_path / "stock.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            """CREATE SCHEMA s; CREATE TABLE s."odd; ""one" AS SELECT 1 AS a; CREATE VIEW v AS SELECT 2 AS b"""
        )
    return file


def test_tables_and_views_of_a_duckdb_file(tmp_path: Path, stock: Path) -> None:
    assert opened(tmp_path, 'duckdb:stock.duckdb#s.odd; "one')[1] == [{"a": 1}]
    assert opened(tmp_path, "duckdb:stock.duckdb#v")[1] == [{"b": 2}]


def test_a_missing_table_is_told_which_there_are(tmp_path: Path, stock: Path) -> None:
    assert "main.v" in refused(tmp_path, "duckdb:stock.duckdb#nothing")
    assert "#" in refused(tmp_path, "duckdb:stock.duckdb")
    assert "no file" in refused(tmp_path, "duckdb:shop.duckdb#v")


def test_forgetting_closes_the_file_and_drops_the_views(tmp_path: Path, stock: Path) -> None:
    with DuckDBEngine(threads=1) as engine:
        open_source(engine, locate("it", "duckdb:stock.duckdb#v", tmp_path), NO_PROJECT)
        engine.forget("source", "file")
        left = engine.connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
        assert left == []
        with duckdb.connect(str(stock)) as connection:  # the owner can write again
            connection.execute("CREATE TABLE w AS SELECT 1 AS a")


def test_a_location_does_not_show_its_password() -> None:
    assert "secret" not in repr(Location("it", "postgresql", address="postgresql://me:secret@host/db"))
