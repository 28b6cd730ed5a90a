"""Planted leaks must be found and named; honest features must not."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from rapport.errors import GateError
from rapport.language.declarations import FeatureColumn
from rapport.training.alarms import (
    availability_alarms,
    feature_aucs,
    missing_share,
    overlap_alarms,
    raise_on,
    score_alarm,
    separating_features,
)
from rapport.training.metrics import roc_auc

RANDOM = np.random.default_rng(8)
SIZE = 4000
TARGET = (RANDOM.random(SIZE) < 0.15).astype(int)
HONEST = TARGET * 0.8 + RANDOM.normal(0, 1, SIZE)


def number(name: str) -> FeatureColumn:
    return FeatureColumn(name, block="test", family=name)


def category(name: str) -> FeatureColumn:
    return FeatureColumn(name, block="test", family=name, kind="category")


TABLE = pa.table(
    {
        "honest": HONEST,
        "turned": -HONEST,
        "leak": TARGET * 10 + RANDOM.normal(0, 1, SIZE),
        "leaking_gap": pa.array(np.where(TARGET == 1, np.nan, 3.0), from_pandas=True),
        "leaking_middle": np.where(TARGET == 1, 0.0, RANDOM.choice([-1.0, 1.0], SIZE)),
        "leaking_word": np.where(TARGET == 1, "gone", "here"),
        "word": RANDOM.choice(["a", "b", "c"], SIZE),
        "id": [f"customer {i}" for i in range(SIZE)],
        "nothing": pa.nulls(SIZE, pa.float64()),
        "constant": np.ones(SIZE),
    }
)
NUMBERS = ("honest", "turned", "leak", "leaking_gap", "leaking_middle", "nothing", "constant")
COLUMNS = [number(name) for name in NUMBERS] + [category(name) for name in ("leaking_word", "word", "id")]


def test_planted_leaks_are_named_and_honest_features_are_not():
    aucs = feature_aucs(TABLE, TARGET, COLUMNS)
    alarms = separating_features(aucs)
    assert {alarm.feature for alarm in alarms} == {"leak", "leaking_gap", "leaking_middle", "leaking_word"}
    assert aucs["honest"] == pytest.approx(roc_auc(TARGET, HONEST), abs=0.01)
    assert aucs["turned"] == pytest.approx(aucs["honest"], abs=0.01)
    assert aucs["nothing"] == aucs["constant"] == 0.5
    # values that never come again know nothing, however well they would fit the rows they come from
    assert aucs["id"] == pytest.approx(0.5, abs=0.01)
    assert aucs["word"] == pytest.approx(0.5, abs=0.05)


def test_missing_values_stand_lowest_or_highest_by_hand():
    table = pa.table({"x": pa.array([None, None, 1.0, 2.0])})
    # missing highest: both positives beat both negatives
    assert feature_aucs(table, [1, 1, 0, 0], [number("x")])["x"] == 1.0
    # one of two missing is positive: 2.0 beats 1.0 and the missing, which beats neither; .5 * (1 + 1) + ...
    assert feature_aucs(table, [1, 0, 0, 1], [number("x")])["x"] == pytest.approx((2 + 0.5) / 4)


def test_one_outcome_only_is_nan_and_raises_no_alarm():
    aucs = feature_aucs(TABLE, np.zeros(SIZE), COLUMNS)
    assert math.isnan(aucs["leak"])
    assert separating_features(aucs) == ()


def test_a_sample_finds_the_same_leaks():
    aucs = feature_aucs(TABLE, TARGET, COLUMNS, most_rows=1000, seed=1)
    assert {alarm.feature for alarm in separating_features(aucs)} >= {"leak", "leaking_word"}


def test_rows_of_an_entity_stay_in_one_half():
    customers = np.repeat(np.arange(200), 20)
    target = np.repeat(RANDOM.integers(0, 2, 200), 20)
    table = pa.table({"customer": [str(c) for c in customers]})
    assert feature_aucs(table, target, [category("customer")])["customer"] > 0.9
    aucs = feature_aucs(table, target, [category("customer")], entities=customers)
    assert aucs["customer"] == pytest.approx(0.5, abs=0.01)


def test_a_score_above_the_limit_names_the_strongest_feature():
    (alarm,) = score_alarm(0.991, 0.97, "spend_30d")
    said = "AUC 0.991 is above the alarm of 0.97; look first at its strongest feature, "
    assert alarm.message == f"{said}feature 'spend_30d'"
    column = FeatureColumn("spend_30d", "spending", "", definition="amount spent in the last 30 days")
    (alarm,) = score_alarm(0.991, 0.97, "spend_30d", [column])
    assert alarm.message == f"{said}amount spent in the last 30 days ('spend_30d')"
    assert score_alarm(0.97, 0.97) == ()
    assert score_alarm(math.nan, 0.97) == ()


def test_a_feature_that_is_gone_in_scoring_stops_and_drift_is_only_told():
    training = pa.table(
        {
            "reason": ["moved"] * 9 + [None],
            "age": [1.0] * 8 + [None] * 2,
            "rare": [None] * 9 + [1.0],
            "fine": [1.0] * 10,
        }
    )
    scoring = pa.table(
        {"reason": pa.nulls(10, pa.string()), "age": [1.0, math.nan] * 5, "rare": [1.0] * 10, "fine": [1.0] * 10}
    )
    columns = [category("reason"), number("age"), number("rare"), number("fine")]
    before = {name: missing_share(training[name]) for name in training.column_names}
    alarms = availability_alarms(before, scoring, columns)
    assert availability_alarms(before, scoring.slice(0, 0), columns) == ()
    told = availability_alarms(before, scoring, columns, may_stop=False)
    assert {alarm.feature for alarm in told} == {"reason", "rare", "age"}
    assert not any(alarm.stops for alarm in told)
    assert [(alarm.feature, alarm.stops) for alarm in alarms] == [("reason", True), ("rare", False), ("age", False)]
    expected = "'reason' is missing for 10% of training rows and 100% of those who would be scored now"
    assert expected in alarms[0].message
    assert alarms[2].value == pytest.approx(0.3)


def test_a_category_that_names_returning_customers_is_found():
    customers = [f"c{i}" for i in range(100)] * 2
    rows = pa.table(
        {
            "card": [f"card {name}" for name in customers],
            "region": [f"region {i % 60}" for i in range(200)],
            "few": ["x", "y"] * 100,
            "rarely": ["only one", *[None] * 199],
        }
    )
    columns = [category(name) for name in rows.column_names]
    (alarm,) = overlap_alarms(rows, customers, customers[:30], columns, limit=0.7)
    assert alarm.feature == "card"
    assert alarm.stops
    assert "100 values for 100 of them, and 30% of the test's entities were trained on" in alarm.message
    assert overlap_alarms(rows, customers, ["another"], columns) == ()  # nobody comes back: nothing to recognise


def test_alarms_stop_the_run_unless_it_goes_on_on_purpose():
    alarms = separating_features({"leak": 0.999, "fine": 0.7}) + score_alarm(0.99, 0.97)
    with pytest.raises(GateError, match=r"'leak' alone nearly separates(.|\n)*AUC 0.990(.|\n)*allow_suspected_leak"):
        raise_on(alarms)
    raise_on(alarms, allow=True)
    raise_on(())
    raise_on(alarm for alarm in availability_alarms({"x": 0.5}, pa.table({"x": [1.0]}), [number("x")]))
