"""Hazards over rows and periods: curves that fall, contributions that add up, close to a truth that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rapport.config import LearnerConfig
from rapport.errors import ModelError
from rapport.language.declarations import FeatureColumn
from rapport.models.encoding import Encoder
from rapport.models.hazard import HazardModel, Periods, fit_trees
from rapport.models.kinds import load_model
from rapport.models.proportional_hazards import ProportionalHazards

COLUMNS = (FeatureColumn("risk", "b", "risk"), FeatureColumn("noise", "b", "noise"))
N, K = 4_000, 4


def _truth(risk: np.ndarray) -> np.ndarray:
    """P(still there at the end of each period): whoever is at risk leaves early, the others late."""
    hazard = np.column_stack([0.05 + 0.4 * risk * (k == 0) + 0.2 * (1 - risk) * (k == 3) for k in range(K)])
    return np.cumprod(1 - hazard, axis=1)


@pytest.fixture(scope="module")
def rows() -> tuple[pa.Table, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    risk = (rng.random(N) < 0.5).astype(float)
    ends = 1 + (rng.random(N)[:, None] < _truth(risk)).sum(axis=1)
    lost = rng.integers(1, K + 1, N)
    table = pa.table({"risk": risk, "noise": rng.random(N)})
    return table, np.minimum(ends, lost), ends <= lost


@pytest.fixture(scope="module")
def model(rows: tuple[pa.Table, np.ndarray, np.ndarray]) -> HazardModel:
    table, time, event = rows
    encoder = Encoder.fit(COLUMNS, table)
    periods = Periods.of(time, event)
    learner = LearnerConfig(n_estimators=60, learning_rate=0.15, colsample_bytree=1.0)
    text = fit_trees(learner, encoder, encoder.encode(table), periods, np.arange(N), threads=1)
    return HazardModel(encoder, text, 30, (30, 120), threads=1)


def test_periods_end_with_the_time_of_each_row() -> None:
    found = Periods.of(np.array([2, 0, 3]), np.array([True, False, False]))
    assert found.row.tolist() == [0, 0, 2, 2, 2]
    assert found.period.tolist() == [1, 2, 1, 2, 3]
    assert found.left.tolist() == [0, 1, 0, 0, 0]


def test_curves_fall_for_every_row_and_are_near_the_truth(model: HazardModel, rows: tuple[pa.Table, ...]) -> None:
    curves = model.curves(rows[0])
    assert (np.diff(np.column_stack([np.ones(N), curves]), axis=1) <= 0).all()
    assert np.abs(curves - _truth(rows[0]["risk"].to_numpy())).mean() < 0.03
    calibrated = model.calibrated(np.log(np.array([0.1, 0.2, 0.3, 0.4])), np.array([0.0, 1.0, 0.0, 1.0]))
    assert (np.diff(calibrated.curves(rows[0]), axis=1) <= 0).all()


def test_the_score_is_the_end_of_the_curve_and_outputs_read_it(model: HazardModel, rows: tuple[pa.Table, ...]) -> None:
    few = rows[0].slice(0, 200)
    curves, found = model.curves(few), model.outputs(few)
    score = model.calibrator.apply(model.raw_score(few))
    np.testing.assert_allclose(score, 1 - curves[:, -1])
    np.testing.assert_allclose(found["leaves_within_30d"].to_numpy(), 1 - curves[:, 0])
    np.testing.assert_allclose(found["leaves_within_120d"].to_numpy(), score)
    for curve, median in zip(curves, found["median_days"].to_pylist(), strict=True):
        ends = np.concatenate([[1], curve])
        by_hand = float(np.interp(-0.5, -ends, 30 * np.arange(K + 1))) if curve[-1] <= 0.5 else None
        assert median == (None if by_hand is None else pytest.approx(by_hand))
    assert {median is None for median in found["median_days"].to_pylist()} == {True, False}
    by_hand = 30 * (0.5 + curves[:, :3].sum(axis=1) + curves[:, 3] / 2)
    np.testing.assert_allclose(found["expected_days"].to_numpy(), by_hand)


def test_contributions_add_up_and_speak_of_the_risk(model: HazardModel, rows: tuple[pa.Table, ...]) -> None:
    matrix = model.encode(rows[0].slice(0, 300))
    values = model.explain_matrix(matrix)
    np.testing.assert_allclose(values.sum(axis=1), model.score_matrix(matrix), atol=1e-9)
    at_risk = matrix[:, 0] == 1
    assert values[at_risk, 0].mean() > values[~at_risk, 0].mean() + 0.2
    assert np.abs(values[:, 1]).mean() < 0.3 * np.abs(values[:, 0]).mean()


def test_saved_and_read_back_it_is_the_same(model: HazardModel, rows: tuple[pa.Table, ...], tmp_path: Path) -> None:
    model.save(tmp_path)
    again = load_model(tmp_path, threads=1)
    assert again.content == model.content
    np.testing.assert_array_equal(again.raw_score(rows[0]), model.raw_score(rows[0]))


def test_proportional_hazards_are_found_where_they_are_the_truth() -> None:
    rng = np.random.default_rng(3)
    risk = rng.normal(size=N)
    hazard = -np.expm1(-np.exp(-2 + 0.7 * risk))
    ends = rng.geometric(hazard)
    table = pa.table({"risk": risk, "noise": rng.random(N)})
    periods = Periods.of(np.minimum(ends, K), ends <= K)
    curves = ProportionalHazards.fit(COLUMNS, table, periods, K).curves(table)
    true = np.cumprod(np.repeat((1 - hazard)[:, None], K, axis=1), axis=1)
    assert np.abs(curves - true).mean() < 0.03


def test_horizons_must_be_whole_periods(model: HazardModel) -> None:
    with pytest.raises(ModelError, match="multiple of the 30 days"):
        HazardModel(model.encoder, model._text, 30, (30, 100))
