"""Uplift: whom a contact moves, learned where chance decided who was contacted and who was held back."""

from __future__ import annotations

from ..config import UpliftConfig
from ..language.declarations import Column, Count, Planned, Population, Requirement
from .base import RuleOfThumb, Task, Wording

CUSTOMER, TARGETED = ("customer_id",), ("customer_id", "campaign_id")


def uplift(config: UpliftConfig) -> Task:
    """Population: whom a campaign of these kinds targets, at its start. Target: a purchase before its end.

    Treatment: that the contact was made; those who were held back at random were targeted too, and not contacted.
    """
    which = f"a campaign of kind {' or '.join(config.kinds)}" if config.kinds else "a campaign"
    return Task(
        name="uplift",
        question=f"Whom does {which} move to buy who would not buy otherwise?",
        population_text=f"customers targeted by {which}, contacted or held back, as known when it starts",
        target_text="a purchase between the campaign's start and its end",
        keys=TARGETED,
        population=Population(
            Planned(
                "contacts",
                TARGETED,
                at="starts_at",
                until="ends_at",
                carry=("campaign_kind",),
                where=Column("campaign_kind").is_in(*config.kinds) if config.kinds else None,
            ),
        ),
        target=Requirement("transactions", CUSTOMER, Count(until="window_end") > 0),
        treatment=Requirement(
            "contacts",
            TARGETED,
            Count(until="window_end", where=Column("made") == True) > 0,  # noqa: E712
        ),
        horizon=0,
        blocks=("spending", "rhythm", "breadth", "contacts", "campaigns", "service", "lifecycle", "profile"),
        primary_metric="qini",
        rules=(
            RuleOfThumb("column", ("days_since_visit",), "who was here last comes first", -1),
            RuleOfThumb("column", ("days_since_visit",), "who has been away longest comes first"),
            RuleOfThumb("column", ("campaigns_answered",), "who answered most campaigns comes first"),
        ),
        wording=Wording(
            entity="customer",
            entities="customers",
            outcome="bought because of the campaign",
            positives="customers who buy",
            negatives="customers who do not buy",
            purpose="To contact those whom it moves, and to spare those who buy anyhow or are put off.",
        ),
    )
