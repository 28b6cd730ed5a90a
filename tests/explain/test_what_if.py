"""What-if: only what is named changes, curves pass through the row's own score, and the training range is told."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from rapport.config import LearnerConfig
from rapport.errors import ModelError
from rapport.explain import pictures
from rapport.explain.contributions import explainer
from rapport.explain.what_if import (
    curve,
    probabilities,
    range_in_words,
    read_settings,
    value_in_words,
    with_settings,
)
from rapport.language.declarations import FeatureColumn
from rapport.models.calibration import Calibrator
from rapport.models.classifier import BoostedClassifier

COLUMNS = (
    FeatureColumn("visits", "rhythm", "visits", unit="count", definition="visits in the last 28 days"),
    FeatureColumn("gap", "rhythm", "rhythm", unit="days", definition="usual days between visits"),
    FeatureColumn("plan", "profile", "plan", kind="category", definition="plan"),
)


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(1)
    n = 1500
    visits, gap, plan = rng.integers(0, 21, n), rng.exponential(9.0, n) + 1, rng.choice(["basic", "gold", "none"], n)
    target = (rng.random(n) < 1 / (1 + np.exp(visits / 4 - 2 + (plan == "gold")))).astype(float)
    table = pa.table({"visits": pa.array(visits), "gap": pa.array(gap), "plan": pa.array(plan)})
    learner = LearnerConfig(n_estimators=30, learning_rate=0.2, colsample_bytree=1.0, min_child_samples=20)
    model = BoostedClassifier(learner, COLUMNS, seed=1, threads=1).fit(table, target)
    model = model.with_calibrator(Calibrator("sigmoid", {"slope": (1.1,), "intercept": (-0.1,)}))
    return model, explainer(model, table, threads=1), table


def test_settings_change_what_they_name_and_nothing_else(made):
    model, why, table = made
    rows = table.slice(0, 5)
    changed = with_settings(rows, read_settings(["visits=20", "plan=gold"], model))
    assert changed["visits"].to_pylist() == [20.0] * 5
    assert changed["plan"].to_pylist() == ["gold"] * 5
    assert changed["gap"].equals(rows["gap"])
    np.testing.assert_array_equal(probabilities(why, model, with_settings(rows, {})), model.predict(rows))
    np.testing.assert_array_equal(probabilities(why, model, changed), model.predict(changed))
    missing = with_settings(rows, read_settings(["plan=", "visits="], model))
    assert missing["plan"].null_count == missing["visits"].null_count == 5
    assert probabilities(why, model, missing).shape == (5,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("visit=3", "no feature 'visit'; close to it: visits"),
        ("visits", "FEATURE=VALUE"),
        ("visits=many", "visits is a number"),
        ("visits=inf", "visits is a number"),
        ("plan=golden", "training never saw 'golden' as plan; close to it: gold"),
        ("plan=\x1b[31m<b>", "training never saw"),
    ],
)
def test_what_cannot_be_set_is_said_with_what_is_near(made, text, words):
    with pytest.raises(ModelError, match=words) as caught:
        read_settings([text], made[0])
    assert "\x1b" not in str(caught.value)


def test_a_curve_of_numbers_passes_through_the_row_and_knows_the_training_range(made):
    model, why, table = made
    row = table.slice(3, 1)
    found = curve(why, model, row, "visits")
    assert found.now == float(row["visits"][0].as_py())
    assert found.probability[found.values.index(found.now)] == found.probability_now == model.predict(row)[0]
    assert (found.least, found.most) == (0.0, 20.0)
    assert found.values[0] == 0.0, "no count below zero"
    assert found.values[-1] > found.high, "a little beyond what training saw"
    assert all(value == round(value) for value in found.values), "visits are whole"
    for value, probability in zip(found.values[::4], found.probability[::4], strict=True):
        assert model.predict(with_settings(row, {"visits": value}))[0] == probability
    assert found.probability[0] > found.probability[-1]
    assert pictures.to_svg(pictures.what_if(found)).startswith("<svg")


def test_a_curve_of_categories_has_every_value_and_a_missing_one(made):
    model, why, table = made
    found = curve(why, model, table.slice(0, 1), "plan")
    assert set(found.values) == {"basic", "gold", "none", None}
    assert not found.is_number
    assert found.now in found.values
    assert pictures.to_svg(pictures.what_if(found)).startswith("<svg")


def test_a_row_whose_value_is_not_known_has_a_curve_too(made):
    model, why, table = made
    row = with_settings(table.slice(0, 1), {"visits": None})
    found = curve(why, model, row, "visits")
    assert found.now is None
    assert None not in found.values
    assert pictures.to_svg(pictures.what_if(found)).startswith("<svg")


def test_values_and_ranges_in_words(made):
    model = made[0]
    assert value_in_words(None, "days", "") == "not known"
    assert value_in_words(3.0, "days", "") == "3 days"
    assert value_in_words("x" * 99, "", "") == "x" * 59 + "…"
    assert range_in_words(model, "visits", 10.0, "").startswith("half of training had at most 10")
    assert range_in_words(model, "visits", 99.0, "").startswith("BEYOND all that training saw")
    assert range_in_words(model, "plan", "gold", "").endswith("of training had it")
