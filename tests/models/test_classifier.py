from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.config import LearnerConfig
from rapport.errors import ModelError
from rapport.language.declarations import FeatureColumn
from rapport.models import boosting
from rapport.models.calibration import Calibrator, choose_calibrator
from rapport.models.classifier import BoostedClassifier, out_of_fold_scores

if TYPE_CHECKING:
    from conftest import Sample

SMALL = LearnerConfig(n_estimators=30, learning_rate=0.2, num_leaves=7, min_child_samples=20)


def auc(scores: np.ndarray, target: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(target, scores))


def test_it_learns_what_there_is_to_learn(model: BoostedClassifier, later: Sample) -> None:
    # The truth sees the values that are missing in the table; a tenth of the regions is.
    best = auc(later.truth, later.target)
    assert best - 0.03 < auc(model.raw_score(later.table), later.target) < best + 0.01
    assert model.predict(later.table).mean() == pytest.approx(later.target.mean(), abs=0.01)


def test_early_stopping_keeps_the_best_round(training: Sample, later: Sample) -> None:
    eager = LearnerConfig(n_estimators=400, learning_rate=0.5, num_leaves=31, early_stopping_rounds=20)
    columns = _columns(training)
    stopped = BoostedClassifier(eager, columns, threads=1)
    stopped.fit(training.table, training.target, validation=(later.table, later.target))
    assert 0 < stopped.rounds < 100
    losses = []
    for rounds in (stopped.rounds, 400):
        exact = BoostedClassifier(eager.model_copy(update={"n_estimators": rounds}), columns, threads=1)
        probability = exact.fit(training.table, training.target).predict(later.table)
        losses.append(-np.mean(np.where(later.target == 1, np.log(probability), np.log(1 - probability))))
        if rounds == stopped.rounds:
            # Rounds cut off leave no trace in the trees that stay.
            np.testing.assert_array_equal(probability, stopped.predict(later.table))
    assert losses[0] < losses[1]


def _columns(sample: Sample) -> tuple[FeatureColumn, ...]:
    names = [name for name in sample.table.column_names if name != "customer_id"]
    return tuple(FeatureColumn(name, "b", name, kind="category" if name == "region" else "number") for name in names)


def test_the_same_seed_gives_the_same_model_whatever_the_threads(training: Sample) -> None:
    columns = _columns(training)
    fitted = [
        BoostedClassifier(SMALL, columns, seed=seed, threads=threads).fit(training.table, training.target)
        for seed, threads in ((1, 1), (1, 2), (2, 1))
    ]
    scores = [model.raw_score(training.table) for model in fitted]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert (scores[0] != scores[2]).any()


def test_contributions_add_up_to_the_raw_score(model: BoostedClassifier, later: Sample) -> None:
    values = model.contributions(later.table)
    assert values.shape == (later.table.num_rows, 5)
    np.testing.assert_allclose(values.sum(axis=1), model.raw_score(later.table), atol=1e-10)
    # The useless feature moves scores least.
    strength = np.abs(values[:, :-1]).mean(axis=0)
    assert strength.argmin() == [column.name for column in model.columns].index("spend_30d")


def test_a_score_does_not_depend_on_the_batch(
    model: BoostedClassifier, later: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, wholly = model.raw_score(later.table), model.predict(later.table)
    monkeypatch.setattr(boosting, "CHUNK", 7)
    np.testing.assert_array_equal(model.raw_score(later.table), whole)
    np.testing.assert_array_equal(model.predict(later.table.slice(1_001, 13)), wholly[1_001:1_014])
    assert model.contributions(later.table.slice(0, 20)).shape == (20, 5)
    assert model.raw_score(later.table.slice(0, 0)).shape == (0,)


def test_saved_and_loaded_it_scores_the_same_to_the_bit(
    model: BoostedClassifier, later: Sample, tmp_path: Path
) -> None:
    model.save(tmp_path)
    again = BoostedClassifier.load(tmp_path, threads=1)
    assert again.config == model.config
    assert again.columns == model.columns
    assert again.calibrator == model.calibrator
    assert (again.seed, again.negative_share, again.rounds) == (model.seed, model.negative_share, model.rounds)
    np.testing.assert_array_equal(again.predict(later.table), model.predict(later.table))
    np.testing.assert_array_equal(again.contributions(later.table[:50]), model.contributions(later.table[:50]))
    second = tmp_path / "second"
    second.mkdir()
    again.save(second)
    for file in second.iterdir():
        assert file.read_bytes() == (tmp_path / file.name).read_bytes()


numbers = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.integers(-5, 100))
texts = st.one_of(st.none(), st.sampled_from(["north", "south", "North", "north ", ""]), st.text(max_size=8))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(numbers, numbers, numbers, texts), min_size=1, max_size=12))
def test_any_row_gets_a_probability(model: BoostedClassifier, rows: list) -> None:
    days, visits, spend, region = zip(*rows, strict=True)
    table = pa.table(
        {
            "region": pa.array(region, pa.string()),
            "days_since_visit": pa.array(days, pa.float64()),
            "visits_30d": pa.array(visits, pa.float64()),
            "spend_30d": pa.array(spend, pa.float64()),
        }
    )
    probability = model.predict(table)
    assert ((probability > 0) & (probability < 1)).all()
    np.testing.assert_allclose(model.contributions(table).sum(axis=1), model.raw_score(table), atol=1e-10)


def test_unknown_and_missing_categories_score_alike(model: BoostedClassifier, later: Sample) -> None:
    place = later.table.schema.get_field_index("region")
    nothing = later.table.set_column(place, "region", pa.nulls(later.table.num_rows, pa.string()))
    unknown = later.table.set_column(place, "region", pa.array(["elsewhere"] * later.table.num_rows))
    np.testing.assert_array_equal(model.predict(nothing), model.predict(unknown))


def test_sampled_negatives_are_corrected(training: Sample, later: Sample) -> None:
    share = 0.2
    kept = (training.target == 1) | (np.random.default_rng(0).random(len(training.target)) < share)
    assert training.target[kept].mean() > 1.5 * training.target.mean()
    model = BoostedClassifier(SMALL, _columns(training), threads=1, negative_share=share)
    model.fit(training.table.filter(pa.array(kept)), training.target[kept], validation=(later.table, later.target))
    assert model.predict(later.table).mean() == pytest.approx(later.target.mean(), abs=0.02)
    contributions = model.contributions(later.table[:200])
    np.testing.assert_allclose(contributions.sum(axis=1), model.raw_score(later.table[:200]), atol=1e-10)


def test_validation_of_sampled_training_is_judged_at_the_true_rate(training: Sample, later: Sample) -> None:
    losses: dict[str, float] = {}

    def watch(environment: object) -> None:
        losses["first"] = losses.get("first", environment.evaluation_result_list[0][2])  # type: ignore[attr-defined]

    one = LearnerConfig(n_estimators=1, learning_rate=1e-6)
    share = 0.25
    model = BoostedClassifier(one, _columns(training), threads=1, negative_share=share)
    kept = (training.target == 1) | (np.random.default_rng(0).random(len(training.target)) < share)
    table, target = training.table.filter(pa.array(kept)), training.target[kept]
    model.fit(table, target, validation=(later.table, later.target), callbacks=[watch])
    odds = share * target.mean() / (1 - target.mean())
    rate = odds / (1 + odds)
    expected = -(later.target.mean() * np.log(rate) + (1 - later.target.mean()) * np.log(1 - rate))
    assert losses["first"] == pytest.approx(expected, abs=1e-4)


def test_weights_count(training: Sample) -> None:
    columns = _columns(training)
    weighted = BoostedClassifier(SMALL, columns, threads=1).fit(
        training.table, training.target, weight=np.where(training.target == 1, 3.0, 1.0)
    )
    plain = BoostedClassifier(SMALL, columns, threads=1).fit(training.table, training.target)
    assert weighted.predict(training.table).mean() > plain.predict(training.table).mean() + 0.1


def test_with_calibrator_leaves_the_model_as_it_was(model: BoostedClassifier, later: Sample) -> None:
    before = model.predict(later.table)
    other = model.with_calibrator(Calibrator("sigmoid", {"slope": (0.5,), "intercept": (0.0,)}, rows=100))
    assert (other.predict(later.table) != before).any()
    np.testing.assert_array_equal(model.predict(later.table), before)
    np.testing.assert_array_equal(other.raw_score(later.table), model.raw_score(later.table))


def test_out_of_fold_scores_come_from_models_without_the_entity(training: Sample, later: Sample) -> None:
    model = BoostedClassifier(SMALL, _columns(training), threads=1).fit(training.table, training.target)
    scores = out_of_fold_scores(model, training.table, training.target, training.entities)
    assert np.isfinite(scores).all()
    inside, outside, fresh = (
        auc(model.raw_score(training.table), training.target),
        auc(scores, training.target),
        auc(model.raw_score(later.table), later.target),
    )
    assert outside < inside - 0.01
    assert outside == pytest.approx(fresh, abs=0.03)
    flipped = np.where(training.entities == 5, 1 - training.target, training.target)
    again = out_of_fold_scores(model, training.table, flipped, training.entities)
    own = training.entities == 5
    np.testing.assert_array_equal(again[own], scores[own])
    assert (again != scores).any()
    chosen = choose_calibrator(scores, training.target, training.entities)
    assert chosen.apply(model.raw_score(later.table)).mean() == pytest.approx(later.target.mean(), abs=0.03)


def test_names_that_lightgbm_refuses_are_no_obstacle() -> None:
    names = ['spend on "tea", milk: {all}', "spend on  tea  milk   all ", "a b", "a_b"]
    rng = np.random.default_rng(0)
    table = pa.table({name: rng.normal(size=400) for name in names})
    target = (table[names[0]].to_numpy() > 0).astype(float)
    columns = tuple(FeatureColumn(name, "b", "f") for name in names)
    model = BoostedClassifier(SMALL, columns, threads=1).fit(table, target)
    assert auc(model.raw_score(table), target) > 0.99
    assert len(set(model.booster.feature_name())) == 4


def test_faults_are_plain(training: Sample, tmp_path: Path) -> None:
    columns = _columns(training)
    unfitted = BoostedClassifier(SMALL, columns)
    with pytest.raises(ModelError, match="not fitted"):
        unfitted.predict(training.table)
    with pytest.raises(ModelError, match="no positives or no negatives"):
        unfitted.fit(training.table, np.zeros(training.table.num_rows))
    with pytest.raises(ModelError, match="0 and 1 only"):
        unfitted.fit(training.table, np.full(training.table.num_rows, 2.0))
    with pytest.raises(ModelError, match="feature 'visits_30d' is missing"):
        unfitted.fit(training.table.drop_columns("visits_30d"), training.target)
    with pytest.raises(ModelError, match="negative_share"):
        BoostedClassifier(SMALL, columns, negative_share=0.0)
    with pytest.raises(ModelError, match=r"model\.json"):
        BoostedClassifier.load(tmp_path)
