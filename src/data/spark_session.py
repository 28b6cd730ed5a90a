"""A Spark session that is the same everywhere: UTC, times without a zone, this Python on the workers, quiet."""

from __future__ import annotations

import os
import re
import sys
import warnings
from typing import Any

from ..config import SparkConfig
from ..errors import ConfigError
from .java import java_home, user_cache

FIXED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
}
"""What results depend on; no option can change it."""
_QUIET = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
_MANY_PARTS = {"spark.buffer.pageSize": "1m"}  # each of a query's hundred parts takes at least a page of memory
_HERE = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
_UNITS = {"KB": "k", "MB": "m", "GB": "g", "TB": "t"}


def open_session(settings: SparkConfig, memory_limit: str, threads: int | None) -> Any:
    """A session with tables of its own, on the connection that this process has, or on a new one.

    The master is that of the settings, else that of `spark-submit`, else this machine. Raises ConfigError where
    pyspark or Java is missing, or an option would change results.
    """
    for name in set(settings.options) & set(FIXED):
        raise ConfigError(f"spark.options.{name} cannot be set: it is always {FIXED[name]}; take it out")
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ConfigError("engine: spark needs PySpark; run: pip install 'rapport[spark]'") from error
    if SparkSession.getActiveSession() is None:
        _connect(SparkSession.builder, settings, memory_limit, threads)
    session = SparkSession.active().newSession()
    for name, value in FIXED.items():
        session.conf.set(name, value)
    return session


def _connect(builder: Any, settings: SparkConfig, memory_limit: str, threads: int | None) -> None:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    options = {**_QUIET, **_MANY_PARTS, **FIXED}
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    master = settings.master or (None if submitted else f"local[{threads or '*'}]")
    if master is not None:
        options["spark.master"] = master
    if master is not None and master.startswith("local"):
        options |= {**_HERE, "spark.driver.memory": _as_java_says(memory_limit)}
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    if not submitted:
        home = java_home(user_cache())
        if home is not None:
            os.environ["JAVA_HOME"] = str(home)
    for name, value in {**options, **settings.options}.items():
        builder = builder.config(name, value)
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
    try:
        builder.appName("rapport").getOrCreate()
    except (PySparkException, Py4JError) as error:
        raise ConfigError(f"Spark does not start on {master}: {str(error).splitlines()[0]}") from error


def _as_java_says(memory: str) -> str:
    """4GB as 4g: Java's spelling."""
    found = re.fullmatch(r"\s*(\d+)\s*([KMGT])i?B\s*", memory, re.IGNORECASE)
    if found is None:
        raise ConfigError(f"memory_limit is {memory}; Spark reads whole numbers with a unit, such as 4GB or 500MB")
    return found.group(1) + _UNITS[found.group(2).upper() + "B"]
