"""Scores as a PostgreSQL table, partitioned by day (extra: `rapport[postgres]`).

A day is loaded into a table of its own and indexed there; then it takes the place of the day's partition in one
transaction, which takes no time and hides nothing from readers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..data.postgres import without_password
from ..errors import OutputError
from .manifest import Manifest
from .sinks import RESULTS, check_columns, digest_of, keys_of, table_name

_TYPES = {
    "int32": "integer",
    "int64": "bigint",
    "double": "double precision",
    "string": "text",
    "date32[day]": "date",
    "timestamp[us, tz=UTC]": "timestamptz",
}
_BATCH = 50_000


@dataclass(frozen=True)
class PostgresSink:
    """A database and the schema in it; `address` may hold a password and is never shown."""

    address: str = field(repr=False)
    schema: str = "public"

    @property
    def shown(self) -> str:
        """The address without user and password."""
        scheme, _, rest = self.address.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"

    def holds(self, manifest: Manifest) -> bool:
        """True if the rows of this very result are there."""
        job = manifest.job
        with self._open() as cursor:
            if not self._columns(cursor, RESULTS):
                return False
            cursor.execute(
                f"SELECT digest FROM {self._name(RESULTS)} WHERE config = $1 AND task = $2 AND as_of = $3",
                (job.config, job.task, job.as_of),
            )
            return bool(cursor.fetchall() == [(digest_of(manifest),)])

    def put(self, place: Path, manifest: Manifest) -> None:
        """Put a result in the place of what stands there for its day, in one transaction."""
        job, name = manifest.job, table_name(manifest.job.config, manifest.job.task)
        day = f"{name}_{job.as_of:%Y%m%d}"
        with self._open() as cursor:
            self._lock(cursor, name)
            self._prepare(cursor, name, manifest)
            staged = self._stage(cursor, day, place, manifest)
            cursor.connection.commit()
            self._lock(cursor, name)
            cursor.execute(f"DROP TABLE IF EXISTS {self._name(day)}")
            cursor.execute(f"ALTER TABLE {staged} RENAME TO {_quoted(day)}")
            literal = f"'{job.as_of.isoformat()}'"
            cursor.execute(
                f"ALTER TABLE {self._name(name)} ATTACH PARTITION {self._name(day)} FOR VALUES IN ({literal})"
            )
            self._note(cursor, manifest)
            cursor.connection.commit()

    def days(self, config: str, task: str) -> tuple[date, ...]:
        """The days that have rows."""
        with self._open() as cursor:
            if not self._columns(cursor, table_name(config, task)):
                return ()
            cursor.execute(f"SELECT DISTINCT as_of FROM {self._name(table_name(config, task))} ORDER BY as_of")
            return tuple(day for (day,) in cursor.fetchall())

    def remove(self, config: str, task: str, entity: str) -> int:
        """Remove all rows of an entity; their number."""
        name = table_name(config, task)
        with self._open() as cursor:
            if not self._columns(cursor, name):
                return 0
            cursor.execute(
                f"WITH gone AS (DELETE FROM {self._name(name)} WHERE entity_id::text = $1 RETURNING 1) "
                "SELECT count(*) FROM gone",
                (entity,),
            )
            ((count,),) = cursor.fetchall()
            cursor.connection.commit()
        return int(count)

    # ------------------------------------------------------------------------------ inside
    def _lock(self, cursor: Any, name: str) -> None:
        """Of two jobs that write the same table the second refuses; the lock ends with the transaction."""
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", (f"rapport {self.schema}.{name}",))
        if cursor.fetchall() != [(True,)]:
            raise OutputError(f"another job is writing {name} in {self.shown}; wait until it has ended")

    def _prepare(self, cursor: Any, name: str, manifest: Manifest) -> None:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(self.schema)}")
        there = self._columns(cursor, name)
        check_columns(name, there, manifest)
        if not there:
            columns = ", ".join(f"{_quoted(column)} {_TYPES[kind]}" for column, kind in manifest.columns)
            keys = ", ".join(map(_quoted, keys_of([column for column, _ in manifest.columns])))
            cursor.execute(
                f"CREATE TABLE {self._name(name)} ({columns}, PRIMARY KEY ({keys})) PARTITION BY LIST (as_of)"
            )
            cursor.execute(f"CREATE INDEX ON {self._name(name)} (entity_id)")
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {self._name(RESULTS)} (config text, task text, as_of date, digest text, "
            '"rows" bigint, model_version text, run_id text, scored_at timestamptz, '
            "PRIMARY KEY (config, task, as_of))"
        )

    def _stage(self, cursor: Any, day: str, place: Path, manifest: Manifest) -> str:
        """Load a result into a table of its own, with the indexes and the check that the partition will need."""
        name = table_name(manifest.job.config, manifest.job.task)
        staged = f"{day}_new"
        cursor.execute(f"DROP TABLE IF EXISTS {self._name(staged)}")
        literal = f"'{manifest.job.as_of.isoformat()}'"
        cursor.execute(
            f"CREATE TABLE {self._name(staged)} "
            f"(LIKE {self._name(name)}, CHECK (as_of IS NOT NULL AND as_of = {literal}))"
        )
        cursor.adbc_ingest(staged, _batches(place, manifest), mode="append", db_schema_name=self.schema)
        keys = ", ".join(map(_quoted, keys_of([column for column, _ in manifest.columns])))
        cursor.execute(f"ALTER TABLE {self._name(staged)} ADD PRIMARY KEY ({keys})")
        cursor.execute(f"CREATE INDEX ON {self._name(staged)} (entity_id)")
        return self._name(staged)

    def _note(self, cursor: Any, manifest: Manifest) -> None:
        job = manifest.job
        key = (job.config, job.task, job.as_of)
        where = "config = $1 AND task = $2 AND as_of = $3"
        cursor.execute(f"DELETE FROM {self._name(RESULTS)} WHERE {where}", key)
        facts = pa.table(
            {
                "config": [job.config],
                "task": [job.task],
                "as_of": pa.array([job.as_of], pa.date32()),
                "digest": [digest_of(manifest)],
                "rows": pa.array([manifest.rows], pa.int64()),
                "model_version": pa.array([job.model_version], pa.string()),
                "run_id": pa.array([job.run_id], pa.string()),
                "scored_at": pa.array([manifest.scored_at], pa.timestamp("us", tz="UTC")),
            }
        )
        cursor.adbc_ingest(RESULTS, facts, mode="append", db_schema_name=self.schema)

    def _columns(self, cursor: Any, table: str) -> list[str]:
        """The columns of a table in their order; empty where there is none."""
        cursor.execute(
            "SELECT column_name::text FROM information_schema.columns "
            "WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position",
            (self.schema, table),
        )
        return [str(name) for (name,) in cursor.fetchall()]

    def _name(self, table: str) -> str:
        return f"{_quoted(self.schema)}.{_quoted(table)}"

    @contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            import adbc_driver_manager
            from adbc_driver_postgresql import dbapi
        except ImportError as error:
            raise OutputError(
                "a sink is a PostgreSQL database, and the driver is not installed; run: pip install 'rapport[postgres]'"
            ) from error
        try:
            with dbapi.connect(self.address) as connection, connection.cursor() as cursor:
                yield cursor
        except adbc_driver_manager.Error as error:
            said = without_password(str(error), self.address)
            raise OutputError(f"{self.shown} cannot be written: {said}; run the command again") from None


def _batches(place: Path, manifest: Manifest) -> pa.RecordBatchReader:
    """The rows of all parts, batch by batch."""
    files = [pq.ParquetFile(place / part.file) for part in manifest.parts]
    batches = (batch for file in files for batch in file.iter_batches(_BATCH))
    return pa.RecordBatchReader.from_batches(files[0].schema_arrow, batches)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
