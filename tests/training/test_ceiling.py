"""The ceiling: the true probabilities beside model and rule, wherever results are shown, and never among features."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from rapport.config import LoyaltyConfig, TimeToLeaveConfig, load_config
from rapport.data.contract import TABLES
from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.data.world.project import project_world
from rapport.errors import DataError
from rapport.features.snapshot import Snapshots
from rapport.language.declarations import Sum, Worth
from rapport.models.scorecard import Scorecard
from rapport.models.worth import Foretold
from rapport.registry.tracking import artifact_text, reopen
from rapport.tasks import declare
from rapport.training.ceiling import open_truth, true_curves, true_probability, true_worth
from rapport.training.experiment import Trained, train
from rapport.training.judge import judge
from rapport.training.leaving import follow
from rapport.training.material import Material
from rapport.training.metrics.survival import calibration_gap, concordance
from rapport.training.record import REVIEW, record
from rapport.training.traits import shown
from rapport.training.worth import WorthScores, worth_of

CONFIG = Path(__file__).parents[2] / "configs" / "world.yaml"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A world of 500 customers with a quick learner of churn and of the next offer."""
    folder = tmp_path_factory.mktemp("world")
    raw = yaml.safe_load(CONFIG.read_text())
    raw |= {"world": {"folder": "w", "customers": 500, "seed": 3}, "threads": 1}
    raw["sources"] = {name: f"w/{name}.parquet" for name in TABLES}
    quick = {"learner": {"n_estimators": 60, "learning_rate": 0.05}, "tuning": {"trials": 0}, "bootstrap": 40}
    churn, offers = raw["tasks"]["churn"], raw["tasks"]["next_offer"]
    churn |= quick | {"blocks": ["rhythm"]}
    churn["split"]["train"] = {"first": "2023-01-01", "last": "2023-10-20", "every": 60}
    offers |= quick | {"min_buyers": 20, "split": {"train": ["2023-06-01"], "test": ["2024-06-01"]}}
    winback = raw["tasks"]["winback"] | {"split": {"train": ["2023-06-01"], "test": ["2024-07-01"]}}
    raw["tasks"] = {"churn": churn, "next_offer": offers, "winback": winback}
    (folder / "world.yaml").write_text(yaml.safe_dump(raw))
    config = load_config(folder / "world.yaml")
    return open_dataset(config.model_copy(update={"home": folder / "home"}))


@pytest.fixture(scope="module")
def trained(data: Dataset) -> Trained:
    return train(data, "churn")


def test_it_stands_beside_model_and_rule(trained: Trained) -> None:
    metrics, intervals = trained.judgement.metrics(), trained.judgement.intervals()
    for name in ("roc_auc", "average_precision", "log_loss", "brier"):
        low, high = intervals[f"ceiling.test.{name}"].low, intervals[f"ceiling.test.{name}"].high
        assert low < metrics[f"ceiling.test.{name}"] < high
    assert metrics["ceiling.test.roc_auc"] > metrics["test.roc_auc"] > 0.7
    assert metrics["ceiling.test.brier"] < metrics["test.brier"]
    assert trained.judgement.graded()["ceiling"] == metrics["ceiling.test.average_precision"]


def test_it_is_kept_and_shown(trained: Trained) -> None:
    review = record(trained)
    best = trained.judgement.metrics()["ceiling.test.average_precision"]
    assert review.primary is not None
    assert review.primary.ceiling == best
    run = reopen(trained.material.data.config, trained.run_id)
    kept = json.loads(artifact_text(run, REVIEW))
    assert [measure["ceiling"] for measure in kept["measures"] if measure["primary"]] == [best]


def test_lists_have_one_too(data: Dataset) -> None:
    material = Material(data, "next_offer", data.config.task("next_offer"))
    truth = open_truth(data.config)
    assert truth is not None
    rows = material.spines["test"]
    best = true_probability(truth, material.task, rows)
    assert best is not None
    nothing = np.random.default_rng(0).random(rows.num_rows) / 10
    judgement = judge(
        material.task,
        rows.append_column("score", pa.array(best / 2)),
        {"chance": (nothing, nothing)},
        "chance",
        replicates=20,
        seed=0,
        ceiling=best,
    )
    metrics = judgement.metrics()
    # half the true probability ranks as well as the truth
    assert metrics["ceiling.test.map_at_10"] == metrics["test.map_at_10"] > 1.2 * metrics["baseline.test.map_at_10"]
    assert metrics["ceiling.test.log_loss"] < metrics["test.log_loss"]
    assert "100% of the way from the rule to the ceiling" in " ".join(judgement.grade.reasons)


def test_money_has_one_too(data: Dataset) -> None:
    material = Material(data, "winback", data.config.task("winback"))
    truth = open_truth(data.config)
    assert truth is not None
    rows = material.spines["test"]
    best, worth = true_probability(truth, material.task, rows), true_worth(truth, material.task, rows)
    assert best is not None
    assert worth is not None
    nothing, came = np.zeros(rows.num_rows), worth_of(rows)
    foretold = Foretold(worth / 2, nothing, nothing, nothing)
    scores = WorthScores(came, foretold, {"nobody returns": nothing}, worth)
    judgement = judge(
        material.task, rows.append_column("score", pa.array(best / 2)), {"chance": (nothing, nothing)}, "chance",
        replicates=20, seed=0, ceiling=best, worth=scores,
    )  # fmt: skip
    metrics = judgement.metrics()
    assert metrics["ceiling.test.average_precision"] == metrics["test.average_precision"]
    assert metrics["ceiling.test.worth_rmse"] < metrics["test.worth_rmse"] < metrics["baseline.test.worth_rmse"]
    # what is expected of them all is what came of them all, but for chance
    assert worth.sum() == pytest.approx(came.sum(), rel=0.5)
    by_amount = replace(material.task, worth=Worth("transactions", ("customer_id",), Sum(column="amount", ahead=90)))
    assert true_worth(truth, by_amount, rows) is None
    assert true_worth(truth, replace(material.task, worth=None), rows) is None


def test_no_feature_and_no_population_reads_the_truth(data: Dataset, tmp_path: Path) -> None:
    blind = tmp_path / "project"
    shutil.copytree(data.config.folder, blind, ignore=shutil.ignore_patterns("truth", "home"))
    raw = yaml.safe_load((blind / "world.yaml").read_text())
    del raw["world"]
    (blind / "blind.yaml").write_text(yaml.safe_dump(raw))
    config = load_config(blind / "blind.yaml")
    other = open_dataset(config.model_copy(update={"home": tmp_path / "home"}))
    for task in ("churn", "next_offer"):
        seen, unseen = (Material(each, task, each.config.task(task)) for each in (data, other))
        assert seen.table("train", negative_share=0.1).equals(unseen.table("train", negative_share=0.1))


def test_rows_of_another_world_are_said(data: Dataset) -> None:
    truth = open_truth(data.config)
    assert truth is not None
    material = Material(data, "churn", data.config.task("churn"))
    rows = material.spines["test"].slice(0, 2)
    stranger = rows.set_column(
        0, "customer_id", pa.array([987_654_321, rows["customer_id"][1].as_py()], rows["customer_id"].type)
    )
    with pytest.raises(DataError, match="tables are not those of this world"):
        true_probability(truth, material.task, stranger)
    assert true_probability(truth, replace(material.task, name="weather"), rows) is None


def test_without_a_world_there_is_none(data: Dataset) -> None:
    assert open_truth(data.config.model_copy(update={"world": None})) is None
    assert project_world(data.config) == (data.config.folder / "w").resolve()


def test_true_curves_fall_and_are_what_comes(data: Dataset) -> None:
    config = TimeToLeaveConfig(active_within=120, every=30, horizons=(30, 90))
    snapshots = Snapshots(data, declare("time_to_leave", config), blocks=["rhythm"], learn_at=data.observed_until)
    lives = follow(snapshots, [datetime(2024, 7, 1)], data.observed_until)
    truth = open_truth(data.config)
    assert truth is not None
    curves = true_curves(truth, config, lives.rows, 3)
    assert (np.diff(curves, axis=1) <= 0).all()
    assert concordance(lives.time, lives.event, -curves[:, -1], 3) > 0.8
    assert calibration_gap(lives.time, lives.event, curves[:, 2], 3, bins=4) < 0.06


def test_traits_of_loyalty_show_what_is_planted(data: Dataset) -> None:
    task, end = declare("loyalty", LoyaltyConfig()), data.observed_until
    snapshots = Snapshots(data, task, blocks=["rhythm", "traits"], learn_at=end)
    rows = snapshots.features(snapshots.population([end], with_target=False))
    truth = open_truth(data.config)
    assert truth is not None
    found = shown(truth, Scorecard.fit(task.traits, snapshots.columns, rows), rows)
    for trait in ("repeat_purchase", "breadth", "tolerance"):
        correlation, known = found[trait]
        assert 0.2 < correlation.low < correlation.estimate < correlation.high < 1
        assert 30 <= known <= rows.num_rows
    assert "referral" not in found  # the features that would show it are not among these
