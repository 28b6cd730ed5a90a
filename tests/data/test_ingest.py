"""What stands in the canonical tables, where they lie, and when they are written again."""

from __future__ import annotations

import json
import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_project import at, good_tables, write_project
from sqlglot import exp

from rapport.config import Config
from rapport.data import buckets as buckets_module
from rapport.data import ingest
from rapport.data.buckets import bucket_count, bucket_of, bucket_sql
from rapport.data.dataset import Dataset
from rapport.data.engine import DuckDBEngine
from rapport.data.ingest import open_dataset
from rapport.errors import DataError


def rows_of(dataset: Dataset, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """The rows of a table in their order by these columns."""
    tree = exp.select(*(exp.column(name, quoted=True) for name in columns)).from_(exp.table_(table, quoted=True))
    found = dataset.engine.arrow(tree).to_pylist()
    return sorted((tuple(row.values()) for row in found), key=repr)


@pytest.fixture
def steps() -> list[str]:
    return []


# ------------------------------------------------------------------------------------------- canonical tables
def test_ids_keep_their_type(tmp_path: Path) -> None:
    data = good_tables("transactions")
    data["transactions"]["product_id"] = [10.0, 11.0, None, float("nan")]  # integers with gaps, as pandas writes them
    data["transactions"]["order_id"] = ["0017", "17", "17 ", None]
    dataset = open_dataset(write_project(tmp_path, data))
    types = dataset.columns["transactions"]
    assert (types["customer_id"], types["product_id"], types["order_id"]) == ("BIGINT", "BIGINT", "VARCHAR")
    assert rows_of(dataset, "transactions", "order_id", "product_id") == [
        ("0017", 10),
        ("17 ", None),
        ("17", 11),
        (None, None),
    ]


def test_ids_are_text_everywhere_where_they_are_text_somewhere(tmp_path: Path) -> None:
    data = good_tables()
    data["transactions"]["customer_id"] = ["1", "1", "2", "03"]
    data["contacts"]["customer_id"] = [1.0, 2.0, 1.0]
    dataset = open_dataset(write_project(tmp_path, data))
    assert rows_of(dataset, "customers", "customer_id") == [("1",), ("2",), ("3",)]
    assert rows_of(dataset, "contacts", "customer_id") == [("1",), ("1",), ("2",)]
    assert [fault.examples for fault in dataset.report.warnings] == [({"customer_id": "03"},)]


def test_purchases_carry_what_is_known_of_their_product(tmp_path: Path) -> None:
    data = good_tables("transactions", "products")
    data["transactions"]["product_id"] = [10, 11, 99, None]
    data["transactions"]["margin"] = [None, 4.0, None, 1.5]
    dataset = open_dataset(write_project(tmp_path, data))
    assert rows_of(dataset, "transactions", "amount", "category", "margin") == [
        (Decimal(10), "tea", Decimal(5)),
        (Decimal(20), None, None),
        (Decimal("4.5"), "jam", Decimal(4)),
        (Decimal(8), None, Decimal("1.5")),
    ]


def test_contacts_responses_and_offers_carry_what_is_known_of_their_campaign(tmp_path: Path) -> None:
    data = good_tables()
    data["campaigns"]["known_at"] = [at("2024-02-01 10:00"), None]
    data["contacts"] |= {"channel": ["mail", "post", "mail"]}
    data["offers"] = {"offer_id": [1, 2], "campaign_id": [7, 8], "product_id": [10, 99], "discount": [1.0, 2.0]}
    dataset = open_dataset(write_project(tmp_path, data, time_zone="UTC"))
    march, may = at("2024-03-01"), at("2024-05-01")
    assert rows_of(dataset, "campaigns", "campaign_id", "known_at") == [(7, at("2024-02-01 10:00")), (8, may)]
    assert rows_of(dataset, "contacts", "contact_id", "campaign_kind", "at", "known_at", "ends_at") == [
        ("a", "spring", march, march, at("2024-03-20 23:59:59.999999")),
        ("b", "spring", march, march, at("2024-03-20 23:59:59.999999")),
        ("c", "may", may, may, at("2024-05-20 23:59:59.999999")),
    ]
    assert rows_of(dataset, "responses", "contact_id", "customer_id", "campaign_id", "channel") == [
        ("a", 1, 7, "mail"),
        ("c", 1, 8, "mail"),
    ]
    assert rows_of(dataset, "offers", "offer_id", "category", "known_at") == [
        (1, "tea", at("2024-02-01 10:00")),
        (2, None, may),
    ]


def test_contacts_held_out_were_not_made(tmp_path: Path) -> None:
    data = good_tables()
    assert rows_of(open_dataset(write_project(tmp_path, data)), "contacts", "made") == [(True,)] * 3
    data["contacts"] |= {"treated": [False, None, True]}
    some = open_dataset(write_project(tmp_path, data))
    assert rows_of(some, "contacts", "contact_id", "made") == [("a", False), ("b", True), ("c", True)]


def test_a_late_arrival_stays_late(tmp_path: Path) -> None:
    data = good_tables("campaigns", "contacts", "transactions")
    data["contacts"] |= {"known_at": [at("2024-03-10 10:00"), None, at("2024-04-01 10:00")]}
    dataset = open_dataset(write_project(tmp_path, data, time_zone="UTC"))
    assert rows_of(dataset, "contacts", "contact_id", "known_at") == [
        ("a", at("2024-03-10 10:00")),
        ("b", at("2024-03-01")),
        ("c", at("2024-04-01 10:00")),
    ]


def test_the_observed_world(tmp_path: Path) -> None:
    data = good_tables("campaigns", "contacts", "transactions")
    data["campaigns"] |= {
        "starts_at": [at("2024-03-01"), at("2030-05-01")],
        "ends_at": [at("2024-03-20"), at("2030-05-20")],
    }
    dataset = open_dataset(write_project(tmp_path, data, time_zone="UTC"))
    assert (dataset.first_event, dataset.observed_until) == (at("2024-01-10 09:30"), at("2024-06-30 20:15"))
    dataset = open_dataset(write_project(tmp_path, data, observed_until=datetime(2024, 7, 1)))
    assert dataset.observed_until == at("2024-06-30 22:00")


def test_prospects_alone_make_a_world_too(tmp_path: Path) -> None:
    times = {
        "created_at": [at("2024-01-01 10:00"), at("2024-02-01 10:00")],
        "converted_at": [at("2024-03-01 10:00"), None],
    }
    dataset = open_dataset(write_project(tmp_path, {"prospects": {"prospect_id": [1, 2], **times}}, time_zone="UTC"))
    assert (dataset.first_event, dataset.observed_until) == (at("2024-01-01 10:00"), at("2024-03-01 10:00"))
    with pytest.raises(DataError, match="no event"):
        open_dataset(write_project(tmp_path, {"customers": {"customer_id": [1]}}))


def test_what_a_data_set_says_of_itself(tmp_path: Path) -> None:
    dataset = open_dataset(write_project(tmp_path, good_tables()))
    assert dataset.has("transactions")
    assert dataset.has("transactions", "category", "local_at")
    assert not dataset.has("transactions", "channel")
    assert not dataset.has("offers")
    assert dataset.attributes["customers"] == ("region",)
    assert (dataset.buckets, dataset.rows("transactions")) == (1, 4)
    for table, files in dataset.files.items():
        assert [file.name for file in files] == ["bucket-0.parquet"]
        assert files[0].parent.name == table
        assert pq.read_metadata(files[0]).row_group(0).column(0).compression == "ZSTD"
        assert set(pq.read_schema(files[0]).names) == set(dataset.columns[table])


def test_sources_are_forgotten_afterwards(tmp_path: Path) -> None:
    dataset = open_dataset(write_project(tmp_path, good_tables()))
    tables = dataset.engine.connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
    assert set(good_tables()) <= {name for (name,) in tables}
    assert not [name for (name,) in tables if "." in name]


# ------------------------------------------------------------------------------------------- buckets
@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(max_size=20).filter(lambda text: "\x00" not in text)))
def test_sql_and_python_agree_on_the_bucket(entity: int | str) -> None:
    literal = exp.cast(exp.Literal.string(str(entity)), "text")
    tree = exp.select(exp.alias_(bucket_sql(literal, 7), "bucket"))
    assert duckdb.sql(tree.sql("duckdb")).fetchall() == [(bucket_of(entity, 7),)]


def test_buckets_are_what_they_were(tmp_path: Path) -> None:
    """Other machines and engines compute the same."""
    assert [bucket_of(entity, 1000) for entity in (1, "1", "A", "é")] == [560, 560, 224, 119]
    assert [bucket_count(rows) for rows in (0, 2_000_000, 2_000_001, 10**10)] == [1, 1, 2, 256]


def test_rows_of_one_customer_share_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets_module, "ROWS_PER_BUCKET", 1)
    data = good_tables()
    data["prospects"] = {"prospect_id": ["p", "q"], "created_at": [at("2024-01-01 10:00")] * 2}
    data["contacts"] |= {"customer_id": [1, 2, None], "prospect_id": [None, None, "p"]}
    config = write_project(tmp_path, data)
    whole = open_dataset(config)
    assert whole.buckets == 4
    assert len(whole.files["products"]) == 1
    for table in ("transactions", "contacts", "responses", "customers", "prospects"):
        keys = [name for name in ("customer_id", "prospect_id") if name in whole.columns[table]]
        everything = rows_of(whole, table, *keys)
        parts = []
        for bucket in range(4):
            whole.register(bucket)
            part = rows_of(whole, table, *keys)
            owners = {next(value for value in row if value is not None) for row in part}
            assert {bucket_of(owner, 4) for owner in owners} <= {bucket}
            parts += part
        whole.register()
        assert sorted(parts, key=repr) == everything == rows_of(whole, table, *keys)
    whole.register(0)
    assert whole.engine.arrow(exp.select("*").from_("products")).num_rows == 2
    with pytest.raises(DataError, match="no bucket 4"):
        whole.register(4)


# ------------------------------------------------------------------------------------------- written once
def content(dataset: Dataset) -> dict[str, bytes]:
    return {f"{file.parent.name}/{file.name}": file.read_bytes() for files in dataset.files.values() for file in files}


def test_the_same_data_are_written_once(tmp_path: Path, steps: list[str]) -> None:
    config = write_project(tmp_path, good_tables())
    first = open_dataset(config, progress=steps.append)
    assert steps == ["reading the sources", "checking the data", "writing the tables"]
    again = open_dataset(config, progress=steps.append)
    assert steps[3:] == ["reading the sources"]
    assert again.fingerprint == first.fingerprint
    assert again.report == first.report
    assert again.files == first.files


def test_order_and_place_of_the_rows_do_not_matter_for_what_is_written(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    data = good_tables()
    (first / "x").mkdir(parents=True)
    (second / "y").mkdir(parents=True)
    one = open_dataset(write_project(first / "x", data))
    backwards = {name: {column: values[::-1] for column, values in columns.items()} for name, columns in data.items()}
    two = open_dataset(write_project(second / "y", backwards))
    assert content(one) == content(two)
    assert one.fingerprint != two.fingerprint  # the files are others
    os.utime(first / "x" / "products.parquet")
    (second / "z").mkdir()
    assert open_dataset(write_project(second / "z", data)).fingerprint == one.fingerprint


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"currency": "EUR", "seed": 5, "memory_limit": "1GB"}, True),
        ({"tasks": {"churn": {}}}, True),
        ({"time_zone": "UTC"}, False),
        ({"strict": False}, False),
        ({"observed_until": datetime(2024, 7, 1)}, False),
    ],
)
def test_the_fingerprint_is_of_the_data_and_how_they_are_read(
    tmp_path: Path, change: dict[str, Any], same: bool
) -> None:
    data = good_tables("transactions")
    before = open_dataset(write_project(tmp_path, data)).fingerprint
    assert len(before) == 64
    assert (open_dataset(write_project(tmp_path, data, **change)).fingerprint == before) == same


def test_a_changed_value_changes_the_fingerprint(tmp_path: Path) -> None:
    data = good_tables("transactions")
    before = open_dataset(write_project(tmp_path, data)).fingerprint
    data["transactions"]["amount"][0] += 1e-6
    assert open_dataset(write_project(tmp_path, data)).fingerprint != before


def test_rows_of_a_database_have_a_fingerprint_in_any_order(tmp_path: Path) -> None:
    prints = []
    for number, order in enumerate(("ASC", "DESC", "ASC LIMIT 3")):
        folder = tmp_path / str(number)
        folder.mkdir()
        with duckdb.connect(str(folder / "shop.duckdb")) as connection:
            connection.execute("CREATE TABLE early AS SELECT 1 AS a") if number else None
            connection.execute(
                f"""CREATE TABLE sales AS SELECT i % 3 AS customer_id, i * 1.5 AS amount,
                TIMESTAMP '2024-01-01 10:00' + i * INTERVAL 1 DAY AS at FROM range(5) t(i) ORDER BY i {order}"""
            )
        config = write_project(
            folder, {}, {"transactions": {"source": "shop"}}, sources={"shop": "duckdb:shop.duckdb#sales"}
        )
        prints.append(open_dataset(config).fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_a_killed_ingest_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write_project(tmp_path, good_tables())
    written = []

    def write_one_and_die(*arguments: Any) -> tuple[Path, ...]:
        if written:
            raise KeyboardInterrupt
        written.append(buckets_module.write_table(*arguments))
        return written[0]

    monkeypatch.setattr(ingest, "write_table", write_one_and_die)
    with pytest.raises(KeyboardInterrupt):
        open_dataset(config)
    assert not list((tmp_path / "home").rglob("*.parquet"))
    monkeypatch.undo()
    assert open_dataset(config).rows("transactions") == 4


def test_a_damaged_folder_is_written_again(tmp_path: Path, steps: list[str]) -> None:
    config = write_project(tmp_path, good_tables("transactions", "products"))
    open_dataset(config).files["products"][0].unlink()
    assert open_dataset(config, progress=steps.append).rows("products") == 2
    assert "writing the tables" in steps


def test_old_folders_do_not_pile_up(tmp_path: Path) -> None:
    config = write_project(tmp_path, good_tables("transactions", "products"))
    cache = tmp_path / "home" / ".cache" / "small"
    for number in range(7):
        (cache / f"data-{number}").mkdir(parents=True)
        os.utime(cache / f"data-{number}", (number, number))
    dataset = open_dataset(config)
    assert sorted(folder.name for folder in cache.glob("data-?")) == ["data-4", "data-5", "data-6"]
    assert dataset.files["products"][0].is_file()


# ------------------------------------------------------------------------------------------- quarantine
def bad_rows() -> dict[str, Any]:
    data = good_tables()
    data["customers"] = {"customer_id": [1, 2, 2, 3], "region": ["north", "b", "a", "c"]}
    data["transactions"] |= {"amount": ["10", "x", "20", "8"], "quantity": [1.0, 1.0, -1.0, 0.0]}
    data["campaigns"]["ends_at"] = [at("2024-03-20"), at("2024-04-01")]
    return data


def lax(tmp_path: Path) -> Config:
    return write_project(tmp_path, bad_rows(), strict=False)


def test_bad_rows_are_set_aside_and_counted(tmp_path: Path) -> None:
    dataset = open_dataset(lax(tmp_path))
    assert dataset.report.errors == ()
    aside = {file.stem: pq.read_table(file).to_pylist() for file in (tmp_path / "home/quarantine/small").iterdir()}
    assert {name: [row["reason"] for row in rows] for name, rows in aside.items()} == {
        "customers": ["customer_id: shares its customer_id with another row"],
        "campaigns": ["ends_at: lies before starts_at"],
        "contacts": ["campaign_id: names ids that campaigns does not have"],
        "responses": ["contact_id: names ids that contacts does not have"],
        "transactions": ["amount: holds text where a number is expected", "quantity: is negative"],
    }
    assert aside["transactions"][0]["raw amount"] == "x"
    kept = {name: dataset.rows(name) for name in aside}
    assert kept == {"customers": 3, "campaigns": 1, "contacts": 2, "responses": 1, "transactions": 2}
    assert rows_of(dataset, "customers", "customer_id", "region")[1] == (
        2,
        "a",
    )  # the first in the order of all columns
    for name, rows in aside.items():
        assert kept[name] + len(rows) == (dataset.report.rows or {})[name]
    told = {fault.table for fault in dataset.report.warnings if "set aside" in fault.what}
    assert told == set(aside)


def test_mended_data_leave_no_old_quarantine(tmp_path: Path) -> None:
    open_dataset(lax(tmp_path))
    open_dataset(write_project(tmp_path, good_tables(), strict=False))
    assert not (tmp_path / "home/quarantine/small").exists()


def test_what_is_wrong_with_a_whole_table_stops_all_the_same(tmp_path: Path) -> None:
    data = bad_rows()
    del data["transactions"]["at"]
    with pytest.raises(DataError, match=r"transactions\.at"):
        open_dataset(write_project(tmp_path, data, strict=False))


def test_the_good_one_of_two_rows_with_one_key_is_kept(tmp_path: Path) -> None:
    data = good_tables("transactions")
    data["campaigns"] = {
        "campaign_id": [7, 7, 8],
        "starts_at": [at("2024-03-01"), at("2024-03-02"), at("2024-05-01")],
        "ends_at": [at("2024-02-01"), at("2024-03-20"), at("2024-05-20")],
    }
    dataset = open_dataset(write_project(tmp_path, data, strict=False, time_zone="UTC"))
    assert rows_of(dataset, "campaigns", "campaign_id", "starts_at")[0] == (7, at("2024-03-02"))


# ------------------------------------------------------------------------------------------- resources
def test_an_engine_of_the_caller_stays_open_and_is_used(tmp_path: Path) -> None:
    config = write_project(tmp_path, good_tables("transactions", "products"))
    (tmp_path / "home").mkdir()
    with DuckDBEngine(threads=1) as engine:
        assert open_dataset(config, engine).engine is engine
        (tmp_path / "products.parquet").unlink()
        with pytest.raises(DataError):
            open_dataset(config, engine)
        assert engine.arrow(exp.select("1 AS one")).to_pylist() == [{"one": 1}]


def test_the_manifest_says_what_is_there_and_names_no_machine(tmp_path: Path) -> None:
    dataset = open_dataset(write_project(tmp_path, good_tables("transactions", "products")))
    manifest = (dataset.files["products"][0].parents[1] / "dataset.json").read_text()
    assert json.loads(manifest)["fingerprint"] == dataset.fingerprint
    assert str(tmp_path) not in manifest
