"""Next offer: the product categories that a customer has not bought lately, ranked by how likely he is to buy them."""

from __future__ import annotations

from ..config import NextOfferConfig
from ..language.declarations import Column, Count, Distinct, Pairs, Population, Requirement, Seen
from .base import Output, RuleOfThumb, Task, Wording

CUSTOMER, CATEGORY, PAIR = ("customer_id",), ("category",), ("customer_id", "category")


def next_offer(config: NextOfferConfig) -> Task:
    """Population: customers x categories with enough buyers, not bought lately. Target: bought within the horizon."""
    requirements = [
        Requirement("transactions", CATEGORY, Distinct(column="customer_id") >= config.min_buyers),
        Requirement("transactions", PAIR, Count(last=(config.not_bought_within,)) == 0),
    ]
    if config.exclude_categories:
        unwanted = Column("category").is_in(*config.exclude_categories)
        requirements.append(Requirement("transactions", CATEGORY, Count(where=unwanted) == 0))
    return Task(
        name="next_offer",
        question=f"What will each customer buy in the next {config.horizon} days that he has not bought lately?",
        population_text=(
            f"every customer with every category that he has not bought in {config.not_bought_within} days and that at "
            f"least {config.min_buyers} customers have bought"
        ),
        target_text=f"the customer buys the category in the {config.horizon} days after the cutoff",
        keys=PAIR,
        population=Population(
            Pairs(Seen("transactions", CUSTOMER), Seen("transactions", CATEGORY)), tuple(requirements)
        ),
        target=Requirement("transactions", PAIR, Count(ahead=config.horizon) > 0),
        horizon=config.horizon,
        blocks=("offers", "breadth"),
        primary_metric="map_at_10",
        rules=(
            RuleOfThumb("column", ("category_buyers_28d",), "what most customers bought lately, the same list for all"),
            RuleOfThumb(
                "count_then", ("bought_life", "category_buyers_28d"), "what he used to buy, then what most others buy"
            ),
            RuleOfThumb(
                "count_then",
                ("bought_fading", "category_buyers_28d"),
                "what he used to buy, the latest purchases counting most, then what most others buy",
            ),
            RuleOfThumb(
                "column",
                ("goes_with_basket",),
                "what most customers buy who share something with his basket (nearest neighbours of items)",
            ),
        ),
        wording=Wording(
            entity="customer",
            entities="customers",
            outcome="bought the category",
            positives="offers that are bought",
            negatives="offers that are not bought",
            purpose="To offer each customer what he is likely to want next and would not buy by himself.",
        ),
        ranks_within="category",
        negative_share=config.negative_share,
        top=config.top,
        outputs=(
            Output("expected_margin", "category_item_margin"),
            Output("kind", "is_up_sell", words=((0.0, "cross-sell"), (1.0, "up-sell"))),
        ),
        rank_by=None if config.rank_by == "probability" else config.rank_by,
    )
