"""A made-up company of any size for the benchmarks of scoring: purchases, products, customers, and a model of churn.

Customers buy at their own pace and some stop; amounts, products and shops vary. Files are written in slices, so that
memory does not grow with the company.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rapport.config import Config, LearnerConfig, load_config
from rapport.data.dataset import Dataset
from rapport.features.snapshot import Snapshots
from rapport.language.moments import midnight
from rapport.models.bundle import save_bundle
from rapport.models.calibration import choose_calibrator
from rapport.models.classifier import BoostedClassifier
from rapport.tasks import declare

FIRST, DAYS, PRODUCTS, CATEGORIES, SLICE = datetime(2023, 1, 1), 365, 400, 40, 100_000
CONFIG = """\
name: company
time_zone: Europe/Berlin
currency: EUR
observed_until: 2024-01-01 00:00:00
memory_limit: {memory}
threads: {threads}
sources: {{customers: customers.parquet, products: products.parquet, transactions: transactions.parquet}}
tables:
  customers: {{source: customers}}
  products: {{source: products}}
  transactions: {{source: transactions}}
tasks:
  churn: {{horizon: 28, active_within: 90}}
"""


def write_company(folder: Path, customers: int, *, memory: str = "2GB", threads: int = 1, seed: int = 0) -> Path:
    """Write the tables (about eleven purchases a customer) and the configuration, whose path is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    category = rng.integers(0, CATEGORIES, PRODUCTS)
    products = {
        "product_id": np.arange(PRODUCTS),
        "category": [f"category {c}" for c in category],
        "line": [f"line {c % 7}" for c in category],
    }
    pq.write_table(pa.table(products), folder / "products.parquet")
    people = buyers = None
    for start in range(0, customers, SLICE):
        ids = np.arange(start, min(start + SLICE, customers))
        profile, bought = _slice(np.random.default_rng([seed, start]), ids)
        people = people or pq.ParquetWriter(folder / "customers.parquet", profile.schema)
        buyers = buyers or pq.ParquetWriter(folder / "transactions.parquet", bought.schema)
        people.write_table(profile)
        buyers.write_table(bought)
    assert people is not None
    assert buyers is not None
    people.close()
    buyers.close()
    config = folder / "company.yaml"
    config.write_text(CONFIG.format(memory=memory, threads=threads), encoding="utf-8")
    return config


def _slice(rng: np.random.Generator, ids: np.ndarray) -> tuple[pa.Table, pa.Table]:
    """Some customers and what they bought, in no particular order."""
    n = len(ids)
    pace, size = rng.gamma(2.0, 0.02, n), rng.lognormal(2.5, 0.5, n)
    leaves = np.where(rng.random(n) < 0.4, rng.uniform(60, DAYS, n), DAYS)
    visits = rng.poisson(pace * leaves) + 1
    owner = np.repeat(np.arange(n), visits)
    day = rng.random(len(owner)) * leaves[owner]
    lines = 1 + rng.poisson(0.3, len(owner))
    row = np.repeat(np.arange(len(owner)), lines)
    stamp = np.datetime64(FIRST, "us") + (day * 86_400e6).astype("timedelta64[us]")
    profile = {
        "customer_id": ids,
        "region": rng.choice(["north", "south", "east", "west"], n),
        "age": pa.array(rng.integers(18, 90, n), mask=rng.random(n) < 0.2),
    }
    bought = {
        "customer_id": ids[owner[row]],
        "at": stamp[row],
        "amount": np.round(size[owner[row]] * rng.lognormal(0, 0.4, len(row)), 2),
        "product_id": (rng.beta(1, 3, len(row)) * PRODUCTS).astype(np.int64),
        "order_id": ids[owner[row]] * 100_000 + (np.arange(len(owner)) % 100_000)[row],
        "channel": rng.choice(["shop", "web"], len(row)),
    }
    order = rng.permutation(len(row))
    return pa.table(profile), pa.table(bought).take(pa.array(order))


def train_company(
    data: Dataset, folder: Path, *, rows: int = 40_000, trees: int = 300, leaves: int = 31, deep: int = 6
) -> Path:
    """A bundle of so many trees, trained on some rows of one cutoff; `deep` -1 leaves the depth to the learner."""
    task = declare("churn", data.config.task("churn"))
    cutoff = midnight((FIRST + timedelta(days=300)).date(), data.config.zone)
    snapshots = Snapshots(data, task, learn_at=cutoff)
    spine = snapshots.population([cutoff], with_target=True)
    chosen = np.random.default_rng(1).permutation(spine.num_rows)[:rows]
    table = snapshots.features(spine.take(pa.array(np.sort(chosen))))
    target = table["target"].to_numpy().astype(float)
    learner = LearnerConfig(
        num_leaves=leaves, max_depth=deep, n_estimators=trees, learning_rate=0.05, min_child_samples=40
    )
    model = BoostedClassifier(learner, snapshots.columns, threads=1).fit(table, target)
    raw = model.raw_score(table)
    model = model.with_calibrator(choose_calibrator(raw, target, table["customer_id"].to_numpy(), seed=1))
    about = {
        "task": "churn",
        "keys": list(task.keys),
        "horizon": task.horizon,
        "run_id": "0" * 32,
        "learned": {name: list(values) for name, values in snapshots.learned.items()},
    }
    save_bundle(model, folder, about, data.config.resolved(), raw_scores=raw)
    return folder


def at_home(config: Path) -> Config:
    """The configuration, with its results beside the tables."""
    return load_config(config).model_copy(update={"home": config.parent})
