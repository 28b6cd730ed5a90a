"""How good old scores turned out to be: discrimination and calibration of rows whose outcome is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..models.base import Floats

BINS = 10
_DRAWS = 200
_MOST_DRAWN = 50_000  # rows; the chance of more is smaller than that of these


def classification(target: Floats, score: Floats) -> dict[str, float]:
    """Metrics of probabilities (n,) against outcomes (n,) of 0 and 1; those that are not defined are left out."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    found = {"mean_score": float(score.mean()), "positive_rate": float(target.mean())}
    found["brier"] = float(np.mean((score - target) ** 2))
    clipped = np.clip(score, 1e-15, 1 - 1e-15)
    found["log_loss"] = float(-np.mean(target * np.log(clipped) + (1 - target) * np.log(1 - clipped)))
    found["ece"] = calibration_error(target, score)
    if 0 < target.sum() < len(target):
        found["roc_auc"] = float(roc_auc_score(target, score))
        found["average_precision"] = float(average_precision_score(target, score))
    return found


def calibration_error(target: Floats, score: Floats) -> float:
    """Expected calibration error: mean distance of forecast and outcome over ten bins of equal size."""
    order = np.argsort(score, kind="stable")
    bins = np.array_split(order, min(BINS, len(order)))
    return float(sum(abs(score[rows].mean() - target[rows].mean()) * len(rows) for rows in bins) / max(len(order), 1))


def chance_of_calibration(score: Floats, *, seed: int = 0) -> float:
    """The calibration error that perfect forecasts exceed once in a hundred times at this number of rows."""
    rng = np.random.default_rng(seed)
    some = score if len(score) <= _MOST_DRAWN else rng.choice(score, _MOST_DRAWN, replace=False)
    drawn = [calibration_error((rng.random(len(some)) < some).astype(float), some) for _ in range(_DRAWS)]
    return float(np.quantile(drawn, 0.99))


def lists(
    entity: npt.NDArray[np.int64], rank: npt.NDArray[np.int64], target: Floats, positives: Floats, top: int
) -> dict[str, float]:
    """Metrics of ranked lists: rows with entity (n,) as codes, rank (n,) from 1 and outcome (n,).

    `positives` (g,) counts what came true for each entity, on his list or not; entities without any have no value in
    MAP and recall, as in training.
    """
    hits = np.zeros((len(positives), top))
    hits[entity, rank - 1] = target
    found = hits.cumsum(axis=1) / np.arange(1, top + 1)
    asked = positives > 0
    best = np.minimum(positives, top)
    result = {f"precision_at_{top}": float(hits.mean()), "positive_entities": float(asked.sum())}
    if asked.any():
        result[f"map_at_{top}"] = float(((found * hits).sum(axis=1)[asked] / best[asked]).mean())
        result[f"recall_at_{top}"] = float((hits.sum(axis=1)[asked] / positives[asked]).mean())
    return result
