"""Up-sell by hand: who is asked about which tier, what comes of it, and what the data must have."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hand_made import at, bought, company
from small_project import good_tables, write_project
from sqlglot import exp

from rapport.config import UpSellConfig
from rapport.data.engine import DuckDBEngine
from rapport.data.ingest import open_dataset
from rapport.errors import DataError
from rapport.features.snapshot import Snapshots
from rapport.tasks import declare

NOW = at("2024-06-01")
TASK = declare("up_sell", UpSellConfig(horizon=30, active_within=100, not_bought_within=200))
NEXT = {"plain": "better", "better": "best", "best": None}


def item(customer: int, when: str, line: str | None, tier: str | None, margin: int = 1) -> Any:
    above = NEXT.get(tier or "")
    return bought(customer, when, "any", line=line, tier=tier, next_tier=above, margin=Decimal(margin))


ROWS = (
    item(1, "2024-05-01", "coffee", "plain"),
    item(1, "2024-05-02", "tea", "better"),
    item(1, "2024-06-10", "coffee", "better", 5),  # steps up
    item(1, "2024-07-05", "tea", "best", 9),  # too late
    item(2, "2024-05-01", "coffee", "plain"),
    item(2, "2024-05-01", "coffee", "better"),  # has it already: only what is above that is left
    item(3, "2024-05-01", "coffee", "best"),  # nothing above
    item(4, "2024-01-01", "coffee", "plain"),  # not here for long
    item(5, "2024-05-01", None, None),  # of no tier
    item(6, "2024-06-02", "coffee", "plain"),  # not seen yet
)


def snapshots(engine: DuckDBEngine) -> Snapshots:
    return Snapshots(company(transactions=list(ROWS)).dataset(engine), TASK, blocks=["tiers"])


def test_the_next_tier_above_what_he_buys_and_has_not(engine: DuckDBEngine) -> None:
    rows = snapshots(engine).population([NOW], with_target=True).to_pylist()
    found = {(row["customer_id"], row["line"], row["tier"]): (row["target"], row["worth"]) for row in rows}
    assert found == {
        (1, "coffee", "better"): (1, 5.0),
        (1, "tea", "best"): (0, 0.0),
        (2, "coffee", "best"): (0, 0.0),
    }


def test_what_is_known_of_him_and_the_tier(engine: DuckDBEngine) -> None:
    built = snapshots(engine)
    rows = built.features(built.population([NOW], with_target=False)).to_pylist()
    (coffee,) = [row for row in rows if (row["customer_id"], row["line"]) == (1, "coffee")]
    assert coffee["below_items_90d"] == coffee["line_items_90d"] == 1  # the plain one
    assert coffee["tier_items_90d"] == 1  # the better tea
    assert coffee["tier_share_90d"] == 0.5
    assert coffee["tier_buyers_90d"] == 1  # customer 2


# ------------------------------------------------------------------------------------------- from products
def shop(folder: Path, **products: Any) -> Any:
    data = good_tables("transactions", "products")
    tiers = {"line": ["drinks", "drinks"], "tier": ["dear", "plain"], "price": [9.0, 2.0]}
    data["products"] |= tiers | products
    task = {"split": {"train": ["2024-02-01"], "test": ["2024-05-01"]}, "horizon": 30, "worth_of": "amount"}
    return write_project(folder, data, observed_until=datetime(2024, 7, 1), tasks={"up_sell": task})


def rungs(data: Any) -> list[tuple[Any, Any]]:
    rows = data.engine.arrow(exp.select("tier", "next_tier").from_("transactions").distinct()).to_pylist()
    return sorted((row["tier"], row["next_tier"]) for row in rows)


def test_tiers_are_ranked_by_what_their_products_cost(tmp_path: Path) -> None:
    assert rungs(open_dataset(shop(tmp_path))) == [("dear", None), ("plain", "dear")]


def test_a_product_without_tier_or_price_stands_on_no_rung(tmp_path: Path) -> None:
    assert rungs(open_dataset(shop(tmp_path, price=[9.0, None]))) == [("dear", None), ("plain", None)]


@pytest.mark.parametrize("missing", ["line", "tier", "price"])
def test_products_without_line_tier_or_price_are_named(tmp_path: Path, missing: str) -> None:
    config = shop(tmp_path)
    file = tmp_path / "products.parquet"
    pq.write_table(pq.read_table(file).drop(missing), file)
    with pytest.raises(DataError, match=rf"products.{missing}|products.*{missing}"):
        open_dataset(config)
