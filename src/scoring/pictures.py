"""Pictures of drift and of matured scores over time, in the look of the review pages."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from ..data.files import write_aside
from ..explain.picture_style import (
    BAND,
    FAINT,
    INK,
    MODEL,
    PAPER,
    QUIET,
    RAISES,
    RULE,
    legend,
    new_figure,
    percent_axis,
    plain,
    styled,
    title,
    to_svg,
)
from .drift import DriftReport, shown_columns
from .monitor import MonitorReport


def drift_picture(report: DriftReport) -> Figure:
    """The population stability index of the columns that drifted furthest, a field for each day."""
    from matplotlib.colors import LinearSegmentedColormap

    names, days = shown_columns(report), report.days[-24:]
    values = np.array(
        [[day.psi(name) if day.psi(name) is not None else np.nan for day in days] for name in names], float
    )
    with styled():
        fig = new_figure(height=1.2 + 0.27 * len(names))
        axes = fig.add_subplot()
        colours = LinearSegmentedColormap.from_list("drift", [PAPER, BAND, RULE, RAISES])
        axes.imshow(np.minimum(values, 0.5), aspect="auto", cmap=colours, vmin=0, vmax=0.5)
        if len(days) <= 10:
            for i, j in np.ndindex(*values.shape):
                if np.isfinite(values[i, j]):
                    colour = PAPER if values[i, j] > 0.3 else INK
                    axes.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=8, color=colour)
        axes.set_yticks(range(len(names)), [plain(name, 34) for name in names])
        step = -(-len(days) // 8)
        axes.set_xticks(
            range(0, len(days), step), [day.as_of.isoformat() for day in days[::step]], rotation=30, ha="right"
        )
        axes.set_xticks(np.arange(len(days) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
        axes.grid(which="minor", color=FAINT, linewidth=0.8)
        axes.tick_params(which="minor", length=0)
        title(fig, f"{report.task}: drift since training (PSI; above 0.25 is a lot)")
    return fig


def monitor_picture(report: MonitorReport) -> Figure:
    """Forecast and outcome over time, and the task's metric below."""
    days = [day.as_of for day in report.days]
    with styled():
        fig = new_figure(height=4.6)
        above, below = fig.subplots(2, 1, sharex=True)
        forecast = [day.metrics["mean_score"] for day in report.days]
        found = [day.metrics["positive_rate"] for day in report.days]
        above.plot(days, forecast, color=MODEL, marker="o", markersize=4, label="forecast")
        above.plot(days, found, color=RULE, marker="s", markersize=4, linestyle="--", label="came true")
        percent_axis(above.yaxis, 0 if max([*forecast, *found]) > 0.1 else 1)
        legend(above)
        values = [day.metrics.get(report.metric, np.nan) for day in report.days]
        below.plot(days, values, color=MODEL, marker="o", markersize=4)
        wrong = [i for i, day in enumerate(report.days) if day.alerts]
        if wrong:
            ring = {"color": RAISES, "markersize": 9, "fillstyle": "none", "label": "alert"}
            below.plot([days[i] for i in wrong], [values[i] for i in wrong], "o", **ring)
            legend(below)
        below.set_ylabel(report.metric.replace("_", " "))
        for axes in (above, below):
            axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
            axes.grid(axis="y", color=FAINT)
        _date_axis(below, days)
        title(fig, f"{report.task}: forecasts against what happened")
    return fig


def _date_axis(axes, days: list[date]) -> None:  # type: ignore[no-untyped-def]
    if len(days) <= 8:
        axes.set_xticks(days, [day.isoformat() for day in days], rotation=30, ha="right")
    else:
        locator = AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.tick_params(axis="x", labelcolor=QUIET)


def save(figure: Figure, file: Path) -> Path:
    """Write a picture as SVG, aside and renamed."""
    write_aside(file, to_svg(figure))
    return file
