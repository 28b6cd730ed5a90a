"""Which sums fit into 64 bits; those that do not are added up in 128, and values are the same to the bit."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from rapport.data.engine import DuckDBEngine
from rapport.language.declarations import Count, Distinct, Feature, Group, Mean, Sum, TopShare
from rapport.language.narrow import compile_bounds, sums_by_source, that_fit

TYPES = {
    "customer_id": "BIGINT",
    "at": "TIMESTAMP",
    "line": "VARCHAR",
    "amount": "DECIMAL(18,6)",
    "fee": "DECIMAL(38,6)",
    "weight": "DOUBLE",
    "quantity": "INTEGER",
}


def test_what_is_summed_has_a_narrow_type_where_there_is_one() -> None:
    measures = (
        Sum(column="amount"),
        Mean(column="weight"),
        Sum(column="fee"),
        TopShare(column="quantity", of="line"),
        Distinct(column="line"),
        Count(),
    )
    features = tuple(Feature(f"f{i}_{{window}}", what, definition="") for i, what in enumerate(measures))
    found = sums_by_source([Group("events", ("customer_id",), features)], {"events": TYPES})
    assert found == {"events": {"amount": "decimal(18, 6)", "quantity": "bigint", "weight": "decimal(18, 6)"}}


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ([], True),
        ([None, None], True),
        ([3.0, -200_000_000_000.0], True),
        ([3.0, -500_000_000_000.0], False),  # two of them do not fit into 18 digits of which six are places
        ([1.0, float("inf")], False),
        ([1.0, float("nan")], False),
    ],
)
def test_the_largest_value_of_either_sign_bounds_the_sum(
    engine: DuckDBEngine, values: list[float | None], fits: bool
) -> None:
    engine.add_table("some", pa.table({"x": pa.array(values, pa.float64())}))
    (bounds,) = engine.arrow(compile_bounds("some", ["x"])).to_pylist()
    assert that_fit({"x": "decimal(18, 6)"}, bounds) == ({"x": "decimal(18, 6)"} if fits else {})


def test_whole_numbers_have_no_places(engine: DuckDBEngine) -> None:
    engine.add_table("some", pa.table({"x": pa.array([10**17, 1]), "y": pa.array([10**18, 1])}))
    (bounds,) = engine.arrow(compile_bounds("some", ["x", "y"])).to_pylist()
    assert that_fit({"x": "bigint", "y": "bigint"}, bounds) == {"x": "bigint"}


def test_decimals_are_bounded_as_they_are(engine: DuckDBEngine) -> None:
    engine.add_table("some", pa.table({"x": pa.array([Decimal("-1.5"), Decimal("2")], pa.decimal128(18, 6))}))
    assert engine.arrow(compile_bounds("some", ["x"])).to_pylist() == [{"x": 4.0}]
