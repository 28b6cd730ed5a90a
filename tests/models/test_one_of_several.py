from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rapport.config import LearnerConfig
from rapport.explain.contributions import explainer
from rapport.language.declarations import FeatureColumn
from rapport.models.classifier import BoostedClassifier
from rapport.models.kinds import load_model
from rapport.models.one_of_several import OneOfSeveral, Scaling, softmax

CAUSES = ("bought_away", "moved_away", "pulled_away")
COLUMNS = tuple(FeatureColumn(name, "b", name) for name in ("price", "distance", "value"))
RNG = np.random.default_rng(3)
TRUE = softmax(RNG.normal(0, 1.5, (1_500, 3)))
ROWS = pa.table({column.name: np.log(TRUE[:, c]) for c, column in enumerate(COLUMNS)})
LABEL = (TRUE.cumsum(axis=1) > RNG.random((1_500, 1))).argmax(axis=1)


@pytest.fixture(scope="module")
def model() -> OneOfSeveral:
    """Fitted to the first thousand rows, scaled on the others."""
    learner = LearnerConfig(n_estimators=40, num_leaves=5, learning_rate=0.1)
    models = [
        BoostedClassifier(learner, COLUMNS, threads=1).fit(ROWS.slice(0, 1_000), (LABEL[:1_000] == c).astype(float))
        for c in range(3)
    ]
    raw = np.column_stack([one.raw_score(ROWS.slice(1_000)) for one in models])
    return OneOfSeveral(CAUSES, models, Scaling.fit(raw, LABEL[1_000:]))


def test_probabilities_sum_to_one_and_are_near_the_true_ones(model: OneOfSeveral) -> None:
    found = model.probabilities(ROWS)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.abs(found - TRUE).mean() < 0.08


def test_the_score_is_the_probability_of_the_most_likely_cause(model: OneOfSeveral) -> None:
    outputs, found = model.outputs(ROWS), model.probabilities(ROWS)
    np.testing.assert_allclose(model.calibrator.apply(model.raw_score(ROWS)), found.max(axis=1), atol=1e-9)
    assert outputs["cause"].to_pylist() == [CAUSES[c] for c in found.argmax(axis=1)]
    np.testing.assert_array_equal(outputs["probability_moved_away"].to_numpy(), found[:, 1])


def test_contributions_add_up_and_speak_of_the_likely_cause(model: OneOfSeveral) -> None:
    why = explainer(model)
    np.testing.assert_allclose(why.contributions(ROWS).sum(axis=1), model.raw_score(ROWS), atol=1e-9)
    top = why.top_reasons(ROWS, 3)
    np.testing.assert_array_equal(top.raw_score, model.raw_score(ROWS))
    sure = model.probabilities(ROWS).max(axis=1) > 0.8
    cause = model.probabilities(ROWS)[sure].argmax(axis=1)
    assert np.mean(top.feature[sure, 0] == cause) > 0.6  # each column speaks of one cause, in the same order


def test_saved_and_read_back_it_is_the_same(model: OneOfSeveral, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = load_model(tmp_path, threads=1)
    assert again.content == model.content
    np.testing.assert_array_equal(again.raw_score(ROWS), model.raw_score(ROWS))


def test_wrong_answers_are_allowed_for() -> None:
    """With a fifth of the answers wrong, probabilities are those of the true causes if the share is known."""
    n = 20_000
    true = softmax(RNG.normal(0, 2, (n, 3)))
    cause = (true.cumsum(axis=1) > RNG.random((n, 1))).argmax(axis=1)
    wrong = RNG.random(n) < 0.2
    answer = np.where(wrong, (cause + RNG.integers(1, 3, n)) % 3, cause)
    off = {}
    for share in (0.0, 0.2):
        scaling = Scaling.fit(np.log(true), answer, wrong=share)
        off[share] = np.abs(softmax(scaling.apply(np.log(true))) - true).mean()
    assert off[0.2] < 0.02
    assert off[0.0] > 3 * off[0.2]
