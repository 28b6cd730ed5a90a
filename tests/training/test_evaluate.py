"""Bootstrap intervals, grades and the calibration band."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.errors import ConfigError
from rapport.training import resample
from rapport.training.evaluate import Interval, bootstrap, calibration_band, grade, measure
from rapport.training.metrics import (
    METRICS,
    bias,
    ece,
    map_at_k,
    mean_absolute_error,
    metric_named,
    roc_auc,
    root_mean_squared_error,
)

RANDOM = np.random.default_rng(5)
CHANCE = RANDOM.beta(1, 4, 1500)
TARGET = (RANDOM.random(1500) < CHANCE).astype(int)
NOISY = CHANCE + RANDOM.normal(0, 0.3, 1500)
HOUSEHOLD = RANDOM.integers(0, 400, 1500)


def test_every_metric_is_described_and_measurable():
    names = list(METRICS)
    values = measure(names, TARGET, CHANCE, groups=HOUSEHOLD, margin=np.ones(1500))
    assert list(values) == names
    assert all(math.isfinite(value) for value in values.values())
    for metric in METRICS.values():
        functions = [metric.of_counts, metric.of_groups, metric.of_rows, metric.of_lists]
        assert sum(function is not None for function in functions) == 1
        assert metric.title
        assert metric.words.endswith(".")


def test_measured_values_are_those_of_the_plain_functions():
    values = measure(["roc_auc", "map_at_10", "ece"], TARGET, CHANCE, groups=HOUSEHOLD)
    assert values["roc_auc"] == pytest.approx(roc_auc(TARGET, CHANCE))
    assert values["map_at_10"] == pytest.approx(map_at_k(TARGET, CHANCE, HOUSEHOLD))
    assert values["ece"] == pytest.approx(ece(TARGET, CHANCE))


def test_a_replicate_is_the_metric_of_the_drawn_rows():
    names = ["roc_auc", "average_precision", "lift_at_10pct", "ece", "log_loss", "roc_auc_within", "calibration_slope"]
    campaign = np.arange(1500) % 3
    rows = resample.Rows(TARGET.astype(float), HOUSEHOLD.astype(np.int64), 400, campaign, 3)
    prepared = resample.prepare([metric_named(name) for name in names], rows, np.round(CHANCE, 2))
    drawn = next(resample.draws(400, 1, prepared.blocks, seed=1))
    taken = np.repeat(np.arange(1500), drawn[0].astype(int)[HOUSEHOLD])
    expected = measure(names, TARGET[taken], np.round(CHANCE, 2)[taken], groups=campaign[taken])
    found = prepared.replicate(drawn)
    for name in names:
        assert found[name][0] == pytest.approx(expected[name], rel=1e-9), name


def test_a_replicate_of_lists_is_the_metric_of_the_drawn_households():
    names = ["map_at_5", "ndcg_at_5", "recall_at_5", "hit_rate_at_5", "map_at_5_all"]
    lists = np.unique(HOUSEHOLD * 2 + np.arange(1500) % 2, return_inverse=True)[1]  # two cutoffs each
    rows = resample.Rows(TARGET.astype(float), HOUSEHOLD.astype(np.int64), 400, lists, lists.max() + 1)
    prepared = resample.prepare([metric_named(name) for name in names], rows, CHANCE)
    drawn = next(resample.draws(400, 1, prepared.blocks, seed=1))
    often = drawn[0].astype(int)[HOUSEHOLD]
    taken = np.repeat(np.arange(1500), often)
    copy = np.concatenate([np.arange(number) for number in often])
    expected = measure(names, TARGET[taken], CHANCE[taken], groups=lists[taken] * 1000 + copy)
    found = prepared.replicate(drawn)
    for name in names:
        assert found[name][0] == pytest.approx(expected[name]), name


def test_intervals_hold_the_estimate_and_repeat_for_a_seed():
    scores = {"model": CHANCE, "rule": NOISY}
    found = bootstrap(["roc_auc", "log_loss"], TARGET, scores, HOUSEHOLD, replicates=200, seed=3)
    auc = found.estimates["model"]["roc_auc"]
    assert auc.low < auc.estimate < auc.high
    gain = found.gains["rule"]["roc_auc"]
    assert gain.estimate == pytest.approx(roc_auc(TARGET, CHANCE) - roc_auc(TARGET, NOISY))
    assert gain.low > 0
    # the rule is no probability: no log loss, and no gain in it
    assert math.isnan(found.estimates["rule"]["log_loss"].estimate)
    assert math.isnan(found.gains["rule"]["log_loss"].low)
    assert math.isfinite(found.estimates["model"]["log_loss"].high)
    again = bootstrap(["roc_auc"], TARGET, scores, HOUSEHOLD, replicates=200, seed=3)
    assert again.gains["rule"]["roc_auc"] == gain
    assert json.loads(json.dumps(found.as_dict()))["entities"] == len(set(HOUSEHOLD.tolist()))


def test_the_same_score_twice_has_no_gain_at_all():
    found = bootstrap(["average_precision"], TARGET, {"a": CHANCE, "b": CHANCE}, HOUSEHOLD, replicates=50)
    assert found.gains["b"]["average_precision"] == Interval(0.0, 0.0, 0.0)


def test_lower_is_better_turns_the_gain_round():
    found = bootstrap(["brier"], TARGET, {"model": CHANCE, "worse": CHANCE**3}, HOUSEHOLD, replicates=100)
    assert found.gains["worse"]["brier"].low > 0


def test_rows_of_one_entity_come_together():
    # ten copies of each row are no more evidence than one: clusters keep the interval as wide
    index = np.repeat(np.arange(300), 10)
    once = bootstrap(["roc_auc"], TARGET[:300], {"m": CHANCE[:300]}, np.arange(300), seed=2)
    copies = bootstrap(["roc_auc"], TARGET[index], {"m": CHANCE[index]}, index, seed=2)
    torn = bootstrap(["roc_auc"], TARGET[index], {"m": CHANCE[index]}, np.arange(3000), seed=2)
    width = {
        name: f.estimates["m"]["roc_auc"].high - f.estimates["m"]["roc_auc"].low
        for name, f in (("once", once), ("copies", copies), ("torn", torn))
    }
    assert width["copies"] == pytest.approx(width["once"], rel=1e-9)
    assert width["torn"] < width["once"] / 2


def test_merged_scores_stay_close_and_centred(monkeypatch):
    exact = bootstrap(["roc_auc", "ece", "average_precision"], TARGET, {"m": CHANCE}, HOUSEHOLD, replicates=200)
    monkeypatch.setattr(resample, "MOST_BLOCKS", 300)
    merged = bootstrap(["roc_auc", "ece", "average_precision"], TARGET, {"m": CHANCE}, HOUSEHOLD, replicates=200)
    for name, interval in exact.estimates["m"].items():
        other = merged.estimates["m"][name]
        assert other.estimate == interval.estimate
        assert other.low == pytest.approx(interval.low, abs=0.005)
        assert other.high == pytest.approx(interval.high, abs=0.005)


def test_a_list_of_several_entities_is_refused():
    with pytest.raises(ValueError, match="1 of 2 lists hold rows of several entities"):
        bootstrap(["map_at_5"], [0, 1, 1], {"m": [1, 2, 3]}, ["a", "b", "c"], groups=["x", "x", "y"])


def test_unknown_metrics_and_missing_groups_are_named():
    with pytest.raises(ConfigError, match=r"no metric 'auc'; the metrics are: roc_auc"):
        measure(["auc"], TARGET, CHANCE)
    with pytest.raises(ValueError, match="map_at_10 needs groups"):
        measure(["map_at_10"], TARGET, CHANCE)
    with pytest.raises(ValueError, match="margin_at_5 needs the margin"):
        measure(["margin_at_5"], TARGET, CHANCE, groups=HOUSEHOLD)


def test_no_positives_gives_undefined_intervals():
    found = bootstrap(["roc_auc"], [0, 0, 0], {"m": [1, 2, 3]}, [1, 2, 3], replicates=20)
    assert all(math.isnan(value) for value in found.estimates["m"]["roc_auc"].as_dict().values())


# ------------------------------------------------------------------------------------------- grades
SURE = Interval(0.1, 0.05, 0.15)


def test_grades_by_the_rule_of_the_house():
    unsure = Interval(0.1, 0.0, 0.2)
    assert grade("average_precision", model=0.4, rule=0.3, gain=unsure).letter == "D"
    assert grade("average_precision", model=0.36, rule=0.3, gain=SURE).letter == "C"  # .06 of .7 is below a tenth
    assert grade("average_precision", model=0.4, rule=0.3, gain=SURE).letter == "B"
    assert grade("average_precision", model=0.4, rule=0.3, gain=SURE, calibrated=True, stable=True).letter == "A"
    # with a ceiling a quarter of the way is asked for: .1 of .3 will do, .1 of .5 will not
    assert grade("average_precision", model=0.4, rule=0.3, gain=SURE, ceiling=0.6).letter == "B"
    assert grade("average_precision", model=0.4, rule=0.3, gain=SURE, ceiling=0.8).letter == "C"
    # lower is better: from .5 to .4 is a fifth of the way to a log loss of 0
    assert grade("log_loss", model=0.4, rule=0.5, gain=SURE).way == pytest.approx(0.2)


def test_a_grade_says_why_it_is_no_better():
    found = grade("roc_auc", model=0.8, rule=0.7, gain=SURE, calibrated=True)
    assert found.letter == "B"
    assert "no A: there is no backtest yet" in found.reasons
    found = grade("roc_auc", model=0.8, rule=0.7, gain=SURE, calibrated=False, stable=False)
    assert [reason[:5] for reason in found.reasons[2:]] == ["no A:", "no A:"]
    assert "do not use" in grade("roc_auc", model=0.8, rule=0.7, gain=Interval(0.1, -0.1, 0.3)).reasons[0]
    assert grade("roc_auc", model=0.8, rule=0.7, gain=Interval(math.nan, math.nan, math.nan)).letter == "D"
    # a ceiling that the rule reaches already leaves no way to go
    assert grade("roc_auc", model=0.8, rule=0.7, gain=SURE, ceiling=0.7).letter == "C"


# ------------------------------------------------------------------------------------------- the band
@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000))
def test_the_band_holds_what_a_calibrated_model_shows(seed):
    random = np.random.default_rng(seed)
    chance = random.beta(1, 5, 800)
    band = calibration_band(chance, replicates=400, seed=seed)
    assert 0 < band.low < band.mean < band.high
    errors = [ece(random.random(800) < chance, chance) for _ in range(60)]
    assert np.mean([band.holds(error) for error in errors]) > 0.85
    assert not band.holds(ece(random.random(800) < np.minimum(1, chance * 1.8), chance))


def test_the_band_by_hand():
    # one row with p = .5: the error is always .5; a hundred of them: |heads - 50| / 100
    assert calibration_band([0.5]).as_dict() == {"mean": 0.5, "low": 0.5, "high": 0.5}
    band = calibration_band([0.5] * 100, replicates=4000)
    assert band.mean == pytest.approx(math.sqrt(2 / math.pi) * 0.05, rel=0.06)


def test_amounts_have_intervals_too():
    amount, predicted = RANDOM.poisson(2, 500), np.full(500, 2.0)
    found = bootstrap(["rmse", "mae", "bias", "capture_at_20pct"], amount, {"m": predicted}, np.arange(500))
    rmse = found.estimates["m"]["rmse"]
    assert rmse.estimate == pytest.approx(root_mean_squared_error(amount, predicted))
    assert rmse.low < rmse.estimate < rmse.high
    assert found.estimates["m"]["mae"].estimate == pytest.approx(mean_absolute_error(amount, predicted))
    assert found.estimates["m"]["bias"].estimate == pytest.approx(bias(amount, predicted))
    assert found.estimates["m"]["capture_at_20pct"].estimate == pytest.approx(0.2)
