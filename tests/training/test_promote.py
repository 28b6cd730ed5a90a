"""Promotion: each gate by itself, the rows that neither version has seen, and the way to the alias and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow.compute as pc
import pytest
from training_shop import renamed, with_trees

from rapport.data.clock import utc_to_local
from rapport.errors import GateError, ModelError
from rapport.registry.versions import aliases, load, tag_version, version_tags
from rapport.tasks import declare
from rapport.training import promote as promotion
from rapport.training.alarms import Alarm
from rapport.training.evaluate import CalibrationBand, Interval
from rapport.training.experiment import train
from rapport.training.material import target_of
from rapport.training.promote import promote, rollback
from rapport.training.unseen import unseen_rows

APPROVED = {"review": "approved", "review.by": "Ada"}


@pytest.fixture(scope="module")
def rivals(shop):
    """A shop with two versions of churn: first one of alike stumps, then a better one."""
    data = renamed(shop, "rivals")
    train(with_trees(data, 10, num_leaves=2, learning_rate=0.001, colsample_bytree=1.0), "churn", trials=0)
    train(with_trees(data, 60), "churn", trials=0)
    return data


# ------------------------------------------------------------------------------------------- each gate
def model(features: int, leaves: int) -> SimpleNamespace:
    """What `complexity` reads of a bundle: one tree, whose splits are spread over the features."""
    splits = np.zeros(20)
    splits[:features] = 1
    splits[0] += leaves - 1 - features
    booster = SimpleNamespace(feature_importance=lambda kind: splits, num_trees=lambda: 1)
    return SimpleNamespace(model=SimpleNamespace(booster=booster, start=None))


@pytest.mark.parametrize(
    ("gain", "leaves", "passed", "said"),
    [
        (Interval(0.05, 0.01, 0.09), 200, True, "it is better"),
        (Interval(0.001, -0.01, 0.01), 100, False, "nor simpler"),
        (Interval(0.001, -0.01, 0.01), 80, True, "as good and simpler"),
        (Interval(-0.004, -0.01, 0.01), 80, True, "as good and simpler"),
        (Interval(-0.006, -0.02, 0.01), 20, False, "it is not better"),  # more than 1 % of .5 behind
        (Interval(-0.05, -0.09, -0.01), 20, False, "it is not better"),
    ],
)
def test_better_or_equal_and_simpler(gain, leaves, passed, said):
    task = SimpleNamespace(ranking_metric="average_precision")
    gate = promotion._better(task, gain, 0.5, champion=model(10, 100), challenger=model(10, leaves))
    assert gate.passed is passed
    assert said in gate.words


def test_fewer_features_with_more_leaves_are_not_simpler():
    task = SimpleNamespace(ranking_metric="average_precision")
    equal = Interval(0.0, -0.01, 0.01)
    assert promotion.complexity(model(10, 100)) == (10, 100)
    assert not promotion._better(task, equal, 0.5, champion=model(10, 100), challenger=model(5, 101)).passed
    assert promotion._better(task, equal, 0.5, champion=model(10, 100), challenger=model(8, 100)).passed


def test_calibration_alarms_and_approval():
    band = CalibrationBand(0.02, 0.01, 0.03)
    assert promotion._calibrated(0.029, band).passed
    assert not promotion._calibrated(0.031, band).passed
    alarm = Alarm("separates", "spend", 0.99, 0.95, "feature 'spend' alone nearly separates the target")
    assert promotion._free_of_alarms((), allowed=False).passed
    assert "'spend'" in promotion._free_of_alarms((alarm,), allowed=False).words
    assert promotion._free_of_alarms((alarm,), allowed=True).passed
    assert promotion._free_of_alarms((replace(alarm, stops=False),), allowed=False).passed
    assert promotion._approved(APPROVED).passed
    for tags in ({}, {"review": "unreviewed"}, {"review": "rejected", "review.by": "Ada"}):
        assert not promotion._approved(tags).passed


# ------------------------------------------------------------------------------------------- what neither has seen
def _unseen(data, **changed):
    settings = data.config.task("churn").model_copy(update=changed)
    task = declare("churn", settings)
    return unseen_rows(data, task, {name: load(data.config, "churn", version) for name, version in NAMED.items()})


NAMED = {"champion": "1", "challenger": "2"}


def test_both_score_the_newest_rows_that_neither_has_seen(rivals):
    found = _unseen(rivals)
    cutoffs = pc.unique(found.rows["cutoff"]).to_pylist()
    seen_until = datetime.fromisoformat(load(rivals.config, "churn", "1").metadata["windows"]["test"][0])
    assert min(cutoffs) >= seen_until
    last = utc_to_local(rivals.observed_until, rivals.config.zone).date() - timedelta(days=28)
    assert found.last == str(last)
    assert pc.max(found.rows["window_end"]).as_py() <= rivals.observed_until
    assert 0 < target_of(found.rows).mean() < 1
    for name in NAMED:
        scores = found.rows[name].to_numpy()
        assert scores.min() > 0
        assert scores.max() < 1
        assert found.sample[name].num_rows == found.rows.num_rows  # fewer than `keep`


def test_without_newer_data_there_is_nothing_to_compare(rivals):
    earlier = replace(rivals, observed_until=datetime(2023, 4, 20))
    with pytest.raises(GateError, match="wait for newer data"):
        _unseen(earlier)


def test_another_horizon_is_another_question(rivals):
    with pytest.raises(GateError, match="over 28 days, and the configuration says churn of customer_id over 14"):
        _unseen(rivals, horizon=14)


def test_a_version_whose_features_the_data_give_no_more_is_not_compared(rivals):
    without = renamed(rivals, "rivals")
    columns = {table: dict(names) for table, names in rivals.columns.items()}
    lost = columns["transactions"].pop("discount")
    without = replace(without, columns=columns)
    before = aliases(rivals.config, "churn"), version_tags(rivals.config, "churn", "2")
    with pytest.raises(GateError, match=r"features of the champion \(version 1\) no more") as error:
        promote(without, "churn")
    assert lost
    for words in ("such as 'discount", "map the tables as when", "rapport rollback", "train again"):
        assert words in str(error.value)
    assert (aliases(rivals.config, "churn"), version_tags(rivals.config, "churn", "2")) == before


# ------------------------------------------------------------------------------------------- to the alias and back
def test_promotion_and_rollback(rivals, monkeypatch):
    config = rivals.config
    monkeypatch.setattr(promotion, "CALIBRATED_ECE", 1.0)  # so few rows are never calibrated within two points
    before = aliases(config, "churn")
    assert before == {"champion": "1", "challenger": "2"}

    refused = promote(rivals, "churn")
    assert not refused.promoted
    assert [gate.name for gate in refused.gates if not gate.passed] == ["approved"]
    assert "no reviewer has approved it" in refused.message
    assert refused.gain.low > 0
    assert aliases(config, "churn") == before
    tags = version_tags(config, "churn", "2")
    assert tags["promotion"] == "refused"
    assert tags["promotion.gate.approved"].startswith("failed")
    assert tags["promotion.gate.better"].startswith("passed")
    with pytest.raises(ModelError, match="nothing to go back to"):
        rollback(config, "churn")

    tag_version(config, "churn", "2", APPROVED)
    done = promote(rivals, "churn")
    assert done.promoted
    assert aliases(config, "churn") == {"champion": "2", "challenger": "1"}
    assert version_tags(config, "churn", "2")["promotion.over"] == "1"
    assert version_tags(config, "churn", "1")["promotion"] == "replaced"
    assert done.as_dict()["estimates"]["challenger"]["roc_auc"]["estimate"] > 0.5
    with pytest.raises(ModelError, match="is the champion already"):
        promote(rivals, "churn", "2")
    worse = promote(rivals, "churn")  # the former champion, now the challenger
    assert not worse.promoted
    assert "it is not better" in worse.message

    assert rollback(config, "churn", by="Ada", note="complaints") == "1"
    assert aliases(config, "churn") == {"champion": "1", "challenger": "2"}
    assert version_tags(config, "churn", "2")["rollback.note"] == "complaints"
    with pytest.raises(ModelError, match="nothing to go back to"):
        rollback(config, "churn")


def test_without_versions_there_is_nothing_to_promote(shop, tmp_path):
    alone = renamed(shop, "alone", tmp_path)
    with pytest.raises(ModelError, match="has no champion"):
        promote(alone, "churn")
    with pytest.raises(ModelError, match="has no champion"):
        rollback(alone.config, "churn")
