"""Scores as a table of a DuckDB file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from ..errors import OutputError
from .manifest import Manifest
from .sinks import RESULTS, check_columns, digest_of, keys_of, table_name


@dataclass(frozen=True)
class DuckDBSink:
    """A DuckDB file and the schema in it. The file is open only while it is read or written."""

    file: Path
    schema: str = "main"

    @property
    def shown(self) -> str:
        """The file."""
        return f"duckdb:{self.file}"

    def holds(self, manifest: Manifest) -> bool:
        """True if the rows of this very result are there."""
        job = manifest.job
        if not self.file.exists():
            return False
        with self._open() as connection:
            if not _columns(connection, self.schema, RESULTS):
                return False
            found = connection.execute(
                f"SELECT digest FROM {self._name(RESULTS)} WHERE config = ? AND task = ? AND as_of = ?",
                [job.config, job.task, job.as_of],
            ).fetchall()
        return bool(found == [(digest_of(manifest),)])

    def put(self, place: Path, manifest: Manifest) -> None:
        """Put a result in the place of what stands there for its day, in one transaction."""
        job, name = manifest.job, table_name(manifest.job.config, manifest.job.task)
        table = self._name(name)
        files = [str(place / part.file) for part in manifest.parts]
        read = "SELECT * FROM read_parquet(?, hive_partitioning = false)"
        with self._open() as connection:
            connection.execute("BEGIN")
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(self.schema)}")
            there = _columns(connection, self.schema, name)
            check_columns(name, there, manifest)
            if not there:
                connection.execute(f"CREATE TABLE {table} AS {read} LIMIT 0", [files])
                keys = ", ".join(map(_quoted, keys_of([column for column, _ in manifest.columns])[1:]))
                connection.execute(f"CREATE INDEX {_quoted(f'{name}_keys')} ON {table} ({keys})")
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self._name(RESULTS)} (config TEXT, task TEXT, as_of DATE, digest TEXT, "
                '"rows" BIGINT, model_version TEXT, run_id TEXT, scored_at TIMESTAMPTZ)'
            )
            connection.execute(f"DELETE FROM {table} WHERE as_of = ?", [job.as_of])
            connection.execute(f"INSERT INTO {table} {read}", [files])
            connection.execute(
                f"DELETE FROM {self._name(RESULTS)} WHERE config = ? AND task = ? AND as_of = ?",
                [job.config, job.task, job.as_of],
            )
            facts = [job.config, job.task, job.as_of, digest_of(manifest), manifest.rows]
            facts += [job.model_version, job.run_id, manifest.scored_at]
            connection.execute(f"INSERT INTO {self._name(RESULTS)} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", facts)
            connection.execute("COMMIT")

    def days(self, config: str, task: str) -> tuple[date, ...]:
        """The days that have rows."""
        if not self.file.exists():
            return ()
        with self._open() as connection:
            if not _columns(connection, self.schema, table_name(config, task)):
                return ()
            query = f"SELECT DISTINCT as_of FROM {self._name(table_name(config, task))} ORDER BY as_of"
            return tuple(day for (day,) in connection.execute(query).fetchall())

    def remove(self, config: str, task: str, entity: str) -> int:
        """Remove all rows of an entity; their number."""
        if not self.days(config, task):
            return 0
        with self._open() as connection:
            table = self._name(table_name(config, task))
            query = f"DELETE FROM {table} WHERE CAST(entity_id AS TEXT) = ?"
            ((count,),) = connection.execute(query, [entity]).fetchall()
            connection.execute("CHECKPOINT")
        return int(count)

    def _name(self, table: str) -> str:
        return f"{_quoted(self.schema)}.{_quoted(table)}"

    @contextmanager
    def _open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with duckdb.connect(str(self.file)) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
        except (duckdb.Error, OSError) as error:
            line = str(error).splitlines()[0]
            raise OutputError(f"{self.shown} cannot be written: {line}; run the command again") from error


def _columns(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> list[str]:
    """The columns of a table in their order; empty where there is none."""
    query = (
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position"
    )
    return [str(name) for (name,) in connection.execute(query, [schema, table]).fetchall()]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
