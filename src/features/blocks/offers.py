"""A customer and a product category: what he bought of it, what others buy of it, and what goes with what he buys."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ...language.declarations import (
    Block,
    Count,
    DaysSinceLast,
    Distinct,
    Feature,
    Fitted,
    GapMean,
    Group,
    Mean,
    Ratio,
    Sum,
    Visible,
    Visits,
)

CATEGORY, PAIR = ("category",), ("customer_id", "category")
BASKET_DAYS = 90


def co_purchase(visible: Visible, spine: pa.Table) -> list[npt.NDArray[np.float64]]:
    """How well a category goes with the customer's basket: the categories he bought in the last 90 days.

    With n(b) customers having b in their basket and n(b, c) having both, P(c | b) = n(b, c) / n(b). Returned are the
    mean of P(c | b) over the basket, and the mean of the lift P(c | b) / P(c); item-to-item co-occurrence as in
    Linden, Smith and York (2003).
    """
    recent = Group("transactions", PAIR, (Feature("n", Count(last=(BASKET_DAYS,)), definition=""),))
    pairs = visible.measure(recent)
    pairs = pairs.filter(pa.compute.greater(pairs["n"], 0))
    customers, categories = pairs["customer_id"].unique(), pairs["category"].unique()
    basket = np.zeros((len(customers), len(categories)), np.float32)
    basket[_index(pairs["customer_id"], customers), _index(pairs["category"], categories)] = 1.0
    together = basket.T @ basket
    alone = np.maximum(np.diag(together), 1.0)
    conditional = together / alone[:, None]
    lift = conditional / (alone / max(len(customers), 1))[None, :]
    size = np.maximum(basket.sum(axis=1, keepdims=True), 1.0)
    row, column = _index(spine["customer_id"], customers), _index(spine["category"], categories)
    known = (row >= 0) & (column >= 0)
    results = []
    for weights in (conditional, lift):
        mean = (basket @ weights) / size
        results.append(np.where(known, mean[row, column], np.nan).astype(np.float64))
    return results


def _index(values: pa.ChunkedArray, among: pa.Array) -> npt.NDArray[np.int64]:
    """Position of each value in `among`, -1 where it is not there."""
    return np.asarray(pa.compute.fill_null(pa.compute.index_in(values, among), -1), np.int64)


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
                    words="last bought it {value} ago",
                ),
                Feature(
                    "bought_{window}",
                    Visits(last=(180, 365, None)),
                    definition="visits in {period} with a purchase of the category",
                    unit="count",
                    family="bought it before",
                    words="bought it on {value} visits in {period}",
                ),
                Feature(
                    "bought_spend",
                    Sum(column="amount"),
                    definition="amount the customer spent on the category so far",
                    unit="currency",
                    family="bought it before",
                    words="spent {value} on it so far",
                ),
                Feature(
                    "bought_gap",
                    GapMean(),
                    definition="mean days between the customer's purchases of the category",
                    unit="days",
                    family="bought it before",
                    words="used to buy it every {value}",
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
                    "category_item_amount",
                    Mean(column="amount", last=(90,)),
                    definition="mean amount of an item of the category",
                    unit="currency",
                    family="what it costs",
                    words="costs about {value}; typically {typical}",
                ),
            ),
        ),
    ),
    derived=(
        Feature(
            "category_trend",
            Ratio("category_buyers_28d", "category_buyers_90d"),
            definition="buyers of the category in the last 28 days over those of the last 90",
            unit="share",
            family="how popular it is",
            words="{category_buyers_28d} customers bought it in the last 28 days, {category_buyers_90d} in the last 90",
        ),
        Feature(
            "category_trend_week",
            Ratio("category_buyers_7d", "category_buyers_28d"),
            definition="buyers of the category in the last 7 days over those of the last 28",
            unit="share",
            family="how popular it is",
            words="{category_buyers_7d} customers bought it in the last 7 days, {category_buyers_28d} in the last 28",
        ),
        Feature(
            "bought_overdue",
            Ratio("days_since_bought", "bought_gap"),
            definition="days since the category was bought over the customer's usual days between purchases of it",
            unit="times",
            family="bought it before",
            words="last bought it {days_since_bought} ago; used to buy it every {bought_gap}",
        ),
    ),
    fitted=(
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
                    words="customers with a similar basket buy it {value} as often as others",
                ),
            ),
            needs=(("transactions", ("category",)),),
            compute=co_purchase,
        ),
    ),
)
