"""The pictures of a run in the tracking server."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ..explain import illustrations, pictures
from .experiment import Trained
from .material import target_of

PICTURED_ROWS = 200_000


def figures(trained: Trained) -> dict[str, Any]:
    """The run's pictures as matplotlib figures by file name: quality, and SHAP.

    `shap_beeswarm_plot.png` and `shap_feature_importance_plot.png` are the names that `mlflow.evaluate` gives them.
    """
    tested, fitted = thinned(trained.tested), trained.fitted
    target, probability = target_of(tested), np.asarray(tested["score"].to_numpy(), np.float64)
    rule = np.asarray(tested[f"{trained.judgement.rule}:rank"].to_numpy(), np.float64)
    contributions = fitted.explainer.contributions(trained.explained)
    by_group = np.abs(fitted.explainer.group_contributions(contributions)).mean(axis=0)
    names = [illustrations.spoken(column) for column in fitted.model.columns]
    swarm = pictures.beeswarm(names, contributions[:, :-1], fitted.model.encode(trained.explained))
    return {
        "plots/roc.png": pictures.roc(target, probability, rule),
        "plots/precision_recall.png": pictures.precision_recall(target, probability, rule),
        "plots/calibration.png": pictures.calibration(target, probability),
        "plots/gains.png": pictures.gains(target, probability, rule),
        "plots/score_distribution.png": pictures.score_distribution(target, probability),
        "plots/reasons_by_group.png": pictures.reason_bars(list(fitted.explainer.groups), by_group),
        "shap_beeswarm_plot.png": swarm,
        "shap_feature_importance_plot.png": pictures.reason_bars(names, np.abs(contributions[:, :-1]).mean(axis=0)),
    }


def thinned(rows: pa.Table) -> pa.Table:
    """At most so many rows for pictures of curves, drawn evenly."""
    if rows.num_rows <= PICTURED_ROWS:
        return rows
    drawn = np.sort(np.random.default_rng(0).choice(rows.num_rows, PICTURED_ROWS, replace=False))
    return rows.take(pa.array(drawn))
