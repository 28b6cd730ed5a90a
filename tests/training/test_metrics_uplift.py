"""Uplift metrics against values computed by hand, and against a published experiment where its data are at hand."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from rapport.training.metrics import auuc, qini, uplift_at, uplift_curves

# by falling score: treated buys, control does not, control buys, treated does not
TARGET = [1, 0, 1, 0]
TREATED = [1, 0, 0, 1]
SCORE = [4, 3, 2, 1]


def test_curves_by_hand():
    curves = uplift_curves(TARGET, SCORE, TREATED)
    assert curves.rows.tolist() == [0, 1, 2, 3, 4]
    assert curves.qini.tolist() == [0, 1, 1, 1 - 1 / 2, 1 - 1]
    assert curves.gain.tolist() == [0, 1, 2, (1 - 1 / 2) * 3, 0]


def test_qini_by_hand():
    # the curve 0 1 1 .5 0 over 4 rows: area 2.5, the random line is flat at 0; the perfect curve 0 1 (two rows) 1 0
    # has .5 + 2 * 1 + .5 = 3: blocks are the treated buyer, the two that buy nothing, the untreated buyer
    assert qini(TARGET, SCORE, TREATED) == pytest.approx(2.5 / 3)
    assert qini(TARGET, np.array(TARGET) * (2 * np.array(TREATED) - 1), TREATED) == pytest.approx(1)


def test_auuc_by_hand():
    # the perfect order is treated buyer, untreated non-buyer, treated non-buyer, untreated buyer: 0 1 2 1.5 0
    perfect = 1 / 2 + (1 + 2) / 2 + (2 + 1.5) / 2 + 1.5 / 2
    assert auuc(TARGET, SCORE, TREATED) == pytest.approx((1 / 2 + (1 + 2) / 2 + (2 + 1.5) / 2 + 1.5 / 2) / perfect)
    # the other way round: 0 0 -2 -1.5 0
    assert auuc(TARGET, [1, 2, 3, 4], TREATED) == pytest.approx(-(2 / 2 + (2 + 1.5) / 2 + 1.5 / 2) / perfect)


def test_uplift_at_by_hand():
    assert uplift_at(TARGET, SCORE, TREATED, 0.5) == pytest.approx(1 - 0)
    assert uplift_at(TARGET, SCORE, TREATED, 1.0) == pytest.approx(0.5 - 0.5)
    # the best half of each arm: the treated buyer, the untreated who did not buy
    assert uplift_at(TARGET, SCORE, TREATED, 0.5, by_arm=True) == pytest.approx(1)


def test_constant_scores_find_nothing_and_one_arm_is_undefined():
    assert qini(TARGET, [1, 1, 1, 1], TREATED) == pytest.approx(0)
    assert auuc(TARGET, [1, 1, 1, 1], TREATED) == pytest.approx(0)
    for metric in (qini, auuc, uplift_at):
        assert math.isnan(metric(TARGET, SCORE, [1, 1, 1, 1]))


def test_random_scores_find_nothing_on_average():
    random = np.random.default_rng(0)
    treated, target = random.integers(0, 2, 4000), random.random(4000) < 0.2
    found = [qini(target, random.random(4000), treated) for _ in range(40)]
    assert np.mean(found) == pytest.approx(0, abs=0.02)


def test_hillstroms_womens_arm():
    """Two logistic regressions, 5 x 2 cross-validation: Qini .062, AUUC .029, uplift@30 % .071 (sd .005 to .012)."""
    folder = os.environ.get("RAPPORT_DATA")
    if not folder or not (Path(folder) / "hillstrom.parquet").is_file():
        pytest.skip("RAPPORT_DATA names no folder with hillstrom.parquet")
    data = pd.read_parquet(Path(folder) / "hillstrom.parquet")
    data = data[data.segment.isin(["Womens E-Mail", "No E-Mail"])]
    target, treated = data.visit.to_numpy(), (data.segment == "Womens E-Mail").to_numpy().astype(int)
    columns = pd.get_dummies(data.drop(columns=["segment", "visit", "conversion", "spend"]), dtype=float)
    features = ((columns - columns.mean()) / columns.std()).to_numpy()
    found = []
    for repeat in range(5):
        halves = StratifiedKFold(2, shuffle=True, random_state=repeat).split(features, 2 * target + treated)
        for fit, look in halves:
            chance = []
            for arm in (1, 0):
                rows = fit[treated[fit] == arm]
                model = LogisticRegression(max_iter=1000).fit(features[rows], target[rows])
                chance.append(model.predict_proba(features[look])[:, 1])
            judged = (target[look], chance[0] - chance[1], treated[look])
            found.append((qini(*judged), auuc(*judged), uplift_at(*judged)))
    mean = np.mean(found, axis=0)
    assert mean == pytest.approx([0.062, 0.029, 0.071], abs=0.003)
