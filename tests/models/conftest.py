from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest

from rapport.config import LearnerConfig
from rapport.language.declarations import FeatureColumn
from rapport.models.base import Floats
from rapport.models.calibration import choose_calibrator
from rapport.models.classifier import BoostedClassifier

COLUMNS = (
    FeatureColumn("days_since_visit", "rhythm", "recency", unit="days"),
    FeatureColumn("visits_30d", "rhythm", "frequency", unit="count", window=30),
    FeatureColumn("spend_30d", "spending", "spend", unit="currency", window=30),
    FeatureColumn("region", "profile", "region", kind="category"),
)


@dataclass(frozen=True)
class Sample:
    table: pa.Table
    target: Floats
    truth: Floats
    entities: np.ndarray


def draw(rows: int, seed: int, *, shift: float = -1.5) -> Sample:
    """Snapshots whose true probability is known: logit = .05 days - .3 visits + 1.2 (region = north) + shift."""
    rng = np.random.default_rng(seed)
    days, visits = rng.exponential(20, rows), rng.poisson(3, rows)
    region = rng.choice(["north", "south", "east"], rows, p=[0.5, 0.3, 0.2])
    truth = 1 / (1 + np.exp(-(0.05 * days - 0.3 * visits + 1.2 * (region == "north") + shift)))
    table = pa.table(
        {
            "customer_id": np.arange(rows) // 2,
            "days_since_visit": pa.array(days, mask=rng.random(rows) < 0.05),
            "visits_30d": visits,
            "spend_30d": pa.array(visits * rng.exponential(10, rows), mask=rng.random(rows) < 0.1),
            "region": pa.array(region, mask=rng.random(rows) < 0.1),
        }
    )
    return Sample(table, (rng.random(rows) < truth).astype(float), truth, np.arange(rows) // 2)


@pytest.fixture(scope="session")
def training() -> Sample:
    return draw(4_000, 1)


@pytest.fixture(scope="session")
def later() -> Sample:
    return draw(3_000, 2)


@pytest.fixture(scope="session")
def model(training: Sample, later: Sample) -> BoostedClassifier:
    config = LearnerConfig(n_estimators=120, learning_rate=0.1)
    fitted = BoostedClassifier(config, COLUMNS, seed=3, threads=1).fit(
        training.table, training.target, validation=(later.table, later.target)
    )
    raw = fitted.raw_score(later.table)
    return fitted.with_calibrator(choose_calibrator(raw, later.target, later.entities, seed=3))
