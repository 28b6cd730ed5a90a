"""How often and how much a customer buys, lately and over life."""

from __future__ import annotations

from ...language.declarations import Block, Column, Count, Distinct, Feature, Group, Largest, Mean, Ratio, Sum, Visits

WINDOWS = (7, 30, 90, 180, 365, None)
VISIT_WINDOWS = (7, 14, 28, 56, 90, 180, 275, 365, None)

BLOCK = Block(
    "spending",
    groups=(
        Group(
            "transactions",
            ("customer_id",),
            (
                Feature(
                    "visits_{window}",
                    Visits(last=VISIT_WINDOWS),
                    definition="visits in {period}",
                    unit="count",
                    family="how often he comes",
                    words="{value} visits in {period}; half of all customers made at most {typical}",
                ),
                Feature(
                    "spend_{window}",
                    Sum(column="amount", last=WINDOWS),
                    definition="amount spent in {period}",
                    unit="currency",
                    family="how much he spends",
                    words="spent {value} in {period}; half of all customers spent at most {typical}",
                ),
                Feature(
                    "items_{window}",
                    Count(last=(30, 90, None)),
                    definition="items bought in {period}",
                    unit="count",
                    family="how much he spends",
                    words="{value} items bought in {period}; typically {typical}",
                ),
                Feature(
                    "item_amount_{window}",
                    Mean(column="amount", last=(90, None)),
                    definition="mean amount of an item in {period}",
                    unit="currency",
                    family="what an item costs",
                    words="{value} an item in {period}; typically {typical}",
                ),
                Feature(
                    "largest_amount_{window}",
                    Largest(column="amount", last=(90, None)),
                    definition="largest amount of an item in {period}",
                    unit="currency",
                    family="what an item costs",
                    words="dearest item {value} in {period}; typically {typical}",
                ),
                Feature(
                    "discount_{window}",
                    Sum(column="discount", last=(30, 90, None)),
                    definition="discounts received in {period}",
                    unit="currency",
                    family="use of discounts",
                    words="{value} of discounts in {period}; typically {typical}",
                ),
                Feature(
                    "coupon_{window}",
                    Sum(column="coupon", last=(30, 90, None)),
                    definition="discounts by coupon in {period}",
                    unit="currency",
                    family="use of coupons",
                    words="saved {value} by coupons in {period}; typically {typical}",
                ),
                Feature(
                    "coupon_items_{window}",
                    Count(last=(90, None), where=Column("coupon") > 0),
                    definition="items bought with a coupon in {period}",
                    unit="count",
                    family="use of coupons",
                    words="{value} items bought with a coupon in {period}; typically {typical}",
                ),
                Feature(
                    "discount_items_{window}",
                    Count(last=(90,), where=Column("discount") > 0),
                    definition="items bought at a discount in {period}",
                    unit="count",
                    family="use of discounts",
                    words="{value} items bought at a discount in {period}; typically {typical}",
                ),
                Feature(
                    "channels_{window}",
                    Distinct(column="channel", last=(90, None)),
                    definition="different shops or channels in {period}",
                    unit="count",
                    family="where he buys",
                    words="bought through {value} different shops or channels in {period}; typically {typical}",
                ),
                Feature(
                    "margin_{window}",
                    Sum(column="margin", last=(30, 90, 365, None)),
                    definition="margin earned with the customer in {period}",
                    unit="currency",
                    family="how much he spends",
                    words="earned {value} of margin in {period}; typically {typical}",
                ),
                Feature(
                    "weekend_items_{window}",
                    Count(last=(90,), where=Column("is_weekend") == True),  # noqa: E712
                    definition="items bought at a weekend in {period}",
                    unit="count",
                    family="when he comes",
                    words="{value} items bought at weekends in {period}; typically {typical}",
                ),
            ),
        ),
    ),
    derived=(
        Feature(
            "spend_per_visit",
            Ratio("spend_90d", "visits_90d"),
            definition="amount a visit in the last 90 days",
            unit="currency",
            family="how much he spends",
            words="{value} a visit in the last 90 days; typically {typical}",
        ),
        Feature(
            "visits_trend",
            Ratio("visits_28d", "visits_90d"),
            definition="share of the last 90 days' visits that fell in the last 28",
            unit="share",
            family="change in visits",
            words="{value} of the visits of the last 90 days were in the last 28; steady would be a third; "
            "typically {typical}",
        ),
        Feature(
            "visits_trend_week",
            Ratio("visits_7d", "visits_28d"),
            definition="share of the last 28 days' visits that fell in the last 7",
            unit="share",
            family="change in visits",
            words="{value} of the visits of the last 28 days were in the last 7; steady would be a quarter; "
            "typically {typical}",
        ),
        Feature(
            "spend_trend",
            Ratio("spend_30d", "spend_90d"),
            definition="share of the last 90 days' spending that fell in the last 30",
            unit="share",
            family="change in spending",
            words="{value} of the spending of the last 90 days fell in the last 30; steady would be a third; "
            "typically {typical}",
        ),
        Feature(
            "spend_trend_long",
            Ratio("spend_30d", "spend_180d"),
            definition="share of the last 180 days' spending that fell in the last 30",
            unit="share",
            family="change in spending",
            words="{value} of the spending of the last 180 days fell in the last 30; steady would be a sixth; "
            "typically {typical}",
        ),
        Feature(
            "discount_share",
            Ratio("discount_90d", "spend_90d"),
            definition="discounts over spending in the last 90 days",
            unit="share",
            family="use of discounts",
            words="discounts came to {value} of spending in the last 90 days; typically {typical}",
        ),
        Feature(
            "weekend_share",
            Ratio("weekend_items_90d", "items_90d"),
            definition="share of items bought at a weekend in the last 90 days",
            unit="share",
            family="when he comes",
            words="{value} of the items were bought at weekends; typically {typical}",
        ),
        Feature(
            "visits_slope",
            Ratio("fading_visits_10d", "fading_visits_60d"),
            definition="visits that fade within 10 days over those that fade within 60: a slope without edges",
            unit="times",
            family="change in visits",
            words="{visits_14d} visits in the last 14 days, typically {visits_14d.typical}; "
            "{visits_90d} in the last 90, typically {visits_90d.typical}",
        ),
        Feature(
            "spend_trend_year",
            Ratio("spend_90d", "spend_365d"),
            definition="share of the last 365 days' spending that fell in the last 90",
            unit="share",
            family="change in spending",
            words="{value} of the spending of the last 365 days fell in the last 90; steady would be a quarter; "
            "typically {typical}",
        ),
        Feature(
            "discount_affinity",
            Ratio("discount_items_90d", "items_90d"),
            definition="share of the items of the last 90 days that were bought at a discount",
            unit="share",
            family="use of discounts",
            words="bought {value} of the items at a discount; typically {typical}",
        ),
        Feature(
            "coupon_affinity",
            Ratio("coupon_items_life", "items_life"),
            definition="share of all items that were bought with a coupon",
            unit="share",
            family="use of coupons",
            words="bought {value} of all items with a coupon; typically {typical}",
        ),
        Feature(
            "margin_share",
            Ratio("margin_365d", "spend_365d"),
            definition="margin over spending in the last 365 days",
            unit="share",
            family="margin",
            words="{value} of his spending was margin; typically {typical}",
        ),
    ),
)
