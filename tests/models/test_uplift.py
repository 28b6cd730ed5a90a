"""Meta-learners on an experiment whose effect is known, and the model that scores with it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from rapport.config import LearnerConfig
from rapport.errors import ModelError
from rapport.explain.contributions import explainer
from rapport.language.declarations import FeatureColumn
from rapport.models.effect import EffectModel, Trees
from rapport.models.encoding import Encoder
from rapport.models.kinds import load_model
from rapport.models.uplift import DRLearner, TwoModels, XLearner, cross_fitted, doubly_robust

LOGISTIC = partial(LogisticRegression, max_iter=300)


def experiment(rows: int = 20_000, share: float = 0.7, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Features (n, 3), outcome, treatment, and the true effect: .25 where the first feature is above zero, else 0."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3))
    treated = (rng.random(rows) < share).astype(float)
    effect = 0.25 * (X[:, 0] > 0)
    chance = 0.2 + 0.3 * (X[:, 1] > 0) + treated * effect
    return X, (rng.random(rows) < chance).astype(float), treated, effect


X, Y, TREATED, EFFECT = experiment()
LEARNERS = {
    "T": TwoModels(LOGISTIC),
    "X": XLearner(LOGISTIC, LinearRegression),
    "DR": DRLearner(LOGISTIC, LinearRegression),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_an_effect_that_is_known_is_found(name: str) -> None:
    look, _, _, truth = experiment(4000, seed=1)
    found = LEARNERS[name].fit(X, Y, TREATED).predict(look)
    assert found.mean() == pytest.approx(truth.mean(), abs=0.02)
    assert found[truth > 0].mean() - found[truth == 0].mean() > 0.12
    assert abs(np.corrcoef(found, look[:, 1])[0, 1]) < 0.3  # who buys anyhow is not who is moved


def test_doubly_robust_values_have_the_effect_as_their_mean_even_with_wrong_means() -> None:
    values = doubly_robust(Y, TREATED, np.full((len(Y), 2), 0.3))
    above = X[:, 0] > 0
    assert values[above].mean() == pytest.approx(0.25, abs=0.03)
    assert values[~above].mean() == pytest.approx(0.0, abs=0.03)


def test_means_of_a_row_come_from_learners_that_have_not_seen_its_group() -> None:
    seen: list[Any] = []

    class Spy:
        def fit(self, X: np.ndarray, y: np.ndarray) -> Spy:
            self.groups = set(X[:, 0].tolist())
            return self

        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            seen.append(self.groups & set(X[:, 0].tolist()))
            return np.full((len(X), 2), 0.5)

    groups = np.repeat(np.arange(200.0), 4)
    treated, y = np.tile([0.0, 1.0], 400), np.tile([0.0, 0.0, 1.0, 1.0], 200)
    cross_fitted(Spy, groups[:, None], y, treated, groups, folds=3, seed=0)
    assert seen == [set()] * 6


def test_an_arm_with_one_outcome_alone_has_its_share() -> None:
    none = np.where(TREATED == 1, Y, 0.0)
    assert TwoModels(LOGISTIC).fit(X, none, TREATED).predict(X).min() > 0


@pytest.mark.parametrize(
    ("y", "treated", "said"),
    [
        (np.zeros(300), np.r_[np.ones(290), np.zeros(10)], "the smaller arm of the experiment has 10 rows, and 50"),
        (np.zeros(300), np.full(300, 0.5), "the treatment must be 0 or 1"),
        (np.full(300, np.nan), np.tile([0, 1], 150), "outcomes must be 0 or 1"),
        (np.zeros(299), np.tile([0, 1], 150), "differ in number"),
    ],
)
def test_what_no_effect_can_be_learned_from(y: np.ndarray, treated: np.ndarray, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        XLearner(LOGISTIC, LinearRegression).fit(np.zeros((300, 1)), y, treated)


# ------------------------------------------------------------------------------------------- the model that scores
@pytest.fixture(scope="module")
def made() -> tuple[EffectModel, pa.Table]:
    names = ("first", "second", "third")
    table = pa.table({name: X[:, place] for place, name in enumerate(names)})
    encoder = Encoder.fit([FeatureColumn(name, "b", name) for name in names], table)
    learner = LearnerConfig(
        num_leaves=4, n_estimators=20, learning_rate=0.1, min_child_samples=100, colsample_bytree=1.0
    )
    make = partial(Trees, encoder, learner, threads=1)
    fitted = XLearner(partial(make, of_amounts=False), partial(make, of_amounts=True))
    fitted.fit(encoder.encode(table), Y, TREATED)
    parts = [(share, trees.text_) for share, trees in fitted.parts_]
    model = EffectModel("X-learner", encoder, parts, threads=1)
    np.testing.assert_array_equal(model.raw_score(table), fitted.predict(encoder.encode(table)))
    return model, table


def test_reasons_add_up_to_the_effect(made: tuple[EffectModel, pa.Table]) -> None:
    model, table = made
    why = explainer(model)
    np.testing.assert_allclose(why.contributions(table).sum(axis=1), model.raw_score(table), atol=1e-12)
    drivers = np.abs(why.contributions(table)[:, :-1]).mean(axis=0)
    assert drivers.argmax() == 0
    assert model.raw_score(table)[X[:, 0] > 0].mean() > model.raw_score(table)[X[:, 0] < 0].mean() + 0.1


def test_saved_and_read_back_it_is_the_same(made: tuple[EffectModel, pa.Table], tmp_path: Path) -> None:
    model, table = made
    model.save(tmp_path)
    again = load_model(tmp_path, threads=1)
    assert again.content == model.content
    np.testing.assert_array_equal(again.raw_score(table), model.raw_score(table))
    (tmp_path / "effect_1.txt").unlink()
    with pytest.raises(ModelError, match="the effect of the model is not readable"):
        load_model(tmp_path)
