"""Tables that Spark knows (Hive, Iceberg, Delta), written by it as Parquet for the time of the ingest.

Spark's workers read the table where it lies and write its rows under `<home>/.cache/<config>/lake`, a folder that a
cluster must see as it sees the others there; nothing passes through the machine that runs the command. The copy is
removed when the ingest has written the canonical tables.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ..config import Config
from ..errors import DataError
from .engine import DuckDBEngine
from .locations import Location


def copy_table(engine: DuckDBEngine, location: Location, name: str, config: Config) -> None:
    """Make a table of Spark's catalogs known to the engine under a name, as it is at this moment.

    Raises DataError where there is no such table or it cannot be read, ConfigError where Spark is missing.
    """
    from .spark_session import open_session

    session = open_session(config.spark, config.memory_limit, config.threads)
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    folder = _folder(config) / location.name
    try:
        session.table(location.table).write.mode("overwrite").parquet(folder.absolute().as_uri())
    except (PySparkException, Py4JJavaError) as error:
        line = str(error).strip().splitlines()[0]
        raise DataError(f"source '{location.name}': Spark cannot read {location.table}: {line}") from error
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise DataError(
            f"source '{location.name}': Spark's workers have written {location.table} where this machine does not see "
            f"it ({folder}); let RAPPORT_HOME be a folder that all share"
        )
    engine.add_files(name, files)


def forget_copies(config: Config) -> None:
    """Remove the copies of all tables."""
    shutil.rmtree(_folder(config), ignore_errors=True)


def _folder(config: Config) -> Path:
    return config.home / ".cache" / config.name / "lake"
