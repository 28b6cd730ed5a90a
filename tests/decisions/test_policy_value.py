"""Estimates of a plan's value against a world in which the value of every action is known."""

from __future__ import annotations

import numpy as np
import pytest

from rapport.decisions.policy_value import PolicyValue, policy_value
from rapport.errors import DataError

ROWS = 4_000


def world(seed: int) -> tuple[np.ndarray, ...]:
    """Two actions that help some and harm others; the log took the right one with probability .7."""
    rng = np.random.default_rng(seed)
    trait = rng.normal(size=ROWS)
    mean = np.column_stack([1.0 + 0 * trait, 1.0 + trait])
    best = mean.argmax(axis=1)
    propensity_of_best = 0.7
    action = np.where(rng.random(ROWS) < propensity_of_best, best, 1 - best)
    propensity = np.where(action == best, propensity_of_best, 1 - propensity_of_best)
    reward = mean[np.arange(ROWS), action] + rng.normal(size=ROWS)
    return mean, best, action, propensity, reward


def judged(seed: int, expected: str) -> tuple[float, PolicyValue]:
    mean, best, action, propensity, reward = world(seed)
    model = {"right": mean, "wrong": -mean, "none": None}[expected]
    return float(mean.max(axis=1).mean()), policy_value(
        reward, action, propensity, best, model, replicates=200, seed=seed
    )


@pytest.mark.parametrize("expected", ["right", "wrong"])
def test_the_truth_lies_in_the_intervals_as_often_as_they_say(expected: str) -> None:
    hits = {"inverse_propensity": 0, "self_normalised": 0, "doubly_robust": 0}
    for seed in range(40):
        truth, found = judged(seed, expected)
        for name in hits:
            estimate = getattr(found, name)
            hits[name] += estimate.low <= truth <= estimate.high
    # 38 of 40 expected; fewer than 33 would come about once in a thousand.
    assert min(hits.values()) >= 33


def test_a_good_model_makes_the_doubly_robust_estimate_the_sharpest() -> None:
    _, found = judged(1, "right")
    assert found.doubly_robust is not None
    widths = [e.high - e.low for e in (found.doubly_robust, found.inverse_propensity)]
    assert widths[0] < 0.9 * widths[1]


def test_by_hand() -> None:
    # Two of three decisions agree, each taken with probability 1/2: (2 * 4 + 2 * 2) / 3 and (8 + 4) / 4.
    reward, action, policy = np.array([4.0, 2.0, 9.0]), np.array([0, 1, 1]), np.array([0, 1, 0])
    found = policy_value(reward, action, np.full(3, 0.5), policy, replicates=10)
    assert found.inverse_propensity.value == 4.0
    assert found.self_normalised.value == 3.0
    assert (found.agreeing, found.effective, found.largest_weight) == (2, 2.0, 2.0)
    assert found.doubly_robust is None


def test_without_overlap_nothing_is_said() -> None:
    ones, zeros = np.ones(500, np.int64), np.zeros(500, np.int64)
    with pytest.raises(DataError, match="0 of 500 logged decisions agree"):
        policy_value(np.ones(500), ones, np.full(500, 0.5), zeros)
    with pytest.raises(DataError, match="probabilities outside"):
        policy_value(np.ones(500), ones, np.zeros(500), ones)


def test_doing_nothing_is_an_action_of_its_own() -> None:
    nothing = np.full(500, -1)
    with pytest.raises(ValueError, match="number doing nothing as an action"):
        policy_value(np.ones(500), np.zeros(500, np.int64), np.full(500, 0.5), nothing)
