"""A small project of canonical tables that keep the contract, to be spoilt one thing at a time."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from rapport.config import Config, load_config

Columns = dict[str, Any]
NOW = datetime(2024, 7, 1, 12)
NO_PROJECT = Config.model_validate({"name": "none", "time_zone": "UTC", "sources": {}, "tables": {}})


def at(text: str) -> datetime:
    """A naive time from its ISO text."""
    return datetime.fromisoformat(text)


def good_tables(*names: str) -> dict[str, Columns]:
    """Three customers, two campaigns; every name is the contract's own. No time is midnight but the campaigns'.

    `names` picks some of the tables.
    """
    tables: dict[str, Columns] = {
        "customers": {"customer_id": [1, 2, 3], "region": ["north", "south", None]},
        "products": {"product_id": [10, 11], "category": ["tea", "jam"], "margin_rate": [0.5, 0.25]},
        "campaigns": {
            "campaign_id": [7, 8],
            "starts_at": [at("2024-03-01"), at("2024-05-01")],
            "ends_at": [at("2024-03-20"), at("2024-05-20")],
            "kind": ["spring", "may"],
        },
        "contacts": {"contact_id": ["a", "b", "c"], "customer_id": [1, 2, 1], "campaign_id": [7, 7, 8]},
        "responses": {"contact_id": ["a", "c"], "at": [at("2024-03-05 10:00"), at("2024-05-02 11:30")]},
        "transactions": {
            "customer_id": [1, 1, 2, 3],
            "at": [at("2024-01-10 09:30"), at("2024-04-02 18:00"), at("2024-03-02 12:00:30"), at("2024-06-30 20:15")],
            "amount": [10.0, 4.5, 20.0, 8.0],
            "product_id": [10, 11, 10, 11],
            "quantity": [1.0, 2.0, 4.0, 1.0],
        },
    }
    return {name: tables[name] for name in names or tables}


def write_project(
    folder: Path, data: dict[str, Columns], mapping: dict[str, dict[str, Any]] | None = None, **top: Any
) -> Config:
    """Write tables as Parquet files, each a source of its own name, and load a configuration over them.

    `mapping` replaces the entries of tables, `top` those of the configuration; results go to `<folder>/home`.
    """
    for name, columns in data.items():
        pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), folder / f"{name}.parquet")
    raw: dict[str, Any] = {
        "name": "small",
        "time_zone": "Europe/Berlin",
        "sources": {name: f"{name}.parquet" for name in data},
        "tables": {name: {"source": name} for name in data},
        "threads": 1,
        **top,
    }
    raw["tables"] |= mapping or {}
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return load_config(file).model_copy(update={"home": folder / "home"})
