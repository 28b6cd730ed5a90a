"""The nightly job: how fast against named peers, whether it is linear, and how much memory it takes.

    python benchmarks/scoring.py [--customers 100000 1000000 2000000] [--share 3000] [--rows 65536] [--rounds 3]

A made-up company (about fourteen purchase lines a customer, `benchmarks/company.py`) is scored for churn: features,
calibrated scores, percentiles and five reasons in words for each row, published as Parquet. The model has 400 trees of
31 leaves, six deep; at the second of the sizes also 500 trees of 63 leaves. All numbers are CPU seconds on one thread;
memory is the peak of a process that does nothing else. The usual route (`benchmarks/usual_route.py`) is measured on a
share of the customers and scaled to all of them; it computes fewer columns than the model has.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_THREAD_LIMIT"):
    os.environ.setdefault(variable, "1")

HERE = Path(__file__).resolve().parent
# A benchmark beside this one has the name of a peer (shap), which `import shap` must find in its stead.
sys.path = [folder for folder in sys.path if Path(folder or ".").resolve() != HERE] + [str(HERE)]

import numpy as np  # noqa: E402
from company import at_home, train_company, write_company  # noqa: E402
from results import peak_mb, table, write  # noqa: E402

from rapport.data.dataset import Dataset  # noqa: E402
from rapport.data.ingest import open_dataset  # noqa: E402
from rapport.models.bundle import Bundle, load_bundle  # noqa: E402
from rapport.scoring.batch import score  # noqa: E402
from rapport.scoring.job import define_job  # noqa: E402
from rapport.scoring.population import Population  # noqa: E402
from rapport.tasks import declare  # noqa: E402

SIZES = (100_000, 1_000_000, 2_000_000)
TASK = "churn"
MODELS = {"400 trees of 31 leaves": (400, 31, 6), "500 trees of 63 leaves": (500, 63, -1)}  # the first at all sizes
Facts = dict[str, Any]


# ------------------------------------------------------------------------------------------- raw scores
def raw_scores(rows: int, rounds: int, sizes: dict[str, tuple[int, int, int]] | None = None) -> list[tuple[str, ...]]:
    """Tables against `Booster.predict`, in turns, on the models of `benchmarks/shap.py`."""
    from rapport.explain.tables import TreeTables

    peers = _module("shap_benchmark", HERE / "shap.py")
    found = []
    for name, (trees, leaves, categories) in (sizes or {key: peers.MODELS[key] for key in ("small", "big")}).items():
        booster = peers.train(trees, leaves, categories)
        tables = TreeTables.from_booster(booster)
        tables.threads = 1
        X, _ = peers.make_data(rows, categories, seed=2)
        gap = np.abs(tables.raw_score(X[:5_000]) - booster.predict(X[:5_000], raw_score=True)).max()
        fast = peers.ratio(
            tables.raw_score,
            lambda X, booster=booster: booster.predict(X, raw_score=True, num_threads=1),
            X,
            min(rows, 16_384),
            rounds,
        )
        found.append((f"{name}: {trees} trees of {leaves} leaves", f"{fast:.1f}", f"{gap:.0e}"))
    return found


def _module(name: str, file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    kept = list(sys.path)
    spec.loader.exec_module(module)
    sys.path = kept
    return module


# ------------------------------------------------------------------------------------------- one piece of work
def prepare(folder: Path, customers: int) -> None:
    """Write a company and ingest it, once for all that follows."""
    open_dataset(at_home(write_company(folder, customers))).engine.close()


def _opened(folder: Path, model: Path) -> tuple[Dataset, Bundle]:
    return open_dataset(at_home(folder / "company.yaml")), load_bundle(model, threads=1)


def job(folder: Path, model: Path) -> Facts:
    """One whole job in this process: rows, CPU seconds, peak memory. A small job before it compiles."""
    data, bundle = _opened(folder, model)
    begun = time.process_time()
    report = score(data, TASK, bundle, out=folder / "out", force=True)
    return {
        "rows": report.rows,
        "buckets": data.buckets,
        "seconds": time.process_time() - begun,
        "memory": peak_mb(),
        "bytes": sum(part.bytes for part in report.parts),
    }


def features(folder: Path, model: Path) -> Facts:
    """The features of the same rows and nothing else."""
    data, bundle = _opened(folder, model)
    task, settings = declare(TASK, data.config.task(TASK)), data.config.task(TASK)
    definition = define_job(data, task, settings, bundle, None)
    begun = time.process_time()
    with Population(data, task, bundle, definition) as population:
        rows = sum(piece.num_rows for bucket in range(definition.parts) for piece in population.pieces(bucket))
    return {"rows": rows, "seconds": time.process_time() - begun}


def usual(folder: Path, model: Path, share: int) -> Facts:
    """The usual route on a share of the rows; CPU seconds a row and a customer."""
    import usual_route

    from rapport.registry.envelope import wrap

    data, bundle = _opened(folder, model)
    task, settings = declare(TASK, data.config.task(TASK)), data.config.task(TASK)
    definition = define_job(data, task, settings, bundle, None)
    with Population(data, task, bundle, definition) as population:
        snapshot = next(population.pieces(0)).slice(0, share)
    whole = folder / "mlflow"
    shutil.rmtree(whole, ignore_errors=True)
    wrap(model, whole)
    return asdict(usual_route.measure(bundle, whole, snapshot, folder, 10 * share, folder))


def apart(what: str, *arguments: object) -> Facts:
    """One of the above in a process of its own."""
    command = [sys.executable, __file__, "--one", what, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


# ------------------------------------------------------------------------------------------- all of it
def measure(home: Path, sizes: list[int], share: int, rounds: int) -> tuple[list[Facts], dict[str, Facts]]:
    """A line for each size and model, and the usual route by model."""
    first = home / str(sizes[0])
    prepare(first, sizes[0])
    data = open_dataset(at_home(first / "company.yaml"))
    models = {
        name: train_company(data, home / f"model-{trees}", trees=trees, leaves=leaves, deep=deep)
        for name, (trees, leaves, deep) in MODELS.items()
    }
    data.engine.close()
    apart("job", first, *list(models.values())[:1])  # compiles
    peers = {name: apart("usual", first, model, share) for name, model in models.items()}
    print(peers, flush=True)
    found: list[Facts] = []
    for place, size in enumerate(sizes):
        folder = home / str(size)
        if place > 0:
            apart("prepare", folder, size)
        for name, model in list(models.items())[: 2 if place == min(1, len(sizes) - 1) else 1]:
            times = [(apart("job", folder, model), apart("features", folder, model)) for _ in range(rounds)]
            line, alone = min(times, key=lambda pair: pair[0]["seconds"])
            line["features"] = alone["seconds"]
            line["ratio"] = statistics.median(a["seconds"] / b["seconds"] for a, b in times)
            found.append({"customers": size, "model": name, **line})
            print(found[-1], flush=True)
        shutil.rmtree(folder)
    return found, peers


def told(found: list[Facts], peers: dict[str, Facts], share: int) -> list[str]:
    """The tables and sentences of the section."""
    sizes = []
    for line in found:
        peer = peers[line["model"]]
        whole = line["customers"] * peer["features"] + line["rows"] * (
            peer["predict"] + peer["explain"] + peer["write"]
        )
        sizes.append(
            (
                line["model"],
                line["customers"],
                line["rows"],
                line["buckets"],
                f"{line['seconds']:.1f}",
                f"{line['seconds'] / line['customers'] * 1e5:.2f}",
                f"{line['ratio']:.2f}",
                f"{whole / line['seconds']:.0f}",
                f"{line['memory']:,.0f}",
            )
        )
    header = ("model", "customers", "rows", "parts", "CPU s", "CPU s per 100,000", "times the features alone")
    block = table((*header, "times as fast as the usual route", "MB at most"), sizes)
    steps = {
        name: ", ".join(f"{step} {peer[step] * 1e6:,.0f}" for step in ("predict", "explain", "write"))
        for name, peer in peers.items()
    }
    peer = next(iter(peers.values()))
    usual_route = (
        f"The usual route was measured on {share:,} rows and {10 * share:,} customers and scaled. Microseconds of CPU: "
        f"pandas features {peer['features'] * 1e6:,.0f} a customer ({peer['columns']} columns; the model has more); "
        + "; ".join(f"with {name}, {text} a row" for name, text in steps.items())
        + "."
    )
    return [block, usual_route]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--share", type=int, default=3_000, help="rows of the usual route")
    parser.add_argument("--rows", type=int, default=65_536, help="rows of the raw scores")
    parser.add_argument("--rounds", type=int, default=1, help="of each job; the fastest counts")
    parser.add_argument("--home", type=Path, help="folder to work in; default: a temporary one")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        what, folder, *rest = arguments.one
        if what == "prepare":
            prepare(Path(folder), int(rest[0]))
            print("{}")
            return
        works = {"job": job, "features": features, "usual": lambda a, b: usual(a, b, int(rest[1]))}
        print(json.dumps(works[what](Path(folder), Path(rest[0]))))
        return
    with tempfile.TemporaryDirectory(dir=arguments.home) as home:
        raw = table(
            ("raw scores by tables", "times as fast as Booster.predict", "largest difference"),
            raw_scores(arguments.rows, max(arguments.rounds, 3)),
        )
        print(raw, flush=True)
        found, peers = measure(Path(home), sorted(arguments.customers), arguments.share, arguments.rounds)
    blocks = [str(__doc__).split("\n\n", 2)[2], raw, *told(found, peers, arguments.share)]
    print("\n\n".join(blocks[1:]))
    command = f"python benchmarks/scoring.py --customers {' '.join(map(str, sorted(arguments.customers)))}"
    write("Scoring", command, *blocks, packages=("duckdb", "lightgbm", "mlflow", "pandas", "shap"))


if __name__ == "__main__":
    main()
