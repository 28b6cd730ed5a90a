from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.errors import ModelError
from rapport.language.declarations import FeatureColumn
from rapport.models.encoding import LEVELS, MOST_CODES, Encoder

NUMBER, CATEGORY = FeatureColumn("x", "b", "f"), FeatureColumn("c", "b", "f", kind="category")


def test_codes_follow_frequency_then_name() -> None:
    table = pa.table({"x": [1, 2, None, 4, 5, 6], "c": ["b", "a", "d", "d", None, "c"]})
    encoder = Encoder.fit((NUMBER, CATEGORY), table)
    assert encoder.vocabulary["c"] == ("d", "a", "b", "c")
    assert encoder.quantiles["c"] == {"d": 2, "a": 1, "b": 1, "c": 1}
    assert encoder.missing == {"x": 1 / 6, "c": 1 / 6}
    matrix = encoder.encode(table)
    assert matrix.flags.c_contiguous
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(matrix[:, 0], [1, 2, np.nan, 4, 5, 6])
    np.testing.assert_array_equal(matrix[:, 1], [2, 1, 0, 0, np.nan, 3])


def test_unknown_values_are_missing_and_order_of_columns_does_not_matter() -> None:
    encoder = Encoder.fit((NUMBER, CATEGORY), pa.table({"x": [1.0, 2.0], "c": ["a", "b"]}))
    matrix = encoder.encode(pa.table({"c": ["b", "new", "", None], "other": [1, 2, 3, 4], "x": [None, 1, 2, 3]}))
    np.testing.assert_array_equal(matrix, [[np.nan, 1], [1, np.nan], [2, np.nan], [3, np.nan]])


def test_rare_values_of_a_long_vocabulary_are_missing() -> None:
    values = [f"v{i:03d}" for i in range(300)] + ["v299"]
    encoder = Encoder.fit((CATEGORY,), pa.table({"c": values}))
    assert len(encoder.vocabulary["c"]) == MOST_CODES
    assert encoder.vocabulary["c"][:2] == ("v299", "v000")
    assert np.isnan(encoder.encode(pa.table({"c": ["v253"]}))).all()
    assert encoder.encode(pa.table({"c": ["v252"]})) == MOST_CODES - 1


def test_quantiles_and_typical_values() -> None:
    encoder = Encoder.fit((NUMBER, CATEGORY), pa.table({"x": [*range(101), None], "c": ["a"] * 100 + ["b"] * 2}))
    assert encoder.quantiles["x"] == tuple(100 * level for level in LEVELS)
    assert encoder.typical("x") == 50
    assert encoder.typical("c") == "a"
    empty = Encoder.fit((NUMBER, CATEGORY), pa.table({"x": pa.nulls(2), "c": pa.nulls(2)}))
    assert empty.typical("x") is None
    assert empty.typical("c") is None


@pytest.mark.parametrize(
    "column",
    [
        pa.array([3, None, 1], pa.int32()),
        pa.array([3, None, 1], pa.uint8()),
        pa.array([3, None, 1], pa.float32()),
        pa.array([Decimal("3.00"), None, Decimal("1.00")]),
        pa.chunked_array([[3], [None, 1]], pa.int64()),
    ],
    ids=lambda column: str(column.type),
)
def test_every_kind_of_number_is_read(column: pa.Array) -> None:
    encoder = Encoder.fit((NUMBER,), pa.table({"x": [1.0, 3.0]}))
    np.testing.assert_array_equal(encoder.encode(pa.table({"x": column}))[:, 0], [3, np.nan, 1])


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_every_kind_of_text_is_read(kind: pa.DataType) -> None:
    encoder = Encoder.fit((CATEGORY,), pa.table({"c": ["a", "b", "b"]}))
    column = pa.array(["a", None, "b"]).cast(kind)
    np.testing.assert_array_equal(encoder.encode(pa.table({"c": column}))[:, 0], [1, np.nan, 0])


def test_truth_values_are_numbers() -> None:
    encoder = Encoder.fit((NUMBER,), pa.table({"x": [True, False]}))
    np.testing.assert_array_equal(encoder.encode(pa.table({"x": [True, None]}))[:, 0], [1, np.nan])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"c": ["a"]}), "feature 'x' is missing"),
        (pa.table([[1], [2], ["a"]], names=["x", "x", "c"]), "feature 'x' stands there 2 times"),
        (pa.table({"x": ["1"], "c": ["a"]}), "feature 'x' must be a number and is string"),
        (pa.table({"x": pa.array([0], pa.timestamp("us")), "c": ["a"]}), "feature 'x' must be a number"),
        (pa.table({"x": [1], "c": [7]}), "feature 'c' must be text"),
    ],
)
def test_a_wrong_column_is_named(table: pa.Table, message: str) -> None:
    encoder = Encoder.fit((NUMBER, CATEGORY), pa.table({"x": [1.0], "c": ["a"]}))
    with pytest.raises(ModelError, match=message):
        encoder.encode(table)


def test_no_features_is_an_error() -> None:
    with pytest.raises(ModelError, match="at least one feature"):
        Encoder.fit((), pa.table({"x": [1]}))


numbers = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.just(-0.0))
texts = st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["a", "b", "A", "a ", "\x00", "é", "e\u0301"]))
rows = st.lists(st.tuples(numbers, texts), min_size=1, max_size=30)


def _table(content: list[tuple[float | None, str | None]]) -> pa.Table:
    return pa.table(
        {"x": pa.array([x for x, _ in content], pa.float64()), "c": pa.array([c for _, c in content], pa.string())}
    )


@settings(max_examples=80, deadline=None)
@given(rows, rows)
def test_round_trip_and_meaning_on_any_table(seen: list, scored: list) -> None:
    encoder = Encoder.fit((NUMBER, CATEGORY), _table(seen))
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json(), allow_nan=False)))
    assert again.columns == encoder.columns
    assert again.vocabulary == encoder.vocabulary
    assert again.missing == encoder.missing
    np.testing.assert_array_equal(again.quantiles["x"], encoder.quantiles["x"])
    matrix = encoder.encode(_table(scored))
    np.testing.assert_array_equal(again.encode(_table(scored)), matrix)
    known = {c for _, c in seen if c is not None}
    for (number, text), (x, code) in zip(scored, matrix, strict=True):
        assert (number is None and np.isnan(x)) or np.array_equal(number, x, equal_nan=True)
        if text in known:
            assert encoder.vocabulary["c"][int(code)] == text
        else:
            assert np.isnan(code)


def test_json_of_another_version_is_refused() -> None:
    content = Encoder.fit((NUMBER,), pa.table({"x": [1.0]})).to_json()
    content["features"][0]["colour"] = "red"
    with pytest.raises(ModelError, match="another version"):
        Encoder.from_json(content)


def test_the_share_up_to_a_quantile_counts_equal_values() -> None:
    encoder = Encoder.fit((NUMBER,), pa.table({"x": [0.0] * 70 + [1.0] * 20 + [5.0] * 10}))
    shares = dict(zip(encoder.quantiles["x"], encoder.at_most["x"], strict=True))
    assert shares == {0.0: 0.7, 1.0: 0.9, 5.0: 1.0}
    assert Encoder.from_json(encoder.to_json()) == encoder


def test_weights_undo_a_sampling_of_rows() -> None:
    rng = np.random.default_rng(0)
    x, c = rng.poisson(1.0, 50_000).astype(float), rng.choice(["a", "b", "c"], 50_000, p=[0.6, 0.3, 0.1])
    kept = (x > 1) | (rng.random(50_000) < 0.2)
    mask = rng.random(50_000) < 0.1
    whole = pa.table({"x": pa.array(x, mask=mask), "c": c})
    sampled = whole.filter(pa.array(kept))
    full = Encoder.fit((NUMBER, CATEGORY), whole)
    weighted = Encoder.fit((NUMBER, CATEGORY), sampled, np.where(x > 1, 1.0, 5.0)[kept])
    plain = Encoder.fit((NUMBER, CATEGORY), sampled)
    assert weighted.quantiles["x"][:-1] == full.quantiles["x"][:-1] != plain.quantiles["x"][:-1]
    assert np.allclose(weighted.at_most["x"][:-1], full.at_most["x"][:-1], atol=0.01)
    assert abs(weighted.missing["x"] - full.missing["x"]) < 0.01
    assert all(abs(weighted.quantiles["c"][v] / full.quantiles["c"][v] - 1) < 0.05 for v in "abc")
