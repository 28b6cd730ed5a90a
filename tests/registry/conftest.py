from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rapport.config import Config, LearnerConfig
from rapport.language.declarations import FeatureColumn
from rapport.models.bundle import save_bundle
from rapport.models.calibration import choose_calibrator
from rapport.models.classifier import BoostedClassifier
from rapport.registry.tracking import Run

COLUMNS = (FeatureColumn("days", "b", "f"), FeatureColumn("visits", "b", "f"), FeatureColumn("c", "b", "f", "category"))
SaveBundle = Callable[[Run, Path], Path]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests of this folder: making one takes seconds."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def config(home: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A project of its own name for each test, in the common store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    name = "".join(letter if letter.isalnum() else "_" for letter in request.node.name.lower())[:60]
    return Config(name=name, sources={"till": "postgresql://me:secret@db/till"}, tables={}, home=home)


@pytest.fixture(scope="session")
def snapshot() -> pa.Table:
    rng = np.random.default_rng(0)
    rows = 600
    return pa.table(
        {
            "days": pa.array(rng.exponential(20, rows), mask=rng.random(rows) < 0.1),
            "visits": rng.poisson(3, rows),
            "c": pa.array(rng.choice(["a", "b", "c"], rows), mask=rng.random(rows) < 0.1),
        }
    )


@pytest.fixture(scope="session")
def save(snapshot: pa.Table) -> SaveBundle:
    rng = np.random.default_rng(1)
    target = (rng.random(600) < 1 / (1 + np.exp(-(snapshot["visits"].to_numpy() - 3)))).astype(float)
    model = BoostedClassifier(LearnerConfig(n_estimators=20), COLUMNS, threads=1).fit(snapshot, target)
    raw = model.raw_score(snapshot)
    model = model.with_calibrator(choose_calibrator(raw, target, np.arange(600)))

    def _save(run: Run, folder: Path) -> Path:
        save_bundle(model, folder, {"task": "churn", "run_id": run.id}, {"name": "x"}, raw_scores=raw)
        return folder

    return _save
