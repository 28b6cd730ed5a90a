"""Measures without intervals reach a training's metrics under their names."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from rapport.training.extras import extras, true_margin_of_lists

TARGET = [0, 1, 0, 1, 0, 1, 0, 1]
SCORE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9]


def rows(**more) -> pa.Table:
    return pa.table({"customer_id": list("abcdefgh"), "target": TARGET, "score": SCORE, "by:rank": SCORE[::-1], **more})


def test_churn_has_the_profit_of_a_campaign_and_the_parts_of_the_brier_score():
    churn = SimpleNamespace(name="churn", ranks_within=None, keys=("customer_id",))
    found = extras(churn, rows(), "by")
    assert found["test.empc"] == pytest.approx(23.875593, abs=1e-6)
    assert found["test.empc_share"] == pytest.approx(0.874370, abs=1e-6)
    assert found["baseline.test.empc"] < found["test.empc"]
    assert found["test.brier_uncertainty"] == pytest.approx(0.25)
    # Each row is a bin of its own here: what it promised against what came, and against the mean of 1/2.
    assert found["test.brier_reliability"] == pytest.approx(np.mean((np.array(SCORE) - TARGET) ** 2))
    assert found["test.brier_resolution"] == pytest.approx(0.25)


def test_offers_have_coverage_and_diversity():
    task = SimpleNamespace(
        name="next_offer", ranks_within="category", keys=("customer_id", "category"), entity="customer_id"
    )
    two = pa.table(
        {
            "customer_id": ["a"] * 12 + ["b"] * 12,
            "cutoff": [0] * 24,
            "category": [f"c{i:02}" for i in range(12)] * 2,
            "target": [1, 0] * 12,
            "score": np.r_[np.arange(12), np.arange(12)[::-1]] / 20,
            "by:rank": np.r_[np.arange(12), np.arange(12)] / 20,
        }
    )
    found = extras(task, two, "by")
    assert found["test.coverage_at_10"] == 1.0
    assert found["test.diversity_at_10"] == pytest.approx(1 - 8 / 10)  # ten each of twelve: eight are in both lists
    assert found["baseline.test.coverage_at_10"] == pytest.approx(10 / 12)
    assert found["baseline.test.diversity_at_10"] == 0.0
    assert "test.empc" not in found
    assert "test.margin_at_10" not in found
    assert found["candidates.test.by.recall_at_20"] == found["candidates.test.all.recall_at_20"] == 1.0


def test_the_margin_of_lists_ranked_by_score_and_by_margin():
    task = SimpleNamespace(
        name="next_offer", ranks_within="category", keys=("customer_id", "category"), entity="customer_id"
    )
    one = pa.table(
        {
            "customer_id": ["a"] * 12,
            "cutoff": [0] * 12,
            "category": [f"c{i:02}" for i in range(12)],
            "target": [0] * 10 + [1, 1],
            "score": [0.5] * 10 + [0.1, 0.9],
            "by:rank": [0.5] * 12,
            "margin": [1.0] * 10 + [50.0, 2.0],
        }
    )
    found = extras(task, one, "by")
    assert found["test.margin_at_10"] == pytest.approx(2.0)  # the dear one stands last
    assert found["test.margin_at_10_ranked_by_margin"] == pytest.approx(52.0)


def test_what_lists_are_expected_to_earn_by_the_true_probabilities():
    task = SimpleNamespace(
        name="next_offer", ranks_within="category", keys=("customer_id", "category"), entity="customer_id"
    )
    lists = pa.table(
        {
            "customer_id": ["a"] * 6 + ["b"] * 6,
            "cutoff": [0] * 12,
            "category": [f"c{i}" for i in range(6)] * 2,
            "score": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4] * 2,
            "margin": [1.0] * 5 + [10.0] + [1.0] * 6,
        }
    )
    true = np.array([0.5] * 12)
    found = true_margin_of_lists(task, lists, true, replicates=200, seed=0)
    assert found["truth.test.margin_at_5"] == pytest.approx(2.5)
    assert found["truth.test.margin_at_5_ranked_by_margin"] == pytest.approx((4 * 0.5 + 5 + 2.5) / 2)
    assert found["truth.test.margin_at_5_gain"] == pytest.approx(2.25)
    assert (found["truth.test.margin_at_5_gain_low"], found["truth.test.margin_at_5_gain_high"]) == (0.0, 4.5)
    assert true_margin_of_lists(task, lists.drop("margin"), true, replicates=2, seed=0) == {}
