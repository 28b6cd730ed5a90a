"""Attributes of very many values: what others with the same value do, by hand."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hand_made import at, bought, company

from rapport.config import ChurnConfig
from rapport.data.engine import DuckDBEngine
from rapport.features.battery_data import Company
from rapport.features.blocks.alike import STRENGTH
from rapport.features.snapshot import Snapshots
from rapport.language.declarations import MANY_VALUES
from rapport.tasks import declare

NOW = at("2024-06-01")
CHURN = declare("churn", ChurnConfig())
PEOPLE = 3 * (MANY_VALUES + 1)


def made(values: int) -> Company:
    """Customers 1, 2, ... in so many streets, by turns; the first four have bought: two lately, two last year."""
    days = {1: "2024-05-20 12:00", 2: "2024-05-21 12:00", 3: "2023-07-01 12:00", 1 + values: "2023-07-02 12:00"}
    return company(
        transactions=[bought(customer, day, "tea", amount=Decimal(10 * customer)) for customer, day in days.items()],
        customers=[
            {"customer_id": number, "acquired_at": None, "street": f"street {number % values}"}
            for number in range(1, PEOPLE + 1)
        ],
        attributes={"customers": ("street",)},
    )


def snapshots(engine: DuckDBEngine, values: int, exclude: tuple[str, ...] = ()) -> Snapshots:
    return Snapshots(made(values).dataset(engine), CHURN, blocks=["profile"], learn_at=NOW, exclude=exclude)


def test_others_with_the_same_value_by_hand(engine: DuckDBEngine) -> None:
    values = MANY_VALUES + 1
    built = snapshots(engine, values)
    assert built.learned["customers with many values"] == ("street",)
    found = {row["customer_id"]: row for row in built.features(built.population([NOW], with_target=False)).to_pylist()}
    active = (0 + STRENGTH * 2 / PEOPLE) / (2 + STRENGTH)  # of the two others in the street of 1, none bought lately
    logs = {customer: np.rint(np.log1p(10.0 * customer) * 1000) for customer in (1, 2, 3, 1 + values)}
    spend = (logs[1 + values] + STRENGTH * sum(logs.values()) / PEOPLE) / (2 + STRENGTH)
    assert found[1]["street_others"] == 2
    assert found[1]["street_active"] == pytest.approx(active, rel=1e-12)
    assert found[1]["street_spend"] == pytest.approx(np.expm1(spend / 1000), abs=0.005)
    assert "street" not in found[1]
    described = {column.name: column.words for column in built.columns}
    assert described["street_others"] == "{value} other customers have the same street; typically {typical}"


def test_his_own_purchases_do_not_count(engine: DuckDBEngine) -> None:
    """As out of fold: the share of his street is that of the others, so he is below who has nothing to be left out."""
    built = snapshots(engine, MANY_VALUES + 1)
    spine = built.population([NOW], with_target=False)
    (active,) = set(built.features(spine)["street_active"].to_pylist()[:2])  # 1 and 2 are alone in being active
    mean = 2 / PEOPLE
    assert active == pytest.approx(STRENGTH * mean / (2 + STRENGTH))
    assert active < mean


@pytest.mark.parametrize("values", [MANY_VALUES, PEOPLE], ids=["few values", "a value each"])
def test_other_attributes_stay_what_they_are(engine: DuckDBEngine, values: int) -> None:
    assert [column.name for column in snapshots(engine, values).columns if "street" in column.name] == ["street"]


def test_an_attribute_that_is_excluded_is_not_encoded(engine: DuckDBEngine) -> None:
    built = snapshots(engine, MANY_VALUES + 1, exclude=("street",))
    assert not [column.name for column in built.columns if "street" in column.name]
    assert not [text for text in built.plan.left_out if "exclude_features" in text]


def test_a_model_of_before_reads_the_attribute_as_it_did(engine: DuckDBEngine) -> None:
    built = Snapshots(made(MANY_VALUES + 1).dataset(engine), CHURN, blocks=["profile"], learned={})
    assert "street" in [column.name for column in built.columns]
