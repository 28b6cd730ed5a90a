"""SHAP pictures under the names that users of `mlflow.evaluate` look for; what else is drawn stands on the page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ..explain import illustrations, pictures
from .experiment import Trained

PICTURED_ROWS = 200_000


def shap_figures(trained: Trained) -> dict[str, Any]:
    """Matplotlib figures by file name: the swarm, under two names as in MLflow, and the bars of all features."""
    fitted = trained.fitted
    contributions = fitted.explainer.contributions(trained.explained)[:, :-1]
    names = [illustrations.spoken(column) for column in fitted.model.columns]
    swarm = pictures.beeswarm(names, contributions, fitted.model.encode(trained.explained))
    return {
        "shap_beeswarm_plot.png": swarm,
        "shap_summary_plot.png": swarm,
        "shap_feature_importance_plot.png": pictures.reason_bars(names, np.abs(contributions).mean(axis=0)),
    }


def thinned(rows: pa.Table) -> pa.Table:
    """At most so many rows for pictures of curves, drawn evenly."""
    if rows.num_rows <= PICTURED_ROWS:
        return rows
    drawn = np.sort(np.random.default_rng(0).choice(rows.num_rows, PICTURED_ROWS, replace=False))
    return rows.take(pa.array(drawn))
