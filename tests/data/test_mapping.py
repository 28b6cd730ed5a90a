from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from small_project import at, good_tables, write_project
from sqlglot import exp

from rapport.data.checks import check
from rapport.data.expressions import resolve
from rapport.data.ingest import open_dataset
from rapport.data.mapping import clean_name
from rapport.errors import DataError

HOSTILE = 'a"b; DROP TABLE x --'


# ------------------------------------------------------------------------------------------- expressions
@pytest.mark.parametrize("name", ["select", "two words", HOSTILE, "it's", "1st", "a.b", "a + b", "größe"])
def test_a_text_that_is_a_column_is_that_column(name: str) -> None:
    tree, touched = resolve(name, [name, "other"])
    assert isinstance(tree, exp.Column)
    assert touched == {name}
    assert tree.sql("duckdb") == '"' + name.replace('"', '""') + '"'


def test_expressions_are_quoted_and_say_what_they_use() -> None:
    tree, touched = resolve('Price * "two words" + coalesce(tax, 0)', ["price", "two words", "tax"])
    assert tree.sql("duckdb") == '"price" * "two words" + COALESCE("tax", 0)'
    assert touched == {"price", "two words", "tax"}


@pytest.mark.parametrize(
    "text",
    [
        "price; DROP TABLE t",
        "(SELECT max(price) FROM t)",
        "price IN (SELECT 1)",
        "sum(price)",
        "row_number() OVER ()",
        "*",
        "price AS amount",
        "DROP TABLE t",
        "price +",
        "",
    ],
)
def test_what_is_no_expression_over_one_row_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        resolve(text, ["price"])


def test_a_column_that_is_not_there_is_told_with_its_neighbours() -> None:
    with pytest.raises(DataError, match="did you mean sales_value"):
        resolve("sales_valeu", ["sales_value", "other"])
    with pytest.raises(DataError, match=r"names sales_valeu.*did you mean sales_value"):
        resolve("sales_valeu * 2", ["sales_value", "other"])


@pytest.mark.parametrize(
    ("name", "clean"), [("Age", "Age"), ("two words", "two_words"), ("%", "attribute"), ("1st!", "attribute_1st")]
)
def test_clean_names(name: str, clean: str) -> None:
    assert clean_name(name) == clean


# ------------------------------------------------------------------------------------------- whole tables
def test_hostile_names_of_columns_and_sources_come_through(tmp_path: Path) -> None:
    tables = {"x": {HOSTILE: [1, 2], "o'clock": [at("2024-01-01 10:00")] * 2, "sum(1)": [1.0, 2.0]}}
    entry = {"source": "x", "columns": {"customer_id": HOSTILE, "at": "o'clock", "amount": "sum(1)"}}
    config = write_project(tmp_path, tables, tables={"transactions": entry})
    dataset = open_dataset(config)
    assert dataset.engine.arrow(exp.select("customer_id", "amount").from_("transactions")).num_rows == 2


def test_attributes_are_what_no_column_uses(tmp_path: Path) -> None:
    tables = good_tables("transactions")
    tables["customers"] = {
        "id": [1, 2, 3],
        "customer_id": ["x", "y", "z"],  # not the id: the mapping says so
        "Zip Code": ["01067", "10115", ""],
        "zip-code": [1.5, float("nan"), 2.0],
        "born": pa.array([1, None, 3], pa.date32()),
        "tags": [["a"], [], None],
        "secret": [1, 2, 3],
        "cutoff": [True, False, None],
    }
    entry = {
        "source": "customers",
        "columns": {"customer_id": "id", "adult": "born < '2006-01-01'"},
        "ignore": ["secret"],
    }
    dataset = open_dataset(write_project(tmp_path, tables, {"customers": entry}))
    assert dataset.attributes["customers"] == ("adult", "customer_id_2", "zip_code", "zip_code_2", "cutoff_2")
    rows = dataset.engine.arrow(exp.select("*").from_("customers").order_by("customer_id")).to_pylist()
    assert [row["zip_code"] for row in rows] == ["01067", "10115", None]
    assert [row["zip_code_2"] for row in rows] == [1.5, None, 2.0]
    assert any("tags is left out" in note for note in dataset.report.notes)
    assert dataset.attributes["transactions"] == ()


def test_a_wrong_name_to_ignore_is_an_error(tmp_path: Path) -> None:
    entry = {"source": "customers", "ignore": ["regoin"]}
    report = check(write_project(tmp_path, good_tables("customers"), {"customers": entry}))
    assert [fault.remedy for fault in report.errors] == ["correct `tables.customers.ignore`; did you mean region?"]


def test_a_query_joins_sources(tmp_path: Path) -> None:
    tables = good_tables("products")
    tables["heads"] = {"receipt": [1, 2], "who": ["A", "B"], "sold": [at("2024-01-01 10:00"), at("2024-01-02 10:00")]}
    tables["lines"] = {"receipt": [1, 1, 2], "price": [1.0, 2.0, 4.0]}
    query = """WITH big AS (SELECT * FROM lines AS l WHERE price > 1)
               SELECT heads.who, heads.sold, big.price FROM heads JOIN big USING (receipt)"""
    entry = {"query": query, "columns": {"customer_id": "who", "at": "sold", "amount": "price"}}
    config = write_project(tmp_path, tables, tables={"transactions": entry})
    dataset = open_dataset(config)
    rows = dataset.engine.arrow(
        exp.select("customer_id", "amount").from_("transactions").order_by("amount")
    ).to_pylist()
    assert [(row["customer_id"], float(row["amount"])) for row in rows] == [("A", 2.0), ("B", 4.0)]
    unused = {fault.column for fault in dataset.report.warnings if fault.table == "sources"}
    assert unused == {"products"}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT * FROM read_parquet('/etc/x')", "only names under `sources`"),
        ("SELECT * FROM information_schema.tables", "only names under `sources`"),
        ("SELECT * FROM transaction", "did you mean transactions"),
        ("DROP TABLE transactions", "no SELECT"),
        ("SELECT FROM WHERE", "not readable"),
        ("SELECT nothing FROM transactions", "cannot be run"),
    ],
)
def test_queries_read_sources_and_nothing_else(tmp_path: Path, query: str, told: str) -> None:
    report = check(write_project(tmp_path, good_tables("transactions"), {"transactions": {"query": query}}))
    assert len(report.errors) == 1
    assert told in report.errors[0].what


def test_an_unknown_table_and_an_unknown_column_of_the_contract(tmp_path: Path) -> None:
    mapping = {
        "transaction": {"source": "transactions"},
        "contacts": {"source": "contacts", "columns": {"chanel": "contact_id"}},
    }
    report = check(write_project(tmp_path, good_tables("transactions", "contacts", "campaigns"), mapping))
    assert {(fault.table, fault.column) for fault in report.errors} == {("transaction", None), ("contacts", "chanel")}
    assert "did you mean transactions" in report.errors[0].remedy
    assert "did you mean channel" in report.errors[1].remedy
