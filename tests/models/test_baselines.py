from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from rapport.errors import ModelError
from rapport.language.declarations import FeatureColumn
from rapport.models.baselines import CountThen, FirstKnown, Overdue, Prior, Rule
from rapport.models.logistic import LogisticRegression

ROWS = 4_000


@pytest.fixture(scope="module")
def shop() -> tuple[pa.Table, np.ndarray]:
    """Customers who are likelier gone the more overdue they are; a tenth has no gap of its own."""
    rng = np.random.default_rng(0)
    gap = rng.gamma(2, 5, ROWS)
    days = rng.exponential(gap)
    target = (rng.random(ROWS) < 1 / (1 + np.exp(-(days / gap - 2)))).astype(float)
    table = pa.table(
        {
            "days": days,
            "gap": pa.array(gap, mask=rng.random(ROWS) < 0.1),
            "visits": rng.poisson(2, ROWS),
            "region": rng.choice(["a", "b"], ROWS),
        }
    )
    return table, target


COLUMNS = tuple(
    FeatureColumn(name, "b", name, kind="category" if name == "region" else "number")
    for name in ("days", "gap", "visits", "region")
)
RULES = [
    Prior(),
    FirstKnown("days"),
    FirstKnown("gap", "days"),
    CountThen("visits", "days"),
    Overdue("days", "gap"),
    LogisticRegression(COLUMNS),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_ranks_and_gives_calibrated_probabilities(rule: Rule, shop: tuple[pa.Table, np.ndarray]) -> None:
    table, target = shop
    half = ROWS // 2
    assert rule.fit(table[:half], target[:half], groups=np.arange(half) // 2) is rule
    score, probability = rule.score(table[half:]), rule.predict(table[half:])
    assert np.isfinite(score).all()
    assert ((probability > 0) & (probability < 1)).all()
    assert probability.mean() == pytest.approx(target[half:].mean(), abs=0.03)
    order = np.argsort(score, kind="stable")
    assert (np.diff(probability[order]) >= -1e-12).all()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_sampled_negatives_are_corrected(rule: Rule, shop: tuple[pa.Table, np.ndarray]) -> None:
    table, target = shop
    kept = (target == 1) | (np.random.default_rng(1).random(ROWS) < 0.3)
    rule.fit(table.filter(pa.array(kept)), target[kept], negative_share=0.3)
    assert rule.predict(table).mean() == pytest.approx(target.mean(), abs=0.03)


def test_overdue_by_hand() -> None:
    table = pa.table({"days": [10.0, 10.0, 30.0, None], "gap": [5.0, None, 20.0, 10.0]})
    rule = Overdue("days", "gap").fit(table, [0, 1, 0, 1])
    # The median gap is 10: one visit 10 days ago is 1 gap ago. Nothing known counts as the most overdue.
    np.testing.assert_array_equal(rule.score(table), [2.0, 1.0, 1.5, 2.0])


def test_the_first_known_column_decides() -> None:
    table = pa.table({"a": [1.0, 2.0, 3.0, None, None, None], "b": [9.0, 9.0, 9.0, 10.0, 8.0, None]})
    rule = FirstKnown("a", "b").fit(table, [0, 1, 0, 1, 0, 1])
    # a: mid-ranks of three; b: mid-ranks among 8, 9, 9, 9, 10; nothing known: the middle.
    np.testing.assert_allclose(rule.score(table), [1 / 6, 1 / 2, 5 / 6, 0.9, 0.1, 0.5])
    alone = FirstKnown("a", sign=-1).fit(table, [0, 1, 0, 1, 0, 1])
    np.testing.assert_array_equal(alone.score(table), [-1, -2, -3, -2, -2, -2])


def test_equal_counts_are_ordered_by_the_second_column() -> None:
    table = pa.table({"bought": [0, 0, 2, None], "buyers": [10, 500, 0, 20]})
    rule = CountThen("bought", "buyers").fit(table, [0, 1, 0, 1])
    assert np.argsort(rule.score(table)).tolist() == [0, 3, 1, 2]


def test_the_prior_is_the_share() -> None:
    table = pa.table({"x": [1, 2, 3, 4]})
    np.testing.assert_allclose(Prior().fit(table, [0, 0, 0, 1]).predict(table), 0.25)


def test_logistic_regression_takes_missing_infinite_and_new_values(shop: tuple[pa.Table, np.ndarray]) -> None:
    table, target = shop
    rule = LogisticRegression(COLUMNS).fit(table, target)
    odd = pa.table({"days": [np.inf, None], "gap": [None, 1.0], "visits": [None, 10**9], "region": ["new", None]})
    assert np.isfinite(rule.score(odd)).all()


def test_faults_are_plain() -> None:
    table = pa.table({"x": ["a", "b"], "y": [1, 2]})
    with pytest.raises(ModelError, match="no positives or no negatives"):
        FirstKnown("y").fit(table, [1, 1])
    with pytest.raises(ModelError, match="'z' is missing"):
        FirstKnown("z").fit(table, [0, 1])
    with pytest.raises(ModelError, match="'x' must be a number"):
        FirstKnown("x").fit(table, [0, 1])
    with pytest.raises(ModelError, match="at least one column"):
        FirstKnown()
