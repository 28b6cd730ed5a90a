"""How many different things a customer buys, and how much of his spending goes to each line."""

from __future__ import annotations

from ...language.declarations import (
    Block,
    Distinct,
    EffectiveNumber,
    Feature,
    ForTopValues,
    Group,
    NewValues,
    Ratio,
    Sum,
    TopShare,
)

CUSTOMER = ("customer_id",)

BLOCK = Block(
    "breadth",
    groups=(
        Group(
            "transactions",
            CUSTOMER,
            (
                Feature(
                    "products_{window}",
                    Distinct(column="product_id", last=(30, 90, None)),
                    definition="different products bought in {period}",
                    unit="count",
                    family="variety of products",
                    words="{value} different products in {period}; typically {typical}",
                ),
                Feature(
                    "categories_{window}",
                    Distinct(column="category", last=(30, 90, None)),
                    definition="different categories bought in {period}",
                    unit="count",
                    family="variety of products",
                    words="{value} different categories in {period}; typically {typical}",
                ),
                Feature(
                    "lines_{window}",
                    Distinct(column="line", last=(90, None)),
                    definition="different product lines bought in {period}",
                    unit="count",
                    family="variety of products",
                    words="{value} different product lines in {period}; typically {typical}",
                ),
                Feature(
                    "new_products_{window}",
                    NewValues(column="product_id", last=(30,)),
                    definition="products bought in {period} that the customer had never bought before",
                    unit="count",
                    family="newness of what he buys",
                    words="bought {value} products in {period} that were new to him; typically {typical}",
                ),
                Feature(
                    "new_categories_{window}",
                    NewValues(column="category", last=(90,)),
                    definition="categories bought in {period} that the customer had never bought before",
                    unit="count",
                    family="newness of what he buys",
                    words="bought {value} categories in {period} that were new to him; typically {typical}",
                ),
                Feature(
                    "spread_of_categories_{window}",
                    EffectiveNumber(column="category", last=(90,)),
                    definition="over how many categories items spread in {period} (e to their entropy)",
                    unit="count",
                    family="variety of products",
                    words="spread his items over some {value} categories in {period}; typically {typical}",
                ),
                Feature(
                    "top_category_share_{window}",
                    TopShare(column="amount", of="category", last=(90, None)),
                    definition="share of the largest category in spending in {period}",
                    unit="share",
                    family="concentration on one category",
                    words="the largest category takes {value} of spending in {period}; typically {typical}",
                ),
                Feature(
                    "spend_on_{value}_{window}",
                    ForTopValues(Sum(column="amount", last=(90,)), of="line", top=8),
                    definition="amount spent on {value} in {period}",
                    unit="currency",
                    family="what he buys",
                    words="spent {{value}} on {value} in {period}; typically {{typical}}",
                ),
                Feature(
                    "spend_on_tier_{value}_{window}",
                    ForTopValues(Sum(column="amount", last=(90,)), of="tier", top=4),
                    definition="amount spent on the tier {value} in {period}",
                    unit="currency",
                    family="what he buys",
                    words="spent {{value}} on the tier {value} in {period}; typically {{typical}}",
                ),
            ),
        ),
    ),
    derived=(
        Feature(
            "new_products_share",
            Ratio("products_30d", "products_90d"),
            definition="products of the last 30 days over those of the last 90",
            unit="share",
            family="change in variety",
            words="bought {products_30d} different products in the last 30 days and {products_90d} in the last 90; "
            "typically {products_30d.typical} and {products_90d.typical}",
        ),
        Feature(
            "share_of_tier_{value}",
            Ratio("spend_on_tier_{value}_90d", "spend_90d"),
            definition="share of the tier {value} (own brand, say) in the spending of the last 90 days",
            unit="share",
            family="what he buys",
            words="the tier {value} took {{value}} of spending in the last 90 days; typically {{typical}}",
        ),
        Feature(
            "newness",
            Ratio("new_products_30d", "products_30d"),
            definition="share of the products of the last 30 days that the customer had never bought before",
            unit="share",
            family="newness of what he buys",
            words="{value} of the products of the last 30 days were new to him; typically {typical}",
        ),
    ),
)
