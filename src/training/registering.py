"""A fitted model saved as a bundle, logged to its run, and registered as a new version of its task."""

from __future__ import annotations

import tempfile
from pathlib import Path

from numpy.typing import ArrayLike

from ..features.own import checksums
from ..features.snapshot import Snapshots
from ..models.bundle import save_bundle
from ..models.scoring_model import ScoringModel
from ..models.worth import WorthModel
from ..registry.lookup import Resolved
from ..registry.tracking import Run
from ..registry.versions import register
from .splits import Windows


def register_model(
    snapshots: Snapshots,
    model: ScoringModel,
    run: Run,
    *,
    raw_scores: ArrayLike,
    windows: Windows | None = None,
    grade: str | None = None,
    worth: WorthModel | None = None,
) -> Resolved:
    """Register a model of the snapshots' task; the version's tags say its grade, where it has one.

    `raw_scores` (m,) are those by which percentiles are told. ModelError as `save_bundle` and `register` say.
    """
    data, task = snapshots.data, snapshots.task
    about = {
        "task": task.name,
        "keys": list(task.keys),
        "horizon": task.horizon,
        "run_id": run.id,
        "data_fingerprint": data.fingerprint,
        "learned": {name: list(values) for name, values in snapshots.learned.items()},
        "own_features": checksums(data.config),
        **({} if windows is None else {"windows": windows.as_dict()}),
    }
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        save_bundle(model, bundle, about, data.config.resolved(), raw_scores=raw_scores, worth=worth)
        return register(data.config, task.name, run, bundle, tags=None if grade is None else {"grade": grade})
