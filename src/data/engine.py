"""The only place that knows which engine runs a query: sqlglot trees in, Arrow out.

An `Engine` is what features need. `DuckDBEngine` is the embedded default, which keeps to its memory limit by spilling
to a folder of its own; it also reads, checks and writes the data at ingest. `engine_spark` has the one for a cluster.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import duckdb
import pyarrow as pa
from sqlglot import exp

from ..config import Config
from ..errors import DataError

HELD_BYTES = 64_000_000  # of Parquet, about seven million purchases


class Engine(Protocol):
    """What computes features. Timestamps are naive and mean UTC, in whatever zone the machine is."""

    dialect: str

    def close(self) -> None:
        """Give back what the engine holds."""

    def add_files(self, name: str, files: Sequence[Path]) -> None:
        """Make Parquet files known as one table, replacing what had the name."""

    def hold_files(self, name: str, files: Sequence[Path]) -> None:
        """As `add_files`, for tables that are read many times."""

    def add_table(self, name: str, table: pa.Table) -> None:
        """Copy an Arrow table into the engine under a name, replacing what had it."""

    def materialise(self, name: str, tree: exp.Expression) -> None:
        """Keep the result of a query under a name, replacing what had it."""

    def define(self, name: str, tree: exp.Expression) -> None:
        """Make a query known as a view, replacing what had the name."""

    def columns(self, name: str) -> dict[str, str]:
        """The columns of a table or view with their types (DuckDB's names), in their order."""

    def drop(self, name: str) -> None:
        """Forget a table or view, if there is one of that name."""

    def sql(self, tree: exp.Expression) -> str:
        """The query in this engine's dialect."""

    def arrow(self, tree: exp.Expression) -> pa.Table:
        """Run a query and return all of its rows."""


def open_engine(config: Config) -> Engine:
    """The engine that a configuration asks for; ConfigError where it is not there."""
    if config.engine == "spark":
        from .engine_spark import SparkEngine

        return SparkEngine(memory_limit=config.memory_limit, threads=config.threads, settings=config.spark)
    return DuckDBEngine(memory_limit=config.memory_limit, threads=config.threads)


class DuckDBEngine:
    """One DuckDB connection in memory; use it as a context manager, or call `close`.

    Timestamps are naive and mean UTC; the session's time zone is UTC, so that nothing depends on the machine's.
    """

    dialect = "duckdb"

    def __init__(self, *, memory_limit: str = "4GB", threads: int | None = None) -> None:
        self._spill = Path(tempfile.mkdtemp(prefix="rapport-spill-"))
        settings = {"memory_limit": memory_limit, "temp_directory": str(self._spill)}
        if threads is not None:
            settings["threads"] = str(threads)
        self.connection = duckdb.connect(":memory:", config=settings)
        # In a notebook without ipywidgets DuckDB refuses to touch its progress bar, and shows none.
        with suppress(duckdb.InvalidInputException):
            self.connection.execute("SET enable_progress_bar = false")
        self.connection.execute("SET TimeZone = 'UTC'")

    def __enter__(self) -> DuckDBEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and remove what it spilled."""
        self.connection.close()
        shutil.rmtree(self._spill, ignore_errors=True)

    # -------------------------------------------------------------------------------- tables
    def add_files(self, name: str, files: Sequence[Path]) -> None:
        """Make Parquet files known as one table, replacing what had the name."""
        self._run(lambda view: self._files(files).create_view(view, replace=True), name)

    def hold_files(self, name: str, files: Sequence[Path]) -> None:
        """As `add_files`, but small files are copied into memory: many reads then take half as long."""
        self.drop(name)
        if self._run(lambda _: sum(file.stat().st_size for file in files), name) > HELD_BYTES:
            self.add_files(name, files)
            return
        self._run(
            lambda sql: self._files(files).query("files", sql), f"CREATE TABLE {_quoted(name)} AS SELECT * FROM files"
        )

    def _files(self, files: Sequence[Path]) -> duckdb.DuckDBPyRelation:
        return self.connection.read_parquet([str(file) for file in files], union_by_name=True)

    def add_table(self, name: str, table: pa.Table) -> None:
        """Copy an Arrow table into the engine under a name, replacing what had it."""
        self.drop(name)
        self.connection.register("__incoming", table)
        self.connection.execute(f"CREATE TEMP TABLE {_quoted(name)} AS SELECT * FROM __incoming")
        self.connection.unregister("__incoming")

    def add_batches(self, name: str, batches: pa.RecordBatchReader) -> None:
        """Copy a stream of Arrow batches into the engine under a name, replacing what had it."""
        self.drop(name)
        self.connection.register("__incoming", batches)
        try:
            self._run(self.connection.execute, f"CREATE TEMP TABLE {_quoted(name)} AS SELECT * FROM __incoming")
        finally:
            self.connection.unregister("__incoming")

    def materialise(self, name: str, tree: exp.Expression) -> None:
        """Run a query and keep its result as a temporary table, replacing what had the name."""
        self.drop(name)
        self._run(self.connection.execute, f"CREATE TEMP TABLE {_quoted(name)} AS {self.sql(tree)}")

    def define(self, name: str, tree: exp.Expression) -> None:
        """Make a query known as a view, replacing what had the name; nothing is computed yet."""
        self.drop(name)
        self._run(self.connection.execute, f"CREATE TEMP VIEW {_quoted(name)} AS {self.sql(tree)}")

    def has(self, name: str) -> bool:
        """True if a table or view has that name."""
        try:
            self.connection.execute(f"DESCRIBE {_quoted(name)}")
        except duckdb.CatalogException:
            return False
        return True

    def columns(self, name: str) -> dict[str, str]:
        """The columns of a table or view with their types, in their order."""
        rows = self.connection.execute(f"DESCRIBE {_quoted(name)}").fetchall()
        return {str(row[0]): str(row[1]) for row in rows}

    def write(self, tree: exp.Expression, file: Path) -> None:
        """Run a query and write its rows to a Parquet file, in their order (zstd 1: less work, about as many bytes)."""
        target = exp.Literal.string(str(file)).sql(dialect=self.dialect)
        options = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"
        self._run(self.connection.execute, f"COPY ({self.sql(tree)}) TO {target} ({options})")

    def write_partitions(self, tree: exp.Expression, column: str, folder: Path) -> None:
        """Run a query and write its rows to `<folder>/<column>=<value>/*.parquet` (lz4), without that column."""
        target = exp.Literal.string(str(folder)).sql(dialect=self.dialect)
        options = f"FORMAT parquet, COMPRESSION lz4, PARTITION_BY ({_quoted(column)})"
        self._run(self.connection.execute, f"COPY ({self.sql(tree)}) TO {target} ({options})")

    def attach(self, file: Path, name: str) -> list[tuple[str, str]]:
        """Open a DuckDB file for reading under a name; returns the schemas and names of its tables and views."""
        path = exp.Literal.string(str(file)).sql(dialect=self.dialect)
        self.connection.execute(f"ATTACH IF NOT EXISTS {path} AS {_quoted(name)} (READ_ONLY)")
        found = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = ? ORDER BY ALL"
        return [(str(schema), str(table)) for schema, table in self.connection.execute(found, [name]).fetchall()]

    def forget(self, *prefixes: str) -> None:
        """Drop the tables and views, and close the files, whose name is one of these words, a dot and more."""
        tables = "SELECT table_name FROM information_schema.tables WHERE table_catalog IN (current_database(), 'temp')"
        for (name,) in self.connection.execute(tables).fetchall():
            if name.partition(".")[0] in prefixes and "." in name:
                self.drop(name)
        for (name,) in self.connection.execute("SELECT database_name FROM duckdb_databases()").fetchall():
            if name.partition(".")[0] in prefixes and "." in name:
                self.connection.execute(f"DETACH {_quoted(name)}")

    def drop(self, name: str) -> None:
        """Forget a table or view, if there is one of that name."""
        try:
            self.connection.execute(f"DROP VIEW IF EXISTS {_quoted(name)}")
        except duckdb.CatalogException:  # it is a table
            self.connection.execute(f"DROP TABLE IF EXISTS {_quoted(name)}")

    # -------------------------------------------------------------------------------- queries
    def sql(self, tree: exp.Expression) -> str:
        """The query in this engine's dialect."""
        return str(tree.sql(dialect=self.dialect, copy=False))

    def arrow(self, tree: exp.Expression) -> pa.Table:
        """Run a query and return all of its rows."""
        return self._run(lambda sql: self.connection.sql(sql).to_arrow_table(), self.sql(tree))

    def batches(self, tree: exp.Expression, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its rows in batches, without holding all of them."""
        yield from self._run(self.connection.sql, self.sql(tree)).to_arrow_reader(rows)

    @staticmethod
    def _run(call: Callable[[str], Any], sql: str) -> Any:
        try:
            return call(sql)
        except duckdb.OutOfMemoryException as error:
            raise DataError(f"the memory limit was not enough: {error}; raise memory_limit in the config") from error
        except (duckdb.IOException, FileNotFoundError) as error:
            line = str(error).splitlines()[0]
            raise DataError(f"a file of the data is gone or damaged, or the disk is full: {line}") from error


def _quoted(name: str) -> str:
    return str(exp.to_identifier(name, quoted=True).sql(dialect="duckdb"))
