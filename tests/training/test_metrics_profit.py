"""Maximum profit of a retention campaign, and its expectation, against published and hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta as beta_distribution

from rapport.training.metrics import Campaign, expected_maximum_profit, maximum_profit

TARGET = [0, 1, 0, 1, 0, 1, 0, 1]
SCORE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9]


def test_the_check_value_of_empc():
    found = expected_maximum_profit(TARGET, SCORE, Campaign(value=200, offer=10, contact=1, alpha=6, beta=14))
    assert found.profit == pytest.approx(23.875593, abs=5e-7)
    assert found.share == pytest.approx(0.874370, abs=5e-7)


def test_maximum_profit_by_hand():
    # all but the lowest: 4 churners accept with .3 and keep 190 each, 7 contacts cost 1, 3 stayers take the offer of 10
    found = maximum_profit(TARGET, SCORE, accept=0.3)
    assert found.profit == pytest.approx((4 * 0.3 * 190 - 7 - 3 * 10) / 8)
    assert found.share == pytest.approx(7 / 8)
    # where nobody accepts it is best to contact nobody
    assert maximum_profit(TARGET, SCORE, accept=0.0).profit == 0
    assert maximum_profit(TARGET, SCORE, accept=0.0).share == 0


def test_empc_is_the_mean_of_the_maximum_profit_over_the_belief():
    random = np.random.default_rng(3)
    score = np.round(random.random(120), 1)  # with ties
    target = (random.random(120) < score * 0.4).astype(int)
    plan = Campaign(value=60, offer=15, contact=2, alpha=2, beta=5)
    grid = (np.arange(2000) + 0.5) / 2000
    chance = beta_distribution(2, 5).pdf(grid) / 2000
    best = [maximum_profit(target, score, accept, plan) for accept in grid]
    found = expected_maximum_profit(target, score, plan)
    assert found.profit == pytest.approx(sum(p.profit * c for p, c in zip(best, chance, strict=True)), rel=1e-3)
    assert found.share == pytest.approx(sum(p.share * c for p, c in zip(best, chance, strict=True)), rel=1e-2)


def test_one_outcome_only_and_a_constant_score_are_defined():
    assert expected_maximum_profit([0, 0], [0.1, 0.2]).profit == 0
    assert expected_maximum_profit([1, 1], [0.1, 0.2]).profit == pytest.approx(0.3 * 190 - 1, abs=1e-4)
    constant = expected_maximum_profit([1, 0], [0.5, 0.5])
    assert 0 < constant.share <= 1


def test_an_impossible_campaign_is_refused():
    with pytest.raises(ValueError, match="value > offer"):
        Campaign(value=5, offer=10)
