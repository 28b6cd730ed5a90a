"""What a campaign is, as planned, and how much of what it offers the customer buys anyway."""

from __future__ import annotations

from ...language.declarations import (
    Attribute,
    Block,
    DaysBetween,
    DaysSinceLast,
    Distinct,
    Feature,
    Group,
    Ratio,
    Sum,
)
from .response_rate import MADE

CAMPAIGN, TARGETED = ("campaign_id",), ("customer_id", "campaign_id")
OF_KIND = ("customer_id", "campaign_kind")

BLOCK = Block(
    "campaigns",
    groups=(
        Group(
            "contacts",
            CAMPAIGN,
            (
                Feature(
                    "campaign_size",
                    Distinct(column="customer_id"),
                    definition="customers targeted by the campaign",
                    unit="count",
                    family="the campaign itself",
                    words="the campaign targets {value} customers; typically {typical}",
                ),
            ),
            planned=True,
        ),
        Group(
            "offers",
            CAMPAIGN,
            (
                Feature(
                    "campaign_products",
                    Distinct(column="product_id"),
                    definition="different products that the campaign offers",
                    unit="count",
                    family="the campaign itself",
                    words="the campaign offers {value} products; typically {typical}",
                ),
                Feature(
                    "campaign_offers",
                    Distinct(column="offer_id"),
                    definition="different offers of the campaign",
                    unit="count",
                    family="the campaign itself",
                    words="the campaign has {value} offers; typically {typical}",
                ),
            ),
            planned=True,
        ),
        Group(
            "contacts",
            OF_KIND,
            (
                Feature(
                    "kind_contacts",
                    Distinct(column="campaign_id", where=MADE),
                    definition="campaigns of this kind that reached the customer so far",
                    unit="count",
                    family="campaigns of this kind",
                    words="was reached by {value} campaigns of this kind so far; typically {typical}",
                ),
            ),
        ),
        Group(
            "responses",
            OF_KIND,
            (
                Feature(
                    "kind_answered",
                    Distinct(column="campaign_id"),
                    definition="campaigns of this kind that the customer answered so far",
                    unit="count",
                    family="campaigns of this kind",
                    words="answered {value} campaigns of this kind so far; typically {typical}",
                ),
            ),
        ),
        Group(
            "transactions",
            TARGETED,
            (
                Feature(
                    "offered_spend_{window}",
                    Sum(column="amount", last=(30, 90, None)),
                    definition="amount spent in {period} on what the campaign offers",
                    unit="currency",
                    family="buys what is offered",
                    words="spent {value} in {period} on what the campaign offers; typically {typical}",
                ),
                Feature(
                    "offered_products_{window}",
                    Distinct(column="product_id", last=(90, None)),
                    definition="different products bought in {period} that the campaign offers",
                    unit="count",
                    family="buys what is offered",
                    words="bought {value} of the offered products in {period}; typically {typical}",
                ),
                Feature(
                    "days_since_offered",
                    DaysSinceLast(),
                    definition="days since a product was bought that the campaign offers",
                    unit="days",
                    family="buys what is offered",
                    words="last bought one of the offered products {value} ago; typically {typical} ago; "
                    "missing: no purchase of the offered products so far",
                ),
            ),
            through="offers",
        ),
        Group(
            "transactions",
            TARGETED,
            (
                Feature(
                    "offered_categories_spend_{window}",
                    Sum(column="amount", last=(30, 90)),
                    definition="amount spent in {period} in categories in which the campaign has offers",
                    unit="currency",
                    family="buys what is offered",
                    words="spent {value} in {period} in the campaign's categories; typically {typical}",
                ),
                Feature(
                    "offered_categories_{window}",
                    Distinct(column="category", last=(90,)),
                    definition="different categories bought in {period} in which the campaign has offers",
                    unit="count",
                    family="buys what is offered",
                    words="bought in {value} of the campaign's categories in {period}; typically in {typical}",
                ),
            ),
            through="offers",
            on="category",
        ),
    ),
    derived=(
        Feature(
            "campaign_kind",
            Attribute("campaign_kind"),
            definition="kind of campaign",
            family="the campaign itself",
            words="campaign of kind {value}, as for {share} of all",
            kind="category",
        ),
        Feature(
            "campaign_days",
            DaysBetween("starts_at", "ends_at"),
            definition="length of the campaign",
            unit="days",
            family="the campaign itself",
            words="the campaign runs {value}; typically {typical}",
        ),
        Feature(
            "kind_rate",
            Ratio("kind_answered", "kind_contacts"),
            definition="share of the campaigns of this kind that the customer answered",
            unit="share",
            family="campaigns of this kind",
            words="answered {kind_answered} of {kind_contacts} campaigns of this kind; typically {typical}",
        ),
        Feature(
            "offered_share",
            Ratio("offered_spend_90d", "spend_90d"),
            definition="share of the last 90 days' spending on what the campaign offers",
            unit="share",
            family="buys what is offered",
            words="{value} of the spending of the last 90 days went to what the campaign offers; typically {typical}",
        ),
    ),
)
