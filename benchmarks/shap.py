"""Exact contributions: how many times as fast as named peers, on one core, in one run.

    python benchmarks/shap.py [--rows N] [--rounds N] [--models small big numeric]
    python benchmarks/shap.py --many 1000000

Ratios are of CPU seconds a row, measured in turns (ours, the peer's, ours ...), so that a busy machine slows both: the
median of the rounds. Peers: LightGBM's `pred_contrib`, shap's TreeExplainer (which calls it), woodelf (if the package
woodelf-explainer is installed; it takes no categorical splits), and LightGBM's plain `predict`.

The models have 120 features, a tenth of the values missing: `small` 200 trees of 31 leaves and `big` 500 of 63, both
with 20 categories of 50 levels; `numeric` is `small` without categories. Two threads are measured by the clock, beside
a bare loop that shows what the machine can spare at the moment.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from results import table, write  # noqa: E402

# This file has the name of a peer, which `import shap` must find in its stead.
sys.path = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]

import lightgbm as lgb  # noqa: E402
import numpy as np  # noqa: E402
from numba import njit  # noqa: E402

from rapport.explain.started_trees import StartedTrees  # noqa: E402
from rapport.explain.tables import TreeTables  # noqa: E402
from rapport.models.linear_start import LinearStart, Term  # noqa: E402

FEATURES, LEVELS = 120, 50
MODELS = {"small": (200, 31, 20), "big": (500, 63, 20), "numeric": (200, 31, 0)}  # trees, leaves, categories
GROUPS = np.arange(FEATURES) // 4
Matrix = np.ndarray[Any, np.dtype[np.float64]]
Work = Callable[[Matrix], Any]


def make_data(n: int, categories: int, seed: int) -> tuple[Matrix, Matrix]:
    """Rows (n, FEATURES) and a target (n,) of main effects, products and effects of levels."""
    rng, truth = np.random.default_rng(seed), np.random.default_rng(99)
    X = rng.normal(size=(n, FEATURES))
    logit = np.sin(2 * X[:, 0]) + X @ truth.normal(size=FEATURES) / 9
    logit += X[:, :30] * X[:, 30:60] @ truth.normal(size=30) / 6
    for feature in range(FEATURES - categories, FEATURES):
        X[:, feature] = rng.integers(0, LEVELS, n)
        logit += 0.3 * truth.normal(size=LEVELS)[X[:, feature].astype(int)]
    y = (logit + rng.logistic(size=n) > 1).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


def train(trees: int, leaves: int, categories: int, rows: int = 20_000) -> lgb.Booster:
    """A model of the given shape, with the regularisation of categories that Rapport's learners have."""
    X, y = make_data(rows, categories, seed=1)
    parameters = {
        "objective": "binary",
        "num_leaves": leaves,
        "learning_rate": 0.05,
        "feature_fraction": 0.5,
        "cat_smooth": 20,
        "cat_l2": 20,
        "seed": 1,
        "verbose": -1,
        "num_threads": 1,
    }
    data = lgb.Dataset(X, y, categorical_feature=list(range(FEATURES - categories, FEATURES)))
    return lgb.train(parameters, data, trees)


def elapsed(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of one call, of the CPU if not of another clock."""
    start = clock()
    work()
    return clock() - start


def ratio(ours: Work, peer: Work, X: Matrix, part: int, rounds: int) -> float:
    """How many times as fast ours is, row by row: median of the rounds; the peer gets `part` rows."""
    ours(X[:64])
    peer(X[:64])
    found = []
    for _ in range(rounds):
        own = elapsed(lambda: ours(X)) / len(X)
        found.append(elapsed(lambda: peer(X[:part])) / part / own)
    return statistics.median(found)


def resident_mb() -> float:
    """Memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def peak_mb(work: Callable[[], object]) -> float:
    """Highest memory of this process during a call, looked at every 5 ms."""
    found = [resident_mb()]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            found.append(resident_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(found)


def tree_explainer(booster: lgb.Booster) -> Work:
    """shap's TreeExplainer, path-dependent."""
    import shap

    explainer = shap.TreeExplainer(booster)
    return lambda X: explainer.shap_values(X, check_additivity=False)


def woodelf(booster: lgb.Booster) -> Work | None:
    """woodelf's explainer, path-dependent; None where it is not installed."""
    try:
        from woodelf import WoodelfExplainer
    except ImportError:
        return None
    import pandas as pd

    explainer = WoodelfExplainer(booster, feature_perturbation="tree_path_dependent")
    return lambda X: explainer.shap_values(pd.DataFrame(X, columns=booster.feature_name()), verbose=False)


@njit(nogil=True)
def bare_loop(n: int) -> float:
    """Work that needs no memory."""
    total = 0.0
    for i in range(n):
        total += np.sin(i * 1e-3)
    return total


def measure(name: str, rows: int, rounds: int) -> dict[str, str]:
    """Everything about one model, as texts by what they say."""
    trees, leaves, categories = MODELS[name]
    TreeTables.from_booster(train(2, 4, categories, rows=500)).top_groups(np.zeros((2, FEATURES)), GROUPS, 5)  # compile
    booster = train(trees, leaves, categories)
    X, _ = make_data(rows, categories, seed=2)
    part = max(20, 80_000 // (trees * leaves // 31) // 4)  # rows for peers that take a millisecond a row or more
    before = resident_mb()
    start = time.process_time()
    tables = TreeTables.from_booster(booster)
    built = time.process_time() - start
    tables.threads = 1
    few = X[:part]
    own = tables.contributions(few)
    most = peak_mb(lambda: tables.top_groups(X, GROUPS, 5)) - before

    def contributions(X: Matrix) -> object:
        return booster.predict(X, pred_contrib=True, num_threads=1)

    def predict(X: Matrix) -> object:
        return booster.predict(X, raw_score=True, num_threads=1)

    def top(X: Matrix) -> object:
        return tables.top_groups(X, GROUPS, 5)

    def fast(ours: Work, peer: Work, count: int) -> str:
        return f"{ratio(ours, peer, X, count, rounds):.1f}"

    many = min(rows, 16_384)
    linear = started(tables, categories, X, rounds)
    found = {
        "largest difference to pred_contrib": f"{np.abs(own - contributions(few)).max():.0e}",
        "raw scores equal predict's": "to the bit" if (tables.raw_score(X) == predict(X)).all() else "no",
        "all contributions, times as fast as pred_contrib": fast(tables.contributions, contributions, part),
        "top 5 groups and score, times as fast as pred_contrib": fast(top, contributions, part),
        "all contributions, times as fast as shap's TreeExplainer": fast(
            tables.contributions, tree_explainer(booster), part
        ),
        "raw scores, times as fast as predict": fast(tables.raw_score, predict, many),
        "top 5 groups and score, times as fast as predict": fast(top, predict, many),
        "top 5 groups with a linear start, times the CPU seconds without": f"{linear:.2f}",
        "tables: seconds to build": f"{built:.1f}",
        "tables: MB": f"{tables.memory_mb:.0f}",
        f"top 5 of {rows:,} rows: MB above the start, tables included": f"{most:.0f}",
    }
    peer = None if categories else woodelf(booster)
    if peer is not None:
        found["all contributions, times as fast as woodelf"] = fast(tables.contributions, peer, many)
        found["largest difference of woodelf"] = f"{np.abs(np.asarray(peer(few)) - own[:, :-1]).max():.0e}"
    return found | (scaling(tables, X, rounds) if len(os.sched_getaffinity(0)) > 1 else {})


def started(tables: TreeTables, categories: int, X: Matrix, rounds: int) -> float:
    """What a linear start of all features adds to the top 5 groups of the trees above it."""
    numbers = [Term(0.1 * np.sin(f), 0.1 * np.cos(f), -0.1, 0.0, 1.0) for f in range(FEATURES - categories)]
    levels = [Term(0.1, values=tuple(0.1 * np.sin(np.arange(LEVELS)))) for _ in range(categories)]
    whole = StartedTrees(tables, LinearStart(-1.0, (*numbers, *levels)))
    return ratio(lambda X: tables.top_groups(X, GROUPS, 5), lambda X: whole.top_groups(X, GROUPS, 5), X, len(X), rounds)


def scaling(tables: TreeTables, X: Matrix, rounds: int) -> dict[str, str]:
    """Two threads against one, by the clock, and a bare loop under the same conditions."""
    from concurrent.futures import ThreadPoolExecutor

    def top(threads: int) -> Callable[[], object]:
        tables.threads = threads
        return lambda: tables.top_groups(X, GROUPS, 5)

    ours, loop, cpu = [], [], []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(rounds):
            alone = elapsed(top(1), time.perf_counter)
            ours.append(alone / elapsed(top(2), time.perf_counter))
            size = int(alone * 2e7)
            alone = elapsed(lambda n=size: [bare_loop(n), bare_loop(n)], time.perf_counter)
            loop.append(alone / elapsed(lambda n=size: list(pool.map(bare_loop, [n, n])), time.perf_counter))
            cpu.append(elapsed(top(2)) / elapsed(top(1)))
    return {
        "two threads, times as fast as one": f"{statistics.median(ours):.2f}",
        "two threads, times the CPU seconds of one": f"{statistics.median(cpu):.2f}",
        "two threads of a bare loop, times as fast as one": f"{statistics.median(loop):.2f}",
    }


def many(name: str, rows: int, piece: int = 50_000) -> dict[str, str]:
    """The top five groups of very many rows that come in pieces, as a job has them: CPU seconds and memory."""
    trees, leaves, categories = MODELS[name]
    booster = train(trees, leaves, categories)
    tables = TreeTables.from_booster(booster)
    tables.threads = 1
    X, _ = make_data(piece, categories, seed=2)
    tables.top_groups(X[:64], GROUPS, 5)  # compile
    booster.predict(X[:64], raw_score=True, num_threads=1)
    rng, seconds, peer = np.random.default_rng(0), list[float](), list[float]()
    part = X[: piece // 10]

    def job() -> None:
        for number in range(rows // piece):
            rng.shuffle(X)
            seconds.append(elapsed(lambda: tables.top_groups(X, GROUPS, 5)))
            if number % 4 == 0:
                peer.append(elapsed(lambda: booster.predict(part, raw_score=True, num_threads=1)) / len(part))

    before = resident_mb()
    peak = peak_mb(job)
    predicted = statistics.mean(peer) * piece * len(seconds)
    return {
        "rows, in pieces": f"{rows:,} in pieces of {piece:,}",
        "CPU seconds for the top 5 groups and the score of all": f"{sum(seconds):.1f}",
        "times as fast as predict of the same rows": f"{predicted / sum(seconds):.1f}",
        "MB above the model and one piece of rows, at most": f"{peak - before:.0f}",
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=65_536)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--many", type=int, metavar="ROWS", help="only the memory of so many rows, in a section apart")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="LightGBM binary classifier with TreeExplainer")
    if arguments.many:
        lines = many("small", arguments.many)
        print("\n".join(f"  {what:<58} {value}" for what, value in lines.items()))
        write(
            "Exact contributions of very many rows",
            f"python benchmarks/shap.py --many {arguments.many}",
            "The model `small` of the section before (200 trees of 31 leaves, 120 features), one core.",
            table(["top five grouped reasons", "small"], list(lines.items())),
            packages=("lightgbm", "numba"),
        )
        sys.exit()
    measured = {}
    for model in arguments.models:
        measured[model] = measure(model, arguments.rows, arguments.rounds)
        print(
            f"\n{model}\n" + "\n".join(f"  {what:<58} {value}" for what, value in measured[model].items()), flush=True
        )
    lines = list(dict.fromkeys(what for found in measured.values() for what in found))
    block = table(["one core", *measured], [[what, *(m.get(what, "") for m in measured.values())] for what in lines])
    write(
        "Exact contributions",
        "python benchmarks/shap.py",
        str(__doc__).split("\n\n", 2)[2],
        block,
        packages=("lightgbm", "numba", "shap"),
    )
