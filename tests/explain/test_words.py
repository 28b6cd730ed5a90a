"""Reasons in words: units, missing values, hostile texts, and one wording for a row alone or among many."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.explain.values import format_numbers, format_texts
from rapport.explain.words import LONGEST, ReasonWriter, probability_without
from rapport.features.battery_words import columns_of_block
from rapport.features.blocks import BLOCKS
from rapport.language.declarations import FeatureColumn
from rapport.models.calibration import Calibrator
from rapport.models.encoding import LEVELS, Profile

COLUMNS = (
    FeatureColumn(
        "days_since_visit",
        "rhythm",
        "recency",
        unit="days",
        definition="days since the last visit",
        words="last visit {value} ago; usually comes every {gap_mean}",
    ),
    FeatureColumn(
        "gap_mean",
        "rhythm",
        "rhythm",
        unit="days",
        definition="mean days between visits",
        words="usually comes every {value}; half of all customers every {typical} or less",
    ),
    FeatureColumn(
        "spend_30d",
        "spending",
        "spending",
        unit="currency",
        definition="spending in the last 30 days",
        words="spent {value} in the last 30 days; half of all customers spent at most {typical}",
    ),
    FeatureColumn("visits_30d", "spending", "visits", unit="count", words="{value} visits in the last 30 days"),
    FeatureColumn("top_share", "breadth", "breadth", unit="share", definition="share of the largest category"),
    FeatureColumn("income", "profile", "income", kind="category", definition="income", words="income: {value}"),
    FeatureColumn("stray", "other", "other", definition="odd {one}", words="{value} and {no_such_feature}"),
)
QUANTILES: dict[str, Profile] = {
    "days_since_visit": (0, 1, 2, 5, 9.6, 20, 40, 80, 100),
    "gap_mean": (0, 1, 1, 2, 5, 9, 30, 40, 50),
    "spend_30d": (0, 0, 0, 10, 53.218, 90, 200, 900, 12345),
    "visits_30d": (0, 0, 0, 1, 3, 6, 9, 12, 30),
    "top_share": (0, 0, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1),
    "income": {"35-49K": 70, "50-74K": 100},
    "stray": (float("nan"),) * len(LEVELS),
}
WRITER = ReasonWriter(COLUMNS, QUANTILES, "USD")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (41.2, "days", "41 days"),
        (1.3, "days", "1 day"),
        (0.4, "days", "less than a day"),
        (1234.5, "days", "1,234 days"),
        (16_703, "days", "46 years"),
        (12.5, "currency", "12.50 USD"),
        (99.999, "currency", "100 USD"),
        (1234.6, "currency", "1,235 USD"),
        (-0.001, "currency", "0.00 USD"),
        (0.354, "share", "35 %"),
        (0.0354, "share", "3.5 %"),
        (0.00041, "share", "0.041 %"),
        (0.06519, "", "0.065"),
        (0.00651, "", "0.0065"),
        (0.0, "share", "0 %"),
        (1.4, "share", "140 %"),
        (3.0, "count", "3"),
        (2.44, "count", "2.4"),
        (100.0, "count", "100"),
        (12345.0, "", "12,345"),
        (1.44, "times", "1.4 times"),
        (np.inf, "count", "beyond measure"),
        (1e300, "share", "beyond measure"),
        (np.nan, "days", None),
    ],
)
def test_numbers_carry_their_units(value: float, unit: str, text: str | None) -> None:
    assert format_numbers(np.array([value]), unit, "USD")[0].as_py() == text


def test_a_clause_about_a_feature_that_the_model_lacks_is_left_out() -> None:
    writer = ReasonWriter(COLUMNS[:1], QUANTILES)
    assert writer.write("days_since_visit", {"days_since_visit": 3, "gap_mean": 2}) == "last visit 3 days ago"


@pytest.mark.parametrize(
    ("visits", "text"),
    [
        (2, "2 visits; over the whole time every 20 days"),
        (4, "4 visits; came every 3 days; over the whole time every 20 days"),
    ],
)
def test_a_habit_is_told_from_a_number_of_visits_on(visits: int, text: str) -> None:
    words = "{visits} visits; came every {value:visits>=4}; over the whole time every {gap}; missing: below two visits"
    columns = (
        FeatureColumn("lately", "rhythm", "rhythm", unit="days", words=words),
        FeatureColumn("visits", "spending", "visits", unit="count", words="{value} visits"),
        FeatureColumn("gap", "rhythm", "rhythm", unit="days", words="every {value}"),
    )
    writer = ReasonWriter(columns, {})
    assert writer.write("lately", {"lately": 3.0, "visits": visits, "gap": 20.0}) == text
    assert writer.write("lately", {"lately": None, "visits": 1, "gap": None}) == "below two visits"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.68, "income: not known, as for 68 % of all"),
        (0.004, "income: not known, as for 0.4 % of all"),
        (0.0, "income: not known, though it was for all in training"),
    ],
)
def test_what_is_not_known_says_how_usual_that_is(share: float, text: str) -> None:
    assert ReasonWriter(COLUMNS, QUANTILES, "USD", {"income": share}).write("income", {"income": None}) == text


def test_the_spread_of_a_rhythm_is_told_from_four_visits_on() -> None:
    columns = tuple(column for column in columns_of_block(BLOCKS["rhythm"]) if column.family == "regularity")
    visits = FeatureColumn("visits_90d", "spending", "visits", unit="count", words="{value} visits")
    writer = ReasonWriter((*columns, visits), {"gap_spread_90d": (5.0,) * len(LEVELS)})
    row = {"gap_spread_90d": 8.2, "visits_90d": 3}
    assert writer.write("gap_spread_90d", row) == "3 visits in the last 90 days"
    assert writer.write("gap_spread_90d", row | {"visits_90d": 4}) == (
        "4 visits in the last 90 days; the pauses before visits vary by 8 days, typically by 5 days"
    )


def test_the_usual_value_of_another_feature_stands_behind_its_name() -> None:
    words = "{visits} visits, typically {visits.typical}; usually every {no_such.typical}"
    columns = (
        FeatureColumn("fading", "rhythm", "rhythm", definition="fading visits", words=words),
        FeatureColumn("visits", "spending", "visits", unit="count", words="{value} visits"),
    )
    writer = ReasonWriter(columns, {"visits": (7.0,) * len(LEVELS)})
    assert writer.write("fading", {"fading": 0.1, "visits": 1}) == "1 visit, typically 7"
    assert writer.write("fading", {"fading": 0.1, "visits": None}) == "fading visits: 0.1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("50-74K", "income: 50-74K, as for 40 % of all"),
        ("35-49K", "income: 35-49K, as for 10 % of all"),
        ("never seen", "income: never seen, as for 0 % of all"),
        (None, "income: not known, as for 50 % of all"),
    ],
)
def test_a_category_says_how_many_have_it_too(value: str | None, text: str) -> None:
    column = FeatureColumn("income", "profile", "income", "category", words="income: {value}, as for {share} of all")
    writer = ReasonWriter((column,), {"income": {"50-74K": 80, "35-49K": 20}}, missing={"income": 0.5})
    assert writer.write("income", {"income": value}) == text


def test_a_share_is_nothing_that_a_number_has() -> None:
    column = FeatureColumn("age", "profile", "age", unit="count", words="age {value}; as for {share} of all")
    assert ReasonWriter((column,), {"age": (7.0,) * len(LEVELS)}).write("age", {"age": 30}) == "age 30"


def test_money_without_a_currency_is_a_bare_number() -> None:
    assert format_numbers(np.array([12.5]), "currency", "").to_pylist() == ["12.50"]


@pytest.mark.parametrize(
    ("feature", "row", "text"),
    [
        ("days_since_visit", {"days_since_visit": 41, "gap_mean": 6.2},
         "last visit 41 days ago; usually comes every 6 days"),
        ("days_since_visit", {"days_since_visit": 0.2, "gap_mean": None}, "last visit less than a day ago"),
        ("days_since_visit", {"days_since_visit": None, "gap_mean": 3.0}, "days since the last visit: not known"),
        ("gap_mean", {"gap_mean": 1.1}, "usually comes every day; half of all customers every 5 days or less"),
        ("gap_mean", {"gap_mean": 0.3},
         "usually comes more than once a day; half of all customers every 5 days or less"),
        ("spend_30d", {"spend_30d": 12.5},
         "spent 12.50 USD in the last 30 days; half of all customers spent at most 53.22 USD"),
        ("visits_30d", {"visits_30d": 1}, "1 visit in the last 30 days"),
        ("visits_30d", {"visits_30d": 2}, "2 visits in the last 30 days"),
        ("visits_30d", {"visits_30d": float("nan")}, "visits 30d: not known"),
        ("top_share", {"top_share": 0.9}, "share of the largest category: 90 %; typically 35 %"),
        ("income", {"income": "<script>"}, "income: <script>"),
        ("income", {"income": None}, "income: not known"),
        ("stray", {"stray": 7}, "odd {one}: 7"),
    ],
)  # fmt: skip
def test_reasons_of_one_row(feature: str, row: dict[str, Any], text: str) -> None:
    assert WRITER.write(feature, row) == text


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        (" different product lines in", " different product line in"),
        (" of the categories", " of the categories"),
        (" different shops or channels;", " different shop or channel;"),
        (" was less than usual", " was less than usual"),
        ("", ""),
    ],
)
def test_one_is_singular(plural: str, singular: str) -> None:
    column = FeatureColumn("f", "b", "f", unit="count", words="{value}" + plural)
    writer = ReasonWriter((column,), {"f": (1.0,) * len(LEVELS)})
    assert writer.write("f", {"f": 1.0}) == "1" + singular
    assert writer.write("f", {"f": 2.0}) == "2" + plural


def test_hostile_texts_are_cut_and_cleaned() -> None:
    values = pa.array(["a\x00b\u202ec\nd", "x" * 10_000, "=cmd|' /C calc'!A0", "\U0001f600", "", None])
    assert format_texts(values).to_pylist() == [
        "a b c d", "x" * 59 + "…", "=cmd|' /C calc'!A0", "\U0001f600", "(blank)", None,
    ]  # fmt: skip
    long = FeatureColumn("f", "b", "f", definition="d" * 500)
    text = ReasonWriter((long,), {"f": (1.0,) * len(LEVELS)}).write("f", {"f": 1})
    assert len(text) == LONGEST
    assert text.endswith("…")


def test_the_typical_category_is_the_most_frequent() -> None:
    assert WRITER.typical("income") == "50-74K"
    assert WRITER.typical("stray") is None


_number = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1.0, 0.5, 2.0])
_row = st.fixed_dictionaries(
    {c.name: st.none() | st.text(max_size=8) if c.kind == "category" else _number for c in COLUMNS}
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(_row, max_size=6),
    picks=st.lists(st.lists(st.integers(-1, len(COLUMNS) - 1), min_size=3, max_size=3), min_size=6, max_size=6),
)
def test_many_rows_read_as_each_alone(rows: list[dict[str, Any]], picks: list[list[int]]) -> None:
    types = [(c.name, pa.string() if c.kind == "category" else pa.float64()) for c in COLUMNS]
    table = pa.Table.from_pylist(rows, schema=pa.schema(types))
    features = np.array(picks[: len(rows)], np.int32).reshape(-1, 3)
    found = WRITER.write_batch(table, features)
    assert len(found) == 3
    for i, row in enumerate(rows):
        for j in range(3):
            position = int(features[i, j])
            expected = None if position < 0 else WRITER.write(COLUMNS[position].name, row)
            assert found[j][i].as_py() == expected
            assert expected is None or 0 < len(expected) <= LONGEST
            assert not {unicodedata.category(c) for c in expected or ""} & {"Cc", "Cf", "Zl", "Zp"}


def test_effect_and_probability_without_a_group() -> None:
    assert WRITER.effect(0.1) == "raises the score"
    assert WRITER.effect(-0.1) == "lowers the score"
    assert WRITER.effect(0.0) == "does not move the score"
    calibrator = Calibrator("sigmoid", {"slope": (2.0,), "intercept": (0.5,)})
    without = probability_without(np.array([[1.0, -1.0]]), np.array([0.25]), calibrator)
    np.testing.assert_allclose(without, 1 / (1 + np.exp(-(2 * np.array([[-0.75, 1.25]]) + 0.5))), atol=1e-6)
