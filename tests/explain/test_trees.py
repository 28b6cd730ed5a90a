"""Trees read from text lead every row to the leaf that LightGBM leads it to."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from rapport.explain.trees import MISSING_NAN, MISSING_NONE, Tree, parse_forest


def _leaf(tree: Tree, row: np.ndarray) -> int:
    """Walk one row down by the documented rules, with nothing shared with the tables."""
    node = 0 if tree.splits else -1
    while node >= 0:
        value = row[tree.split_feature[node]]
        if tree.categorical[node]:
            left = not np.isnan(value) and int(value) in tree.categories[node]
        else:
            if np.isnan(value) and tree.missing_type[node] == MISSING_NONE:
                value = 0.0
            missing = np.isnan(value) if tree.missing_type[node] == MISSING_NAN else np.isnan(value) or value == 0
            if tree.missing_type[node] == MISSING_NONE:
                missing = False
            left = tree.default_left[node] if missing else value <= tree.threshold[node]
        node = int(tree.left_child[node] if left else tree.right_child[node])
    return ~node


@pytest.mark.parametrize("missing", [{}, {"zero_as_missing": True}, {"use_missing": False}])
def test_leaves_and_expected_values(missing: dict[str, bool]) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(500, 4)).round(1)
    X[:, 3] = rng.integers(0, 90, 500)
    X[rng.random(X.shape) < 0.15] = np.nan
    known = np.nan_to_num(X)
    y = (known[:, 0] * known[:, 1] + (known[:, 3] % 7 == 3) + rng.normal(size=500) > 0.3).astype(float)
    parameters = {"objective": "binary", "num_leaves": 12, "min_data_per_group": 1, "cat_smooth": 0, "verbose": -1}
    data = lgb.Dataset(X, y, categorical_feature=[3])
    booster = lgb.train({**parameters, "num_threads": 1, "min_data_in_leaf": 2, **missing}, data, 6)
    forest = parse_forest(booster.model_to_string())
    leaves = booster.predict(X, pred_leaf=True)
    assert any(tree.categorical.any() for tree in forest.trees)
    for number, tree in enumerate(forest.trees):
        assert [_leaf(tree, row) for row in X] == leaves[:, number].tolist()
        assert tree.leaf_value.tolist() == [booster.get_leaf_output(number, leaf) for leaf in range(tree.splits + 1)]
        assert tree.expected_value == pytest.approx(tree.leaf_value[leaves[:, number]].mean(), abs=1e-12)
    assert forest.expected_value == pytest.approx(booster.predict(X, pred_contrib=True)[0, -1], abs=1e-12)
    assert forest.num_features == 4


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match="not the text of a LightGBM model"):
        parse_forest("tree\nversion=v4\n")
