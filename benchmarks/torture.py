"""A scoring job killed with SIGKILL at many moments of real work: is the result that of an undisturbed run?

    python benchmarks/torture.py [--kills 50] [--customers 20000] [--buckets 12] [--seed 0]

A job is started, killed, and started again, until it has been killed so often; each time it ends, it begins anew (with
`--force`, in the place of the last result). Half of the moments are drawn at random over the time that a job takes;
the other half wait for something to happen on the disk (a part being written, a part renamed, the journal, the
manifest, the swap) and kill right then. After every kill the published folder must be whole, old or new; at the end the
bytes must be those of an undisturbed run, with no row missing and none twice.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from company import at_home, train_company, write_company
from results import table, write

from rapport.data import ingest
from rapport.data.dataset import Dataset
from rapport.models.bundle import load_bundle
from rapport.scoring.batch import score
from rapport.scoring.manifest import read_manifest

NOW = datetime(2024, 1, 2, 3, tzinfo=UTC)
DAY = "as_of=2024-01-01"
Sign = Callable[[Path], bool]


def open_company(config: Path, buckets: int) -> Dataset:
    """The company's data in so many buckets: more than its size calls for, so that there are many writes."""
    ingest.bucket_count = lambda *_: buckets  # type: ignore[assignment]
    return ingest.open_dataset(at_home(config))


def job(config: Path, buckets: int, model: Path, out: Path, force: bool) -> None:
    """One whole job, as the killed process runs it."""
    data = open_company(config, buckets)
    score(data, "churn", load_bundle(model, threads=1), out=out, force=force, clock=lambda: NOW)


# ------------------------------------------------------------------------------------------- when to kill
def _hidden(out: Path) -> Path:
    return out / f".{DAY}.new"


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _bytes_in(out: Path) -> int:
    total = 0
    for name in _names(_hidden(out)):
        try:
            total += (_hidden(out) / name).stat().st_size
        except FileNotFoundError:
            continue
    return total


SIGNS: dict[str, Sign] = {
    "a part is being written": lambda out: any(name.startswith(".part-") for name in _names(_hidden(out))),
    "a part was renamed": lambda out: any(name.startswith("part-") for name in _names(_hidden(out))),
    "many parts are there": lambda out: sum(name.startswith("part-") for name in _names(_hidden(out))) > 5,
    "the profile is there": lambda out: "_profile.json" in _names(_hidden(out)),
    "the manifest is there": lambda out: "_manifest.json" in _names(_hidden(out)),
    "the journal is in place": lambda out: "_journal.jsonl" in _names(out / DAY),
}


def kill_at(process: multiprocessing.Process, sign: Sign | None, wait: float, out: Path) -> bool:
    """Kill a process when the sign is seen for the first time since, or after some time; True if it was alive."""
    deadline = time.monotonic() + (120 if sign else wait)
    before = sign(out) if sign else False
    while time.monotonic() < deadline and process.is_alive():
        if sign is not None:
            now = sign(out)
            if now and not before:
                break
            before = now
            time.sleep(0.0002)
        else:
            time.sleep(min(0.01, max(deadline - time.monotonic(), 0)))
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive


# ------------------------------------------------------------------------------------------- what must hold
def content(folder: Path) -> dict[str, bytes]:
    """The published files by name; the journal goes with the next start."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "_journal.jsonl"}


def check_rows(folder: Path, expected: int) -> None:
    """No row missing, none twice."""
    parts = [pq.read_table(file, columns=["entity_id"], partitioning=None) for file in sorted(folder.glob("part-*"))]
    ids = pa.concat_tables(parts)["entity_id"]
    assert len(ids) == expected == len(ids.unique()), f"{len(ids)} rows, {len(ids.unique())} different"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--buckets", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        config = write_company(folder / "company", arguments.customers)
        data = open_company(config, arguments.buckets)
        model = train_company(data, folder / "model", rows=10_000, trees=100)
        data.engine.close()
        processes = multiprocessing.get_context("forkserver")
        processes.set_forkserver_preload(["rapport.scoring.batch", "rapport.explain.tables", "company", "results"])
        given = (config, arguments.buckets, model)

        def start(out: Path, force: bool) -> multiprocessing.Process:
            process = processes.Process(target=job, args=(*given, out, force))
            process.start()
            return process  # type: ignore[return-value]

        start(folder / "warm", False).join()
        begun = time.monotonic()
        start(folder / "undisturbed", False).join()
        usual = time.monotonic() - begun
        truth = content(folder / "undisturbed" / DAY)
        manifest = read_manifest(folder / "undisturbed" / DAY)
        assert manifest is not None
        print(f"an undisturbed job: {usual:.1f} s, {manifest.rows:,} rows in {arguments.buckets} parts", flush=True)

        out, kills, moments = folder / "out", 0, Counter[str]()
        while kills < arguments.kills:
            name = chance.choice(list(SIGNS)) if kills % 2 else "at random"
            force = (out / DAY).exists() and chance.random() < 0.7
            process = start(out, force)
            if kill_at(process, SIGNS.get(name), chance.uniform(0.1, 1.0) * usual, out):
                kills += 1
                moments[name] += 1
            else:
                moments["(it had ended)"] += 1
            if (out / DAY).exists():
                assert content(out / DAY) == truth, f"after kill {kills} ({name}) the published folder is not whole"
        process = start(out, False)
        process.join()
        assert process.exitcode == 0
        assert content(out / DAY) == truth
        assert "_journal.jsonl" not in _names(out / DAY)
        check_rows(out / DAY, manifest.rows)
        assert sorted(_names(out)) == [DAY], _names(out)
    rows = [[name, count] for name, count in sorted(moments.items())]
    text = table(["moment of the kill", "kills"], rows)
    print(text)
    said = (
        f"{kills} kills of a job of {manifest.rows:,} rows in {arguments.buckets} parts: the published folder was "
        "whole after each, and the last bytes are those of an undisturbed run."
    )
    print(said)
    write("Torture", f"python benchmarks/torture.py --kills {arguments.kills}", said, text)


if __name__ == "__main__":
    sys.exit(main())
