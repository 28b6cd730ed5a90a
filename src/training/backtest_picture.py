"""The picture of a backtest: is the model better than the rule in every fold, and did its percentages come true?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..explain.picture_style import (
    FAINT,
    INK,
    MODEL,
    QUIET,
    RULE,
    legend,
    new_figure,
    percent_axis,
    plain,
    styled,
    title,
)
from .backtest_result import Backtest, Metrics
from .metrics import metric_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOVE = 0.09


def picture(result: Backtest) -> Figure:
    """Two parts over the folds: the primary metric of model and rule with intervals; promised and happened shares."""
    folds = [plain(fold.last, 16) for fold in result.folds]
    with styled():
        figure = new_figure(6.2)
        above, below = figure.subplots(2, 1, sharex=True)
        _metrics(above, result)
        _promises(below, result)
        below.set_xticks(np.arange(len(folds)), folds, rotation=0 if len(folds) < 6 else 40)
        below.set_xlabel("Last day of forecasts; lines are 95 % intervals", color=QUIET)
        stable = {True: "stable", False: "not stable", None: "too few folds to say"}[result.stable]
        title(figure, f"{result.task.replace('_', ' ')} over {len(folds)} folds: {stable}")
    return figure


def _metrics(axes: Axes, result: Backtest) -> None:
    metric = result.metric
    for parts, label, color, move, marker in (
        ([fold.model for fold in result.folds], "Model", MODEL, -MOVE, "o"),
        ([fold.rule for fold in result.folds], "Rule", RULE, MOVE, "s"),
    ):
        values = _points(metric, parts)
        at = np.arange(len(values)) + move
        axes.vlines(at, values[:, 1], values[:, 2], color=color, linewidth=2, alpha=0.55)
        axes.plot(at, values[:, 0], marker, color=color, markersize=6, label=label)
    axes.margins(x=0.12, y=0.08)
    axes.set_ylim(0, None)
    axes.grid(axis="y", color=FAINT)
    axes.set_ylabel(plain(metric_named(metric).title, 40))
    legend(axes)


def _points(metric: str, parts: Sequence[Metrics]) -> np.ndarray:
    return np.array([(part[metric].estimate, part[metric].low, part[metric].high) for part in parts])


def _promises(axes: Axes, result: Backtest) -> None:
    at = np.arange(len(result.folds))
    axes.plot(at - MOVE, [fold.promised for fold in result.folds], "o", color=MODEL, markersize=6, label="Promised")
    axes.plot(at + MOVE, [fold.happened for fold in result.folds], "D", color=INK, markersize=5, label="Happened")
    most = max(max(fold.happened, fold.promised) for fold in result.folds)
    axes.set_ylim(0, 1.12 * most)
    axes.grid(axis="y", color=FAINT)
    axes.set_ylabel("Share of positives")
    percent_axis(axes.yaxis, 1 if most < 0.2 else 0)
    legend(axes)
