"""Exact contributions: ratios of speed against named peers, on one core, in one run.

    python benchmarks/shap.py [--rows N] [--rounds N] [--models small big numeric]

Every figure is a ratio of times a row, measured in turns (ours, then the peer's, then ours ...) so that a busy machine
slows both; the median of the rounds is printed. Peers: LightGBM's `pred_contrib`, shap's TreeExplainer, woodelf (if the
package woodelf-explainer is installed; it takes no categorical splits), and LightGBM's plain `predict`.

The models have 120 features, 20 of them categories with 50 levels, a tenth of the values missing: `small` has 200 trees
of 31 leaves, `big` 500 of 63; `numeric` is `small` without categories.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# This file has the name of a peer: `import shap` below must not find it.
sys.path = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import lightgbm as lgb  # noqa: E402
import numpy as np  # noqa: E402

from rapport.explain.tables import TreeTables  # noqa: E402

FEATURES, LEVELS = 120, 50
MODELS = {"small": (200, 31, 20), "big": (500, 63, 20), "numeric": (200, 31, 0)}  # trees, leaves, categories
GROUPS = np.arange(FEATURES) // 4
Matrix = np.ndarray[Any, np.dtype[np.float64]]


def make_data(n: int, categories: int, seed: int) -> tuple[Matrix, Matrix]:
    """Rows (n, FEATURES) and a target (n,) of main effects, products and effects of levels."""
    rng, truth = np.random.default_rng(seed), np.random.default_rng(99)
    X = rng.normal(size=(n, FEATURES))
    weights = truth.normal(size=FEATURES) / 3
    logit = (
        np.sin(2 * X[:, 0]) + X @ weights / 3 + 0.5 * (X[:, :30] * X[:, 30:60] * truth.normal(size=30)).sum(axis=1) / 3
    )
    for feature in range(FEATURES - categories, FEATURES):
        X[:, feature] = rng.integers(0, LEVELS, n)
        logit += 0.3 * truth.normal(size=LEVELS)[X[:, feature].astype(int)]
    y = (logit + rng.logistic(size=n) > 1).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


def train(name: str) -> lgb.Booster:
    """A model of the given shape, with the regularisation of categories that Rapport's learners have."""
    trees, leaves, categories = MODELS[name]
    X, y = make_data(30_000, categories, seed=1)
    parameters = {
        "objective": "binary",
        "num_leaves": leaves,
        "learning_rate": 0.05,
        "min_data_in_leaf": 20,
        "cat_smooth": 20,
        "cat_l2": 20,
        "verbose": -1,
        "num_threads": len(os.sched_getaffinity(0)),
    }
    return lgb.train(
        parameters, lgb.Dataset(X, y, categorical_feature=list(range(FEATURES - categories, FEATURES))), trees
    )


def seconds(work: Callable[[], object]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(
    ours: Callable[[Matrix], object], peer: Callable[[Matrix], object], X: Matrix, part: int, rounds: int
) -> float:
    """How many times as fast ours is: median over rounds of peer's time a row over ours; the peer gets `part` rows."""
    ours(X[:64]), peer(X[:64])
    ratios = []
    for _ in range(rounds):
        own = min(seconds(lambda: ours(X)), seconds(lambda: ours(X))) / len(X)
        ratios.append(seconds(lambda: peer(X[:part])) / part / own)
    return statistics.median(ratios)


def shap_explainer(booster: lgb.Booster) -> Callable[[Matrix], object]:
    """shap's TreeExplainer, path-dependent (it hands LightGBM models to pred_contrib)."""
    import shap

    explainer = shap.TreeExplainer(booster)
    return lambda X: explainer.shap_values(X, check_additivity=False)


def woodelf_explainer(booster: lgb.Booster) -> Callable[[Matrix], Any] | None:
    """woodelf's explainer, path-dependent; None where it is not installed."""
    try:
        from woodelf import WoodelfExplainer
    except ImportError:
        return None
    import pandas as pd

    explainer = WoodelfExplainer(booster, feature_perturbation="tree_path_dependent")
    return lambda X: explainer.shap_values(pd.DataFrame(X, columns=booster.feature_name()), verbose=False)


def measure(name: str, rows: int, rounds: int) -> None:
    """Print everything about one model."""
    booster = train(name)
    trees, leaves, categories = MODELS[name]
    X, _ = make_data(rows, categories, seed=2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    TreeTables.from_booster(train_tiny())  # compiled before the build is timed
    start = time.perf_counter()
    tables = TreeTables.from_booster(booster)
    built = time.perf_counter() - start
    tables.threads = 1
    few = X[:: max(rows // 400, 1)]
    exact = np.abs(tables.contributions(few) - booster.predict(few, pred_contrib=True)).max()
    same = (tables.raw_score(X) == booster.predict(X, raw_score=True)).all()

    def contrib(X: Matrix) -> object:
        return booster.predict(X, pred_contrib=True, num_threads=1)

    def predict(X: Matrix) -> object:
        return booster.predict(X, raw_score=True, num_threads=1)

    def top(X: Matrix) -> object:
        return tables.top_groups(X, GROUPS, 5)

    part = 400 if trees <= 200 else 60
    print(f"\n{name}: {trees} trees x {leaves} leaves, {categories} categories, {rows:,} rows")
    print(f"  largest difference to pred_contrib               {exact:.1e}")
    print(f"  raw scores equal Booster.predict to the bit      {same}")
    print(f"  tables built in                                  {built:.1f} s, {tables.memory_mb:.0f} MB")
    print(f"  our rows a second: all contributions             {rows / seconds(lambda: tables.contributions(X)):,.0f}")
    lines = (
        ("all contributions : pred_contrib", tables.contributions, contrib, part),
        ("top 5 and score : pred_contrib", top, contrib, part),
        ("all contributions : shap TreeExplainer", tables.contributions, shap_explainer(booster), part),
        ("raw scores : Booster.predict", tables.raw_score, predict, min(rows, 20_000)),
        ("top 5 and score : Booster.predict", top, predict, min(rows, 20_000)),
    )
    for label, ours, peer, count in lines:
        print(f"  {label:<48} {compare(ours, peer, X, count, rounds):,.1f} times as fast")
    woodelf = None if categories else woodelf_explainer(booster)
    if woodelf is not None:
        ratio = compare(tables.contributions, woodelf, X, min(rows, 20_000), rounds)
        gap = np.abs(np.asarray(woodelf(few)) - tables.contributions(few)[:, :-1]).max()
        print(f"  {'all contributions : woodelf':<48} {ratio:,.1f} times as fast (woodelf is off by {gap:.1e})")
    if len(os.sched_getaffinity(0)) > 1:
        ratios = []
        for _ in range(rounds):
            tables.threads = 1
            alone = seconds(lambda: top(X))
            tables.threads = 2
            ratios.append(alone / seconds(lambda: top(X)))
        tables.threads = 1
        print(f"  {'two threads : one':<48} {statistics.median(ratios):.2f} times as fast")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"  {'peak memory of all this, above the start':<48} {grown / 1024:,.0f} MB")


def train_tiny() -> lgb.Booster:
    """Three small trees."""
    X, y = make_data(500, 20, seed=3)
    return lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1}, lgb.Dataset(X, y), 3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=65_536)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    arguments = parser.parse_args()
    for model in arguments.models:
        measure(model, arguments.rows, arguments.rounds)
