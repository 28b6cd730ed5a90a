"""Spark, where data outgrow one machine: the same sqlglot trees in Spark's dialect, Arrow out (`rapport[spark]`).

The compiled declarations run as Spark SQL; nothing passes through pandas. Timestamps are TIMESTAMP_NTZ and mean UTC,
and the session's zone is UTC, so that neither the machine's zone nor a cluster's moves a cutoff.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import pyarrow as pa
from sqlglot import exp

from ..config import SparkConfig
from ..errors import DataError
from .spark_session import open_session
from .spark_sql import SparkSQL

Result = TypeVar("Result")
Batches = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]

_NAMES = {
    "string": "VARCHAR",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
}
"""Spark's names of types, and DuckDB's, which are those of the project."""


class SparkEngine:
    """A Spark session of its own; use it as a context manager, or call `close`.

    Sessions share one connection to the cluster, which ends with the process. In local mode, `memory_limit` and
    `threads` are those of the first one that was opened.
    """

    dialect = "spark"

    def __init__(
        self, *, memory_limit: str = "4GB", threads: int | None = None, settings: SparkConfig | None = None
    ) -> None:
        self.session = open_session(settings or SparkConfig(), memory_limit, threads)
        self._kept: dict[str, Any] = {}

    def __enter__(self) -> SparkEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget all tables; the connection stays for others."""
        for name in list(self._kept):
            self.drop(name)

    # -------------------------------------------------------------------------------- tables
    def add_files(self, name: str, files: Sequence[Path]) -> None:
        """Make Parquet files known as one table, replacing what had the name."""
        self._name(name, _run(lambda: self.session.read.parquet(*(file.absolute().as_uri() for file in files))))

    def hold_files(self, name: str, files: Sequence[Path]) -> None:
        """As `add_files`: Spark reads them anew each time, wherever there is a free core."""
        self.add_files(name, files)

    def add_table(self, name: str, table: pa.Table) -> None:
        """Copy an Arrow table into the engine under a name, replacing what had it."""
        self._name(name, self.session.createDataFrame(table))

    def materialise(self, name: str, tree: exp.Expression) -> None:
        """Keep the result of a query under a name, replacing what had it; it is computed when it is first read."""
        self._name(name, self._frame(tree).persist())

    def define(self, name: str, tree: exp.Expression) -> None:
        """Make a query known as a view, replacing what had the name; nothing is computed yet."""
        self._name(name, self._frame(tree))

    def has(self, name: str) -> bool:
        """True if a table or view has that name."""
        return name in self._kept

    def columns(self, name: str) -> dict[str, str]:
        """The columns of a table or view with their types (DuckDB's names), in their order."""
        return {column: _NAMES.get(kind, kind.upper()) for column, kind in self._kept[name].dtypes}

    def drop(self, name: str) -> None:
        """Forget a table or view, if there is one of that name."""
        frame = self._kept.pop(name, None)
        if frame is not None:
            frame.unpersist()
            self.session.catalog.dropTempView(_quoted(name))

    # -------------------------------------------------------------------------------- queries
    def sql(self, tree: exp.Expression) -> str:
        """The query in this engine's dialect."""
        return str(tree.sql(dialect=SparkSQL))

    def arrow(self, tree: exp.Expression) -> pa.Table:
        """Run a query and return all of its rows."""
        return _run(self._frame(tree).toArrow)

    def mapped(self, tree: exp.Expression, by: str, work: Batches, schema: pa.Schema) -> pa.Table:
        """Run a query, hand its rows to `work` wherever they are, and return what comes of them.

        All rows with one value of the column `by` are in one call. `work` gets and gives Arrow batches.
        """
        from pyspark.sql.pandas.types import from_arrow_schema

        spread = self._frame(tree).repartition(exp.column(by, quoted=True).sql(dialect=SparkSQL))
        kinds = from_arrow_schema(schema, prefer_timestamp_ntz=True)
        return _run(spread.mapInArrow(work, kinds).toArrow)

    # -------------------------------------------------------------------------------- within
    def _frame(self, tree: exp.Expression) -> Any:
        return _run(lambda: self.session.sql(self.sql(tree)))

    def _name(self, name: str, frame: Any) -> None:
        self.drop(name)
        frame.createOrReplaceTempView(_quoted(name))
        self._kept[name] = frame


def _run(call: Callable[[], Result]) -> Result:
    from py4j.protocol import Py4JJavaError

    try:
        return call()
    except Py4JJavaError as error:
        cause = error.java_exception
        while cause.getCause() is not None:
            cause = cause.getCause()
        line = str(cause.getMessage() or cause.toString()).splitlines()[0]
        raise DataError(f"Spark gave up: {line}") from error


def _quoted(name: str) -> str:
    return str(exp.to_identifier(name, quoted=True).sql(dialect=SparkSQL))
