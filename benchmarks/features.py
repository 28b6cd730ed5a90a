"""Features of many events at several cutoffs: declarations against the same columns by hand, in CPU seconds.

    python benchmarks/features.py [--events N] [--rounds N] [--threads N] [--sizes N ...] [--large N]

The work: 74 columns (72 features and targets, customer and cutoff) over purchases, a fifth as many interactions, and a
fiftieth as many customers, at six monthly cutoffs. Peers: segment SQL by hand for DuckDB, and vectorised pandas.
Each run is a process of its own, the three in turns, so that a busy machine slows all; seconds are those of the
processor, ratios medians of the rounds. Every number of the peers is compared with ours.

`--sizes` measures ours alone on other numbers of events; `--large` takes so many events through a memory limit of 2 GB,
as one table and in buckets.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import duckdb  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from features_data import DAYS, START, make  # noqa: E402
from features_ours import dataset, snapshots  # noqa: E402
from features_peers import SegmentSQL, with_pandas  # noqa: E402
from results import peak_mb, table, write  # noqa: E402
from sqlglot import exp  # noqa: E402

from rapport.data.buckets import bucket_count, write_table  # noqa: E402
from rapport.data.engine import DuckDBEngine  # noqa: E402
from rapport.features.write import write_snapshots  # noqa: E402
from rapport.language.formulation import Formulation  # noqa: E402

CUTOFFS = [datetime(2024, month, 1) for month in range(5, 11)]
TABLES = ("transactions", "interactions")
CLOSE, CLOSE_SPREAD = 1e-9, 1e-6  # relative; the peers' spread of gaps is a difference of large doubles
EXACT = "* REPLACE (CAST(amount AS DECIMAL(18, 6)) AS amount, CAST(quantity AS DECIMAL(18, 6)) AS quantity)"


@dataclass(frozen=True)
class Cost:
    """What a run took: seconds of the processor and of the clock, and peak memory in GB."""

    cpu: float
    wall: float
    memory: float


# ------------------------------------------------------------------------------------------- the runs
def run_ours(
    files: dict[str, tuple[Path, ...]],
    out: Path,
    cutoffs: Sequence[datetime],
    threads: int = 1,
    memory_limit: str = "4GB",
    formulation: Formulation | None = None,
) -> None:
    """Population, target and features of the declarations, as Parquet."""
    first = datetime.fromisoformat(str(START))
    until = datetime.fromisoformat(str(START + DAYS * 86_400_000_000))
    with DuckDBEngine(memory_limit=memory_limit, threads=threads) as engine:
        made = snapshots(dataset(engine, files, first, until), formulation)
        write_snapshots(made, cutoffs, out, with_target=True)


def run_sql(folder: Path, out: Path, cutoffs: Sequence[datetime], threads: int = 1) -> None:
    """The segment SQL."""
    with duckdb.connect(config={"threads": threads, "memory_limit": "4GB"}) as connection:
        connection.execute("SET enable_progress_bar = false")
        SegmentSQL(cutoffs).run(connection, folder, out)


def prepare(folder: Path, events: int) -> dict[str, tuple[Path, ...]]:
    """The raw files of the peers, and the canonical ones of ours with amounts as exact decimals."""
    make(folder, events, max(events // 50, 10), events // 5)
    canonical = folder / "canonical"
    canonical.mkdir()
    for name in TABLES:
        columns = EXACT if name == "transactions" else "*"
        source, target = folder / f"{name}.parquet", canonical / f"{name}.parquet"
        duckdb.execute(f"COPY (SELECT {columns} FROM '{source}') TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    return {name: (canonical / f"{name}.parquet",) for name in TABLES}


def cost(work: Callable[..., None], *arguments: Any) -> Cost:
    """The cost of a call in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(_measured, (work, *arguments))
    print(f"{work.__name__}: {found}", flush=True)
    return found


def _measured(work: Callable[..., None], *arguments: Any) -> Cost:
    before, start = resource.getrusage(resource.RUSAGE_SELF), datetime.now()
    work(*arguments)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, (datetime.now() - start).total_seconds(), peak_mb() / 1e3)


# ------------------------------------------------------------------------------------------- equality
def differences(ours: Path, peer: Path) -> dict[str, int]:
    """How many rows of each column differ between our folder and a peer's file; all rows must be in both."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW a AS FROM read_parquet('{ours}/*.parquet', hive_partitioning = false)")
        connection.execute(f"CREATE VIEW b AS FROM '{peer}'")
        shared = [row[0] for row in connection.execute("DESCRIBE a").fetchall()]
        shared = [name for name in shared if name not in ("customer_id", "cutoff", "window_end")]
        tests = [f"COUNT(*) FILTER (WHERE {_differs(name)})" for name in shared]
        missing = "COUNT(*) FILTER (WHERE a.customer_id IS NULL OR b.customer_id IS NULL)"
        query = f"SELECT {missing}, {', '.join(tests)} FROM a FULL JOIN b USING (customer_id, cutoff)"
        rows, *counts = connection.execute(query).fetchall()[0]
    found = {"rows in one only": rows, **dict(zip(shared, counts, strict=True))}
    return {name: count for name, count in found.items() if count}


def _differs(name: str) -> str:
    a, b = f'a."{name}"', f'b."{name}"'
    if name == "last_channel":
        return f"{a} IS DISTINCT FROM {b}"
    b = f"CASE WHEN isnan({b}::DOUBLE) THEN NULL ELSE {b}::DOUBLE END"
    close = CLOSE_SPREAD if name == "gap_spread" else CLOSE
    return f"({a} IS NULL) <> (({b}) IS NULL) OR abs({a}::DOUBLE - ({b})) > {close} * greatest(1, abs({a}::DOUBLE))"


# ------------------------------------------------------------------------------------------- the report
def in_turns(folder: Path, events: int, rounds: int, threads: int) -> list[str]:
    """Ours and the peers, round by round."""
    files = prepare(folder, events)
    ours, sql, pandas = folder / "ours", folder / "sql.parquet", folder / "pandas.parquet"
    runs: dict[str, list[Cost]] = {"declarations": [], "segment SQL by hand": [], "pandas": []}
    for _ in range(rounds):
        runs["declarations"].append(cost(run_ours, files, ours, CUTOFFS))
        runs["segment SQL by hand"].append(cost(run_sql, folder, sql, CUTOFFS))
        runs["pandas"].append(cost(with_pandas, folder, pandas, CUTOFFS))
    for name, peer in (("segment SQL by hand", sql), ("pandas", pandas)):
        found = differences(ours, peer)
        print(f"{name}: {found or 'equal'}", flush=True)
        if found:
            raise SystemExit(f"{name} differs from ours: {found}")
    base = runs["declarations"]
    rows = [
        [
            name,
            statistics.median(one.cpu for one in costs),
            statistics.median(one.cpu / own.cpu for one, own in zip(costs, base, strict=True)),
            statistics.median(one.memory for one in costs),
        ]
        for name, costs in runs.items()
    ]
    if threads > 1:
        many = cost(run_ours, files, ours, CUTOFFS, threads)
        print(f"{threads} threads: {many}; pandas took {runs['pandas'][-1].wall:.1f} s of the clock", flush=True)
        rows.append([f"declarations, {threads} threads, by the clock", many.wall, 1.0, many.memory])
        rows.append(["pandas, by the clock", runs["pandas"][-1].wall, runs["pandas"][-1].wall / many.wall, 0.0])
    text = f"{events:,} purchases, {len(CUTOFFS)} cutoffs, {pq_rows(ours):,} rows, {rounds} rounds; all values equal."
    return [text, table(["one thread", "seconds", "times ours", "peak GB"], rows)]


def pq_rows(folder: Path) -> int:
    """Rows of all Parquet files of a folder."""
    return sum(pq.read_metadata(file).num_rows for file in folder.glob("*.parquet"))


def by_size(folder: Path, sizes: Sequence[int]) -> list[str]:
    """Ours on several numbers of events, and on the smallest in both formulations with few and many cutoffs."""
    rows, smallest = [], None
    for events in sorted(sizes):
        files = prepare(folder / str(events), events)
        smallest = smallest or (events, files)
        took = cost(run_ours, files, folder / "out", CUTOFFS)
        rows.append([events, took.cpu, took.cpu / events * 1e6, took.memory])
        print(f"{events:,} events: {took}", flush=True)
    blocks = [table(["purchases", "CPU s", "CPU s a million", "peak GB"], rows)]
    if smallest is not None:
        events, files = smallest
        rows = []
        for count in (1, 2, 3, 6):
            took = [
                cost(run_ours, files, folder / "out", CUTOFFS[-count:], 1, "4GB", formulation)
                for formulation in ("loop", "segments", None)
            ]
            rows.append([count, *(one.cpu for one in took)])
            print(f"{count} cutoffs: {rows[-1]}", flush=True)
        blocks.append(f"{events:,} purchases by the number of cutoffs:")
        blocks.append(table(["cutoffs", "loop, CPU s", "segments, CPU s", "as chosen, CPU s"], rows))
    return blocks


def large(folder: Path, events: int) -> list[str]:
    """Many events under a memory limit: as one table, and in buckets as ingest writes them."""
    files = prepare(folder / "large", events)
    buckets = bucket_count(events)
    plain = cost(_rewrite, files["transactions"][0], folder / "plain.parquet")
    ordered = cost(_bucket, "transactions", files["transactions"], folder / "one file", 1)
    split = cost(_bucket, "transactions", files["transactions"], folder / "buckets", buckets)
    cost(_bucket, "interactions", files["interactions"], folder / "buckets", buckets)
    some = {name: tuple(folder / "buckets" / name / f"bucket-{k}.parquet" for k in range(buckets)) for name in TABLES}
    whole = cost(run_ours, files, folder / "ours", CUTOFFS, 1, "2GB")
    bucketed = cost(run_ours, some, folder / "ours in buckets", CUTOFFS, 1, "1GB")
    rows = [
        ["the purchases read and written once", plain],
        ["the purchases sorted into one file, as ingest writes few of them", ordered],
        [f"the purchases split into {buckets} buckets and sorted", split],
        ["snapshots from one table, limit 2 GB", whole],
        ["snapshots bucket by bucket, limit 1 GB", bucketed],
    ]
    print(rows, flush=True)
    text = f"{events:,} purchases, {len(CUTOFFS)} cutoffs, one thread:"
    return [text, table(["step", "CPU s", "peak GB"], [[name, one.cpu, one.memory] for name, one in rows])]


def _rewrite(file: Path, out: Path) -> None:
    with DuckDBEngine(memory_limit="2GB", threads=1) as engine:
        engine.add_files("all", [file])
        engine.write(exp.select("*").from_(exp.table_("all", quoted=True)), out)


def _bucket(name: str, files: tuple[Path, ...], out: Path, buckets: int) -> None:
    with DuckDBEngine(memory_limit="2GB", threads=1) as engine:
        engine.add_files(name, files)
        write_table(engine, name, exp.column("customer_id"), buckets, out / name)


def main() -> None:
    """Measure, print and write the section of the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="also measured by the clock; 1 to leave it out")
    parser.add_argument("--sizes", type=int, nargs="*", default=[])
    parser.add_argument("--large", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.events:
            said = in_turns(folder / "turns", chosen.events, chosen.rounds, chosen.threads)
            _write("Features", f"--events {chosen.events} --rounds {chosen.rounds} --threads {chosen.threads}", said)
        if chosen.sizes:
            said = by_size(folder / "sizes", chosen.sizes)
            _write("Features by size", f"--events 0 --sizes {' '.join(map(str, chosen.sizes))}", said)
        if chosen.large:
            _write("Features of very many events", f"--events 0 --large {chosen.large}", large(folder, chosen.large))


def _write(title: str, flags: str, said: Sequence[str]) -> None:
    """Print a part and make it a section of the results."""
    print("\n\n".join(said), flush=True)
    write(title, f"python benchmarks/features.py {flags}", *said, packages=("duckdb", "pandas", "sqlglot"))


if __name__ == "__main__":
    main()
