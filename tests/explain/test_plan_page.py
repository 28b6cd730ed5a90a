"""The page of a plan as text: hostile values stay words, and nothing of it asks a server. The browser tests open it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from rapport.explain.plan_page import PlanRow, PlanView, render

HOSTILE = "</style></script><script>harm=1</script><img src=http://example.com/x onerror=harm=2>\u202e\x00"


class Seen(HTMLParser):
    """Every tag with its attributes, and the words between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def page(text: str, **changed: Any) -> Seen:
    facts = {"given": 3, "cost": 6.0, "expected_value": 40.0}
    summary: dict[str, Any] = {
        "config": text,
        "currency": text,
        "as_of": "2024-06-01",
        "candidates": 1_200,
        "held_out": 60,
        "given": 3,
        "expected_value": 40.0,
        "expected_value_low": 31.5,
        "expected_value_high": 48.5,
        "interval_covers": text,
        "ranked_by": "mean",
        "bound": 40.2,
        "gap": 0.005,
        "mandatory_cost": 0.0,
        "limits": [{"name": text, "limit": 6.0, "used": 6.0, "price": 0.43}],
        "removed": {text: 7},
        "actions": {text: {"direction": "longer", "channel": text, **facts}},
        "directions": {"longer": facts, "more": dict.fromkeys(facts, 0)},
        "budget_curve": [{"budget": 3.0, "expected_value": 30.0}, {"budget": 6.0, "expected_value": 40.0}],
        "scores_as_of": {text: text},
    }
    return Seen(render(PlanView(summary | changed, (PlanRow("customer", text, text, text, 2.0, 13.3, text),))))


def test_hostile_values_stay_words() -> None:
    seen = page(HOSTILE)
    assert "script" not in [tag for tag, _ in seen.tags]
    pictures = [attributes["src"] or "" for tag, attributes in seen.tags if tag == "img"]
    assert len(pictures) == 2
    assert all(source.startswith("data:image/svg+xml;base64,") for source in pictures)
    assert not any(name.startswith("on") for _, attributes in seen.tags for name in attributes)
    assert "<script>harm=1</script>" in seen.words
    assert "\x00" not in seen.words


def test_what_it_says() -> None:
    words = " ".join(page("EUR").words.split())
    for told in ("40.00 EUR", "Between 31.50 EUR and 48.50 EUR", "0.43 EUR", "60 left to chance", "0.50 %"):
        assert told in words


def test_a_plan_without_limits_or_actions_has_a_page_too() -> None:
    seen = page("x", limits=[], removed={}, actions={}, directions={}, budget_curve=[])
    assert "The plan has no limits" in seen.words
    assert "img" not in [tag for tag, _ in seen.tags]
