"""Metrics of probabilities against values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from rapport.training.metrics import accuracy, brier, brier_parts, calibration_line, ece, log_loss
from rapport.training.metrics.probability import equal_mass_bins


def test_log_loss_by_hand():
    assert log_loss([1, 0], [0.8, 0.4]) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert log_loss([1, 0], [0.0, 0.0]) == pytest.approx(-math.log(1e-15) / 2)


def test_brier_by_hand():
    assert brier([1, 0], [0.8, 0.4]) == pytest.approx((0.04 + 0.16) / 2)


def test_accuracy_by_hand():
    assert accuracy([1, 0, 1, 0], [0.5, 0.4, 0.3, 0.9]) == pytest.approx(2 / 4)


def test_murphy_decomposition_by_hand():
    # two bins: .8 with rate 1/2, .2 with rate 0; overall rate 1/4
    parts = brier_parts([1, 0, 0, 0], [0.8, 0.8, 0.2, 0.2], bins=2)
    assert parts.reliability == pytest.approx((2 * 0.3**2 + 2 * 0.2**2) / 4)
    assert parts.resolution == pytest.approx((2 * 0.25**2 + 2 * 0.25**2) / 4)
    assert parts.uncertainty == pytest.approx(0.25 * 0.75)
    assert parts.within_bins == pytest.approx(0)
    assert parts.brier == pytest.approx((0.04 + 0.64 + 0.04 + 0.04) / 4)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=50))
def test_the_parts_add_up_by_stephensons_within_bin_terms(pairs):
    target, score = np.array(pairs).T
    parts = brier_parts(target, score, bins=3)
    bins = equal_mass_bins(score, 3)
    within = 0.0
    for number in np.unique(bins):
        p, y = score[bins == number], target[bins == number]
        within += ((p - p.mean()) ** 2).sum() - 2 * ((p - p.mean()) * (y - y.mean())).sum()
    assert parts.within_bins == pytest.approx(within / len(score), abs=1e-12)


def test_ece_by_hand():
    # ten rows, two bins of five: mean .7 and rate .8 above, mean .2 and rate .2 below
    score = [0.9, 0.8, 0.7, 0.6, 0.5, 0.3, 0.25, 0.2, 0.15, 0.1]
    target = [1, 1, 1, 1, 0, 1, 0, 0, 0, 0]
    assert ece(target, score, bins=2) == pytest.approx(0.5 * 0.1 + 0.5 * 0.0)


def test_bins_have_equal_mass_and_never_tear_ties_apart():
    assert np.bincount(equal_mass_bins(np.linspace(0, 1, 1000))).tolist() == [100] * 10
    assert equal_mass_bins([0.9, 0.2, 0.2, 0.2, 0.2, 0.1], bins=3).tolist() == [0, 1, 1, 1, 1, 2]
    # a constant score is one bin: its distance from the rate
    assert len(set(equal_mass_bins([0.3] * 20).tolist())) == 1
    assert ece([1, 0, 0, 0], [0.3] * 4) == pytest.approx(0.05)


def test_a_calibrated_sample_has_a_line_of_slope_one():
    random = np.random.default_rng(1)
    chance = random.beta(1, 5, 200_000)
    outcome = random.random(200_000) < chance
    line = calibration_line(outcome, chance)
    assert line.slope == pytest.approx(1, abs=0.03)
    assert line.intercept == pytest.approx(0, abs=0.05)
    assert line.in_the_large == pytest.approx(0, abs=0.02)
    # log-odds doubled and raised by 1: slope 1/2, and logit = (x - 1) / 2
    odds = np.exp(2 * np.log(chance / (1 - chance)) + 1)
    line = calibration_line(outcome, odds / (1 + odds))
    assert line.slope == pytest.approx(0.5, abs=0.02)
    assert line.intercept == pytest.approx(-0.5, abs=0.03)


def test_calibration_in_the_large_by_hand():
    # a constant .5 where one in five is positive: log-odds of .2
    line = calibration_line([1, 0, 0, 0, 0], [0.5] * 5)
    assert line.in_the_large == pytest.approx(math.log(0.25))
    assert math.isnan(line.slope)
    assert math.isnan(line.intercept)


def test_calibration_line_is_logistic_regression():
    random = np.random.default_rng(2)
    score = np.round(random.beta(2, 3, 500), 2).clip(0.01, 0.99)
    target = (random.random(500) < score**1.5).astype(int)
    logit = np.log(score / (1 - score))[:, None]
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit, target)
    line = calibration_line(target, score)
    assert line.slope == pytest.approx(fitted.coef_[0, 0], rel=1e-4)
    assert line.intercept == pytest.approx(fitted.intercept_[0], rel=1e-4)


def test_a_line_that_does_not_exist_is_nan():
    assert math.isnan(calibration_line([0, 0, 0], [0.1, 0.2, 0.3]).slope)
    assert math.isnan(calibration_line([0, 0, 0], [0.1, 0.2, 0.3]).in_the_large)
    assert math.isnan(calibration_line([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.7]).slope)  # separated


def test_what_is_no_probability_is_refused():
    with pytest.raises(ValueError, match=r"lies in \[0, 1\]; these run from -2 to 0.5"):
        log_loss([0, 1], [-2, 0.5])
