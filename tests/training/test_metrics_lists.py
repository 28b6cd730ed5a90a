"""Metrics of ranked lists against values computed by hand; ties against the mean over all their orders."""

from __future__ import annotations

import math
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.training.metrics import (
    coverage_at_k,
    diversity_at_k,
    hit_rate_at_k,
    map_at_k,
    margin_at_k,
    ndcg_at_k,
    recall_at_k,
)
from rapport.training.metrics.lists import (
    average_precisions,
    hit_rates,
    margins,
    ndcgs,
    precisions,
    rank_lists,
    recalls,
)

# anna: hits at ranks 1 and 3 of her 4 offers, 2 positives; ben: his only positive at rank 3; cora: no positive
GROUPS = ["anna"] * 4 + ["ben"] * 3 + ["cora"] * 2
TARGET = [1, 0, 1, 0, 0, 0, 1, 0, 0]
SCORE = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.9, 0.1]


def discount(rank: int) -> float:
    return 1 / math.log2(rank + 1)


def test_map_by_hand():
    anna = (1 / 1 + 2 / 3) / 2
    assert map_at_k(TARGET, SCORE, GROUPS, 3) == pytest.approx((anna + 1 / 3) / 2)
    assert map_at_k(TARGET, SCORE, GROUPS, 3, all_groups=True) == pytest.approx((anna + 1 / 3) / 3)
    # at 2 anna has one hit of min(2, 2), ben none
    assert map_at_k(TARGET, SCORE, GROUPS, 2) == pytest.approx((1 / 2 + 0) / 2)
    # at 1 the best possible is one hit
    assert map_at_k(TARGET, SCORE, GROUPS, 1) == pytest.approx((1 + 0) / 2)


def test_ndcg_by_hand_with_both_ideals():
    anna = (discount(1) + discount(3)) / (discount(1) + discount(2))
    assert ndcg_at_k(TARGET, SCORE, GROUPS, 3) == pytest.approx((anna + discount(3)) / 2)
    # at 1 the ideal is one hit; over the whole basket anna's ideal still has two
    assert ndcg_at_k(TARGET, SCORE, GROUPS, 1) == pytest.approx(1 / 2)
    assert ndcg_at_k(TARGET, SCORE, GROUPS, 1, whole_basket=True) == pytest.approx(1 / (1 + discount(2)) / 2)


def test_recall_hit_rate_and_margin_by_hand():
    assert recall_at_k(TARGET, SCORE, GROUPS, 2) == pytest.approx((1 / 2 + 0) / 2)
    assert hit_rate_at_k(TARGET, SCORE, GROUPS, 2) == pytest.approx(1 / 2)
    assert hit_rate_at_k(TARGET, SCORE, GROUPS, 3) == pytest.approx(1)
    # anna's first three earn 5 + 2, ben's 4, cora's nothing
    margin = [5, 9, 2, 9, 9, 9, 4, 9, 9]
    assert margin_at_k(TARGET, SCORE, GROUPS, margin, 3) == pytest.approx((7 + 4 + 0) / 3)


def test_the_order_of_the_rows_does_not_matter():
    order = np.random.default_rng(0).permutation(len(TARGET))
    shuffled = (np.array(TARGET)[order], np.array(SCORE)[order], np.array(GROUPS)[order])
    assert map_at_k(*shuffled, 3) == pytest.approx(map_at_k(TARGET, SCORE, GROUPS, 3))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=6), st.integers(1, 7))
def test_ties_are_the_mean_over_all_their_orders(pairs, k):
    target, score = (np.array(part, dtype=float) for part in zip(*pairs, strict=True))
    margin = np.arange(len(target), dtype=float)
    found = rank_lists(target, score, ["one"] * len(target), k, margin)
    values = {f.__name__: f(found, k)[0] for f in (average_precisions, ndcgs, recalls, precisions, hit_rates, margins)}
    positives = int(target.sum())
    seen = []
    for order in permutations(range(len(target))):
        if any(score[a] < score[b] for a, b in pairwise(order)):
            continue
        top = [target[i] for i in order[:k]]
        hits = np.cumsum(top)
        best = max(min(k, positives), 1)
        seen.append(
            {
                "average_precisions": sum(hits[i] / (i + 1) for i, hit in enumerate(top) if hit) / best,
                "ndcgs": sum(hit * discount(i + 1) for i, hit in enumerate(top))
                / sum(discount(i + 1) for i in range(best)),
                "recalls": sum(top) / max(positives, 1),
                "precisions": sum(top) / k,
                "hit_rates": float(any(top)),
                "margins": sum(target[i] * margin[i] for i in order[:k]),
            }
        )
    for name, value in values.items():
        if positives == 0 and name != "margins":
            assert math.isnan(value)
        else:
            assert value == pytest.approx(np.mean([one[name] for one in seen])), name


def test_no_positives_at_all_is_nan():
    assert math.isnan(map_at_k([0, 0], [1, 2], ["a", "b"]))
    assert math.isnan(ndcg_at_k([0, 0], [1, 2], ["a", "b"]))
    assert margin_at_k([0, 0], [1, 2], ["a", "b"], [3, 3]) == 0


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="groups: 1 of 2 values are missing"):
        map_at_k([0, 1], [1, 2], ["a", None])
    with pytest.raises(ValueError, match="kept to rank 5; k is 10"):
        average_precisions(rank_lists([0, 1], [1, 2], ["a", "b"], 5), 10)


def test_coverage_and_diversity_by_hand():
    # lists of two: anna gets x, y; ben gets x, z; w is never offered
    items = ["x", "y", "w", "x", "z", "w"]
    score = [3, 2, 1, 3, 2, 1]
    groups = ["anna"] * 3 + ["ben"] * 3
    assert coverage_at_k(items, score, groups, 2) == pytest.approx(3 / 4)
    # the two lists share one of two places
    assert diversity_at_k(items, score, groups, 2) == pytest.approx(1 / 2)
    assert diversity_at_k(items[:3], score[:3], groups[:3], 2) != diversity_at_k(items, score, groups, 2)
    assert math.isnan(diversity_at_k(items[:3], score[:3], groups[:3], 2))
