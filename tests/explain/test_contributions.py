"""The explainer of a model: exact, additive, grouped, and the same by tables as by LightGBM's own code."""

from __future__ import annotations

import logging
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest

from rapport.config import LearnerConfig
from rapport.errors import ModelError
from rapport.explain import contributions as module
from rapport.explain.contributions import Explainer, explainer, plausible_rows
from rapport.explain.plain_trees import PlainTrees
from rapport.explain.tables import TreeTables
from rapport.language.declarations import FeatureColumn
from rapport.models.classifier import BoostedClassifier

FAMILIES = {
    "recency": ["days", "overdue"],
    "spending": ["spend_30d", "spend_90d"],
    "": ["visits"],
    "profile": ["income"],
}
COLUMNS = tuple(
    FeatureColumn(name, "block", family, kind="category" if name == "income" else "number")
    for family, names in FAMILIES.items()
    for name in names
)


def snapshot(n: int, seed: int) -> tuple[pa.Table, np.ndarray]:
    rng = np.random.default_rng(seed)
    numbers = {c.name: rng.gamma(1.0, 20.0, n) for c in COLUMNS if c.kind == "number"}
    numbers["overdue"][rng.random(n) < 0.2] = np.nan
    income = rng.choice(["low", "middle", "high"], n)
    logit = numbers["days"] / 20 - numbers["spend_30d"] / 30 + (income == "high") + rng.normal(size=n)
    columns = {name: pa.array(values, from_pandas=True) for name, values in numbers.items()}
    columns["income"] = pa.array(income, mask=rng.random(n) < 0.1)
    return pa.table(columns), (logit > 0.5).astype(float)


@pytest.fixture(scope="module")
def model() -> BoostedClassifier:
    table, target = snapshot(1500, 1)
    config = LearnerConfig(n_estimators=25, num_leaves=9, learning_rate=0.2)
    return BoostedClassifier(config, COLUMNS, threads=1, negative_share=0.25).fit(table, target)


@pytest.fixture(scope="module")
def why(model: BoostedClassifier) -> Explainer:
    return explainer(model, snapshot(1500, 2)[0], threads=1)


def test_contributions_add_up_to_the_models_raw_score_with_its_shift(model: BoostedClassifier, why: Explainer) -> None:
    table = snapshot(400, 3)[0]
    found = why.contributions(table)
    np.testing.assert_allclose(found, model.contributions(table), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), model.raw_score(table), rtol=0, atol=1e-9)
    assert model.shift != 0


def test_groups_are_families_and_a_feature_without_one_stands_alone(why: Explainer) -> None:
    assert why.groups == ("recency", "spending", "visits", "profile")
    full = why.contributions(snapshot(50, 4)[0])
    sums = why.group_contributions(full)
    np.testing.assert_allclose(sums[:, 0], full[:, 0] + full[:, 1])
    np.testing.assert_allclose(sums.sum(axis=1) + full[:, -1], full.sum(axis=1))


def test_top_reasons_are_the_strongest_groups(model: BoostedClassifier, why: Explainer) -> None:
    table = snapshot(300, 5)[0]
    reasons = why.top_reasons(table, k=3)
    full = why.contributions(table)
    sums = why.group_contributions(full)
    np.testing.assert_array_equal(reasons.raw_score, model.raw_score(table))
    np.testing.assert_array_equal(reasons.raw_score, why.raw_score(table))
    np.testing.assert_array_equal(reasons.group, np.argsort(-np.abs(sums), axis=1, kind="stable")[:, :3])
    rows = np.arange(300)
    np.testing.assert_array_equal(reasons.feature_contribution[:, 0], full[rows, reasons.feature[:, 0]])
    columns = reasons.columns()
    assert list(columns) == [
        f"reason_{j}_{part}" for j in (1, 2, 3) for part in ("group", "feature", "value", "contribution")
    ]
    for row in range(0, 300, 50):
        name = columns["reason_2_feature"][row].as_py()
        value = table.column(name)[row].as_py()
        assert columns["reason_2_value"][row].as_py() == (None if value is None else str(value).removesuffix(".0"))
        assert columns["reason_2_group"][row].as_py() == reasons.groups[reasons.group[row, 1]]


def test_fewer_groups_than_asked_for_and_no_rows(why: Explainer) -> None:
    reasons = why.top_reasons(snapshot(20, 6)[0], k=6)
    columns = reasons.columns([pa.nulls(20, pa.string())] * 6)
    assert columns["reason_6_group"].null_count == columns["reason_6_contribution"].null_count == 20
    assert columns["reason_6"].type == pa.string()
    empty = why.top_reasons(snapshot(20, 6)[0].slice(0, 0))
    assert empty.raw_score.shape == (0,)
    assert len(empty.columns()["reason_1_value"]) == 0


def test_chunks_join_seamlessly(why: Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    table = snapshot(500, 7)[0]
    whole = why.top_reasons(table), why.contributions(table)
    monkeypatch.setattr(module, "CHUNK", 128)
    parts = why.top_reasons(table), why.contributions(table)
    np.testing.assert_array_equal(whole[0].group_contribution, parts[0].group_contribution)
    assert whole[0].values == parts[0].values
    np.testing.assert_array_equal(whole[1], parts[1])


class Averaged:
    """A model whose trees are averaged: tables do not apply."""

    columns = COLUMNS[:3]
    start = None
    shift = -1.5

    def __init__(self) -> None:
        rng = np.random.default_rng(8)
        X = rng.normal(size=(400, 3))
        settings = {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5, "verbose": -1}
        self.booster = lgb.train({**settings, "num_threads": 1}, lgb.Dataset(X, X[:, 0] * X[:, 1] > 0), 5)
        self.quantiles = {column.name: tuple(np.linspace(-2, 2, 9)) for column in self.columns}

    def encode(self, table: pa.Table) -> np.ndarray:
        return np.column_stack([table.column(c.name).to_numpy() for c in self.columns])


def test_where_tables_do_not_apply_lightgbm_explains(caplog: pytest.LogCaptureFixture) -> None:
    model = Averaged()
    with caplog.at_level(logging.WARNING):
        why = explainer(model, threads=1)
    assert isinstance(why.trees, PlainTrees)
    assert "averages its trees" in caplog.text
    rng = np.random.default_rng(9)
    table = pa.table({c.name: rng.normal(size=60) for c in model.columns})
    X = model.encode(table)
    expected: Any = model.booster.predict(X, pred_contrib=True)
    np.testing.assert_allclose(why.contributions(table)[:, :-1], expected[:, :-1])
    reasons = why.top_reasons(table, k=2)
    np.testing.assert_array_equal(reasons.raw_score, why.raw_score(table))
    np.testing.assert_allclose(reasons.raw_score, model.booster.predict(X, raw_score=True) - 1.5)
    sums = why.group_contributions(expected)
    np.testing.assert_array_equal(reasons.group, np.argsort(-np.abs(sums), axis=1)[:, :2])


def test_tables_that_differ_are_not_used(model: BoostedClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = TreeTables.contributions
    monkeypatch.setattr(TreeTables, "contributions", lambda self, X: honest(self, X) + 1e-7)
    assert isinstance(explainer(model, threads=1).trees, PlainTrees)


def test_additivity_is_asserted_in_every_batch(model: BoostedClassifier) -> None:
    why = explainer(model, threads=1)
    assert isinstance(why.trees, TreeTables)
    why.trees._program.tables[:] += 1e-6
    with pytest.raises(ModelError, match="do not add up"):
        why.top_reasons(snapshot(50, 10)[0])


def test_plausible_rows_stay_within_what_training_saw(model: BoostedClassifier) -> None:
    X = plausible_rows(model, 300)
    assert 0.05 < np.isnan(X).mean() < 0.2
    codes = X[:, -1][~np.isnan(X[:, -1])]
    assert set(codes) == {0.0, 1.0, 2.0}
    quantiles = model.quantiles["days"]
    assert isinstance(quantiles, tuple)
    days = X[:, 0][~np.isnan(X[:, 0])]
    assert quantiles[0] <= days.min() <= days.max() <= quantiles[-1]
