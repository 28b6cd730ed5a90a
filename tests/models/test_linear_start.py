"""The logistic regression below the trees: a hand-made sum, the truth where it is known, exact reasons."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rapport.config import LearnerConfig
from rapport.errors import ModelError
from rapport.explain import tables
from rapport.explain.contributions import explainer
from rapport.explain.plain_trees import top_of
from rapport.language.declarations import FeatureColumn
from rapport.models.classifier import START, BoostedClassifier
from rapport.models.linear_start import LinearStart, Term


def test_a_sum_by_hand() -> None:
    number = Term(missing=0.5, slope=2.0, offset=-1.0, low=0.0, high=np.log(10))
    kind = Term(missing=-0.25, values=(0.1, 0.2))
    start = LinearStart(-3.0, (number, kind))
    matrix = np.array([[np.e - 1, 0.0], [np.nan, 1.0], [1_000.0, np.nan]])
    expected = [[1.0, 0.1], [0.5, 0.2], [2 * np.log(10) - 1, -0.25]]
    np.testing.assert_allclose(start.contributions(matrix), expected)
    np.testing.assert_allclose(start.raw_score(matrix), np.sum(expected, axis=1) - 3)
    assert LinearStart.from_json(json.loads(json.dumps(start.to_json()))) == start


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An encoded matrix (n, 3), a target, and its true log-odds: a sum of ln(1 + x) and of a category."""
    rng = np.random.default_rng(0)
    days, kind = rng.exponential(20, 20_000), rng.integers(0, 3, 20_000).astype(float)
    truth = 1.0 * np.log1p(days) - np.array([0.0, 1.0, 2.0])[kind.astype(int)] - 3
    matrix = np.column_stack([days, kind, np.full(20_000, np.nan)])
    return matrix, (rng.random(20_000) < 1 / (1 + np.exp(-truth))).astype(float), truth


def test_it_finds_the_sum_that_made_the_outcomes(rows: tuple[np.ndarray, ...]) -> None:
    matrix, target, truth = rows
    start = LinearStart.fit(matrix, target, categories={1: 3}, penalty=1.0)
    assert np.corrcoef(start.raw_score(matrix), truth)[0, 1] > 0.999
    days, kind, never = start.terms
    assert days.slope == pytest.approx(1.0, abs=0.05)
    assert kind.values is not None
    np.testing.assert_allclose(np.diff(kind.values), -1, atol=0.1)
    assert never == Term(missing=0.0)


def test_each_term_has_mean_zero_in_training(rows: tuple[np.ndarray, ...]) -> None:
    matrix, target, _ = rows
    holes = np.where(np.random.default_rng(1).random(matrix.shape) < 0.2, np.nan, matrix)
    start = LinearStart.fit(holes, target, categories={1: 3}, penalty=10.0)
    np.testing.assert_allclose(start.contributions(holes).mean(axis=0), 0, atol=1e-12)


def test_a_heavy_penalty_leaves_the_share_of_positives(rows: tuple[np.ndarray, ...]) -> None:
    matrix, target, _ = rows
    share = 1 / (1 + np.exp(-LinearStart.fit(matrix, target, categories={1: 3}, penalty=1e12).raw_score(matrix)))
    np.testing.assert_allclose(share, target.mean(), atol=1e-6)


COLUMNS = (
    FeatureColumn("days", "rhythm", "recency"),
    FeatureColumn("visits", "rhythm", "recency"),
    FeatureColumn("spend", "spending", "spending"),
)


@pytest.fixture(scope="module")
def started() -> tuple[BoostedClassifier, pa.Table]:
    rng = np.random.default_rng(2)
    columns = {column.name: pa.array(rng.exponential(5, 3_000), mask=rng.random(3_000) < 0.1) for column in COLUMNS}
    table = pa.table(columns)
    days = np.nan_to_num(table["days"].to_numpy())
    target = rng.random(3_000) < 1 / (1 + np.exp(2 - np.log1p(days) - (np.sin(days) > 0)))
    learner = LearnerConfig(n_estimators=30, linear_penalty=20.0)
    return BoostedClassifier(learner, COLUMNS, threads=1, negative_share=0.5).fit(table, target), table


def test_the_explainer_agrees_with_the_model_and_adds_up(started: tuple[BoostedClassifier, pa.Table]) -> None:
    model, table = started
    why = explainer(model, table, threads=1)
    raw = model.raw_score(table)
    np.testing.assert_array_equal(why.raw_score(table), raw)
    np.testing.assert_allclose(why.contributions(table), model.contributions(table), atol=1e-12)
    np.testing.assert_allclose(why.contributions(table).sum(axis=1), raw, atol=1e-10)
    reasons = why.top_reasons(table, k=2)
    np.testing.assert_array_equal(reasons.raw_score, raw)
    sums = why.group_contributions(why.contributions(table))
    np.testing.assert_array_equal(reasons.group[:, 0], np.argmax(np.abs(sums), axis=1))
    np.testing.assert_allclose(reasons.group_contribution.sum(axis=1), sums.sum(axis=1), atol=1e-10)


def test_top_reasons_by_tables_are_those_of_the_full_matrix(
    started: tuple[BoostedClassifier, pa.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "START_ROWS", 1_000)  # several to a chunk
    model, table = started
    why = explainer(model, table, threads=1)
    X = model.encode(table)
    expected = top_of(why.trees.contributions(X), why.trees.raw_score(X), why.group_of, 2)
    for found, value in zip(why.trees.top_groups(X, why.group_of, 2), expected, strict=True):
        np.testing.assert_array_equal(found, value)


def test_trees_learn_what_the_sum_cannot_say(started: tuple[BoostedClassifier, pa.Table]) -> None:
    model, table = started
    assert model.start is not None
    assert model.booster.num_trees() == 30
    assert np.abs(model.raw_score(table) - model.start.raw_score(model.encode(table)) - model.shift).max() > 0.1


def test_a_folder_without_its_start_is_refused(started: tuple[BoostedClassifier, pa.Table], tmp_path: Path) -> None:
    started[0].save(tmp_path)
    (tmp_path / START).unlink()
    with pytest.raises(ModelError, match=START):
        BoostedClassifier.load(tmp_path)


def test_reasons_that_do_not_add_up_are_refused() -> None:
    contributions = np.array([[0.5, -0.25, 1.0], [0.1, 0.2, 1.0]])
    score = contributions.sum(axis=1)
    assert top_of(contributions, score, np.array([0, 1]), 1).group[:, 0].tolist() == [0, 1]
    with pytest.raises(ModelError, match="do not add up"):
        top_of(contributions, score + np.array([0.0, 1e-6]), np.array([0, 1]), 1)
