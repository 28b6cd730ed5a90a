"""Cross-sell or up-sell, by hand: a higher tier of a line from which the customer buys, or something else."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hand_made import at, bought, company

from rapport.config import NextOfferConfig
from rapport.data.engine import DuckDBEngine
from rapport.features.snapshot import Snapshots
from rapport.tasks import declare

NOW = at("2024-06-01")
TASK = declare("next_offer", NextOfferConfig(min_buyers=1, not_bought_within=10))


def sold(customer: int, category: str, line: str | None, tier: str | None, amount: int, when: str = "2024-03-01"):
    return bought(customer, when, category, line=line, tier=tier, amount=Decimal(amount), margin=Decimal(amount) / 4)


def up_sells(engine: DuckDBEngine, *rows, column: str = "is_up_sell") -> dict[tuple[int, str], float]:
    snapshots = Snapshots(company(transactions=list(rows)).dataset(engine), TASK, blocks=["offers"])
    table = snapshots.features(snapshots.population([NOW], with_target=False))
    values = np.array(table[column].to_pylist(), float)
    keys = zip(table["customer_id"].to_pylist(), table["category"].to_pylist(), strict=True)
    return dict(zip(keys, values.tolist(), strict=True))


ROWS = (
    sold(1, "instant", "coffee", "plain", 3),
    sold(2, "beans", "coffee", "better", 8),
    sold(2, "espresso", "coffee", "best", 15),
    sold(3, "shoes", "fashion", "best", 90),
    sold(3, "gift", None, None, 20),
)


def test_a_higher_tier_of_the_same_line_is_an_up_sell(engine: DuckDBEngine) -> None:
    found = up_sells(engine, *ROWS)
    assert found[1, "beans"] == found[1, "espresso"] == 1.0
    assert found[1, "instant"] == 0.0  # his own tier
    assert found[2, "instant"] == found[2, "espresso"] == 0.0  # he has the best already
    assert found[1, "shoes"] == found[3, "espresso"] == 0.0  # another line: a cross-sell
    assert np.isnan(found[1, "gift"])


def test_tiers_are_ranked_by_what_an_item_costs_within_the_line(engine: DuckDBEngine) -> None:
    dear_plain = [sold(n, "instant", "coffee", "plain", 40) for n in (4, 5)]
    found = up_sells(engine, *ROWS, *dear_plain)
    assert found[1, "espresso"] == 0.0  # plain costs 27.67 on average now, best 15
    assert found[2, "instant"] == 1.0


def test_a_category_of_several_tiers_stands_in_that_of_most_items(engine: DuckDBEngine) -> None:
    found = up_sells(engine, *ROWS, *[sold(6, "instant", "coffee", "best", 15) for _ in range(2)])
    assert found[1, "instant"] == 1.0


def test_what_lies_a_year_back_does_not_count(engine: DuckDBEngine) -> None:
    found = up_sells(engine, *ROWS, sold(1, "espresso", "coffee", "best", 15, when="2023-03-01"))
    assert found[1, "espresso"] == 1.0


def test_the_margin_of_an_item(engine: DuckDBEngine) -> None:
    assert up_sells(engine, *ROWS, column="category_item_margin")[1, "espresso"] == 15 / 4
