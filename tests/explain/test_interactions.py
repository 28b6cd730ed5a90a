"""Interaction values against their definition, against shap where it applies, and against contributions."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.explain.interactions import Interactions, goes_left, strongest_partner
from rapport.explain.tables_cut import share
from rapport.explain.trees import TablesDoNotApply, Tree, parse_forest


def _value(tree: Tree, row: np.ndarray, known: frozenset[int], node: int) -> float:
    """Mean of the leaves that a row may reach, where only some features are known: the path-dependent game."""
    if node < 0:
        return float(tree.leaf_value[~node])
    left, right = int(tree.left_child[node]), int(tree.right_child[node])
    if int(tree.split_feature[node]) in known:
        return _value(tree, row, known, left if goes_left(tree, node, row[None])[0] else right)
    return sum(share(tree, node, child) * _value(tree, row, known, child) for child in (left, right))


def _by_definition(booster: lgb.Booster, row: np.ndarray, a: int, b: int) -> float:
    trees, p = parse_forest(booster.model_to_string()).trees, len(row)

    def game(known: tuple[int, ...]) -> float:
        return sum(_value(tree, row, frozenset(known), 0 if tree.splits else -1) for tree in trees)

    total = 0.0
    others = [j for j in range(p) if j not in (a, b)]
    for size in range(len(others) + 1):
        weight = factorial(size) * factorial(p - size - 2) / (2 * factorial(p - 1))
        for s in combinations(others, size):
            total += weight * (game((*s, a, b)) - game((*s, a)) - game((*s, b)) + game(s))
    return total


def _train(rng: np.random.Generator, n: int, p: int, *, trees: int, leaves: int, categories: bool, **more: object):
    X = rng.normal(size=(n, p)).round(1)
    if categories:
        X[:, -1] = rng.integers(0, 12, n)
        X[rng.random((n, p)) < 0.1] = np.nan
    known = np.nan_to_num(X)
    y = (known[:, 0] * known[:, 1] + known[:, 2] * (known[:, -1] % 3 == 1) + rng.normal(size=n) / 2 > 0).astype(float)
    parameters = {"objective": "binary", "num_leaves": leaves, "verbose": -1, "num_threads": 1, "min_data_in_leaf": 3,
                  "min_data_per_group": 1, "cat_smooth": 0, "seed": 1, **more}  # fmt: skip
    return lgb.train(parameters, lgb.Dataset(X, y, categorical_feature=[p - 1] if categories else []), trees), X


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    missing=st.sampled_from([{}, {"zero_as_missing": True}, {"use_missing": False}]),
    leaves=st.sampled_from([2, 4, 9]),
)
def test_they_are_what_the_definition_says(seed: int, missing: dict[str, bool], leaves: int) -> None:
    booster, X = _train(np.random.default_rng(seed), 200, 4, trees=3, leaves=leaves, categories=True, **missing)
    found = Interactions.from_booster(booster)
    for a, b in ((0, 1), (2, 3), (3, 0)):
        expected = [_by_definition(booster, row, a, b) for row in X[:4]]
        np.testing.assert_allclose(found.pair(X[:4], a, b), expected, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(found.pair(X[:4], a, b), found.pair(X[:4], b, a))


def test_they_are_shap_s_on_a_numeric_model() -> None:
    shap = pytest.importorskip("shap")
    booster, X = _train(np.random.default_rng(2), 600, 6, trees=15, leaves=12, categories=False)
    expected = np.asarray(shap.TreeExplainer(booster).shap_interaction_values(X[:50]))
    found = Interactions.from_booster(booster)
    for a in range(6):
        others = [b for b in range(6) if b != a]
        np.testing.assert_allclose(found.with_others(X[:50], a, others), expected[:, a, others], rtol=0, atol=1e-6)


def test_the_strongest_partner_of_a_product_is_its_other_factor() -> None:
    booster, X = _train(np.random.default_rng(3), 2000, 6, trees=20, leaves=8, categories=False)
    found = strongest_partner(Interactions.from_booster(booster), X[:200], 0, [2, 1, 3])
    assert found is not None
    assert found[0] == 1
    assert np.corrcoef(found[1], X[:200, 0] * X[:200, 1])[0, 1] > 0.7


def test_a_feature_that_no_tree_uses_works_with_none() -> None:
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.normal(size=300), np.zeros(300), np.zeros(300)])
    data = lgb.Dataset(X, (X[:, 0] > 0).astype(float))
    booster = lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 2)
    assert strongest_partner(Interactions.from_booster(booster), X[:5], 0, [1, 2]) is None


def test_a_model_without_trees_has_no_pairs():
    with pytest.raises(TablesDoNotApply, match="has no trees"):
        Interactions.from_booster(None)
