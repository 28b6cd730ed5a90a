"""A kiosk with some hundred customers in four buckets, and a small model of each task: for the tests of scoring."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_project import write_project

from rapport.config import Config, LearnerConfig, load_config
from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.features.own import checksums
from rapport.features.snapshot import Snapshots
from rapport.language.moments import midnight
from rapport.models.bundle import Bundle, load_bundle, save_bundle
from rapport.models.calibration import choose_calibrator
from rapport.models.classifier import BoostedClassifier
from rapport.tasks import declare

FIRST, DAYS, CUSTOMERS, BUCKETS = datetime(2024, 1, 1, 8), 180, 150, 4
CATEGORIES = ("bread", "milk", "tea", "jam", "ham", "soap", "wine", "rice")
TASKS = {
    "churn": {"horizon": 14, "active_within": 60, "blocks": ["rhythm", "profile"]},
    "conversion": {"blocks": ["contacts", "campaigns"], "score_as_of": "2024-06-12"},
    "next_offer": {
        "horizon": 14,
        "not_bought_within": 20,
        "min_buyers": 5,
        "exclude_categories": ["soap"],
        "blocks": ["offers"],
        "top": 3,
    },
}
TRAINED_AT = {"churn": (date(2024, 4, 15), date(2024, 5, 1), date(2024, 5, 20)), "next_offer": (date(2024, 5, 20),)}


@dataclass(frozen=True)
class Kiosk:
    """The data set, opened, and the folder of a bundle for each task."""

    data: Dataset
    models: Mapping[str, Path]
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "small.yaml"

    def bundle(self, task: str) -> Bundle:
        return load_bundle(self.models[task], threads=1)


def tables(seed: int = 0) -> dict[str, dict[str, object]]:
    """The kiosk's tables; ids of customers are text."""
    rng = np.random.default_rng(seed)
    ids = [f"k{i:03d}" for i in range(CUSTOMERS)]
    gap = rng.lognormal(1.9, 0.5, CUSTOMERS)
    end = np.where(rng.random(CUSTOMERS) < 0.5, DAYS, rng.integers(30, DAYS, CUSTOMERS))
    owner, at, product, amount, order = [], [], [], [], []
    for i, customer in enumerate(ids):
        day, likes = rng.random() * 10, rng.choice(len(CATEGORIES), 4, replace=False)
        while day < end[i]:
            moment = FIRST + timedelta(days=float(int(day)), seconds=int(rng.integers(0, 36_000)))
            for _ in range(int(rng.integers(1, 4))):
                owner.append(customer)
                at.append(moment)
                product.append(int(rng.choice(likes)) if rng.random() < 0.8 else int(rng.integers(len(CATEGORIES))))
                amount.append(round(float(rng.lognormal(1, 0.5)), 2))
                order.append(f"{customer}/{int(day)}")
            day += max(1.0, rng.gamma(3, gap[i] / 3))
    campaigns = [datetime(2024, 2, 1) + timedelta(days=22 * i) for i in range(7)]
    contacts = [(f"{c}-{name}", name, c) for c in range(7) for name in ids if rng.random() < 0.5]
    keen = dict(zip(ids, rng.normal(size=CUSTOMERS), strict=True))
    replies = [
        (contact, campaigns[c] + timedelta(days=float(rng.uniform(1, 14)), hours=1))
        for contact, name, c in contacts
        if rng.random() < 1 / (1 + np.exp(1 - 2 * keen[name])) and c < 6
    ]
    return {
        "customers": {
            "customer_id": ids[: CUSTOMERS - 10],
            "region": [("north", "south", "east")[i % 3] for i in range(CUSTOMERS - 10)],
        },
        "products": {"product_id": list(range(len(CATEGORIES))), "category": list(CATEGORIES)},
        "transactions": {"customer_id": owner, "at": at, "amount": amount, "product_id": product, "order_id": order},
        "campaigns": {
            "campaign_id": list(range(7)),
            "starts_at": [moment.date() for moment in campaigns],
            "ends_at": [(moment + timedelta(days=20)).date() for moment in campaigns],
            "kind": [("letter", "mail")[i % 2] for i in range(7)],
        },
        "contacts": dict(
            zip(("contact_id", "customer_id", "campaign_id"), map(list, zip(*contacts, strict=True)), strict=True)
        ),
        "responses": dict(zip(("contact_id", "at"), map(list, zip(*replies, strict=True)), strict=True)),
    }


def small_buckets() -> pytest.MonkeyPatch:
    """So few lines a bucket that the kiosk fills four of them."""
    patch = pytest.MonkeyPatch()
    lines = len(tables()["transactions"]["at"])  # type: ignore[arg-type]
    patch.setattr("rapport.data.ingest.bucket_count", lambda *_: BUCKETS if lines else 1)
    return patch


def write_kiosk(folder: Path) -> Config:
    return write_project(folder, tables(), name="kiosk", currency="EUR", tasks=TASKS)  # type: ignore[arg-type]


def train_small(data: Dataset, name: str, folder: Path) -> None:
    """A bundle of 40 trees, trained where the task's rows are known by the end of the data."""
    task = declare(name, data.config.task(name))
    cutoffs = [midnight(day, data.config.zone) for day in TRAINED_AT.get(name, ())]
    snapshots = Snapshots(
        data, task, blocks=data.config.task(name).blocks, learn_at=midnight(date(2024, 4, 1), data.config.zone)
    )
    spine = (
        snapshots.planned(datetime(2024, 2, 10), datetime(2024, 5, 20), with_target=True)
        if task.is_planned
        else snapshots.population(cutoffs, with_target=True)
    )
    rows = snapshots.features(spine)
    target = rows["target"].to_numpy().astype(float)
    config = LearnerConfig(n_estimators=40, learning_rate=0.1, min_child_samples=10)
    model = BoostedClassifier(config, snapshots.columns, seed=1, threads=1).fit(rows, target)
    raw = model.raw_score(rows)
    model = model.with_calibrator(choose_calibrator(raw, target, rows[task.entity].to_numpy(), seed=1))
    about = {
        "task": name,
        "keys": list(task.keys),
        "horizon": task.horizon,
        "run_id": f"{name:0<32}",
        "own_features": checksums(data.config),
        "learned": {key: list(values) for key, values in snapshots.learned.items()},
    }
    save_bundle(model, folder, about, data.config.resolved(), raw_scores=raw)


def copy_of(folder: Path, place: Path) -> Path:
    return Path(shutil.copytree(folder, place))


def table_of(folder: Path) -> pa.Table:
    """All rows of a published result, in the order of its parts."""
    return pa.concat_tables([pq.read_table(file, partitioning=None) for file in sorted(folder.glob("part-*.parquet"))])


def score_alone(config: Path, home: Path, model: Path, task: str, out: Path, now: datetime, force: bool) -> None:
    """A whole job in a process of its own, as the tests of killed jobs start it; everything is opened anew."""
    from rapport.scoring.batch import score

    patch = small_buckets()
    data = open_dataset(load_config(config).model_copy(update={"home": home}))
    score(data, task, load_bundle(model, threads=1), out=out, force=force, clock=lambda: now)
    data.engine.close()
    patch.undo()
