from __future__ import annotations

import json
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.errors import ModelError
from rapport.models import calibration
from rapport.models.calibration import (
    Calibrator,
    Kind,
    choose_calibrator,
    cross_fitted,
    entity_folds,
    fit_calibrator,
)

KINDS = get_args(Kind)


def sample(rows: int, slope: float, shift: float, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Raw scores whose true log-odds are slope * raw + shift."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(0, 1.5, rows)
    return raw, (rng.random(rows) < 1 / (1 + np.exp(-(slope * raw + shift)))).astype(float)


def log_loss(probability: np.ndarray, outcome: np.ndarray) -> float:
    return float(-np.mean(outcome * np.log(probability) + (1 - outcome) * np.log(1 - probability)))


def test_sigmoid_finds_the_line() -> None:
    raw, outcome = sample(40_000, 0.5, -1.0)
    parameters = fit_calibrator("sigmoid", raw, outcome).parameters
    assert parameters["slope"][0] == pytest.approx(0.5, abs=0.03)
    assert parameters["intercept"][0] == pytest.approx(-1.0, abs=0.03)


def test_sigmoid_agrees_with_an_unpenalised_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    raw, outcome = sample(3_000, 0.7, -0.4)
    positives = outcome.sum()
    high, low = (positives + 1) / (positives + 2), 1 / (len(outcome) - positives + 2)
    smoothed = np.where(outcome == 1, high, low)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000).fit(
        np.tile(raw, 2)[:, None], np.repeat([1, 0], len(raw)), sample_weight=np.concatenate([smoothed, 1 - smoothed])
    )
    ours = fit_calibrator("sigmoid", raw, outcome).parameters
    assert ours["slope"][0] == pytest.approx(reference.coef_[0, 0], rel=1e-4)
    assert ours["intercept"][0] == pytest.approx(reference.intercept_[0], rel=1e-4)


def test_beta_with_equal_weights_is_the_sigmoid() -> None:
    # a ln s - a ln(1 - s) + c = a raw + c
    raw = np.linspace(-5, 5, 101)
    beta = Calibrator("beta", {"a": (0.6,), "b": (0.6,), "c": (-0.2,)}, rows=10_000)
    line = Calibrator("sigmoid", {"slope": (0.6,), "intercept": (-0.2,)}, rows=10_000)
    np.testing.assert_allclose(beta.apply(raw), line.apply(raw), rtol=1e-12)


def test_beta_finds_what_a_sigmoid_cannot_bend_to() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(0, 2, 60_000)
    odds = 0.3 * -np.logaddexp(0, -raw) + 1.5 * np.logaddexp(0, raw) - 0.5
    outcome = (rng.random(60_000) < 1 / (1 + np.exp(-odds))).astype(float)
    fitted = fit_calibrator("beta", raw, outcome)
    values = [fitted.parameters[name][0] for name in "abc"]
    np.testing.assert_allclose(values, [0.3, 1.5, -0.5], atol=0.1)
    assert choose_calibrator(raw, outcome, np.arange(60_000), kinds=("identity", "sigmoid", "beta")).kind == "beta"


def test_isotonic_by_hand() -> None:
    # Raw 1, 2, 3, 4 with outcomes 0, 1, 0, 1: levels {1}: 0, {2, 3}: 1/2 at 2.5, {4}: 1.
    fitted = fit_calibrator("isotonic", [4.0, 1.0, 3.0, 2.0], [1.0, 0.0, 0.0, 1.0])
    assert fitted.parameters == {"x": (1.0, 2.5, 4.0), "y": (0.0, 0.5, 1.0)}


def test_isotonic_counts_equal_scores_together() -> None:
    fitted = fit_calibrator("isotonic", [1.0, 1.0, 1.0, 2.0], [1.0, 0.0, 0.0, 1.0])
    assert fitted.parameters["x"] == (1.0, 2.0)
    assert fitted.parameters["y"] == pytest.approx((1 / 3, 1.0))


def test_probabilities_keep_off_zero_and_one_by_the_sample_size() -> None:
    raw = np.array([-800.0, -40.0, 0.0, 40.0, 800.0])
    for rows, floor in ((98, 0.01), (9_998, 0.0001)):
        probability = Calibrator("identity", rows=rows).apply(raw)
        assert probability[0] == pytest.approx(floor)
        assert probability[-1] == pytest.approx(1 - floor)
        assert probability[2] == 0.5
    # Between twice the floor and its mirror nothing is moved.
    middle = np.array([-3.0, -1.0, 2.0])
    np.testing.assert_array_equal(Calibrator("identity", rows=98).apply(middle), 1 / (1 + np.exp(-middle)))


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_distinct_scores_survives(kind: Kind) -> None:
    raw, outcome = sample(3_000, 1.4, -1.0)
    grid = np.linspace(-15, 15, 2_001)
    assert (np.diff(fit_calibrator(kind, raw, outcome).apply(grid)) > 0).all()


scores = st.lists(st.floats(-30, 30), min_size=2, max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), scores, st.integers(0, 2**32 - 1), scores)
def test_any_map_is_monotone_clipped_and_survives_json(kind: Kind, raw: list, seed: int, scored: list) -> None:
    outcome = np.random.default_rng(seed).integers(0, 2, len(raw)).astype(float)
    fitted = fit_calibrator(kind, raw, outcome)
    probability = fitted.apply(np.sort(scored))
    assert (np.diff(probability) >= -1e-15).all()
    assert (probability >= fitted.floor).all()
    assert (probability <= 1 - fitted.floor).all()
    again = Calibrator.from_json(json.loads(json.dumps(fitted.to_json())))
    assert again == fitted
    np.testing.assert_array_equal(again.apply(np.sort(scored)), probability)
    # A row's probability does not depend on the batch it comes in.
    one_by_one = np.concatenate([fitted.apply(np.array([score])) for score in np.sort(scored)])
    np.testing.assert_array_equal(one_by_one, probability)


@pytest.mark.parametrize("kind", KINDS)
def test_a_probability_does_not_depend_on_the_batch(kind: Kind) -> None:
    raw, outcome = sample(4_001, 1.4, -1.0)
    fitted = fit_calibrator(kind, raw, outcome)
    whole = fitted.apply(raw)
    for start, size in ((0, 1), (1, 2), (3, 7), (17, 1_000), (1_000, 3_001)):
        np.testing.assert_array_equal(fitted.apply(raw[start : start + size]), whole[start : start + size])
    np.testing.assert_array_equal(fitted.apply(raw[::3]), whole[::3])


@pytest.mark.parametrize("kind", ["sigmoid", "beta"])
def test_scores_that_point_the_wrong_way_keep_their_order(kind: Kind) -> None:
    raw, outcome = sample(2_000, -1.0, -1.0)
    fitted = fit_calibrator(kind, raw, outcome)
    probability = fitted.apply(np.linspace(-4, 4, 9))
    assert (np.diff(probability) > 0).all()
    assert probability.mean() == pytest.approx(outcome.mean(), abs=0.02)


@pytest.mark.parametrize(("slope", "shift"), [(0.4, 0.0), (1.0, -2.0), (2.5, 1.0)])
def test_the_chosen_map_mends_a_miscalibrated_model(slope: float, shift: float) -> None:
    raw, outcome = sample(6_000, slope, shift, seed=1)
    fresh_raw, fresh = sample(6_000, slope, shift, seed=2)
    chosen = choose_calibrator(raw, outcome, np.arange(6_000) // 3)
    probability = chosen.apply(fresh_raw)
    assert log_loss(probability, fresh) < log_loss(1 / (1 + np.exp(-fresh_raw)), fresh) - 0.02
    assert probability.mean() == pytest.approx(fresh.mean(), abs=0.02)
    assert set(chosen.losses) == set(KINDS)
    assert min(chosen.losses, key=chosen.losses.__getitem__) == chosen.kind


def test_a_calibrated_model_is_left_about_as_it_is() -> None:
    raw, outcome = sample(4_000, 1.0, 0.0)
    probability = choose_calibrator(raw, outcome, np.arange(4_000)).apply(raw)
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-raw)), atol=0.04)


def test_isotonic_is_no_candidate_with_few_positives() -> None:
    raw, outcome = sample(5_000, 1.0, -3.0)
    assert outcome.sum() < calibration.ISOTONIC_POSITIVES
    assert "isotonic" not in choose_calibrator(raw, outcome, np.arange(5_000)).losses


@pytest.mark.parametrize("positives", [1, 2, 38, 39])
def test_very_few_of_one_class_are_enough_to_go_on(positives: int) -> None:
    raw = np.linspace(-2, 2, 40)
    outcome = (np.arange(40) >= 40 - positives).astype(float)
    chosen = choose_calibrator(raw, outcome, np.arange(40) // 2)
    probability = chosen.apply(raw)
    assert (np.diff(probability) > 0).all()
    assert np.isfinite(list(chosen.losses.values())).all()


def test_the_choice_is_the_same_for_the_same_seed() -> None:
    raw, outcome = sample(2_000, 0.8, 0.1)
    first, second = (choose_calibrator(raw, outcome, np.arange(2_000) // 2, seed=4) for _ in range(2))
    assert first == second


def test_folds_keep_entities_together_and_hold_every_row_once() -> None:
    groups = np.array([f"g{i % 23}" for i in range(200)])
    folds = list(entity_folds(groups, seed=1))
    assert len(folds) == 5
    np.testing.assert_array_equal(np.sort(np.concatenate([fold for _, fold in folds])), np.arange(200))
    for rest, fold in folds:
        assert not set(groups[rest]) & set(groups[fold])


def test_cross_fitting_never_sees_the_rows_own_entity() -> None:
    raw, outcome = sample(300, 1.0, 0.0)
    groups = np.arange(300) // 3
    before = cross_fitted(raw, outcome, groups, kind="isotonic")
    for entity in (0, 17, 99):
        own = groups == entity
        # Whatever this entity did, its own probabilities do not move; those of others do.
        after = cross_fitted(raw, np.where(own, 1 - outcome, outcome), groups, kind="isotonic")
        np.testing.assert_array_equal(after[own], before[own])
        assert (after != before).any()


@pytest.mark.parametrize(
    ("raw", "outcome", "groups", "message"),
    [
        ([0.0, 1.0], [1, 1], [1, 2], "no positives or no negatives"),
        ([0.0, 1.0], [0, 1], [1, 1], "two entities"),
        ([0.0, np.nan], [0, 1], [1, 2], "finite scores"),
        ([0.0, 1.0], [0, 2], [1, 2], "outcomes of 0 and 1"),
        ([0.0, 1.0, 2.0], [0, 1], [1, 2], "as many outcomes"),
    ],
)
def test_what_cannot_be_calibrated_is_said(raw: list, outcome: list, groups: list, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        choose_calibrator(raw, outcome, groups)


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "magic", "parameters": {}, "rows": 1, "losses": {}},
        {"kind": "beta", "parameters": {"a": [1]}, "rows": 1, "losses": {}},
        {"kind": "identity"},
        {"kind": "sigmoid", "parameters": {"slope": ["x"], "intercept": [0]}, "rows": 1, "losses": {}},
    ],
)
def test_damaged_json_is_refused(content: dict) -> None:
    with pytest.raises(ModelError, match="calibration"):
        Calibrator.from_json(content)
