"""The choice between classifier and ranker: made on whole lists of the validation window, said, and kept to."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kiosk
import numpy as np
import pyarrow as pa
import pytest

from rapport.cli.summary import judged
from rapport.config import LearnerConfig, NextOfferConfig, TuningConfig
from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.errors import ModelError
from rapport.explain.card import model_card
from rapport.explain.review import Picture
from rapport.language.declarations import FeatureColumn
from rapport.models.classifier import BoostedClassifier
from rapport.registry.store import connect
from rapport.registry.versions import load
from rapport.tasks import declare
from rapport.training.evaluate import Interval, measure
from rapport.training.experiment import train
from rapport.training.fitting import Fitted, fit
from rapport.training.judge import CALIBRATED_ECE, lists_of
from rapport.training.material import target_of
from rapport.training.ranker import RankerChoice, compare
from rapport.training.story import on_their_scale, tell
from rapport.training.walk import without_search

COLUMNS = tuple(FeatureColumn(name, "made", name) for name in ("wanted", "price", "category_buyers_28d"))
LEARNER = LearnerConfig(n_estimators=80, learning_rate=0.1, min_child_samples=20, early_stopping_rounds=15)
CONFIG = NextOfferConfig(learner=LEARNER, tuning=TuningConfig(trials=1), bootstrap=100, negative_share=0.5, top=5)
WINDOWS = ("train", "calibration", "validation", "test")


def offers(seed: int, level: float, customers: int = 300) -> pa.Table:
    """Ten offers a customer; logit = 2 level + 1.5 wanted - 1.2 price - 1.5, price = level + noise.

    With a level of lists that nobody sees, prices deter inside a list and say almost nothing over all rows; without,
    every row speaks for itself.
    """
    rng = np.random.default_rng(seed)
    size = 10 * customers
    of_list = np.repeat(level * rng.normal(size=customers), 10)
    wanted, price = rng.normal(size=size), of_list + rng.normal(size=size)
    chance = 1 / (1 + np.exp(-(2 * of_list + 1.5 * wanted - 1.2 * price - 1.5)))
    return pa.table(
        {
            "customer_id": np.repeat(np.arange(customers), 10),
            "category": [f"c{i}" for i in range(10)] * customers,
            "cutoff": pa.array([datetime(2024, 1 + seed, 1)] * size, pa.timestamp("us")),
            "target": (rng.random(size) < chance).astype(np.int64),
            "wanted": wanted,
            "price": price,
            "category_buyers_28d": rng.integers(1, 50, size),
        }
    ).take(pa.array(rng.permutation(size)))


class Made:
    """As much of a training's material as fitting asks for, with rows that are made up."""

    def __init__(self, level: float, home: Path, config: NextOfferConfig = CONFIG) -> None:
        self.config, self.seed, self.task = config, 0, declare("next_offer", config)
        self.data = SimpleNamespace(config=SimpleNamespace(threads=1, home=home, name="made"))
        # Outcomes of a list come together: as many lists as settle how many percent of all rows come true.
        sizes = {"train": 300, "validation": 300, "calibration": 3_000, "test": 3_000}
        self.spines = {name: offers(number, level, sizes[name]) for number, name in enumerate(WINDOWS)}
        self.snapshots = SimpleNamespace(columns=COLUMNS)

    def table(self, window: str, *, negative_share: float = 1.0, from_whole: bool = False) -> pa.Table:
        rows = self.spines[window]
        chance = np.random.default_rng(0).random(rows.num_rows)
        return rows.filter(pa.array((target_of(rows) == 1) | (chance < negative_share)))

    def scored(self, window: str, score: Any) -> tuple[pa.Table, pa.Table]:
        rows = self.spines[window]
        for name, values in score(rows).items():
            rows = rows.append_column(name, pa.array(values))
        return rows, rows


def fitted(made: Made) -> Fitted:
    return fit(made)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Fitted]:
    made = Made(1.0, tmp_path_factory.mktemp("ranked"))
    return made, fitted(made)


def test_where_the_level_of_lists_dominates_a_ranker_is_chosen_and_fitted(ranked: tuple[Made, Fitted]) -> None:
    made, found = ranked
    choice = found.choice
    assert choice is not None
    assert choice.ranks
    assert choice.gain.low > 0
    assert choice.lists == 300
    assert choice.words.startswith("A ranker was tried and is better: quality of the first ten ")
    assert (found.model.config.objective, found.learner.objective) == ("lambdarank", "lambdarank")
    assert found.model.shift == 0.0
    rows = made.spines["test"]
    reached = measure(["map_at_10"], target_of(rows), found.model.raw_score(rows), groups=lists_of(made.task, rows))
    assert reached["map_at_10"] > choice.classifier.estimate


def test_the_chosen_ranker_is_calibrated_explained_and_kept_to_the_bit(
    ranked: tuple[Made, Fitted], tmp_path: Path
) -> None:
    made, found = ranked
    rows = made.spines["test"]
    raw, probability = found.explainer.raw_score(rows), found.model.predict(rows)
    assert measure(["ece"], target_of(rows), probability)["ece"] < CALIBRATED_ECE
    assert probability.std() > 0.1
    np.testing.assert_allclose(found.explainer.contributions(rows).sum(axis=1), raw, atol=1e-9)
    np.testing.assert_array_equal(found.model.raw_score(rows), raw)
    found.model.save(tmp_path)
    again = BoostedClassifier.load(tmp_path, threads=1)
    np.testing.assert_array_equal(again.predict(rows), probability)


def test_where_every_row_speaks_for_itself_the_classifier_stays(tmp_path: Path) -> None:
    found = fitted(Made(0.0, tmp_path))
    assert found.choice is not None
    assert not found.choice.ranks
    assert "not better" in found.choice.words
    assert found.choice.words.endswith("the classifier stays.")
    assert found.model.config.objective == "binary"
    assert found.model.shift == pytest.approx(np.log(0.5))


def test_a_configured_ranker_is_fitted_without_a_choice_and_needs_windows_of_its_own(tmp_path: Path) -> None:
    learner = LEARNER.model_copy(update={"objective": "lambdarank"})
    config = CONFIG.model_copy(update={"learner": learner, "tuning": TuningConfig(trials=1, try_ranker=False)})
    made = Made(0.0, tmp_path, config)
    found = fitted(made)
    assert found.choice is None
    assert found.model.config.ranks
    assert found.model.config.n_estimators == found.model.rounds
    del made.spines["calibration"]
    with pytest.raises(ModelError, match="needs a validation and a calibration window"):
        fitted(made)


def test_both_are_measured_on_the_same_lists_by_hand() -> None:
    task = declare("next_offer", CONFIG)
    rows = pa.table(
        {
            "customer_id": [1, 1, 1, 2, 2, 2],
            "category": ["a", "b", "c"] * 2,
            "cutoff": [0] * 6,
            "target": [1, 0, 1, 0, 1, 0],
        }
    )
    ranker, classifier = np.array([3.0, 2, 1, 1, 2, 0]), np.array([1.0, 3, 2, 2, 1, 0])
    found = compare(task, rows, ranker, classifier, replicates=200, seed=0)
    # ranker: (1 + 2/3) / 2 and 1; classifier: (1/2 + 2/3) / 2 and 1/2
    assert found.ranker.estimate == pytest.approx((5 / 6 + 1) / 2)
    assert found.classifier.estimate == pytest.approx((7 / 12 + 1 / 2) / 2)
    assert found.gain.estimate == pytest.approx(3 / 8)
    # paired: a customer gains 1/4, the other 1/2, and the mean of two drawn ones lies between
    assert (found.gain.low, found.gain.high) == pytest.approx((1 / 4, 1 / 2))
    assert found.lists == 2
    assert found.metrics()["gain.ranker.validation.map_at_10"] == pytest.approx(3 / 8)


def test_a_gain_that_may_be_none_is_not_better() -> None:
    level = Interval(0.2, 0.1, 0.3)
    assert not RankerChoice("map_at_10", level, level, Interval(0.01, 0.0, 0.02), 9).ranks
    assert not RankerChoice("map_at_10", level, level, Interval(0.0, float("nan"), float("nan")), 9).ranks
    assert RankerChoice("map_at_10", level, level, Interval(0.01, 0.001, 0.02), 9).learner == "ranker"


def test_pictures_of_a_rankers_effects_are_not_in_log_odds() -> None:
    picture = Picture("push", "<svg>lowers (log-odds)</svg>", "What moves", "in log-odds", "of .2 in log-odds")
    assert on_their_scale(False, (picture,)) == (picture,)
    (changed,) = on_their_scale(True, (picture,))
    assert (changed.svg, changed.words) == ("<svg>lowers (raw score)</svg>", "of .2 in raw score")


def test_the_decision_stands_in_card_summary_and_mlflow(tmp_path: Path, shop: Dataset) -> None:
    config = kiosk.write_kiosk(tmp_path)
    offer = config.tasks.next_offer
    assert offer is not None
    short = {
        "learner": LEARNER.model_copy(update={"n_estimators": 20}),
        "tuning": TuningConfig(trials=1),
        "bootstrap": 30,
        "allow_suspected_leak": True,
    }
    tasks = config.tasks.model_copy(update={"next_offer": offer.model_copy(update=short)})
    data = open_dataset(config.model_copy(update={"tasks": tasks, "home": shop.config.home}))
    trained = train(data, "next_offer")
    choice = trained.fitted.choice
    assert choice is not None
    review = tell(trained)
    assert choice.words in review.limits
    assert "A ranker was tried and is" in model_card(review)
    assert judged(trained)["learner"]["words"] == choice.words
    run = connect(data.config).get_run(trained.run_id)
    assert run.data.metrics["ranker.validation.map_at_10"] == pytest.approx(choice.ranker.estimate)
    assert run.data.metrics["classifier.validation.map_at_10"] == pytest.approx(choice.classifier.estimate)
    assert run.data.tags["rapport.learner"] == choice.learner
    again = without_search(data.config, "next_offer")
    assert again.learner.objective == load(data.config, "next_offer").model.config.objective  # type: ignore[attr-defined]
    assert not again.tuning.try_ranker
