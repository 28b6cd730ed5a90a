"""A ranker: the order inside lists, and probabilities by calibration alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from rapport.config import ChurnConfig, LearnerConfig, NextOfferConfig
from rapport.errors import ModelError
from rapport.explain.contributions import explainer
from rapport.language.declarations import FeatureColumn
from rapport.models.boosting import Lists, dataset
from rapport.models.bundle import load_bundle, save_bundle
from rapport.models.calibration import choose_calibrator
from rapport.models.classifier import BoostedClassifier
from rapport.models.encoding import Encoder
from rapport.training.evaluate import measure
from rapport.training.judge import CALIBRATED_ECE

COLUMNS = (FeatureColumn("wanted", "made", "wanted"), FeatureColumn("price", "made", "price"))
RANKER = LearnerConfig(objective="lambdarank", n_estimators=60, learning_rate=0.1, min_child_samples=20)
SHARE = 0.5


@dataclass(frozen=True)
class Offers:
    """Lists of ten offers each, in shuffled rows."""

    table: pa.Table
    target: np.ndarray
    lists: np.ndarray

    def sampled(self, share: float) -> Offers:
        """The same with a share of the negatives."""
        kept = (self.target == 1) | (np.random.default_rng(0).random(len(self.target)) < share)
        return Offers(self.table.filter(pa.array(kept)), self.target[kept], self.lists[kept])


def offers(seed: int, lists: int = 500) -> Offers:
    """The level of a list, which nobody sees, raises its prices and what is bought; inside it, prices deter.

    logit = 2 level + 1.5 wanted - 1.2 price - 1.5, price = level + noise: over all rows a price says almost nothing.
    """
    rng = np.random.default_rng(seed)
    code = rng.permutation(np.repeat(np.arange(lists), 10))
    level, wanted = rng.normal(size=lists)[code], rng.normal(size=len(code))
    price = level + rng.normal(size=len(code))
    chance = 1 / (1 + np.exp(-(2 * level + 1.5 * wanted - 1.2 * price - 1.5)))
    table = pa.table({"wanted": wanted, "price": price})
    return Offers(table, (rng.random(len(code)) < chance).astype(float), code)


# Outcomes of a list come together: as many lists as settle how many percent of all rows come true.
TRAINING, LATER, NEWEST = offers(1), offers(2, 3_000), offers(3, 3_000)


@pytest.fixture(scope="module")
def ranker() -> BoostedClassifier:
    fit, look = TRAINING.sampled(SHARE), LATER.sampled(SHARE)
    model = BoostedClassifier(RANKER, COLUMNS, seed=1, threads=1, negative_share=SHARE)
    lists = Lists(fit.lists, look.lists, 5)
    model.fit(fit.table, fit.target, validation=(look.table, look.target), sampled_validation=True, lists=lists)
    return model.with_calibrator(choose_calibrator(model.raw_score(LATER.table), LATER.target, LATER.lists))


def precision(score: np.ndarray, of: Offers) -> float:
    return measure(["map_at_10"], of.target, score, groups=of.lists)["map_at_10"]


def test_it_orders_lists_better_where_the_level_of_lists_hides_what_counts_inside(ranker: BoostedClassifier) -> None:
    classifier = BoostedClassifier(RANKER.model_copy(update={"objective": "binary"}), COLUMNS, seed=1, threads=1)
    classifier.fit(TRAINING.table, TRAINING.target)
    ranked, classified = (precision(model.raw_score(NEWEST.table), NEWEST) for model in (ranker, classifier))
    best = precision(1.5 * NEWEST.table["wanted"].to_numpy() - 1.2 * NEWEST.table["price"].to_numpy(), NEWEST)
    assert classified + 0.03 < ranked < best + 0.01


def test_its_probabilities_are_calibrated_by_rows_of_which_none_were_left_out(ranker: BoostedClassifier) -> None:
    probability = ranker.predict(NEWEST.table)
    assert measure(["ece"], NEWEST.target, probability)["ece"] < CALIBRATED_ECE
    assert probability.std() > 0.1
    assert ranker.shift == 0.0


def test_its_contributions_add_up_to_the_raw_score_by_tables_and_by_lightgbm(ranker: BoostedClassifier) -> None:
    rows = NEWEST.table[:200]
    raw, why = ranker.raw_score(rows), explainer(ranker, rows, threads=1)
    np.testing.assert_allclose(ranker.contributions(rows).sum(axis=1), raw, atol=1e-10)
    np.testing.assert_allclose(why.contributions(rows), ranker.contributions(rows), atol=1e-9)
    np.testing.assert_array_equal(why.raw_score(rows), raw)


def test_saved_loaded_and_in_a_bundle_it_scores_the_same_to_the_bit(ranker: BoostedClassifier, tmp_path: Path) -> None:
    save_bundle(ranker, tmp_path / "bundle", {"task": "next_offer"}, {}, raw_scores=ranker.raw_score(LATER.table))
    bundle = load_bundle(tmp_path / "bundle", threads=1)
    again = bundle.model
    assert isinstance(again, BoostedClassifier)
    assert again.config == ranker.config
    np.testing.assert_array_equal(again.predict(NEWEST.table), ranker.predict(NEWEST.table))
    np.testing.assert_array_equal(again.contributions(NEWEST.table[:50]), ranker.contributions(NEWEST.table[:50]))
    scored = bundle.predict(NEWEST.table)
    np.testing.assert_array_equal(scored["raw_score"].to_numpy(), ranker.raw_score(NEWEST.table))
    np.testing.assert_array_equal(scored["score"].to_numpy(), ranker.predict(NEWEST.table))
    assert {path.suffix for path in (tmp_path / "bundle").iterdir()} == {".json", ".txt"}


def test_rows_are_sorted_list_by_list_with_what_belongs_to_them() -> None:
    table = pa.table({"wanted": [1.0, 2.0, 3.0, 4.0, 5.0], "price": [0.0] * 5})
    encoder = Encoder.fit(COLUMNS, table)
    made = dataset(
        encoder,
        encoder.encode(table),
        np.array([1.0, 0.0, 0.0, 1.0, 1.0]),
        weight=np.arange(5.0) + 1,
        list_of=np.array([7, 3, 7, 3, 3]),
    )
    made = made.construct()
    assert isinstance(made, lgb.Dataset)
    assert made.get_group().tolist() == [3, 2]  # list 3 has the rows 1, 3 and 4, list 7 the rows 0 and 2
    assert made.get_label().tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    assert made.get_weight().tolist() == [2.0, 4.0, 5.0, 1.0, 3.0]


def test_the_order_of_the_rows_does_not_matter_to_the_trees() -> None:
    still = RANKER.model_copy(update={"subsample": 1.0, "n_estimators": 5})
    sort = np.argsort(TRAINING.lists, kind="stable")
    scores = []
    for order in (np.arange(len(sort)), sort):
        model = BoostedClassifier(still, COLUMNS, seed=1, threads=1)
        table, target = TRAINING.table.take(pa.array(order)), TRAINING.target[order]
        model.fit(table, target, lists=Lists(TRAINING.lists[order], None, 5))
        scores.append(model.raw_score(NEWEST.table))
    np.testing.assert_array_equal(*scores)


def test_faults_are_plain() -> None:
    with pytest.raises(ModelError, match="give the list of each row"):
        BoostedClassifier(RANKER, COLUMNS).fit(TRAINING.table, TRAINING.target)
    with pytest.raises(ValidationError, match="no log-odds to start from"):
        LearnerConfig(objective="lambdarank", linear_penalty=100.0)
    with pytest.raises(ValidationError, match="binary"):
        LearnerConfig.model_validate({"objective": "rank"})
    with pytest.raises(ValidationError, match="this task has none"):
        ChurnConfig(learner=LearnerConfig(objective="lambdarank"))
    assert NextOfferConfig(learner=LearnerConfig(objective="lambdarank")).learner.ranks
