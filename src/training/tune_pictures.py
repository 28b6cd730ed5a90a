"""The pictures of a search: how the best loss came down, and which hyperparameters mattered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..explain.picture_style import FAINT, MODEL, NEUTRAL, QUIET, legend, new_figure, percent_axis, styled, title
from .tune import Found

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pictures(found: Found) -> dict[str, Figure]:
    """Figures by file name; the importance only where it is known."""
    made = {"plots/tuning_history.png": history(found)}
    if found.importance:
        made["plots/tuning_importance.png"] = importance(found)
    return made


def history(found: Found) -> Figure:
    """Log loss of each trial and the best so far; trials that were given up are hollow."""
    finished = [trial for trial in found.trials if not trial.given_up]
    with styled():
        figure = new_figure(3.3)
        axes: Any = figure.add_subplot()
        best = np.minimum.accumulate([trial.log_loss if not trial.given_up else np.inf for trial in found.trials])
        axes.step([trial.number + 1 for trial in found.trials], best, where="post", color=MODEL, label="Best so far")
        axes.plot([t.number + 1 for t in finished], [t.log_loss for t in finished], "o", color=NEUTRAL, label="Trial")
        left = [trial for trial in found.trials if trial.given_up]
        if left:
            at, loss = [trial.number + 1 for trial in left], [trial.log_loss for trial in left]
            axes.plot(at, loss, "o", color=NEUTRAL, markerfacecolor="none", label="Given up")
        worst = np.quantile([trial.log_loss for trial in found.trials], 0.9)
        room = max(worst - best[-1], 1e-4)
        axes.set_ylim(best[-1] - 0.15 * room, worst + 0.3 * room)
        axes.grid(axis="y", color=FAINT)
        axes.set_xlabel("Trial", color=QUIET)
        axes.set_ylabel("Log loss")
        title(figure, f"The search, trial by trial: best log loss {best[-1]:.4f}")
        legend(axes)
    return figure


def importance(found: Found) -> Figure:
    """Each hyperparameter's share of the differences between trials, the largest on top."""
    pairs = sorted(found.importance.items(), key=lambda item: item[1])
    with styled():
        figure = new_figure(1.0 + 0.28 * len(pairs))
        axes: Any = figure.add_subplot()
        axes.barh([name for name, _ in pairs], [value for _, value in pairs], color=MODEL, height=0.6)
        percent_axis(axes.xaxis)
        axes.grid(axis="x", color=FAINT)
        title(figure, "What made the difference between trials")
    return figure
