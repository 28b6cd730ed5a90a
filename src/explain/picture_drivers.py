"""Pictures of what drives a score: contributions are SHAP values on the raw score (log-odds)."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from .picture_style import (
    BAND,
    FAINT,
    INK,
    LOWERS,
    MODEL,
    NEUTRAL,
    RAISES,
    Floats,
    legend,
    new_figure,
    percent_axis,
    plain,
    styled,
    title,
)
from .review_words import percent

if TYPE_CHECKING:
    from .what_if import Curve

_LOW_TO_HIGH = LinearSegmentedColormap.from_list("low to high", ["#2b83ba", "#b9bdc4", "#e08214"])
_DOTS = "#4b8fb5"  # dots are drawn as an image, so one colour must do on white and on black
_PUSH = "lowers the score ← 0 → raises (log-odds)"


def reason_bars(groups: Sequence[str], mean_abs: Floats, most: int = 12) -> Figure:
    """Share of each group of features in all that moves the scores: mean |contribution| (g,), largest first."""
    mean_abs = np.asarray(mean_abs, dtype=float)
    order = np.argsort(-mean_abs, kind="stable")[:most]
    share = mean_abs[order] / max(mean_abs.sum(), 1e-12)
    with styled():
        fig = new_figure(0.9 + 0.3 * len(order))
        axes = fig.add_subplot()
        at = np.arange(len(order))
        axes.barh(at, share, 0.66, color=MODEL)
        for row, value in enumerate(share):
            axes.text(value, row, f"  {100 * value:.0f} %", va="center", color=INK)
        _named_rows(axes, [groups[i] for i in order])
        axes.set_xlim(0, 1.15 * share.max() if len(share) else 1)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        title(fig, "Share in all that moves the scores")
    return fig


def beeswarm(
    names: Sequence[str], contributions: Floats, values: Floats | None = None, most: int = 12, points: int = 2000
) -> Figure:
    """One dot a row and feature. `contributions` and `values` are (n, p); NaN values are grey.

    At most `points` rows are drawn (a fixed random sample), and the `most` features with the largest mean.
    """
    contributions = np.asarray(contributions, dtype=float)
    random = np.random.default_rng(0)
    rows = np.sort(random.permutation(len(contributions))[:points])
    order = np.argsort(-np.abs(contributions).mean(axis=0), kind="stable")[:most]
    with styled():
        fig = new_figure(1.2 + 0.36 * len(order))
        axes = fig.add_subplot()
        axes.axvline(0, color=NEUTRAL, linewidth=0.8)
        for row, feature in enumerate(order):
            x = contributions[rows, feature]
            shade = np.full(len(x), np.nan) if values is None else ranks(np.asarray(values)[rows, feature])
            color = np.where(np.isnan(shade)[:, None], [0.55, 0.58, 0.63, 1.0], _LOW_TO_HIGH(np.nan_to_num(shade)))
            axes.scatter(x, row + _swarm(x), s=4, color=color, linewidths=0, rasterized=True)
        _named_rows(axes, [names[i] for i in order])
        axes.set_xlabel(_PUSH)
        title(
            fig, "One dot a row" + ("" if values is None else "; blue: low value, orange: high value, grey: no number")
        )
    return fig


def waterfall(
    base: float,
    reasons: Sequence[tuple[str, float]],
    score: float,
    probability: Callable[[float], float],
    most_words: int = 76,
) -> Figure:
    """From the starting point to one customer's score, reason by reason.

    `base` and `score` are raw (log-odds); reasons are (words, contribution), and what they leave is drawn as "all
    other reasons". `probability` turns a raw score into the calibrated probability that is written beside it.
    """
    rest = score - base - sum(value for _, value in reasons)
    steps = [*reasons, ("All other reasons", rest)]
    with styled():
        fig = new_figure(1.2 + 0.36 * (len(steps) + 2))
        axes = fig.add_subplot()
        at = base
        _stand(axes, 0, base, probability)
        for row, (_, value) in enumerate(steps, start=1):
            color = RAISES if value > 0 else LOWERS
            axes.barh(row, value, 0.6, left=at, color=color)
            axes.vlines(at, row - 0.7, row - 0.3, color=NEUTRAL, linewidth=0.8)
            text = f" {'raises' if value > 0 else 'lowers'}, now {percent(probability(at + value))}"
            axes.text(max(at, at + value), row, text, va="center", fontsize=9, color=INK)
            at += value
        _stand(axes, len(steps) + 1, score, probability)
        _named_rows(axes, ["Starting point", *(words for words, _ in steps), "This score"], most_words)
        low, high = axes.get_xlim()
        axes.set_xlim(low, high + 0.35 * (high - low))  # room for the words at the right of the bars
        axes.set_xlabel("Raw score (log-odds)")
        title(fig, "From the starting point to this score")
    return fig


def dependence(
    value: npt.NDArray[Any], contribution: Floats, name: str, unit: str = "", most: int = 12, points: int = 2000
) -> Figure:
    """How the effect of one feature changes with its value, above the distribution of the values.

    `value` (n,) holds numbers (missing: NaN; the outer 1 % on each side is cut off) or texts (the `most` commonest
    categories are shown); `contribution` is (n,).
    """
    value, contribution = np.asarray(value), np.asarray(contribution, dtype=float)
    with styled():
        fig = new_figure(3.9)
        upper, lower = fig.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        upper.axhline(0, color=NEUTRAL, linewidth=0.8)
        if value.dtype.kind in "fiub":
            _numbers(upper, lower, value.astype(float), contribution, points)
        else:
            _categories(upper, lower, value.astype(str), contribution, most)
        upper.set_ylabel("lowers ← 0 → raises\n(log-odds)")
        upper.grid(axis="y", color=FAINT)
        lower.set_yticks([])
        lower.set_ylabel("Rows")
        lower.spines["left"].set_visible(False)
        lower.set_xlabel(plain(name, 70) + (f" ({plain(unit, 20)})" if unit else ""))
        title(fig, f"Effect of: {name}")
    return fig


def what_if(curve: Curve, probability: str = "Score") -> Figure:
    """A row's probability over the values of one feature; the range of training is marked, and where the row is now."""
    with styled():
        fig = new_figure(3.5)
        axes = fig.add_subplot()
        if curve.is_number:
            _over_numbers(axes, curve)
        else:
            names = ["not known" if value is None else str(value) for value in curve.values]
            axes.bar(np.arange(len(names)), curve.probability, 0.62, color=MODEL)
            axes.set_xticks(np.arange(len(names)), [plain(name, 16) for name in names], rotation=35, ha="right")
            if curve.now in curve.values:
                at = curve.values.index(curve.now)
                axes.plot(at, curve.probability_now, "D", color=INK, markersize=6, label="Now")
        axes.set_ylim(0, None)
        axes.grid(axis="y", color=FAINT)
        percent_axis(axes.yaxis, 0 if max(curve.probability) > 0.05 else 1)
        axes.set_xlabel(plain(curve.definition, 70) + (f" ({plain(curve.unit, 20)})" if curve.unit else ""))
        axes.set_ylabel(probability)
        title(fig, "The score if this alone were different")
        legend(axes)
    return fig


def _over_numbers(axes: Any, curve: Curve) -> None:
    known = [(v, p) for v, p in zip(curve.values, curve.probability, strict=True) if isinstance(v, float)]
    x, y = np.array(known, dtype=float).reshape(-1, 2).T
    if curve.low is not None and curve.high is not None:
        axes.axvspan(curve.low, curve.high, color=BAND, alpha=0.45, linewidth=0, label="98 % of training")
    axes.plot(x, y, color=MODEL, drawstyle="steps-mid")
    if isinstance(curve.now, float):
        axes.plot(curve.now, curve.probability_now, "D", color=INK, markersize=6, label="Now")
    else:
        axes.axhline(curve.probability_now, color=INK, linewidth=1, linestyle=":", label="Now: not known")


def together(first: Floats, second: Floats, effect: Floats, name: str, other: str, points: int = 2000) -> Figure:
    """The joint effect (n,) of two features over the values of the first, coloured by the second; NaN is grey."""
    first, second, effect = (np.asarray(a, dtype=float) for a in (first, second, effect))
    known = np.isfinite(first)
    with styled():
        fig = new_figure(3.7)
        axes = fig.add_subplot()
        axes.axhline(0, color=NEUTRAL, linewidth=0.8)
        if known.any():
            low, high = np.quantile(first[known], [0.01, 0.99])
            inside = np.flatnonzero(known & (first >= low) & (first <= high))
            drawn = np.sort(np.random.default_rng(0).permutation(inside)[:points])
            shade = ranks(second[drawn])
            color = np.where(np.isnan(shade)[:, None], [0.55, 0.58, 0.63, 1.0], _LOW_TO_HIGH(np.nan_to_num(shade)))
            axes.scatter(first[drawn], effect[drawn], s=7, color=color, linewidths=0, rasterized=True)
        axes.grid(axis="y", color=FAINT)
        axes.set_xlabel(plain(name, 70))
        axes.set_ylabel("less ← 0 → more\n(log-odds)")
        title(fig, f"Blue: low, orange: high, of “{plain(other, 50)}”")
    return fig


def _numbers(upper: Any, lower: Any, value: Floats, contribution: Floats, points: int) -> None:
    known = np.isfinite(value)
    if not known.any():
        return
    low, high = np.quantile(value[known], [0.01, 0.99])
    inside = np.flatnonzero(known & (value >= low) & (value <= high))
    drawn = np.sort(np.random.default_rng(0).permutation(inside)[:points])
    upper.scatter(value[drawn], contribution[drawn], s=5, color=_DOTS, alpha=0.35, linewidths=0, rasterized=True)
    distinct = np.unique(value[inside])
    if len(distinct) <= 21:  # a bin each
        edges = np.append(distinct, distinct[-1:] + 1)
    else:
        edges = np.unique(np.quantile(value[inside], np.linspace(0, 1, 21)))
    if len(edges) > 1:
        bins = np.clip(np.searchsorted(edges, value[inside], side="right") - 1, 0, len(edges) - 2)
        filled = np.flatnonzero(np.bincount(bins, minlength=len(edges) - 1))
        x = [float(np.median(value[inside][bins == i])) for i in filled]
        upper.plot(x, [float(contribution[inside][bins == i].mean()) for i in filled], color=INK, linewidth=1.8)
    lower.hist(value[inside], bins=40, color=NEUTRAL)


def _categories(upper: Any, lower: Any, value: npt.NDArray[Any], contribution: Floats, most: int) -> None:
    names, codes, counts = np.unique(value, return_inverse=True, return_counts=True)
    commonest = np.argsort(-counts, kind="stable")[:most]
    means = np.array([contribution[codes == i].mean() for i in commonest])
    order = commonest[np.argsort(means)]
    for at, code in enumerate(order):
        low, middle, high = np.quantile(contribution[codes == code], [0.05, 0.5, 0.95])
        upper.vlines(at, low, high, color=MODEL, linewidth=5, alpha=0.35)
        upper.plot(at, middle, "o", color=INK, markersize=5)
    lower.bar(np.arange(len(order)), counts[order], 0.6, color=NEUTRAL)
    lower.set_xticks(np.arange(len(order)), [plain(str(names[i]), 16) for i in order], rotation=35, ha="right")


def _named_rows(axes: Any, names: Sequence[str], limit: int = 76) -> None:
    wrapped = ["\n".join(textwrap.wrap(plain(name, limit), 40)[:2]) for name in names]
    axes.set_yticks(np.arange(len(names)), wrapped, color=INK, fontsize=8.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)


def _stand(axes: Any, row: int, raw: float, probability: Callable[[float], float]) -> None:
    axes.plot(raw, row, "D", color=INK, markersize=6)
    axes.text(raw, row, f"   {percent(probability(raw))}", va="center", fontweight="bold", color=INK)


def ranks(values: Floats) -> Floats:
    """Rank of each value in 0..1, ties sharing one rank; NaN stays NaN."""
    values = np.asarray(values, dtype=float)
    rank = np.full(len(values), np.nan)
    known = np.isfinite(values)
    _, codes, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    rank[known] = middle[codes] / max(int(known.sum()) - 1, 1)
    return rank


def _swarm(x: Floats, bins: int = 80, height: float = 0.36) -> Floats:
    """Vertical places of dots: those of one bin stand above and below each other, so that no dot hides another."""
    span = float(np.ptp(x)) or 1.0
    bin_of = np.floor((x - x.min()) / span * (bins - 1)).astype(int)
    order = np.argsort(bin_of, kind="stable")
    counts = np.bincount(bin_of, minlength=bins)
    rank = np.empty(len(x))
    rank[order] = np.arange(len(x)) - np.repeat(np.cumsum(counts) - counts, counts)
    step = np.where(rank % 2 == 0, 1, -1) * np.ceil(rank / 2)
    return step * height / max(float(counts.max()) / 2, 4.0)
