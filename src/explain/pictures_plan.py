"""Pictures of a plan: what each direction takes and brings, and what more money would bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .picture_style import BAND, INK, MODEL, RULE, legend, new_figure, plain, styled, to_svg
from .review_parts import Picture


def directions_picture(directions: Mapping[str, Mapping[str, float]], currency: str) -> Picture:
    """Cost and expected value by direction, from what `directions` says of each: given, cost, expected_value."""
    names = list(directions)
    with styled():
        fig = new_figure(2.6)
        axes: Any = fig.subplots()
        places = np.arange(len(names))[::-1].astype(float)
        for shift, fact, label, color in ((0.18, "expected_value", "brings", MODEL), (-0.18, "cost", "costs", RULE)):
            values = [directions[name][fact] for name in names]
            axes.barh(places + shift, values, height=0.34, color=color, label=label)
        axes.set_yticks(places, [plain(name) for name in names])
        axes.set_xlabel(plain(f"expected, {currency}" if currency else "expected"))
        axes.grid(axis="x")
        legend(axes)
    told = "; ".join(
        f"{name}: {facts['given']:,.0f} actions for {facts['cost']:,.0f}, expected to bring "
        f"{facts['expected_value']:,.0f} after cost"
        for name, facts in directions.items()
    )
    words = "What an action brings is counted once, under its own direction, after its cost."
    return Picture("directions", to_svg(fig), "What goes to each direction, and what it brings", told, words)


def curve_picture(curve: Sequence[Mapping[str, float]], budget: float | None, currency: str) -> Picture:
    """What plans with less or more money bring: points of `budget` and `expected_value`."""
    money = np.array([point["budget"] for point in curve])
    value = np.array([point["expected_value"] for point in curve])
    with styled():
        fig = new_figure(3.2)
        axes: Any = fig.subplots()
        axes.plot(money, value, color=MODEL, marker="o", markersize=4)
        axes.fill_between(money, 0, value, color=BAND, alpha=0.4)
        if budget is not None:
            axes.axvline(budget, color=INK, linewidth=0.8, linestyle=":")
        axes.set_xlabel(plain(f"budget, {currency}" if currency else "budget"))
        axes.set_ylabel("expected value")
        axes.set_ylim(bottom=min(0.0, float(value.min())))
        axes.grid(axis="y")
    told = "; ".join(f"with {m:,.0f}: {v:,.0f}" for m, v in zip(money, value, strict=True))
    words = "Every point is a whole plan with that budget, all other limits as they are. The dotted line is today's."
    return Picture("budget_curve", to_svg(fig), "What less or more money would bring", told, words)
