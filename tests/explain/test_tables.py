"""Tables against LightGBM's own contributions and scores, over random models and all the shapes that trees can have."""

from __future__ import annotations

import tracemalloc
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rapport.errors import ModelError
from rapport.explain.tables import TablesDoNotApply, TreeTables

Matrix = NDArray[np.float64]
CATEGORIES = 2  # the last columns of every generated matrix


def make_rows(rng: np.random.Generator, n: int, p: int, codes: int, *, wild: bool = False) -> Matrix:
    """Numbers with ties, zeros and holes; the last two columns are categories. Wild rows hold what training lacked."""
    X = rng.normal(size=(n, p)).round(int(rng.integers(0, 4)))
    X[rng.random((n, p)) < 0.1] = 0.0
    X[:, -CATEGORIES:] = rng.integers(0, codes, (n, CATEGORIES))
    X[rng.random((n, p)) < 0.1] = np.nan
    if wild:
        values = np.array([1e-36, -1e-36, 1e-34, -0.0, np.inf, -np.inf, 1e300, -7.0, 254.0, 255.0, 509.0, 510.0, 3.7])
        X = np.where(rng.random((n, p)) < 0.2, rng.choice(values, (n, p)), X)
    return X


def train(rng: np.random.Generator, X: Matrix, trees: int, **parameters: Any) -> lgb.Booster:
    """A booster on a target that depends on products of columns and on the categories."""
    n, p = X.shape
    categories = list(range(p - CATEGORIES, p))
    effect = rng.normal(size=1000)
    known = np.nan_to_num(X)
    y = known[:, 0] * known[:, 1] + known[:, 2] + effect[known[:, -1].astype(int)] + rng.normal(size=n)
    settings = {
        "objective": "binary",
        "num_threads": 1,
        "verbose": -1,
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": 0.0,
        "min_data_per_group": 1,
        "cat_smooth": 0.0,
        "seed": 7,
        **parameters,
    }
    return lgb.train(settings, lgb.Dataset(X, (y > 0).astype(float), categorical_feature=categories), trees)


def check(booster: lgb.Booster, X: Matrix, **options: Any) -> TreeTables:
    """Hold contributions, scores and top groups against LightGBM."""
    tables = TreeTables.from_booster(booster, **options)
    expected = booster.predict(X, pred_contrib=True, num_threads=1)
    found = tables.contributions(X)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    score = booster.predict(X, raw_score=True, num_threads=1)
    np.testing.assert_array_equal(tables.raw_score(X), score)
    groups = np.arange(X.shape[1]) * 7 % 3
    top = tables.top_groups(X, groups, 2)
    np.testing.assert_array_equal(top.raw_score, score)
    sums = np.stack([found[:, :-1][:, groups == g].sum(axis=1) for g in range(3)], axis=1)
    ranked = -np.sort(-np.abs(sums), axis=1)[:, :2]
    np.testing.assert_allclose(np.abs(top.group_contribution), ranked, rtol=0, atol=1e-12)
    return tables


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    features=st.integers(5, 9),
    leaves=st.sampled_from([2, 3, 8, 31, 80]),
    depth=st.sampled_from([-1, 2, 6]),
    codes=st.sampled_from([2, 6, 40, 300, 700]),
    missing=st.sampled_from([{}, {"zero_as_missing": True}, {"use_missing": False}]),
    memory=st.sampled_from([0, 1, 512]),
)
def test_random_models(
    seed: int, features: int, leaves: int, depth: int, codes: int, missing: dict[str, bool], memory: int
) -> None:
    rng = np.random.default_rng(seed)
    X = make_rows(rng, 300, features, codes)
    booster = train(rng, X, 5, num_leaves=leaves, max_depth=depth, max_cat_threshold=256, **missing)
    check(booster, np.vstack([X[:50], make_rows(rng, 100, features, codes, wild=True)]), memory_limit_mb=memory)


def test_deep_paths_with_many_features_and_repeats() -> None:
    rng = np.random.default_rng(3)
    X = make_rows(rng, 4000, 24, 30)
    X[:, :22] = np.exp(X[:, :22])  # skewed values make lopsided trees
    booster = train(rng, X, 4, num_leaves=200, learning_rate=0.3)
    tables = check(booster, X[:800])
    assert len(tables._program.leaves.value) > 100, "no leaf lies deep enough to have a long key"


def chain(features: list[int]) -> str:
    """The text of a model of one tree that goes down to the left, a split on each feature after the other."""
    n = len(features)
    counts = [10 * (n + 2 - i) for i in range(n)]
    lines = {
        "num_leaves": [n + 1],
        "num_cat": [0],
        "split_feature": features,
        "split_gain": [1] * n,
        "threshold": [0.1 * (i % 7) for i in range(n)],
        "decision_type": [8 + 2 * (i % 2) for i in range(n)],
        "left_child": [*range(1, n), -n - 1],
        "right_child": [-i - 1 for i in range(n)],
        "leaf_value": [(-1) ** i * (1 + i % 5) for i in range(n + 1)],
        "leaf_weight": [1] * (n + 1),
        "leaf_count": [10] * n + [20],
        "internal_value": [0] * n,
        "internal_weight": [1] * n,
        "internal_count": counts,
        "is_linear": [0],
        "shrinkage": [1],
    }
    tree = "".join(f"{name}={' '.join(map(str, values))}\n" for name, values in lines.items())
    names = " ".join(f"f{i}" for i in range(max(features) + 1))
    head = f"num_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx={max(features)}\n"
    info = f"objective=regression\nfeature_names={names}\nfeature_infos={' '.join(['[-9:9]'] * (max(features) + 1))}\n"
    return f"tree\nversion=v4\n{head}{info}\nTree=0\n{tree}\nend of trees\n"


def test_a_stump_by_hand() -> None:
    tables = TreeTables.from_booster(chain([0]))  # value 1 for 10 rows on the right, -2 for 20 on the left
    bias = (10 * 1 + 20 * -2) / 30
    expected = [[1 - bias, bias], [-2 - bias, bias], [1 - bias, bias]]
    np.testing.assert_allclose(tables.contributions([[5.0], [-5.0], [np.nan]]), expected)


@pytest.mark.parametrize("features", [list(range(32)), [*range(20), *range(20)], [0, 1] * 30])
def test_long_chains(features: list[int]) -> None:
    rng = np.random.default_rng(15)
    X = rng.normal(loc=-0.5, size=(400, max(features) + 1))
    X[rng.random(X.shape) < 0.05] = np.nan
    text = chain(features)
    expected = lgb.Booster(model_str=text).predict(X, pred_contrib=True, num_threads=1)
    np.testing.assert_allclose(TreeTables.from_booster(text).contributions(X), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("features", "reason"), [(list(range(34)), "different features"), ([0, 1] * 210, "levels")])
def test_longer_chains_are_refused(features: list[int], reason: str) -> None:
    with pytest.raises(TablesDoNotApply, match=reason):
        TreeTables.from_booster(chain(features))


def test_more_thresholds_than_a_byte_can_hold() -> None:
    rng = np.random.default_rng(4)
    X = rng.random((6000, 4))
    X[:, 2:] = rng.integers(0, 3, (6000, 2))
    X[::9, 0] = np.nan
    y = np.sin(300 * X[:, 0]) + rng.normal(size=6000) / 10
    parameters = {"objective": "regression", "num_leaves": 120, "max_bin": 1000, "num_threads": 1, "verbose": -1}
    booster = lgb.train({**parameters, "min_data_in_leaf": 1}, lgb.Dataset(X, y, categorical_feature=[2, 3]), 12)
    tables = check(booster, X[:1500])
    assert (tables._columns.feature == 0).sum() > 1, "the feature has fewer than 255 thresholds"


def test_continued_training_mixes_missing_types_of_a_feature() -> None:
    rng = np.random.default_rng(5)
    X = make_rows(rng, 800, 6, 20)
    first = train(rng, X, 3, zero_as_missing=True)
    data = lgb.Dataset(np.nan_to_num(X), rng.integers(0, 2, 800).astype(float), categorical_feature=[4, 5])
    both = lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 3, init_model=first)
    tables = check(both, make_rows(rng, 300, 6, 20, wild=True))
    assert len(tables._columns.feature) > len(set(tables._columns.feature))


def test_single_leaf_trees_and_an_empty_matrix() -> None:
    rng = np.random.default_rng(6)
    X = make_rows(rng, 50, 5, 3)
    tables = check(train(rng, X, 3, min_data_in_leaf=1000), X)
    assert tables.contributions(X[:0]).shape == (0, 6)
    assert tables.raw_score(X[:0]).shape == (0,)
    top = tables.top_groups(X, np.zeros(5, int), 3)
    assert (top.group == -1).all()
    assert (top.group_contribution == 0).all()


def test_best_iteration_is_read_as_predict_reads_it() -> None:
    rng = np.random.default_rng(8)
    X = make_rows(rng, 300, 5, 3)
    booster = train(rng, X, 9)
    booster.best_iteration = 4
    check(booster, X)


@pytest.mark.parametrize(
    "parameters",
    [{"objective": "multiclass", "num_class": 3}, {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
     {"linear_tree": True}],
)  # fmt: skip
def test_models_without_tables_are_refused(parameters: dict[str, Any]) -> None:
    rng = np.random.default_rng(9)
    X = rng.normal(size=(300, 4))
    y = rng.integers(0, 3 if "num_class" in parameters else 2, 300).astype(float)
    booster = lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1, **parameters}, lgb.Dataset(X, y), 3)
    with pytest.raises(TablesDoNotApply):
        TreeTables.from_booster(booster)


def test_top_groups_order_signs_and_features() -> None:
    rng = np.random.default_rng(10)
    X = make_rows(rng, 600, 8, 12)
    tables = TreeTables.from_booster(train(rng, X, 20, num_leaves=15))
    groups = np.array([5, 5, 9, 2, 2, 2, 9, 40])
    top = tables.top_groups(X, groups, 5)
    full = tables.contributions(X)[:, :-1]
    for row in range(0, 600, 37):
        sums = {g: full[row, groups == g].sum() for g in (2, 5, 9, 40)}
        order = sorted(sums, key=lambda g: -abs(sums[g]))
        assert top.group[row].tolist() == [*order, -1]
        for place, g in enumerate(order):
            assert top.group_contribution[row, place] == pytest.approx(sums[g], abs=1e-12)
            inside = [f for f in range(8) if groups[f] == g]
            strongest = max(inside, key=lambda f: np.sign(sums[g]) * full[row, f])
            assert top.feature[row, place] == strongest
            assert top.feature_contribution[row, place] == full[row, strongest]


def test_threads_and_chunks_do_not_change_results() -> None:
    rng = np.random.default_rng(11)
    X = make_rows(rng, 10_000, 12, 30)
    tables = TreeTables.from_booster(train(rng, X, 6, num_leaves=60), memory_limit_mb=0)
    assert len(tables._program.leaves.value), "nothing is filled chunk by chunk"
    results = []
    for threads, chunk in ((1, 10_000), (1, 1_000), (2, 999)):
        tables.threads, tables._chunk = threads, chunk
        top = tables.top_groups(X, np.arange(12) // 2, 3)
        results.append((tables.contributions(X), tables.raw_score(X), *top))
    for other in results[1:]:
        for expected, found in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_fault_in_one_chunk_is_raised_from_all_threads() -> None:
    rng = np.random.default_rng(12)
    X = make_rows(rng, 9000, 5, 3)
    tables = TreeTables.from_booster(train(rng, X[:500], 2))
    tables.threads, tables._chunk = 2, 1000
    tables._program.tables[:] = np.nan
    with pytest.raises(ModelError, match="do not add up"):
        tables.contributions(X)


def test_top_groups_never_hold_the_full_matrix() -> None:
    rng = np.random.default_rng(12)
    X = make_rows(rng, 30_000, 400, 5)
    booster = train(rng, X[:3000], 3, num_leaves=8)
    tables = TreeTables.from_booster(booster)
    tables.threads = 1
    tables.top_groups(X[:10], np.arange(400), 5)
    tracemalloc.start()
    tables.top_groups(X, np.arange(400), 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 4


def test_a_broken_table_is_noticed_in_the_batch() -> None:
    rng = np.random.default_rng(13)
    X = make_rows(rng, 300, 5, 3)
    tables = TreeTables.from_booster(train(rng, X, 2, num_leaves=4))
    tables._program.tables[0] += 1e-6
    with pytest.raises(ModelError, match="do not add up"):
        tables.contributions(X)
    tables._program.tables[0] = np.nan
    with pytest.raises(ModelError, match="do not add up"):
        tables.top_groups(X, np.arange(5), 2)


def test_wrong_shapes_are_named() -> None:
    rng = np.random.default_rng(14)
    X = make_rows(rng, 300, 5, 3)
    tables = TreeTables.from_booster(train(rng, X, 2))
    with pytest.raises(ModelError, match="5 features"):
        tables.raw_score(X[:, :4])
    with pytest.raises(ModelError, match="groups"):
        tables.top_groups(X, np.zeros(4, int), 2)
