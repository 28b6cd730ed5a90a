"""Spark in the tests: one local session a process, made to start soon rather than to run long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rapport.config import SparkConfig
from rapport.features.battery import machine_zone

pytest.importorskip("pyspark", reason="PySpark is not installed; run: pip install 'rapport[spark]'")

from rapport.data.engine_spark import SparkEngine

SETTINGS = SparkConfig(
    master="local[1]",
    options={
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.autoBroadcastJoinThreshold": "-1",
        "spark.sql.shuffle.partitions": "1",
        "spark.default.parallelism": "1",
        "spark.sql.debug.maxToStringFields": "1",
    },
)
"""Small data and large queries: compiling them takes longer than running them."""


def new_spark(**more: Any) -> SparkEngine:
    """A new session on the process's own Spark."""
    return SparkEngine(memory_limit="2GB", settings=SETTINGS)


@contextmanager
def everywhere_in(zone: str) -> Iterator[None]:
    """The machine's time zone, as Python and as Spark's Java see it, changed for a while."""
    with new_spark() as opened:
        zones = opened.session._jvm.java.util.TimeZone
    before = zones.getDefault()
    try:
        zones.setDefault(zones.getTimeZone(zone))
        with machine_zone(zone):
            yield
    finally:
        zones.setDefault(before)


def assert_same(expected: pa.Table, found: pa.Table, where: str) -> None:
    """The same columns, rows and values; doubles to 1e-9, relative."""
    assert found.schema.names == expected.schema.names, where
    assert found.num_rows == expected.num_rows > 0, where
    for name in expected.column_names:
        before, after = expected[name], found[name]
        assert after.type == before.type, f"{where}: {name} is {after.type}, not {before.type}"
        if not pa.types.is_floating(before.type):
            assert after.equals(before), f"{where}: {name} differs"
            continue
        assert after.is_null().equals(before.is_null()), f"{where}: {name} is missing elsewhere"
        np.testing.assert_allclose(
            after.to_numpy(zero_copy_only=False), before.to_numpy(zero_copy_only=False), 1e-9, 0, err_msg=name
        )
