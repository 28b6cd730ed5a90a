"""Loyalty: traits of a loyal customer, each shown by what he does; a score that is put together, not trained.

A trait is missing where little was seen that could show it: breadth needs ten items, tolerance five failures that he
met, immunity twenty purchases; how steady a rhythm is counts from three visits on. Who is drawn to competitors
compares, and comes to look more often than he buys; who takes the company's own discounts is not known to be drawn away
by those of others (in a grocer's data it is the loyal who take them).
"""

from __future__ import annotations

from dataclasses import replace

from ..config import LoyaltyConfig
from .base import Evidence, Task, Trait
from .put_together import put_together

TRAITS = (
    Trait(
        "repeat_purchase",
        "buys again and again, in a steady rhythm",
        (
            Evidence("active_weeks_182d"),
            Evidence("visits_365d"),
            Evidence("regularity"),
            Evidence("irregularity", -1),
        ),
    ),
    Trait(
        "breadth",
        "buys several products and services",
        (Evidence("spread_of_lines_life"), Evidence("spread_of_categories_life")),
    ),
    Trait("referral", "brings others", (Evidence("referrals_life"), Evidence("customers_brought_life"))),
    Trait(
        "immunity",
        "is not drawn away by offers of others",
        (Evidence("looks_per_purchase", -1),),
    ),
    Trait(
        "tolerance",
        "puts up with an occasional failure",
        (Evidence("complaints_per_failure", -1),),
    ),
)


def loyalty(config: LoyaltyConfig) -> Task:
    """Population: a purchase in the last `active_within` days. A card of traits."""
    task = put_together(
        "loyalty",
        config.active_within,
        question="How loyal is each customer, and in which way?",
        score_text="the score is put together from what the customer does",
        blocks=("spending", "rhythm", "breadth", "service", "traits"),
        outcome="is loyal",
        positives="loyal customers",
        purpose="To know whom the company can count on, and what keeps him.",
    )
    return replace(task, traits=TRAITS)
