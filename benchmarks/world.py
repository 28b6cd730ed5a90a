"""How long a simulated world takes to write, how much memory it needs, and whether both grow linearly.

    python benchmarks/world.py [--customers 10000 100000 1000000] [--threads 2] [--keep DIR]

Each size is written by a process of its own after one that only compiles, so that its memory is its own; sizes are
repeated `--rounds` times and the fastest counts, because a busy machine can only slow it down.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
from results import table, write

SIZES = (10_000, 100_000, 1_000_000)


def one(folder: Path, customers: int, threads: int) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and gigabytes of writing one world, in this process."""
    from rapport.data.world import write_world

    started, worked = time.perf_counter(), time.process_time()
    write_world(folder, customers=customers, seed=7, threads=threads)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return time.perf_counter() - started, time.process_time() - worked, memory


def measured(customers: int, threads: int, rounds: int, home: Path) -> tuple[float, float, float, float, int]:
    """Fastest seconds, their processor time, gigabytes of memory and on disk, lines of purchases."""
    best = (float("inf"), 0.0, 0.0)
    for _ in range(rounds):
        folder = home / str(customers)
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, __file__, "--one", str(folder), str(customers), str(threads)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, worked, memory = map(float, printed.split())
        best = min(best, (seconds, worked, memory))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9
    return *best, size, pq.ParquetFile(folder / "transactions.parquet").metadata.num_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(*one(Path(arguments.one[0]), int(arguments.one[1]), int(arguments.one[2])))
        return
    with tempfile.TemporaryDirectory() as home:
        measured(300, 1, 1, Path(home))  # compiles
        rows = []
        for customers in arguments.customers:
            seconds, worked, memory, disk, lines = measured(customers, arguments.threads, arguments.rounds, Path(home))
            shutil.rmtree(Path(home) / str(customers))
            per = worked / customers * 1e4
            rows.append(
                (customers, lines, f"{seconds:.1f}", f"{worked:.1f}", f"{per:.2f}", f"{memory:.2f}", f"{disk:.2f}")
            )
            print(rows[-1], flush=True)
    header = ("customers", "lines", "seconds", "CPU s", "CPU s per 10,000", "GB of memory", "GB on disk")
    note = f"{arguments.threads} threads; seed 7, three years, everything switched on."
    write("World", "python benchmarks/world.py", note, table(header, rows), packages=("numba", "numpy", "pyarrow"))


if __name__ == "__main__":
    main()
