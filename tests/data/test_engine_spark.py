"""Where Spark would differ from DuckDB in silence: one query of everything that was ever met, and the refusals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small_project import good_tables, write_project
from spark_here import SETTINGS, assert_same, new_spark
from sqlglot import exp

from rapport.config import SparkConfig
from rapport.data.engine import DuckDBEngine
from rapport.data.engine_spark import SparkEngine
from rapport.data.ingest import open_dataset
from rapport.errors import ConfigError, DataError
from rapport.features.snapshot import Snapshots
from rapport.language.expressions import case_when, days, filtered, plain, ratio, seconds, total, wide
from rapport.language.moments import timestamp
from rapport.tasks import declare

HOSTILE = 'it\'s \\ "odd" {so} `too`\n%_ Käse'
ROWS = pa.table(
    {
        "k": [1, 1, 1, 2, 2],
        "at": [
            datetime(2024, 3, 10, 6, 59, 59, 999_999),
            datetime(2024, 3, 10, 7),
            None,
            *[datetime(1999, 12, 31)] * 2,
        ],
        "text": ["a", HOSTILE, None, "b", "Ä"],
        "score": [0.1, 2.5, None, -0.3, 1e300],
        "amount": [Decimal("1.100000"), Decimal("-2.345678"), None, Decimal("999999999999"), Decimal(0)],
        "gap": [31_536_000_000, 7, None, 3, 8],
        "flag": [True, False, None, True, True],
        "day": [date(2024, 2, 29), None, None, date(1970, 1, 1), date(1970, 1, 2)],
    },
    pa.schema(
        [
            *(("k", pa.int64()), ("at", pa.timestamp("us")), ("text", pa.string()), ("score", pa.float64())),
            *(("amount", pa.decimal128(18, 6)), ("gap", pa.int64()), ("flag", pa.bool_()), ("day", pa.date32())),
        ]
    ),
)
CUTOFF = timestamp(datetime(2024, 3, 10, 7))


def col(name: str) -> exp.Expression:
    return exp.column(name)


def first(value: exp.Expression) -> exp.Expression:
    return exp.Max(this=value)


TRAPS = {
    "days, with fractions, as doubles": first(days(col("at"), CUTOFF.copy())),
    "seconds, whole": first(seconds(col("at"), CUTOFF.copy())),
    "seconds in days": first(exp.Div(this=col("gap"), expression=exp.Literal.number("86400e0"))),
    "a count of nothing is zero": filtered(
        exp.Count(this=exp.Star()), [exp.EQ(this=col("text"), expression=exp.convert("z"))]
    ),
    "a sum of nothing is missing": filtered(
        exp.Sum(this=col("amount")), [exp.EQ(this=col("text"), expression=exp.convert("z"))]
    ),
    "nothing divided by nothing": first(ratio(exp.Literal.number(1), exp.Sub(this=col("k"), expression=col("k")))),
    "squares of 128 bits": exp.cast(exp.Sum(this=exp.Mul(this=wide(col("gap")), expression=col("gap"))), "double"),
    "sums of decimals": exp.Sum(this=col("amount")),
    "sums of doubles are exact and bounded": total("score", "DOUBLE"),
    "medians between": exp.Median(this=col("gap")),
    "the latest of equal times": exp.ArgMax(
        this=col("text"), expression=exp.Struct(expressions=[col("at"), col("text")])
    ),
    "text that is hard to quote": filtered(
        exp.Count(this=exp.Star()), [exp.EQ(this=col("text"), expression=exp.convert(HOSTILE))]
    ),
    "the greatest with something missing": first(exp.Greatest(this=col("score"), expressions=[exp.convert(0)])),
    "booleans as text": first(plain(col("flag"), "BOOLEAN")),
    "dates as text": first(plain(col("day"), "DATE")),
    "a microsecond before the cutoff": filtered(
        exp.Count(this=exp.Star()), [exp.LT(this=col("at"), expression=CUTOFF.copy())]
    ),
    "at the cutoff": exp.Sum(this=case_when(exp.LTE(this=col("at"), expression=CUTOFF.copy()), exp.convert(1))),
    "a date against a cutoff": first(days(exp.cast(col("day"), "timestampntz"), CUTOFF.copy())),
}


@pytest.fixture(scope="module")
def engines() -> Iterator[tuple[DuckDBEngine, SparkEngine]]:
    with DuckDBEngine(memory_limit="200MB", threads=1) as duckdb, new_spark() as spark:
        for engine in (duckdb, spark):
            engine.add_table("rows", ROWS)
        yield duckdb, spark


def test_what_engines_are_known_to_do_differently_is_the_same(engines: tuple[DuckDBEngine, SparkEngine]) -> None:
    named = [exp.alias_(value.copy(), f"v{number}") for number, value in enumerate(TRAPS.values())]
    query = exp.select("k", *named).from_("rows").group_by("k")
    expected, found = (engine.arrow(query).sort_by("k").to_pydict() for engine in engines)
    for number, what in enumerate(TRAPS):
        assert [*map(_comparable, found[f"v{number}"])] == [*map(_comparable, expected[f"v{number}"])], what
    assert expected["v3"] == [0, 0]


def _comparable(value: Any) -> Any:
    """Numbers to ten digits."""
    return float(f"{value:.10g}") if isinstance(value, Decimal | float) else value


def test_types_have_the_same_names(engines: tuple[DuckDBEngine, SparkEngine], tmp_path: Path) -> None:
    duckdb, spark = engines
    duckdb.write(exp.select("*").from_("rows"), tmp_path / "rows.parquet")
    for engine in engines:
        engine.add_files("filed", [tmp_path / "rows.parquet"])
    assert spark.columns("filed") == duckdb.columns("filed")
    assert spark.arrow(exp.select("*").from_("filed")).schema.types == ROWS.schema.types


def test_tables_are_replaced_kept_and_forgotten() -> None:
    with new_spark() as engine, new_spark() as other:
        engine.add_table("t", pa.table({"n": [1]}))
        engine.materialise("twice", exp.select("2 * n AS n").from_("t"))
        engine.define("view", exp.select("n").from_("twice"))
        engine.add_table("t", pa.table({"n": [10]}))
        assert engine.arrow(exp.select("n").from_("view"))["n"].to_pylist() == [2]
        assert not other.has("t")
        engine.drop("t")
        engine.drop("t")
        assert not engine.has("t")


def test_a_vanished_file_is_one_message(tmp_path: Path) -> None:
    with DuckDBEngine() as duckdb, new_spark() as spark:
        duckdb.add_table("t", pa.table({"n": [1]}))
        file = tmp_path / "t.parquet"
        duckdb.write(exp.select("*").from_("t"), file)
        spark.add_files("t", [file])
        file.unlink()
        with pytest.raises(DataError, match=r"Spark gave up: .*t\.parquet"):
            spark.arrow(exp.select("*").from_("t"))


def test_options_that_would_change_results_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"spark\.options\.spark\.sql\.session\.timeZone cannot be set"):
        SparkEngine(settings=SparkConfig(options={"spark.sql.session.timeZone": "America/New_York"}))


def test_a_project_says_which_engine_it_wants(tmp_path: Path) -> None:
    tasks = {"churn": {"active_within": 180, "blocks": ["rhythm"]}}
    tables = []
    for number, engine in enumerate(("duckdb", "spark")):
        folder = tmp_path / str(number)
        folder.mkdir()
        spark = SETTINGS.model_dump()
        config = write_project(folder, good_tables(), engine=engine, spark=spark, memory_limit="1GB", tasks=tasks)
        data = open_dataset(config)
        assert data.engine.dialect == engine
        snapshots = Snapshots(data, declare("churn", config.task("churn")), blocks=["rhythm"])
        tables.append(snapshots.features(snapshots.to_score(data.observed_until)))
        data.engine.close()
    assert_same(*tables, "features")
