"""The data of a project in canonical form: what everything above the data layer reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from ..config import Config
from ..errors import DataError
from .clock import local_to_utc
from .contract import EVENT_TABLES, TABLES
from .engine import DuckDBEngine, Engine
from .moments import define_moments, moments_of, read_whole
from .report import Report


def whole(table: str) -> str:
    """The name of a table of everybody, beside its own name, which may stand for one bucket (see `register_whole`)."""
    return f"{table}__all"


@dataclass(frozen=True)
class Dataset:
    """Canonical tables as Parquet files, known to `engine` under their names.

    `columns` maps each table to its columns and their types (DuckDB's names), `attributes` to the names of its further
    columns; `first_event` and `observed_until` are naive UTC; `fingerprint` is the sha256 of contents and mapping.
    """

    config: Config
    engine: Engine
    columns: Mapping[str, Mapping[str, str]]
    attributes: Mapping[str, tuple[str, ...]]
    files: Mapping[str, tuple[Path, ...]]
    fingerprint: str
    first_event: datetime
    observed_until: datetime
    buckets: int
    report: Report

    def has(self, table: str, *columns: str) -> bool:
        """True if there is such a table, with these columns."""
        return table in self.columns and all(column in self.columns[table] for column in columns)

    def register(self, bucket: int | None = None, engine: Engine | None = None, *, hold: bool = True) -> None:
        """Let the tables' names stand for one bucket of customers and prospects, or for all of them.

        Tables without an owner (products, campaigns, offers) are always whole. `hold` is for tables that are read many
        times: small ones are copied into memory.
        """
        engine = engine or self.engine
        if bucket is not None and not 0 <= bucket < self.buckets:
            raise DataError(f"there is no bucket {bucket}: this data set has {self.buckets}, counted from 0")
        for table, files in self.files.items():
            some = files if bucket is None or len(files) == 1 else (files[bucket],)
            if hold:
                engine.hold_files(table, some)
            else:
                engine.drop(table)
                engine.add_files(table, some)
        for table in () if bucket is None else read_whole(self.files):
            engine.add_files(whole(table), self.files[table])
        define_moments(engine, self.columns, of_all=None if bucket is None else whole)

    def register_whole(self, engine: Engine | None = None) -> dict[str, Mapping[str, str]]:
        """Let `whole(name)` stand for all of a table, whatever bucket its name stands for; the columns of all names."""
        for table, files in self.files.items():
            (engine or self.engine).add_files(whole(table), files)
        define_moments(engine or self.engine, self.columns, whole)
        return {**self.columns, **{whole(table): columns for table, columns in self.columns.items()}}

    def rows(self, table: str) -> int:
        """Number of rows of a table."""
        return sum(pq.read_metadata(file).num_rows for file in self.files.get(table, ()))


def is_complete(folder: Path) -> bool:
    """True if all files of a data set lie in the folder."""
    manifest = folder / "dataset.json"
    if not manifest.is_file():
        return False
    tables = json.loads(manifest.read_text(encoding="utf-8"))["tables"]
    return all((folder / name / file).is_file() for name, table in tables.items() for file in table["files"])


def load_dataset(config: Config, engine: Engine, folder: Path) -> Dataset:
    """A data set that ingest wrote, with all of its tables registered."""
    raw = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    tables = raw["tables"]
    stored = {name: dict(table["columns"]) for name, table in tables.items()}
    dataset = Dataset(
        config=config,
        engine=engine,
        columns={**stored, **moments_of(stored)},
        attributes={name: tuple(table["attributes"]) for name, table in tables.items()},
        files={name: tuple(folder / name / file for file in table["files"]) for name, table in tables.items()},
        fingerprint=raw["fingerprint"],
        first_event=datetime.fromisoformat(raw["first_event"]),
        observed_until=datetime.fromisoformat(raw["observed_until"]),
        buckets=raw["buckets"],
        report=Report.from_json(json.dumps(raw["report"])),
    )
    dataset.register()
    return dataset


def observed_span(
    engine: DuckDBEngine, config: Config, tables: Mapping[str, exp.Expression]
) -> tuple[datetime, datetime]:
    """First event, and the end of the observed world: as configured, else the last event.

    Events are purchases, responses and interactions, and where there are none of them whatever has happened to
    prospects and subscriptions; planned contacts never count.

    Raises DataError where there is no event at all.
    """
    moments = [(name, "at") for name in EVENT_TABLES if name in tables]
    others = (("prospects", "created_at"), ("prospects", "converted_at"), ("payments", "paid_at"), ("stages", "at"))
    moments = moments or [(table, column) for table, column in others if table in tables]
    found = list[datetime]()
    for table, column in moments:
        if column not in engine.columns(tables[table].name):
            continue
        tree = exp.select(f"min({column}) AS a", f"max({column}) AS b").from_(tables[table].copy())
        span: pa.Table = engine.arrow(tree)
        found += [value for value in span.to_pylist()[0].values() if value is not None]
    if not found:
        listed = ", ".join(name for name in EVENT_TABLES if name in TABLES)
        raise DataError(f"the data of {config.name} have no event: none of {listed} has a row")
    until = config.observed_until
    return min(found), local_to_utc(until, config.zone) if until is not None else max(found)
