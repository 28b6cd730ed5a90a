"""Loyalty: traits of a loyal customer, each shown by what he does; a score that is put together, not trained.

Of the five traits that are told apart (repeat purchase, breadth, referral, immunity to offers of others, tolerance of
an occasional failure) the last is not shown yet: no feature tells what somebody did after a failure.
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
            Evidence("visits_90d"),
            Evidence("visits_365d"),
            Evidence("gap_spread_life", -1),
            Evidence("days_since_visit", -1),
        ),
    ),
    Trait(
        "breadth",
        "buys several products and services",
        (Evidence("products_90d"), Evidence("categories_90d"), Evidence("lines_90d")),
    ),
    Trait("referral", "brings others", (Evidence("referrals_life"), Evidence("customers_brought_life"))),
    Trait(
        "immunity",
        "is not drawn away by offers of others",
        (Evidence("discount_share", -1), Evidence("coupon_items_90d", -1)),
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
        blocks=("spending", "rhythm", "breadth", "service"),
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
