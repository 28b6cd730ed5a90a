"""Metrics of order against values computed by hand, and properties that hold for any score."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from rapport.training.metrics import (
    auc_within,
    average_precision,
    bias,
    capture,
    correlation,
    cumulative_gain,
    lift,
    mean_absolute_error,
    roc_auc,
    root_mean_squared_error,
    top_misses,
)

TARGET = [1, 0, 1, 0, 0]
SCORE = [0.9, 0.8, 0.7, 0.4, 0.1]

rows = st.lists(st.tuples(st.integers(0, 1), st.integers(-5, 5)), min_size=2, max_size=60)


def test_roc_auc_by_hand():
    # of 6 pairs, only the positive at .7 against the negative at .8 is lost
    assert roc_auc(TARGET, SCORE) == pytest.approx(5 / 6)
    # tied pairs are half won: (1 + .5) / 2
    assert roc_auc([1, 0, 0], [0.5, 0.5, 0.1]) == pytest.approx(0.75)


def test_roc_auc_weights_count_rows_again():
    assert roc_auc([1, 0, 1, 0], [4, 3, 2, 1], weight=[1, 1, 2, 0]) == pytest.approx(
        roc_auc([1, 0, 1, 1], [4, 3, 2, 2])
    )


def test_average_precision_by_hand():
    # hits at ranks 1 and 3: (1/1 + 2/3) / 2
    assert average_precision(TARGET, SCORE) == pytest.approx((1 + 2 / 3) / 2)
    # a block of three tied rows with one positive: one step with precision 1/3
    assert average_precision([0, 1, 0], [1, 1, 1]) == pytest.approx(1 / 3)


@settings(deadline=None)
@given(rows)
def test_areas_agree_with_scikit_learn_under_ties(pairs):
    target, score = np.array(pairs).T
    if 0 < target.sum() < len(target):
        assert roc_auc(target, score) == pytest.approx(roc_auc_score(target, score))
        assert average_precision(target, score) == pytest.approx(average_precision_score(target, score))


@settings(deadline=None)
@given(rows, st.randoms())
def test_the_order_of_the_rows_does_not_matter(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    for metric in (roc_auc, average_precision, lambda t, s: cumulative_gain(t, s, 0.1)):
        before, after = metric(*np.array(pairs).T), metric(*np.array(shuffled).T)
        assert before == pytest.approx(after, nan_ok=True)


def test_one_class_and_constant_scores_are_defined():
    assert math.isnan(roc_auc([0, 0], [0.1, 0.2]))
    assert math.isnan(roc_auc([1, 1], [0.1, 0.2]))
    assert math.isnan(average_precision([0, 0], [0.1, 0.2]))
    assert math.isnan(lift([0, 0], [0.1, 0.2], 0.1))
    assert roc_auc([1, 0, 0], [7, 7, 7]) == 0.5
    assert lift([1, 0, 0], [7, 7, 7], 0.1) == pytest.approx(1)


def test_lift_and_gain_by_hand():
    # 20 rows, 4 positives at ranks 1, 2, 5, 20
    target = np.zeros(20)
    target[[0, 1, 4, 19]] = 1
    score = np.arange(20, 0, -1)
    assert cumulative_gain(target, score, 0.10) == pytest.approx(2 / 4)
    assert lift(target, score, 0.10) == pytest.approx(5)
    assert cumulative_gain(target, score, 0.20) == pytest.approx(2 / 4)
    assert cumulative_gain(target, score, 0.25) == pytest.approx(3 / 4)
    assert cumulative_gain(target, score, 1) == pytest.approx(1)
    # the border may run through a row: half of the first row
    assert cumulative_gain(target, score, 0.025) == pytest.approx(0.5 / 4)
    # or through a block of ties: 1 of 5 tied rows, which hold 3 positives
    assert cumulative_gain(target, np.where(score > 15, 1, 0), 0.05) == pytest.approx(3 / 5 / 4)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="score: 1 of 2 values are missing or infinite"):
        roc_auc([0, 1], [0.5, math.nan])
    with pytest.raises(ValueError, match="outcomes of 0 and 1"):
        roc_auc([0, 2], [0.5, 0.6])
    with pytest.raises(ValueError, match="differ in length: 2 and 3"):
        roc_auc([0, 1], [0.5, 0.6, 0.7])
    with pytest.raises(ValueError, match="no rows"):
        roc_auc([], [])
    with pytest.raises(ValueError, match=r"\(0, 1\]; this is 10"):
        lift([0, 1], [0.5, 0.6], 10)


def test_auc_within_groups_by_hand():
    # campaign a: positive .2 against negatives .1, .3: 1 of 2 pairs; campaign b: positives .9, .7 against .8: 1 of 2;
    # campaign c has no positive; d: 1 of 1
    target = [0, 1, 0, 1, 0, 1, 0, 1, 0]
    score = [0.1, 0.2, 0.3, 0.9, 0.8, 0.7, 0.5, 0.6, 0.4]
    groups = ["a", "a", "a", "b", "b", "b", "c", "d", "d"]
    assert auc_within(target, score, groups) == pytest.approx(3 / 5)
    assert auc_within(target, score, groups, by_pairs=False) == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert math.isnan(auc_within([0, 1], [1, 2], ["a", "b"]))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=60))
def test_auc_within_is_the_auc_of_each_group(triples):
    target, score, group = np.array(triples).T
    each, pairs = [], []
    for name in np.unique(group):
        inside = group == name
        positives = target[inside].sum()
        number = positives * (inside.sum() - positives)
        if number:
            each.append(roc_auc(target[inside], score[inside]))
            pairs.append(number)
    expected = np.average(each, weights=pairs) if each else math.nan
    assert auc_within(target, score, group) == pytest.approx(expected, nan_ok=True)
    mean = np.mean(each) if each else math.nan
    assert auc_within(target, score, group, by_pairs=False) == pytest.approx(mean, nan_ok=True)


def test_capture_and_the_rates_of_the_top_by_hand():
    # ten customers; the best two by the score later buy 5 and 0 of 20, the truly best two buy 8 and 5
    amount = [5, 0, 8, 1, 1, 1, 1, 1, 1, 1]
    score = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert capture(amount, score) == pytest.approx(5 / 20)
    assert capture(amount, amount) == pytest.approx(13 / 20)
    misses = top_misses(amount, score)
    assert misses.missed_top == pytest.approx(1 / 2)
    assert misses.false_top == pytest.approx(1 / 8)


def test_a_constant_score_misses_the_top_as_chance_does():
    misses = top_misses([3, 2, 1, 0, 0], [1, 1, 1, 1, 1])
    assert misses.missed_top == pytest.approx(0.8)
    assert misses.false_top == pytest.approx(0.2)
    assert capture([3, 2, 1, 0, 0], [1, 1, 1, 1, 1]) == pytest.approx(0.2)


def test_errors_of_amounts_by_hand():
    amount, predicted = [0, 0, 4, 8], [1, 1, 4, 4]
    assert mean_absolute_error(amount, predicted) == pytest.approx(6 / 4)
    assert root_mean_squared_error(amount, predicted) == pytest.approx(math.sqrt(18 / 4))
    assert bias(amount, predicted) == pytest.approx(-2 / 4)
    # deviations from the means: (-3, -3, 1, 5) and (-1.5, -1.5, 1.5, 1.5)
    assert correlation(amount, predicted) == pytest.approx(18 / math.sqrt(44 * 9))
    assert math.isnan(correlation([1, 2], [3, 3]))
