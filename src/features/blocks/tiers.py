"""A customer and the next tier of a line: what he buys of the line, of the tier below, and of this tier elsewhere."""

from __future__ import annotations

from ...language.declarations import Attribute, Block, Count, DaysSinceLast, Distinct, Feature, Group, Mean, Ratio, Sum

CUSTOMER, RUNG = ("customer_id",), ("customer_id", "line", "tier")

BLOCK = Block(
    "tiers",
    groups=(
        Group(
            "transactions",
            ("customer_id", "line"),
            (
                Feature(
                    "line_items_{window}",
                    Count(last=(30, 90, 365)),
                    definition="items of the line bought in {period}",
                    unit="count",
                    family="buys the line",
                    words="bought {value} items of the line in {period}; typically {typical}",
                ),
                Feature(
                    "line_spend_{window}",
                    Sum(column="amount", last=(365,)),
                    definition="amount spent on the line in {period}",
                    unit="currency",
                    family="buys the line",
                    words="spent {value} on the line in {period}; typically {typical}",
                ),
                Feature(
                    "days_since_line",
                    DaysSinceLast(),
                    definition="days since something of the line was last bought",
                    unit="days",
                    family="buys the line",
                    words="last bought something of the line {value} ago; typically {typical} ago; "
                    "missing: no purchase of the line so far",
                ),
            ),
        ),
        Group(
            "rungs",
            RUNG,
            (
                Feature(
                    "below_items_{window}",
                    Count(last=(30, 90, 365)),
                    definition="items of the tier below in the line bought in {period}",
                    unit="count",
                    family="buys the tier below",
                    words="bought {value} items of the tier below in {period}; typically {typical}",
                ),
                Feature(
                    "days_since_below",
                    DaysSinceLast(),
                    definition="days since something of the tier below in the line was last bought",
                    unit="days",
                    family="buys the tier below",
                    words="last bought something of the tier below {value} ago; typically {typical} ago; "
                    "missing: no purchase of the tier below so far",
                ),
                Feature(
                    "below_item_amount",
                    Mean(column="amount", last=(365,)),
                    definition="mean amount of the items of the tier below in the line",
                    unit="currency",
                    family="what it costs",
                    words="pays {value} for an item of the tier below; typically {typical}",
                ),
            ),
        ),
        Group(
            "transactions",
            RUNG,
            (
                Feature(
                    "days_since_tier_of_line",
                    DaysSinceLast(),
                    definition="days since something of this tier of the line was last bought",
                    unit="days",
                    family="bought it before",
                    words="last bought something of this tier of the line {value} ago; typically {typical} ago; "
                    "missing: no purchase of this tier of the line so far",
                ),
            ),
        ),
        Group(
            "transactions",
            ("customer_id", "tier"),
            (
                Feature(
                    "tier_items_{window}",
                    Count(last=(30, 90, 365)),
                    definition="items of this tier bought in {period}, of all lines",
                    unit="count",
                    family="buys this tier elsewhere",
                    words="bought {value} items of this tier in {period}; typically {typical}",
                ),
                Feature(
                    "tier_lines_{window}",
                    Distinct(column="line", last=(90, 365)),
                    definition="lines of which this tier was bought in {period}",
                    unit="count",
                    family="buys this tier elsewhere",
                    words="bought this tier in {value} lines in {period}; typically in {typical}",
                ),
                Feature(
                    "days_since_tier",
                    DaysSinceLast(),
                    definition="days since something of this tier was last bought, of any line",
                    unit="days",
                    family="buys this tier elsewhere",
                    words="last bought something of this tier {value} ago; typically {typical} ago; "
                    "missing: no purchase of this tier so far",
                ),
            ),
        ),
        Group(
            "transactions",
            CUSTOMER,
            (
                Feature(
                    "tiers_items_{window}",
                    Count(last=(90, 365)),
                    definition="items bought in {period}",
                    unit="count",
                    family="how much he buys",
                    words="bought {value} items in {period}; typically {typical}",
                ),
            ),
        ),
        Group(
            "transactions",
            ("line", "tier"),
            (
                Feature(
                    "tier_buyers_{window}",
                    Distinct(column="customer_id", last=(90,)),
                    definition="customers who bought this tier of the line in {period}",
                    unit="count",
                    family="what others buy",
                    words="{value} customers bought this tier of the line in {period}; typically {typical}",
                ),
                Feature(
                    "tier_item_sales",
                    Mean(column="amount", last=(365,)),
                    definition="mean amount of an item of this tier of the line",
                    unit="currency",
                    family="what it costs",
                    words="an item of this tier costs {value} on average; typically {typical}",
                ),
                Feature(
                    "tier_item_margin",
                    Mean(column="margin", last=(365,)),
                    definition="mean margin of an item of this tier of the line",
                    unit="currency",
                    family="what it costs",
                    words="an item of this tier earns {value} on average; typically {typical}",
                ),
            ),
        ),
    ),
    derived=(
        Feature(
            "tier_share",
            Ratio("tier_items_365d", "tiers_items_365d"),
            definition="share of the items of the last 365 days that are of this tier",
            unit="share",
            family="buys this tier elsewhere",
            words="{value} of the items of the last 365 days were of this tier; typically {typical}",
        ),
        Feature(
            "tier_share_90d",
            Ratio("tier_items_90d", "tiers_items_90d"),
            definition="share of the items of the last 90 days that are of this tier",
            unit="share",
            family="buys this tier elsewhere",
            words="{value} of the items of the last 90 days were of this tier; typically {typical}",
        ),
        Feature(
            "line_item_share",
            Ratio("line_items_365d", "tiers_items_365d"),
            definition="share of the items of the last 365 days that are of the line",
            unit="share",
            family="buys the line",
            words="{value} of the items of the last 365 days were of the line; typically {typical}",
        ),
        Feature(
            "price_step",
            Ratio("tier_item_sales", "below_item_amount"),
            definition="what an item of this tier costs over what he pays for one of the tier below",
            unit="times",
            family="what it costs",
            words="an item of this tier costs {value} what he pays for one of the tier below; typically {typical}",
        ),
        Feature(
            "line",
            Attribute("line"),
            definition="line of products",
            family="the line itself",
            words="of the line {value}, as for {share} of all",
            kind="category",
        ),
        Feature(
            "tier",
            Attribute("tier"),
            definition="tier within the line",
            family="the line itself",
            words="of the tier {value}, as for {share} of all",
            kind="category",
        ),
    ),
)
