"""Where scores go beside the Parquet folder: tables of a DuckDB file or of PostgreSQL.

A sink has one table for each task, `scores_<config>_<task>`, with the columns of the Parquet files and the rows of all
days, and a table `rapport_results` that says which result each day's rows are. A day is replaced in one transaction; a
result that is there already is left alone, so that a job may be repeated at will.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol

from ..config import Config
from ..data.locations import expanded
from ..errors import ConfigError, OutputError
from .manifest import Manifest

RESULTS = "rapport_results"
_LONGEST_NAME = 63  # of a table in PostgreSQL


class Sink(Protocol):
    """One database that takes results; errors of it are raised as OutputError, without passwords."""

    @property
    def shown(self) -> str:
        """The address without its password."""
        ...

    def holds(self, manifest: Manifest) -> bool:
        """True if the rows of this very result are there."""
        ...

    def put(self, place: Path, manifest: Manifest) -> None:
        """Put a result in the place of what stands there for its day, in one transaction."""
        ...

    def days(self, config: str, task: str) -> tuple[date, ...]:
        """The days that have rows."""
        ...

    def remove(self, config: str, task: str, entity: str) -> int:
        """Remove all rows of an entity; their number."""
        ...


@dataclass(frozen=True)
class Address:
    """A sink of the configuration, taken apart; `target` is a file or a connection string and may hold a password."""

    kind: str
    target: str = field(repr=False)
    schema: str


def open_sinks(config: Config) -> tuple[Sink, ...]:
    """The configured sinks; nothing is connected yet. ConfigError for an address that is none."""
    sinks: list[Sink] = []
    for text in config.scoring.sinks:
        address = parse(text, config.folder)
        if address.kind == "duckdb":
            from .sink_duckdb import DuckDBSink

            sinks.append(DuckDBSink(Path(address.target), address.schema))
        else:
            from .sink_postgres import PostgresSink

            sinks.append(PostgresSink(address.target, address.schema))
    return tuple(sinks)


def parse(text: str, folder: Path) -> Address:
    """Take the address of a sink apart; files are relative to the folder of the configuration."""
    whole = expanded("a sink in scoring.sinks", text)
    target, _, schema = whole.partition("#")
    if schema and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", schema):
        raise ConfigError(f"scoring.sinks: '{schema}' is no name of a schema; write it behind the #, as in ...#crm")
    if target.startswith("duckdb:") and len(target) > len("duckdb:"):
        return Address("duckdb", str(folder / Path(target.removeprefix("duckdb:")).expanduser()), schema or "main")
    if re.match(r"postgres(ql)?://.", target):
        return Address("postgresql", target, schema or "public")
    raise ConfigError("scoring.sinks: an address must be duckdb:FILE[#schema] or postgresql://...[#schema]")


def table_name(config: str, task: str) -> str:
    """The table of a task's scores; a name that is too long for PostgreSQL ends in a checksum."""
    name = f"scores_{config}_{task}"
    if len(name) <= _LONGEST_NAME - 10:  # a day is added to it where days are tables
        return name
    return f"{name[: _LONGEST_NAME - 19]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def keys_of(columns: Sequence[str]) -> list[str]:
    """The columns that identify a row: the day, the entity, and the task's other keys or the rank."""
    return ["as_of", *columns[: list(columns).index("as_of")]]


def digest_of(manifest: Manifest) -> str:
    """One sum for a result: equal sums have equal rows."""
    total = hashlib.sha256()
    for part in manifest.parts:
        total.update(f"{part.file} {part.rows} {part.sha256}\n".encode())
    return total.hexdigest()


def check_columns(table: str, there: Sequence[str], manifest: Manifest) -> None:
    """OutputError where a table has other columns than the result."""
    wanted = [name for name, _ in manifest.columns]
    if there and list(there) != wanted:
        other = sorted(set(wanted) ^ set(there)) or ["their order"]
        raise OutputError(
            f"the table {table} has other columns than the scores ({', '.join(other[:5])}); "
            "rename or drop it, and run the command again"
        )
