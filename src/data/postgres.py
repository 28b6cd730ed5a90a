"""PostgreSQL tables, copied into the engine in Arrow batches by the ADBC driver (extra: `rapport[postgres]`)."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from sqlglot import exp

from ..errors import DataError
from .engine import DuckDBEngine
from .locations import Location


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
                engine.add_batches(name, batches)
    except adbc_driver_manager.Error as error:
        raise DataError(
            f"source '{location.name}': {where}: {without_password(str(error), location.address)}"
        ) from None


def without_password(text: str, address: str) -> str:
    """The first telling line of a driver's message, with the password of the connection taken out of it."""
    line = next((line for line in text.splitlines() if "ERROR" in line or "FATAL" in line or "failed" in line), text)
    line = " ".join(re.sub(r"://[^@\s]*@", "://***@", line).split())
    secret = urlsplit(address).password
    for form in {secret, unquote(secret)} if secret else ():
        line = line.replace(form, "***")
    return line
