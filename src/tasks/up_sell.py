"""Up-sell: the tier next above one that a customer buys, line by line: will he step up, and what margin comes of it?"""

from __future__ import annotations

from ..config import UpSellConfig
from ..language.declarations import Count, Population, Requirement, Seen, Sum, Worth
from .base import AmountRule, RuleOfThumb, Task, Wording

CUSTOMER, RUNG = ("customer_id",), ("customer_id", "line", "tier")


def up_sell(config: UpSellConfig) -> Task:
    """Population: customers with each line and tier next above one that they buy, and that they have not bought lately.

    Target: something of that line and tier is bought within the horizon; worth: its margin (or sales).
    """
    within = config.not_bought_within
    return Task(
        name="up_sell",
        question=f"Who will step up to the next tier of a line within {config.horizon} days, and what will that bring?",
        population_text=(
            f"customers with a purchase in the {config.active_within} days up to the cutoff, with each line and tier "
            f"next above one that they bought in {within} days, of which they bought nothing in that time"
        ),
        target_text=f"a purchase of that line and tier in the {config.horizon} days after the cutoff",
        keys=RUNG,
        population=Population(
            Seen("rungs", RUNG),
            (
                Requirement("transactions", CUSTOMER, Count(last=(config.active_within,)) > 0),
                Requirement("rungs", RUNG, Count(last=(within,)) > 0),
                Requirement("transactions", RUNG, Count(last=(within,)) == 0),
            ),
        ),
        target=Requirement("transactions", RUNG, Count(ahead=config.horizon) > 0),
        horizon=config.horizon,
        blocks=("spending", "rhythm", "contacts", "profile", "tiers"),
        primary_metric="average_precision",
        rules=(
            RuleOfThumb(
                "count_then",
                ("tier_items_365d", "below_items_90d"),
                "who buys most of this tier in other lines, then who buys most of the tier below",
            ),
            RuleOfThumb("column", ("below_items_90d",), "who buys most of the tier below comes first"),
            RuleOfThumb("column", ("line_items_90d",), "who buys most of the line comes first"),
        ),
        worth=Worth("transactions", RUNG, Sum(column=config.worth_of, ahead=config.horizon)),
        worth_rules=(
            AmountRule("line", "pace", ("line_spend_365d",), "what he spends on the line, carried on", days=365),
        ),
        wording=Wording(
            entity="customer",
            entities="customers",
            outcome="stepped up",
            positives="steps up",
            negatives="offers that are not taken",
            purpose="To show each customer the better product where he is ready for it.",
        ),
    )
