"""Loyalty: traits of a loyal customer, each shown by what he does; a score that is put together, not trained.

A trait is missing where little was seen that could show it: breadth needs ten items, tolerance five failures that he
met; how steady a rhythm is counts from three visits on.
"""

from __future__ import annotations

from ..config import LoyaltyConfig
from ..language.declarations import Count, Population, Requirement, Seen
from .base import Evidence, Task, Trait, Wording

CUSTOMER = ("customer_id",)

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
        (Evidence("discount_share", -1), Evidence("coupon_items_90d", -1)),
    ),
    Trait(
        "tolerance",
        "puts up with an occasional failure",
        (Evidence("complaints_per_failure", -1),),
    ),
)


def loyalty(config: LoyaltyConfig) -> Task:
    """Population: a purchase in the last `active_within` days. A card of traits."""
    return Task(
        name="loyalty",
        question="How loyal is each customer, and in which way?",
        population_text=f"customers with a purchase in the {config.active_within} days up to the cutoff",
        target_text="none: the score is put together from what the customer does",
        keys=CUSTOMER,
        population=Population(
            Seen("transactions", CUSTOMER),
            (Requirement("transactions", CUSTOMER, Count(last=(config.active_within,)) > 0),),
        ),
        target=None,
        horizon=0,
        blocks=("spending", "rhythm", "breadth", "service", "traits"),
        primary_metric="average_precision",
        rules=(),
        traits=TRAITS,
        wording=Wording(
            entity="customer",
            entities="customers",
            outcome="is loyal",
            positives="loyal customers",
            negatives="others",
            purpose="To know whom the company can count on, and what keeps him.",
        ),
    )
