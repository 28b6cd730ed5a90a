"""Snapshots of hand-made rows: attributes as of the cutoff, learned values, fitted features, order, emptiness."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hand_made import at, bought, company

from rapport.config import ChurnConfig, NextOfferConfig
from rapport.data.engine import DuckDBEngine
from rapport.errors import ConfigError
from rapport.features.battery_data import made_up_company
from rapport.features.blocks import BLOCKS
from rapport.features.snapshot import Snapshots
from rapport.language.declarations import (
    Block,
    Count,
    EveryAttribute,
    Feature,
    Fitted,
    ForTopValues,
    GapMean,
    Group,
    Mean,
    Sum,
    TopShare,
    Visible,
    Visits,
)
from rapport.tasks import Task, declare

NOW = at("2024-06-01")
TICK = timedelta(microseconds=1)
CUSTOMER = ("customer_id",)
CHURN = declare("churn", ChurnConfig())
PROFILE = BLOCKS["profile"]
BOUGHT = [bought(customer, "2024-05-20 12:00", "tea", line="food") for customer in (1, 2, 3, 4)]


def rows(snapshots: Snapshots, *cutoffs: datetime) -> list[dict[str, Any]]:
    return snapshots.features(snapshots.population(cutoffs or [NOW], with_target=False)).to_pylist()


# ------------------------------------------------------------------------------------------- attributes
def test_attributes_are_those_of_customers_known_at_the_cutoff(engine: DuckDBEngine) -> None:
    acquired = {1: at("2024-01-01"), 2: NOW, 3: NOW + TICK, 4: None}
    made = company(
        transactions=BOUGHT,
        customers=[{"customer_id": n, "acquired_at": when, "region": "north"} for n, when in acquired.items()],
        attributes={"customers": ("region",)},
    )
    found = rows(Snapshots(made.dataset(engine), CHURN, blocks=["profile"]))
    assert [row["region"] for row in found] == ["north", "north", None, "north"]
    later = rows(Snapshots(made.dataset(engine), CHURN, blocks=["profile"]), NOW + TICK)
    assert [row["region"] for row in later] == ["north"] * 4


def test_attributes_come_in_types_that_models_read(engine: DuckDBEngine) -> None:
    table = pa.table(
        {
            "customer_id": [1, 2, 3],
            "flag": pa.array([True, False, None]),
            "money": pa.array([1, None, 3], pa.int64()).cast(pa.decimal128(22, 2)),
            "small": pa.array([1, 2, None], pa.int8()),
            "share": pa.array([0.5, None, 1.0], pa.float32()),
            "moved": pa.array([NOW - timedelta(days=3), NOW + TICK, None], pa.timestamp("us")),
            "born": pa.array([NOW.date() - timedelta(days=10), None, None], pa.date32()),
            "select": ["a", "b", None],
        }
    )
    made = company(transactions=BOUGHT[:3], attributes={"customers": tuple(table.column_names[1:])})
    made = made.with_tables({**made.tables, "customers": table})
    snapshots = Snapshots(made.dataset(engine), CHURN, blocks=["profile"])
    found = snapshots.features(snapshots.population([NOW], with_target=False))
    assert {column.name: str(found[column.name].type) for column in snapshots.columns} == {
        "flag": "string",
        "money": "double",
        "small": "double",
        "share": "double",
        "moved": "double",
        "born": "double",
        "select": "string",
        "profile_missing": "double",
    }
    assert found["flag"].to_pylist() == ["true", "false", None]
    assert found["money"].to_pylist() == [1.0, None, 3.0]
    assert found["moved"].to_pylist() == [3.0, None, None]  # a date after the cutoff is not known yet
    assert found["born"].to_pylist() == [10.0, None, None]
    assert found["select"].to_pylist() == ["a", "b", None]
    missing = pytest.approx([0, 4 / 7, 5 / 7])  # the date after the cutoff is among what is missing
    assert found["profile_missing"].to_pylist() == missing


def test_prospects_never_show_what_became_of_them() -> None:
    """Only the extra columns of a table are attributes; `converted_at` and `customer_id` belong to the contract."""
    made = made_up_company()
    assert not {"converted_at", "customer_id", "created_at", "acquired_at"} & set().union(*made.attributes.values())


# ------------------------------------------------------------------------------------------- learned values
TOP = Feature("spend_on_{value}", ForTopValues(Sum(column="amount"), of="line", top=2), "{value}", words="{{value}}")
TOP_BLOCK = Block("top", (Group("transactions", CUSTOMER, (TOP,)),))


def learned(engine: DuckDBEngine, *lines: tuple[int, str | None, str], learn_at: datetime = NOW) -> tuple[str, ...]:
    made = company(transactions=[bought(n, when, line=line) for n, line, when in lines])
    snapshots = Snapshots(made.dataset(engine), CHURN, blocks=[TOP_BLOCK], learn_at=learn_at)
    return snapshots.learned.get(TOP.name, ())


def test_the_values_with_the_most_keys_are_learned(engine: DuckDBEngine) -> None:
    """Keys count, not events; equals go by name; what is missing, or not known then, does not count."""
    day, late = "2024-05-01", "2024-06-01 00:00:00.000001"
    many = [(1, "often", day)] * 9
    assert learned(engine, *many, (1, "b", day), (2, "b", day), (1, "a", day), (2, "a", day)) == ("a", "b")
    assert learned(engine, *((n, None, day) for n in range(5)), (1, "a", day)) == ("a",)
    assert learned(engine, (1, "a", day), *((n, "new", late) for n in range(5))) == ("a",)


def test_stored_values_are_used_as_they_are(engine: DuckDBEngine) -> None:
    made = company(transactions=BOUGHT)
    snapshots = Snapshots(made.dataset(engine), CHURN, blocks=[TOP_BLOCK], learned={TOP.name: ("gone", "food")})
    assert [column.name for column in snapshots.columns] == ["spend_on_gone", "spend_on_food"]
    assert rows(snapshots)[0]["spend_on_gone"] == 0.0
    assert rows(snapshots)[0]["spend_on_food"] == 1.0


# ------------------------------------------------------------------------------------------- fitted features
def test_a_fitted_feature_may_measure_all_kinds_at_once(engine: DuckDBEngine) -> None:
    """Measures of different passes over the events come in one table, with a row for every key in sight."""
    seen = {}

    def compute(visible: Visible, spine: pa.Table) -> list[Any]:
        features = (Feature("n", Count(last=(7,)), ""), Feature("v", Visits(), ""), Feature("gap", GapMean(), ""))
        table = visible.measure(Group("transactions", CUSTOMER, features))
        seen[visible.cutoff] = table.to_pylist()
        return [np.full(spine.num_rows, np.nan)]

    block = Block("own", fitted=(Fitted(CUSTOMER, (Feature("nothing", None, ""),), (("transactions", ()),), compute),))
    purchases = [bought(2, "2024-05-30"), bought(2, "2024-05-20"), bought(1, "2024-05-10"), bought(None, "2024-05-10")]
    made = company(transactions=[*purchases, bought(3, "2024-06-02")])
    found = rows(Snapshots(made.dataset(engine), CHURN, blocks=[block]))
    assert [row["nothing"] for row in found] == [None, None]  # NaN is missing
    assert seen == {
        NOW: [{"customer_id": 1, "n": 0, "v": 1, "gap": None}, {"customer_id": 2, "n": 1, "v": 2, "gap": 10.0}]
    }


def test_a_fitted_feature_is_computed_at_each_cutoff(engine: DuckDBEngine) -> None:
    def compute(visible: Visible, spine: pa.Table) -> list[Any]:
        table = visible.measure(Group("transactions", CUSTOMER, (Feature("n", Count(), ""),)))
        return [np.full(spine.num_rows, float(sum(table["n"].to_pylist())))]

    block = Block("own", fitted=(Fitted(CUSTOMER, (Feature("all", None, ""),), (("transactions", ()),), compute),))
    made = company(transactions=[*BOUGHT, bought(1, "2024-06-10")])
    found = rows(Snapshots(made.dataset(engine), CHURN, blocks=[block]), NOW, at("2024-06-15"))
    assert [(row["cutoff"], row["all"]) for row in found] == [(NOW, 4.0)] * 4 + [(at("2024-06-15"), 5.0)] * 4


# ------------------------------------------------------------------------------------------- rows
def test_rows_keep_their_order(engine: DuckDBEngine) -> None:
    made = company(transactions=[bought(n, "2024-05-20") for n in range(50)])
    snapshots = Snapshots(made.dataset(engine), CHURN, blocks=["rhythm"])
    spine = snapshots.population([NOW, at("2024-06-05")], with_target=True)
    mixed = spine.take(np.random.default_rng(0).permutation(spine.num_rows))
    assert snapshots.features(mixed).select(spine.column_names).equals(mixed)


@pytest.mark.parametrize("task", [CHURN, declare("next_offer", NextOfferConfig(min_buyers=3))], ids=["churn", "offers"])
def test_nobody_eligible_and_no_cutoff_give_empty_tables(engine: DuckDBEngine, task: Task) -> None:
    made = made_up_company()
    snapshots = Snapshots(made.dataset(engine), task, blocks=["rhythm", "offers", "profile"])
    some = snapshots.features(snapshots.population(made.cutoffs[:1], with_target=True))
    for cutoffs in ([], [at("2001-01-01")]):
        none = snapshots.population(cutoffs, with_target=True)
        assert none.num_rows == 0
        assert snapshots.features(none).schema.equals(some.schema)


def test_a_window_longer_than_the_data_is_all_of_them(engine: DuckDBEngine) -> None:
    made = company(transactions=BOUGHT)
    (row, *_) = rows(Snapshots(made.dataset(engine), CHURN, blocks=["spending"]))
    assert row["visits_365d"] == row["visits_life"] == 1


def test_a_referral_counts_for_the_referrer_from_the_newcomers_first_day(engine: DuckDBEngine) -> None:
    came = {1: (None, None), 2: (NOW, 1), 3: (NOW + TICK, 1), 4: (None, 1)}
    customers = [{"customer_id": n, "acquired_at": when, "referred_by": by} for n, (when, by) in came.items()]
    snapshots = Snapshots(company(transactions=BOUGHT, customers=customers).dataset(engine), CHURN, blocks=["service"])
    assert [row["customers_brought_365d"] for row in rows(snapshots)] == [1, 0, 0, 0]
    assert [row["customers_brought_life"] for row in rows(snapshots, NOW + TICK)] == [2, 0, 0, 0]


# ------------------------------------------------------------------------------------------- blocks
def test_unknown_blocks_are_named(engine: DuckDBEngine) -> None:
    data = company(transactions=BOUGHT).dataset(engine)
    with pytest.raises(ConfigError, match="there is no feature block 'spendng'; there are spending, rhythm"):
        Snapshots(data, CHURN, blocks=["spendng"])


def test_the_same_block_twice_is_one(engine: DuckDBEngine) -> None:
    data = company(transactions=BOUGHT).dataset(engine)
    once, twice = (Snapshots(data, CHURN, blocks=["rhythm"] * n).columns for n in (1, 2))
    assert once == twice


def test_attributes_named_like_keywords_and_aliases_do_no_harm(engine: DuckDBEngine) -> None:
    every = Feature("{value}", EveryAttribute(), "{value}", words="{value}")
    own = Block("own", (Group("customers", CUSTOMER, (every,)),))
    table = pa.table({"customer_id": [1], "order": ["x"], "p0": ["y"], "s": ["z"], "at": ["w"]})
    made = company(transactions=BOUGHT[:1], attributes={"customers": ("order", "p0", "s", "at")})
    made = made.with_tables({**made.tables, "customers": table})
    (row,) = rows(Snapshots(made.dataset(engine), CHURN, blocks=["spending", own]))
    assert (row["order"], row["p0"], row["s"], row["at"]) == ("x", "y", "z", "w")


# ------------------------------------------------------------------------------------------- sums
@pytest.mark.parametrize("amount", ["0.10", "987654321987.654321"])
def test_sums_are_the_same_in_both_formulations_however_large(engine: DuckDBEngine, amount: str) -> None:
    """Three of the larger amount do not fit into 64 bits."""
    rows_of = [bought(1, f"2024-05-{day:02}", line=line) for day, line in ((1, "a"), (1, "b"), (2, "a"), (20, "a"))]
    made = company(transactions=[{**row, "amount": Decimal(amount)} for row in rows_of]).dataset(engine)
    features = (
        Feature("sum_{window}", Sum(column="amount", last=(30, 90, None)), "", words="{value}"),
        Feature("mean_{window}", Mean(column="amount", last=(30, 90, None)), "", words="{value}"),
        Feature("share_{window}", TopShare(column="amount", of="line", last=(30, 90, None)), "", words="{value}"),
    )
    block = Block("sums", (Group("transactions", CUSTOMER, features),))
    cutoffs = [at("2024-05-10"), at("2024-05-25"), NOW]
    loop, segments = (
        rows(Snapshots(made, CHURN, blocks=[block], formulation=how), *cutoffs) for how in ("loop", "segments")
    )
    assert segments == loop
    assert segments[-1]["sum_life"] == float(4 * Decimal(amount))
    assert segments[-1]["share_life"] == pytest.approx(0.75, rel=1e-12)
