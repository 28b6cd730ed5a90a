"""The generated shop: the same every time, and in keeping with the contract."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from shop import write_shop
from sqlglot import exp

from rapport.config import load_config
from rapport.data.contract import TABLES
from rapport.data.ingest import open_dataset


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    files = [sorted(write_shop(tmp_path / name, customers=30).parent.rglob("*.*")) for name in ("one", "two")]
    assert len(files[0]) == 8
    for first, second in zip(*files, strict=True):
        assert first.name == second.name
        assert first.is_dir() or first.read_bytes() == second.read_bytes()
    assert (
        write_shop(tmp_path / "three", customers=30, seed=1).with_name("replies.csv").read_bytes()
        != (tmp_path / "one" / "replies.csv").read_bytes()
    )


def test_no_name_of_the_shop_is_one_of_the_contract(tmp_path: Path) -> None:
    config = load_config(write_shop(tmp_path, customers=30))
    ours = {*TABLES, *(column.name for table in TABLES.values() for column in table.columns)}
    assert not ours & set(config.sources)
    for mapping in config.tables.values():
        assert not ours & set(mapping.columns.values())


@pytest.mark.parametrize("conversion", ["campaigns", "prospects"])
def test_the_shop_keeps_the_contract(tmp_path: Path, conversion: str) -> None:
    path = write_shop(tmp_path, customers=120, conversion=conversion)  # type: ignore[arg-type]
    dataset = open_dataset(load_config(path).model_copy(update={"home": tmp_path / "home"}))
    assert {fault.place for fault in dataset.report.faults} == {"contacts.customer_id", "transactions.customer_id"}
    assert not dataset.has("products")
    local = pq.read_table(tmp_path / "tills")["stamped"].cast("timestamp[us]")
    found = dataset.engine.arrow(exp.select("local_at").from_("transactions"))["local_at"]
    assert pc.sort_indices(local).to_pylist()
    assert sorted(found.to_pylist()) == sorted(local.to_pylist())  # there and back, over two changes of the clock
    utc = dataset.engine.arrow(exp.select("at").from_("transactions"))["at"].to_pylist()
    assert {
        (here - there).seconds // 3600 for here, there in zip(sorted(local.to_pylist()), sorted(utc), strict=True)
    } == {10, 11}
