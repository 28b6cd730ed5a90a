"""All that may be suspected of a version that was just judged: each check of `alarms`, on the rows at hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..models.classifier import BoostedClassifier
from .alarms import Alarm, availability_alarms, feature_aucs, overlap_alarms, score_alarm, separating_features
from .material import Material, target_of
from .splits import midnight

SCORING_ROWS = 5_000


def suspicions(material: Material, model: BoostedClassifier, auc: float, explained: pa.Table) -> tuple[Alarm, ...]:
    """Alarms of a model with that AUC on the test window, of which `explained` are rows with features."""
    task, columns, seed = material.task, model.columns, material.seed
    entities = explained[task.entity]
    aucs = feature_aucs(explained, target_of(explained), columns, seed=seed)
    known = {name: value for name, value in aucs.items() if np.isfinite(value)}
    strongest = max(known, key=lambda name: known[name]) if known else ""
    return (
        *score_alarm(auc, material.config.alarm_auc, strongest, columns),
        *separating_features(known, columns=columns),
        *overlap_alarms(explained, entities, material.spines["train"][task.entity], columns),
        *availability_alarms(model.encoder.missing, scoring_rows(material), columns, may_stop=not task.is_planned),
    )


def scoring_rows(material: Material, most: int = SCORING_ROWS) -> pa.Table:
    """Some of those who would be scored now, with their features as they are known now; maybe none."""
    data = material.data
    day = material.config.score_as_of
    spine = material.snapshots.to_score(data.observed_until if day is None else midnight(day, material.zone))
    if spine.num_rows > most:
        drawn = np.random.default_rng(material.seed).choice(spine.num_rows, most, replace=False)
        spine = spine.take(pa.array(np.sort(drawn)))
    return material.snapshots.features(spine) if spine.num_rows else spine
