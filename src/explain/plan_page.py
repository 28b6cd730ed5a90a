"""The page of a plan: what goes to whom, what it brings, what its limits cost; one HTML file without server or network.

>>> view = PlanView({"config": "shop", "currency": "EUR", "as_of": "2024-06-01", "candidates": 2, "held_out": 0,
...     "given": 1, "expected_value": 3.0, "expected_value_low": 1.0, "expected_value_high": 5.0, "interval_covers": "",
...     "ranked_by": "mean", "ranked_value": 3.0, "bound": 3.0, "gap": 0.0, "mandatory_cost": 0.0, "limits": [],
...     "removed": {}, "actions": {}, "directions": {}, "budget_curve": [], "scores_as_of": {}}, ())
>>> render(view).startswith("<!doctype html>")
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from .page import environment
from .pictures_plan import curve_picture, directions_picture
from .review_parts import Picture
from .review_words import clean

_CSS = Path(__file__).parent / "review.css"


@dataclass(frozen=True)
class PlanRow:
    """One line of the sample: who, what he gets (None for nothing), and why. Texts may hold anything."""

    kind: str
    entity_id: str
    action: str | None
    channel: str | None
    cost: float | None
    expected_value: float | None
    why: str


@dataclass(frozen=True)
class PlanView:
    """A plan as the page shows it: its summary, as `summary.json` holds it, and a sample of its rows."""

    summary: Mapping[str, Any]
    rows: tuple[PlanRow, ...]


def render(view: PlanView) -> str:
    """The page as HTML."""
    return (
        environment()
        .get_template("plan.html")
        .render(
            plan=view.summary,
            rows=view.rows,
            money=_money(str(view.summary["currency"])),
            pictures=_pictures(view.summary),
            css=Markup(_CSS.read_text(encoding="utf-8")),
        )
    )


def _money(currency: str) -> Callable[[float | None], str]:
    currency = clean(currency, 12)
    return lambda amount: "" if amount is None else f"{amount:,.2f} {currency}".strip().replace("-", "−")


def _pictures(summary: Mapping[str, Any]) -> list[Picture]:
    pictures = []
    if any(facts["given"] for facts in summary["directions"].values()):
        pictures.append(directions_picture(summary["directions"], summary["currency"]))
    if len(summary["budget_curve"]) > 1:
        now = next((limit["limit"] for limit in summary["limits"] if limit["name"] == "budget"), None)
        pictures.append(curve_picture(summary["budget_curve"], now, summary["currency"]))
    return pictures
