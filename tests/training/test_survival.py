"""Measures of survival curves, on rows that a reader can follow by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rapport.training.metrics.survival import (
    brier_at,
    calibration_gap,
    concordance,
    integrated_brier,
    kaplan_meier,
    observed,
)

# Six rows, three periods: a leaves in 1, b in 2, c in 3; d was last seen at the end of 1, e of 2, f of 3.
TIME = np.array([1, 2, 3, 1, 2, 3])
EVENT = np.array([True, True, True, False, False, False])


def test_kaplan_meier_by_hand() -> None:
    """Period 1: 1 of 6 leaves; period 2: 1 of the 4 who were still watched; period 3: 1 of 2."""
    np.testing.assert_allclose(kaplan_meier(TIME, EVENT, 3), [5 / 6, 5 / 6 * 3 / 4, 5 / 6 * 3 / 4 / 2])
    assert np.isnan(kaplan_meier(TIME, EVENT, 4)[3])


def test_being_observed_by_hand() -> None:
    """Nobody is lost at the cutoff; of 5 who stayed in period 1, d is lost at its end; of 3 who stayed in 2, e is."""
    np.testing.assert_allclose(observed(TIME, EVENT, 3), [1, 1, 4 / 5, 4 / 5 * 2 / 3])


def test_brier_by_hand() -> None:
    """At 2: a and b have left (weights 1, 5/4), c, e and f are there (weight 5/4 each), d is not known."""
    s = np.array([0.9, 0.2, 0.7, 0.5, 0.6, 1.0])
    by_hand = (0.9**2 + 1.25 * 0.2**2 + 1.25 * (0.3**2 + 0.4**2 + 0)) / 6
    assert brier_at(TIME, EVENT, s, 2) == pytest.approx(by_hand)
    flat = np.full((6, 3), 0.5)  # the weights of each period add up to the rows: a forecast of one half errs by 1/4
    assert integrated_brier(TIME, EVENT, flat) == pytest.approx(0.25)
    assert np.isnan(brier_at(TIME, EVENT, s, 4))


def test_concordance_by_hand() -> None:
    """Pairs: a with all 5 others, weight 1; b with c, e and f, weight 25/16; c with f, weight 225/64."""
    risk = np.array([9.0, 4.0, 5.0, 9.0, 1.0, 2.0])  # a ties with d; b is wrong about c
    by_hand = (4.5 + 25 / 16 * 2 + 225 / 64 * 1) / (5 + 25 / 16 * 3 + 225 / 64)
    assert concordance(TIME, EVENT, risk, 3) == pytest.approx(by_hand)
    assert concordance(TIME, EVENT, np.zeros(6), 3) == pytest.approx(0.5)
    assert np.isnan(concordance([1, 1], [True, True], [0.0, 1.0], 3))


def test_weights_are_rows_that_count_more_than_once() -> None:
    rng = np.random.default_rng(0)
    time, event, s = rng.integers(1, 4, 40), rng.random(40) < 0.6, rng.random((40, 3))
    often = rng.integers(0, 3, 40)
    twice = np.repeat(np.arange(40), often)
    for measure in (integrated_brier, lambda t, e, c, w=None: concordance(t, e, -c[:, 2], 3, w)):
        assert measure(time, event, s, often) == pytest.approx(measure(time[twice], event[twice], s[twice]))


def test_the_true_curves_are_calibrated_and_wrong_ones_are_not() -> None:
    rng = np.random.default_rng(1)
    hazard = rng.uniform(0.02, 0.4, 20_000)
    ends = rng.geometric(hazard)
    lost = rng.integers(1, 8, 20_000)
    time, event = np.minimum(ends, lost), ends <= lost
    true = (1 - hazard) ** 4
    assert calibration_gap(time, event, true, 4) < 0.015
    assert calibration_gap(time, event, true**2, 4) > 0.1
