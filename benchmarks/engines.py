"""DuckDB against Spark on complete_journey: the same rows and columns, and the largest relative difference by block.

    python benchmarks/engines.py [--households N] [--scores FOLDER] [TASK ...]

Every task of the configuration (or those that are named) with all blocks: its population, targets and features at a
cutoff (for campaigns: those that begin in the last four months), over an even sample of the households. With
`--scores`, a folder with a model for each task (as `rapport run` exports them), the scores of both engines are compared
too. Spark runs here, set to start soon rather than to run long: its queries over many features take longer to compile
than to run on so few rows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from results import table, write
from sqlglot import exp

from rapport.config import SparkConfig, load_config
from rapport.data.dataset import Dataset
from rapport.data.engine_spark import SparkEngine
from rapport.data.ingest import open_dataset
from rapport.features.blocks import BLOCKS
from rapport.features.snapshot import Snapshots
from rapport.language.moments import midnight, to_local
from rapport.models.bundle import load_bundle
from rapport.scoring.batch import score
from rapport.tasks import declare

SPARK = SparkConfig(
    options={
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.debug.maxToStringFields": "1",
    }
)
CONFIG = Path(__file__).resolve().parents[1] / "configs" / "complete_journey.yaml"
TOLERANCE = 1e-9
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def sample(data: Dataset, households: int, folder: Path) -> Dataset:
    """The data of about so many households, every so many-th of them, in files of their own."""
    customers = data.engine.arrow(exp.select("customer_id").distinct().from_("transactions"))["customer_id"]
    chosen = customers.sort().to_pylist()[:: max(len(customers) // households, 1)]
    files = {}
    for name, columns in data.columns.items():
        if name not in data.files:
            continue
        query = exp.select("*").from_(name)
        if "customer_id" in columns:
            query = query.where(exp.column("customer_id").isin(*chosen))
        pq.write_table(data.engine.arrow(query), folder / f"{name}.parquet")
        files[name] = (folder / f"{name}.parquet",)
    some = replace(data, files=files, buckets=1, fingerprint="")
    some.register()
    return some


def largest_difference(expected: pa.ChunkedArray, found: pa.ChunkedArray) -> float:
    """The largest relative difference of two columns; infinite where anything else differs."""
    if expected.type != found.type or not expected.is_null().equals(found.is_null()):
        return np.inf
    if not pa.types.is_floating(expected.type):
        return 0.0 if expected.equals(found) else np.inf
    before, after = (column.drop_null().to_numpy() for column in (expected, found))
    apart = np.abs(before - after)
    return float(np.max(apart / np.maximum(np.abs(before), np.finfo(float).tiny), where=apart > 0, initial=0.0))


def snapshot(data: Dataset, name: str) -> tuple[pa.Table, dict[str, str]]:
    """A task's rows with targets and the features of all blocks, and the block of each feature."""
    config = data.config
    task = declare(name, config.task(name))
    end = to_local(data.observed_until, config.zone).date()
    cutoff = midnight(end - timedelta(days=60), config.zone)
    snapshots = Snapshots(data, task, blocks=list(BLOCKS), learn_at=cutoff)
    if task.is_planned:
        spine = snapshots.planned(midnight(end - timedelta(days=120), config.zone), cutoff, with_target=True)
    else:
        spine = snapshots.population([cutoff], with_target=task.target is not None)
    return snapshots.features(spine), {column.name: column.block for column in snapshots.columns}


def of_features(data: Dataset, on_spark: Dataset, name: str) -> list[list[object]]:
    """A line a block: its columns and the largest difference."""
    expected, blocks = snapshot(data, name)
    found, _ = snapshot(on_spark, name)
    if found.column_names != expected.column_names or found.num_rows != expected.num_rows:
        sys.exit(f"{name}: other rows or columns on Spark")
    apart: dict[str, list[float]] = {}
    for column in expected.column_names:
        difference = largest_difference(expected[column], found[column])
        apart.setdefault(blocks.get(column, "rows and targets"), []).append(difference)
    return [[name, expected.num_rows, block, len(all_), _shown(max(all_))] for block, all_ in apart.items()]


def of_scores(data: Dataset, on_spark: Dataset, name: str, folder: Path) -> list[object]:
    """The rows of a scoring job, and the largest difference of any of its numbers."""
    with tempfile.TemporaryDirectory() as out:
        tables = []
        for number, each in enumerate((data, on_spark)):
            report = score(each, name, load_bundle(folder), out=Path(out) / str(number), clock=lambda: NOW)
            files = [report.folder / part.file for part in report.parts]
            tables.append(pa.concat_tables([pq.read_table(file, partitioning=None) for file in files]))
    expected, found = tables
    if not found.schema.equals(expected.schema) or found.num_rows != expected.num_rows:
        sys.exit(f"{name}: other rows or columns of scores on Spark")
    apart = max(largest_difference(expected[column], found[column]) for column in expected.column_names)
    return [name, expected.num_rows, "scores and reasons", expected.num_columns, _shown(apart)]


def _shown(apart: float) -> str:
    return "none" if apart == 0 else f"{apart:.0e}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--scores", type=Path, help="Folder with the exported model of each task.")
    arguments.add_argument("--households", type=int, default=250, help="How many, about; default: 250.")
    arguments.add_argument("tasks", nargs="*", help="Default: all of the configuration.")
    asked = arguments.parse_args()
    models: Path | None = asked.scores
    lines: list[list[object]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        SparkEngine(memory_limit="3GB", threads=2, settings=SPARK) as engine,
    ):
        data = sample(open_dataset(load_config(CONFIG)), asked.households, Path(folder))
        on_spark = replace(data, engine=engine)
        on_spark.register()
        for name in asked.tasks or data.config.tasks.named():
            before = len(lines)
            lines += of_features(data, on_spark, name)
            print(*lines[before:], sep="\n", flush=True)
            if models is not None and (models / name).is_dir():
                lines.append(of_scores(data, on_spark, name, models / name))
    said = table(["task", "rows", "block", "columns", "largest relative difference"], lines)
    command = " ".join(["python benchmarks/engines.py", *sys.argv[1:]])
    write("Spark against DuckDB", command, __doc__.split("\n\n")[2], said, packages=["duckdb", "pyspark"])
    worst = [line for line in lines if line[-1] != "none" and not float(str(line[-1])) <= TOLERANCE]
    if worst:
        sys.exit(f"more than {TOLERANCE:.0e} apart: {worst}")


if __name__ == "__main__":
    main()
