"""PostgreSQL tables, copied into the engine in Arrow batches by the ADBC driver (extra: `rapport[postgres]`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from sqlglot import exp

from ..errors import DataError
from .engine import DuckDBEngine
from .locations import Location

_MODIFIER_OFFSET = 4  # PostgreSQL keeps precision and scale as (precision << 16 | scale) + 4
_MOST_DIGITS = 38  # of a DECIMAL in DuckDB


def copy_table(engine: DuckDBEngine, location: Location, name: str) -> None:
    """Copy a table (or view) of a database into the engine under a name.

    Raises DataError: no driver, no connection, no such table, no right to read it. No message holds a password.
    """
    try:
        import adbc_driver_manager
        from adbc_driver_postgresql import dbapi
    except ImportError as error:
        raise DataError(
            f"source '{location.name}' is a PostgreSQL table, and the driver is not installed; "
            "run: pip install 'rapport[postgres]'"
        ) from error
    table = exp.table_(location.table, location.schema, quoted=True).sql(dialect="postgres")
    where = "no connection to the database"
    try:
        with dbapi.connect(location.address) as connection, connection.cursor() as cursor:
            where = f"{location.schema}.{location.table} cannot be read"
            cursor.execute(f"SELECT * FROM {table}")
            with cursor.fetch_record_batch() as batches:
                copy = f"{name} as text"
                engine.add_batches(copy, _without_extensions(batches))
                engine.define(name, _with_decimals(batches.schema, copy))
    except adbc_driver_manager.Error as error:
        raise DataError(
            f"source '{location.name}': {where}: {without_password(str(error), location.address)}"
        ) from None


def _without_extensions(batches: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Types that Arrow has no name for (numeric, json, enums) as what they are stored in: mostly text."""
    opaque = {i for i, column in enumerate(batches.schema) if isinstance(column.type, pa.OpaqueType)}
    schema = pa.schema(
        [
            (column.name, column.type.storage_type if i in opaque else column.type)
            for i, column in enumerate(batches.schema)
        ]
    )

    def stored() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            columns = [array.storage if i in opaque else array for i, array in enumerate(batch.columns)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, stored())


def _with_decimals(schema: pa.Schema, copy: str) -> exp.Expression:
    """The copied table with its numeric columns as DECIMAL where they have a precision that fits, else as DOUBLE."""
    selected: list[exp.Expression] = []
    for column in schema:
        tree: exp.Expression = exp.column(column.name, quoted=True)
        if (column.metadata or {}).get(b"POSTGRESQL:type") == b"numeric":
            modifier = int(column.metadata.get(b"POSTGRESQL:typmod", b"-1")) - _MODIFIER_OFFSET
            precision, scale = modifier >> 16, modifier & 0x7FF
            fits = modifier >= 0 and precision <= _MOST_DIGITS and scale <= precision
            kind = f"DECIMAL({precision}, {scale})" if fits else "DOUBLE"
            tree = exp.TryCast(this=tree, to=exp.DataType.build(kind, dialect="duckdb"))
        selected.append(exp.alias_(tree, column.name, quoted=True))
    return exp.select(*selected).from_(exp.table_(copy, quoted=True))


def without_password(text: str, address: str) -> str:
    """The first telling line of a driver's message, with the password of the connection taken out of it."""
    line = next((line for line in text.splitlines() if "ERROR" in line or "FATAL" in line or "failed" in line), text)
    line = re.split(r"(?:ERROR|FATAL): ", line)[-1]
    line = " ".join(re.sub(r"://[^@\s]*@", "://***@", line).split())
    secret = urlsplit(address).password
    for form in {secret, unquote(secret)} if secret else ():
        line = line.replace(form, "***")
    return line
