"""All pictures in one place: functions from arrays to matplotlib Figures, and Figures to SVG or PNG."""

from __future__ import annotations

from .picture_drivers import beeswarm, dependence, reason_bars, together, waterfall, what_if
from .picture_quality import (
    calibration,
    calibration_bins,
    gain_at,
    gains,
    over_cutoffs,
    precision_recall,
    ranking_curve,
    roc,
    score_distribution,
)
from .picture_style import to_png, to_svg

__all__ = [
    "beeswarm",
    "calibration",
    "calibration_bins",
    "dependence",
    "gain_at",
    "gains",
    "over_cutoffs",
    "precision_recall",
    "ranking_curve",
    "reason_bars",
    "roc",
    "score_distribution",
    "to_png",
    "to_svg",
    "together",
    "waterfall",
    "what_if",
]
