"""A customer and a product category: what he bought of it, what others buy of it, and what goes with what he buys."""

from __future__ import annotations

from ...language.declarations import (
    Block,
    DaysSinceLast,
    Distinct,
    FadingVisits,
    Feature,
    Fitted,
    GapMean,
    Group,
    Mean,
    Ratio,
    Sum,
    Visits,
)
from .co_purchase import co_purchase
from .similar import similar_customers
from .up_sell import up_sell

CUSTOMER, CATEGORY, PAIR = ("customer_id",), ("category",), ("customer_id", "category")

BLOCK = Block(
    "offers",
    groups=(
        Group(
            "transactions",
            PAIR,
            (
                Feature(
                    "days_since_bought",
                    DaysSinceLast(),
                    definition="days since the customer last bought the category",
                    unit="days",
                    family="bought it before",
                    words="last bought it {value} ago; typically {typical} ago; missing: no purchase of it so far",
                ),
                Feature(
                    "bought_{window}",
                    Visits(last=(180, 365, None)),
                    definition="visits in {period} with a purchase of the category",
                    unit="count",
                    family="bought it before",
                    words="bought it on {value} visits in {period}; typically on {typical}",
                ),
                Feature(
                    "bought_fading",
                    FadingVisits(fade=130),
                    definition="visits with a purchase of the category, each counting half as much every 90 days",
                    unit="count",
                    family="bought it before",
                    words="bought it {value} times, the latest counting most; typically {typical}",
                ),
                Feature(
                    "bought_spend",
                    Sum(column="amount"),
                    definition="amount the customer spent on the category so far",
                    unit="currency",
                    family="bought it before",
                    words="spent {value} on it so far; typically {typical}",
                ),
                Feature(
                    "bought_item_amount",
                    Mean(column="amount"),
                    definition="mean amount of the customer's items of the category",
                    unit="currency",
                    family="what it costs",
                    words="paid {value} for an item of it so far; all pay {category_item_amount_90d}",
                ),
                Feature(
                    "bought_gap",
                    GapMean(),
                    definition="mean days between the customer's purchases of the category",
                    unit="days",
                    family="bought it before",
                    words="used to buy it every {value}; typically every {typical}",
                ),
            ),
        ),
        Group(
            "transactions",
            CATEGORY,
            (
                Feature(
                    "category_buyers_{window}",
                    Distinct(column="customer_id", last=(7, 28, 90, 365)),
                    definition="customers who bought the category in {period}",
                    unit="count",
                    family="how popular it is",
                    words="{value} customers bought it in {period}; typically {typical}",
                ),
                Feature(
                    "category_item_amount_{window}",
                    Mean(column="amount", last=(28, 90, 365)),
                    definition="mean amount of an item of the category in {period}",
                    unit="currency",
                    family="what it costs",
                    words="costs about {value}; typically {typical}",
                ),
                Feature(
                    "category_item_margin",
                    Mean(column="margin", last=(365,)),
                    definition="mean margin of an item of the category in the last 365 days",
                    unit="currency",
                    family="what it costs",
                    words="earns about {value} an item; typically {typical}",
                ),
            ),
        ),
        Group(
            "transactions",
            CUSTOMER,
            (
                Feature(
                    "usual_item_amount",
                    Mean(column="amount", last=(180,)),
                    definition="mean amount of all items that the customer bought in the last 180 days",
                    unit="currency",
                    family="what it costs",
                    words="usually pays {value} an item; typically {typical}",
                ),
                Feature(
                    "visits_of_any",
                    Visits(),
                    definition="visits so far, whatever was bought",
                    unit="count",
                    family="bought it before",
                    words="{value} visits so far, whatever was bought; typically {typical}",
                ),
            ),
        ),
    ),
    derived=(
        Feature(
            "bought_share",
            Ratio("bought_life", "visits_of_any"),
            definition="share of the customer's visits with a purchase of the category",
            unit="share",
            family="bought it before",
            words="bought it in {bought_life} of {visits_of_any} visits; typically in {typical} of them",
        ),
        Feature(
            "category_trend",
            Ratio("category_buyers_28d", "category_buyers_90d"),
            definition="buyers of the category in the last 28 days over those of the last 90",
            unit="share",
            family="how popular it is",
            words="{category_buyers_28d} customers bought it in the last 28 days, "
            "{category_buyers_90d} in the last 90: {value}, typically {typical}",
        ),
        Feature(
            "category_trend_week",
            Ratio("category_buyers_7d", "category_buyers_28d"),
            definition="buyers of the category in the last 7 days over those of the last 28",
            unit="share",
            family="how popular it is",
            words="{category_buyers_7d} customers bought it in the last 7 days, "
            "{category_buyers_28d} in the last 28: {value}, typically {typical}",
        ),
        Feature(
            "category_price_change",
            Ratio("category_item_amount_28d", "category_item_amount_365d"),
            definition="mean amount of an item of the category in the last 28 days over that of the last 365",
            unit="times",
            family="what it costs",
            words="costs {category_item_amount_28d} lately, {category_item_amount_365d} over the year: "
            "{value} as much, typically {typical}",
        ),
        Feature(
            "price_against_usual",
            Ratio("category_item_amount_90d", "usual_item_amount"),
            definition="mean amount of an item of the category over what the customer usually pays an item",
            unit="times",
            family="what it costs",
            words="costs {category_item_amount_90d}; he usually pays {usual_item_amount} an item, "
            "typically it is {usual_item_amount.typical}",
        ),
        Feature(
            "tier_against_others",
            Ratio("bought_item_amount", "category_item_amount_90d"),
            definition="what the customer paid for an item of it over what all pay: above 1, he takes the better",
            unit="times",
            family="what it costs",
            words="paid {bought_item_amount} for an item of it so far; all pay {category_item_amount_90d}",
        ),
        Feature(
            "bought_overdue",
            Ratio("days_since_bought", "bought_gap"),
            definition="days since the category was bought over the customer's usual days between purchases of it",
            unit="times",
            family="bought it before",
            words="last bought it {days_since_bought} ago; used to buy it every {bought_gap}, "
            "typically every {bought_gap.typical}",
        ),
    ),
    fitted=(
        Fitted(
            PAIR,
            (
                Feature(
                    "is_up_sell",
                    None,
                    definition="1 where the category is a higher tier than all he bought in its line, 0 where not",
                    family="cross-sell or up-sell",
                    words="a step up in a line he buys from: {value} (1 is yes); typically {typical}",
                ),
            ),
            needs=(("transactions", ("category", "line", "tier")),),
            compute=up_sell,
        ),
        Fitted(
            PAIR,
            (
                Feature(
                    "goes_with_basket",
                    None,
                    definition="mean share of the buyers of what the customer buys who buy this category too",
                    unit="share",
                    family="goes with what he buys",
                    words="{value} of the customers with a similar basket buy it; typically {typical}",
                ),
                Feature(
                    "basket_lift",
                    None,
                    definition="how much more often customers with a similar basket buy the category than all do",
                    unit="times",
                    family="goes with what he buys",
                    words="customers with a similar basket buy it {value} as often as others; typically {typical}",
                ),
            ),
            needs=(("transactions", ("category",)),),
            compute=co_purchase,
        ),
        Fitted(
            PAIR,
            (
                Feature(
                    "similar_customers",
                    None,
                    definition="how much customers with similar purchases buy it (singular value decomposition)",
                    family="goes with what he buys",
                    words="how strongly customers who buy as he does go for it: {value}; typically {typical}",
                ),
            ),
            needs=(("transactions", ("category",)),),
            compute=similar_customers,
        ),
    ),
)
