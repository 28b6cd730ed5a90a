"""Tables of Spark's catalogs as sources: read where they lie, by Spark, and the same as from files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small_project import NOW, at, good_tables, write_project
from spark_here import SETTINGS, new_spark
from sqlglot import exp

from rapport.config import Config
from rapport.data.checks import check
from rapport.data.ingest import open_dataset


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Any]:
    """Saves a table in Spark's own catalog, with its files in a warehouse of its own; returns its name."""
    saved: list[str] = []
    with new_spark() as engine:

        def save(name: str, columns: dict[str, Any]) -> str:
            frame = engine.session.createDataFrame(pa.table(columns))
            frame.write.mode("overwrite").option("path", str(tmp_path / "warehouse" / name)).saveAsTable(name)
            saved.append(name)
            return f"spark:spark_catalog.default.{name}"

        yield save
        for name in saved:
            engine.session.sql(f"DROP TABLE IF EXISTS {name}")


def project(folder: Path, transactions: str, **top: Any) -> Config:
    sources = {name: f"{name}.parquet" for name in ("customers", "products")} | {"sales": transactions}
    tables = good_tables("customers", "products")
    config = write_project(folder, tables, {"transactions": {"source": "sales"}}, sources=sources, **top)
    return config.model_copy(update={"spark": SETTINGS})


def rows(config: Config) -> list[dict[str, Any]]:
    dataset = open_dataset(config)
    try:
        return dataset.engine.arrow(exp.select("*").from_("transactions").order_by("at")).to_pylist()
    finally:
        dataset.engine.close()


@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_a_table_of_the_catalog_is_the_same_as_a_file(engine: str, tmp_path: Path, lake: Any) -> None:
    tables = good_tables("customers", "products", "transactions")
    expected = rows(write_project(tmp_path, tables))
    config = project(tmp_path, lake("sales", tables["transactions"]), engine=engine)
    assert check(config, now=NOW).faults == ()
    assert rows(config) == expected
    assert not list((config.home / ".cache").rglob("lake"))  # the copy is gone


def test_a_table_that_grew_is_read_anew(tmp_path: Path, lake: Any) -> None:
    sales = good_tables("transactions")["transactions"]
    config = project(tmp_path, lake("sales", sales))
    first = open_dataset(config)
    again = open_dataset(config)
    assert (again.fingerprint, again.rows("transactions")) == (first.fingerprint, 4)
    more = {name: [*values, values[0]] for name, values in sales.items()}
    lake("sales", more | {"at": [*sales["at"], at("2024-06-30 21:00")]})
    grown = open_dataset(config)
    assert (grown.fingerprint != first.fingerprint, grown.rows("transactions")) == (True, 5)
    for dataset in (first, again, grown):
        dataset.engine.close()


@pytest.mark.parametrize("name", ["spark_catalog.default.nowhere", "no_catalog.sales"])
def test_a_table_that_is_not_there_is_one_fault(name: str, tmp_path: Path) -> None:
    report = check(project(tmp_path, f"spark:{name}"), now=NOW)
    (fault,) = report.errors
    assert fault.table == "transactions"
    assert f"source 'sales': Spark cannot read {name}: " in fault.what


def test_what_is_no_name_of_a_table_is_refused(tmp_path: Path) -> None:
    (fault,) = check(project(tmp_path, "spark:sales; DROP TABLE x"), now=NOW).errors
    assert "is no name of a table" in fault.what
