"""Pictures of how good a score is, beside the rule that a company would use without a model.

Arrays of one picture have the same length n, one entry a row: `target` is 0 or 1, `probability` the calibrated score
in 0..1, `rule` any number that grows with the chance (the rule need not be a probability).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.stats import binom

from .picture_style import (
    BAND,
    FAINT,
    INK,
    MODEL,
    NEUTRAL,
    QUIET,
    RULE,
    Floats,
    legend,
    new_figure,
    percent_axis,
    plain,
    styled,
    thin,
    title,
)

Target = npt.NDArray[Any]


def cumulative(target: Target, score: Floats) -> tuple[Floats, Floats]:
    """Rows and positives counted from the highest score down, at each distinct score; both start at 0.

    Rows that share a score are one step, so ties neither help nor hurt (a line through the step is the expectation
    under random order).
    """
    order = np.argsort(-np.asarray(score, dtype=float), kind="stable")
    ordered = np.asarray(score, dtype=float)[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    positives = np.cumsum(np.asarray(target, dtype=float)[order])[ends]
    return np.concatenate([[0.0], ends + 1.0]), np.concatenate([[0.0], positives])


def gain_at(target: Target, score: Floats, share: float) -> float:
    """Share (0..1) of all positives among the `share` of rows with the highest scores."""
    rows, found = cumulative(target, score)
    return float(np.interp(share * rows[-1], rows, found) / max(found[-1], 1.0))


def roc(target: Target, probability: Floats, rule: Floats | None = None) -> Figure:
    """Positives found against false alarms, over every possible limit."""
    with styled():
        fig = new_figure()
        axes = fig.add_subplot()
        axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=1, linestyle=":", label="Guessing")
        for score, name, look in _lines(probability, rule):
            rows, found = cumulative(target, score)
            false = (rows - found) / max(rows[-1] - found[-1], 1.0)
            true = found / max(found[-1], 1.0)
            area = float(np.trapezoid(true, false))
            axes.plot(*thin(false, true), label=f"{name} (area {area:.2f})", **look)
        _unit_square(axes)
        axes.set_xlabel("False alarms: share of the others who are flagged")
        axes.set_ylabel("Share of all cases found")
        title(fig, "ROC: found against false alarms")
        legend(axes)
    return fig


def precision_recall(target: Target, probability: Floats, rule: Floats | None = None) -> Figure:
    """Share of hits among those flagged, against the share of all positives found."""
    with styled():
        fig = new_figure()
        axes = fig.add_subplot()
        average = float(np.mean(target))
        axes.axhline(average, color=NEUTRAL, linewidth=1, linestyle=":", label=f"Guessing ({100 * average:.1f} %)")
        for score, name, look in _lines(probability, rule):
            rows, found = cumulative(target, score)
            recall, hits = found[1:] / max(found[-1], 1.0), found[1:] / rows[1:]
            # Below ten rows the share of hits is noise and would draw the eye.
            first = min(int(np.searchsorted(rows[1:], 10)), len(recall) - 1)
            axes.plot(*thin(recall[first:], hits[first:]), label=name, **look)
        _unit_square(axes)
        axes.set_ylim(0, None)
        axes.set_xlabel("Share of all cases found (recall)")
        axes.set_ylabel("Hits among the flagged (precision)")
        title(fig, "Precision and recall")
        legend(axes)
    return fig


def gains(target: Target, probability: Floats, rule: Floats | None = None, people: str = "customers") -> Figure:
    """Share of all positives among the top share of rows: what a campaign of that size would reach."""
    with styled():
        fig = new_figure()
        axes = fig.add_subplot()
        axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=1, linestyle=":", label="Guessing")
        for score, name, look in _lines(probability, rule):
            rows, found = cumulative(target, score)
            axes.plot(*thin(rows / rows[-1], found / max(found[-1], 1.0)), label=name, **look)
        axes.axvline(0.2, color=NEUTRAL, linewidth=0.8)
        _unit_square(axes)
        axes.set_xlabel(f"Share of {plain(people, 30)} taken, highest score first")
        axes.set_ylabel("Share of all cases reached")
        title(fig, "Cumulative gains: whom do we reach?")
        legend(axes)
    return fig


def calibration_bins(target: Target, probability: Floats, bins: int = 10) -> npt.NDArray[np.float64]:
    """Promise and outcome in bins of equal size: rows of (count, mean probability, observed share, low, high).

    `low` to `high` is where the observed share of a bin falls 95 times in 100 if every probability in it is right
    (see `chance_band`). Returned as (bins, 5).
    """
    probability, target = np.asarray(probability, dtype=float), np.asarray(target, dtype=float)
    order = np.argsort(probability, kind="stable")
    table = []
    for part in np.array_split(order, min(bins, len(order))):
        promised = probability[part]
        table.append([len(part), promised.mean(), target[part].mean(), *chance_band(promised)])
    return np.array(table, dtype=np.float64)


def chance_band(probability: Floats, level: float = 0.95) -> tuple[float, float]:
    """Where the share of positives among independent draws with these probabilities (n,) falls, `level` of the times.

    Exact up to 1,000 rows (the Poisson binomial distribution by a discrete Fourier transform of its characteristic
    function: Hong, Computational Statistics & Data Analysis 59, 2013); above, the binomial of equal mean and variance.
    """
    n, tail, expected = len(probability), (1 - level) / 2, float(np.sum(probability))
    if expected == 0:
        return 0.0, 0.0
    if n <= 1000:
        turns = np.exp(2j * np.pi * np.arange(n + 1) / (n + 1))
        wave = np.prod(1 + np.outer(turns - 1, probability), axis=1)
        below = np.cumsum(np.fft.fft(wave).real / (n + 1))
        low, high = np.searchsorted(below, [tail, 1 - tail])
    else:
        chance = float(np.sum(np.square(probability))) / expected
        low, high = binom.ppf([tail, 1 - tail], max(round(expected / chance), 1), chance)
    return float(low / n), float(min(high / n, 1.0))


def calibration(target: Target, probability: Floats, people: str = "customers") -> Figure:
    """Promise against outcome in ten groups of equal size, with the band in which an honest score would lie."""
    table = calibration_bins(target, probability)
    with styled():
        fig = new_figure()
        axes = fig.add_subplot()
        at = np.arange(1, len(table) + 1)
        axes.bar(at, table[:, 4] - table[:, 3], 0.62, table[:, 3], color=BAND, label="Room for chance (95 %)")
        axes.hlines(table[:, 1], at - 0.31, at + 0.31, color=MODEL, linewidth=2, label="Promised")
        axes.plot(at, table[:, 2], "o", color=INK, markersize=5.5, label="Happened")
        axes.set_xticks(at)
        axes.set_ylim(0, None)
        axes.grid(axis="y")
        percent_axis(axes.yaxis)
        axes.set_xlabel(f"Tenths of {plain(people, 30)}, from the lowest scores to the highest")
        title(fig, "Calibration: promised and happened")
        legend(axes)
    return fig


def score_distribution(target: Target, probability: Floats, yes: str = "Cases", no: str = "Others") -> Figure:
    """How the scores of the positives and of the others are spread; each group sums to 100 %."""
    target, probability = np.asarray(target), np.asarray(probability, dtype=float)
    top = min(1.0, float(np.quantile(probability, 0.999)) * 1.05 + 1e-6)
    edges = np.linspace(0, top, 31)
    with styled():
        fig = new_figure(3.3)
        axes = fig.add_subplot()
        for value, name, color, alpha in ((0, no, NEUTRAL, 0.45), (1, yes, MODEL, 0.75)):
            rows = np.clip(probability[target == value], 0, top)
            share = np.histogram(rows, edges)[0] / max(len(rows), 1)
            axes.stairs(share, edges, fill=True, color=color, alpha=alpha, label=plain(name, 40))
        axes.set_xlim(0, top)
        axes.grid(axis="y")
        percent_axis(axes.xaxis)
        percent_axis(axes.yaxis)
        axes.set_xlabel("Score")
        axes.set_ylabel("Share of each group")
        title(fig, "How the scores are spread")
        legend(axes)
    return fig


def ranking_curve(
    depth: Sequence[int],
    model: dict[str, Sequence[float]],
    rule: dict[str, Sequence[float]] | None = None,
) -> Figure:
    """Precision and recall of the first k offers. `model` and `rule`: {"recall": [...], "precision": [...]} over k."""
    rule = rule or {}
    with styled():
        fig = new_figure(3.3)
        panels = fig.subplots(1, 2)
        words = {"recall": "Bought offers that are in the list", "precision": "Offers in the list that are bought"}
        for axes, (kind, text) in zip(panels, words.items(), strict=True):
            for values, name, look in ((model, "Model", _LOOKS[0]), (rule, "Rule", _LOOKS[1])):
                if kind in values:
                    axes.plot(
                        depth, np.asarray(values[kind], dtype=float), label=name, marker="o", markersize=3.5, **look
                    )
            axes.set_ylim(0, None)
            axes.grid(axis="y")
            percent_axis(axes.yaxis, 0 if axes.get_ylim()[1] > 0.1 else 1)
            axes.set_xlabel("Offers a customer")
            title(axes, text)
        legend(panels[0])
    return fig


def over_cutoffs(
    cutoffs: Sequence[str],
    model: Sequence[tuple[float, float, float]],
    rule: Sequence[tuple[float, float, float]] | None = None,
    name: str = "Average precision",
) -> Figure:
    """A metric at each cutoff with its 95 % interval: entries are (value, low, high)."""
    with styled():
        fig = new_figure(3.3)
        axes = fig.add_subplot()
        at = np.arange(len(cutoffs))
        shift = 0.09 if rule is not None else 0.0
        rows = [(model, "Model", MODEL, -shift, "o"), (rule, "Rule", RULE, shift, "s")]
        for values, label, color, move, marker in rows:
            if values is not None:
                table = np.asarray(values, dtype=float)
                axes.vlines(at + move, table[:, 1], table[:, 2], color=color, linewidth=2, alpha=0.55)
                axes.plot(at + move, table[:, 0], marker, color=color, markersize=6, label=label)
        axes.set_xticks(at, [plain(cutoff, 16) for cutoff in cutoffs], rotation=0 if len(cutoffs) < 6 else 40)
        axes.margins(x=0.12, y=0.08)
        axes.set_ylim(0, None)
        axes.grid(axis="y", color=FAINT)
        axes.set_xlabel("Date of the forecast; lines are 95 % intervals", color=QUIET)
        title(fig, f"{plain(name, 50)}, forecast by forecast")
        legend(axes)
    return fig


_LOOKS: tuple[dict[str, Any], ...] = ({"color": MODEL}, {"color": RULE, "linestyle": (0, (4, 2))})


def _lines(probability: Floats, rule: Floats | None) -> list[tuple[Floats, str, dict[str, Any]]]:
    lines = [(probability, "Model", _LOOKS[0])]
    return lines if rule is None else [*lines, (rule, "Rule", _LOOKS[1])]


def _unit_square(axes: Any) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.01)
    axes.grid()
    percent_axis(axes.xaxis)
    percent_axis(axes.yaxis)
