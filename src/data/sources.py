"""Sources made known to the engine: files and DuckDB tables as views, tables of PostgreSQL and of Spark as copies."""

from __future__ import annotations

import re

import duckdb
from sqlglot import exp

from ..config import Config
from ..errors import DataError
from . import lake, postgres
from .csv_files import open_csv
from .engine import DuckDBEngine
from .locations import Location, view_name


def open_source(engine: DuckDBEngine, location: Location, config: Config) -> None:
    """Make a source of a project known to the engine under `view_name(location.name)`.

    Files and DuckDB tables become views; CSV files and tables of PostgreSQL are copied in, those of Spark beside it.
    What is open already (for its fingerprint) stays, so that what is checked is what was summed up.

    Raises DataError where it cannot be read.
    """
    view = view_name(location.name)
    if engine.has(view):
        return
    try:
        if location.kind == "parquet":
            engine.add_files(view, location.files)
        elif location.kind == "csv":
            open_csv(engine, view, location.files)
        elif location.kind == "duckdb":
            _open_duckdb(engine, location, view)
        elif location.kind == "spark":
            lake.copy_table(engine, location, view, config)
        else:
            postgres.copy_table(engine, location, view)
    except duckdb.Error as error:
        where = ", ".join(str(file) for file in location.files[:3]) or f"{location.schema}.{location.table}"
        raise DataError(f"source '{location.name}': {where} cannot be read: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """The first line of an engine's message, without its kind and without what may be secret."""
    text = str(error).strip().partition("\n")[0]
    return re.sub(r"://[^@\s]*@", "://***@", re.sub(r"^[\w ]+ Error: ", "", text))


def _open_duckdb(engine: DuckDBEngine, location: Location, view: str) -> None:
    file, database = location.files[0], f"file.{location.name}"
    found = engine.attach(file, database)
    if (location.schema, location.table) not in found:
        there = ", ".join(f"{schema}.{table}" for schema, table in found) or "no tables"
        raise DataError(
            f"source '{location.name}': {file} has no table {location.schema}.{location.table}; it has {there}"
        )
    table = exp.table_(location.table, location.schema, database, quoted=True)
    engine.define(view, exp.select("*").from_(table))
