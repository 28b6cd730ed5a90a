"""A backtest's verdict reaches the grade of the version, its tags and its review."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from training_shop import renamed

from rapport.explain.review import Review
from rapport.registry.tracking import artifact_text, reopen
from rapport.registry.versions import load, version_tags
from rapport.training.backtest import backtest
from rapport.training.evaluate import Interval, grade
from rapport.training.experiment import GRADED, train
from rapport.training.record import REVIEW, record
from rapport.training.regrade import regrade


@pytest.fixture(scope="module")
def graded(shop):
    """A registered version and a backtest of one fold, whose verdict the tests set."""
    data = renamed(shop, "graded")
    record(train(data, "churn", trials=0))
    return data, load(data.config, "churn"), backtest(data, "churn", folds=1)


@pytest.mark.parametrize("stable", [True, False, None])
def test_the_grade_is_that_of_the_same_numbers_with_the_verdict(graded, stable):
    data, bundle, result = graded
    known = json.loads(artifact_text(reopen(data.config, bundle.run_id), GRADED))
    gain = Interval(**known.pop("gain"))
    expected = grade(**known, gain=gain, stable=stable)
    found = regrade(data.config, bundle, replace(result, stable=stable), "the-run")
    assert found.grade == expected
    tags = version_tags(data.config, "churn", bundle.version)
    assert tags["grade"] == expected.letter
    assert tags["backtest.run_id"] == "the-run"
    assert tags["backtest.stable"] == {True: "true", False: "false", None: "unknown"}[stable]
    review = Review.from_json(artifact_text(reopen(data.config, bundle.run_id), REVIEW))
    assert review.grade == expected.letter
    assert all(reason.lower() in review.grade_words.lower() for reason in expected.reasons[1:])
    assert [picture.name for picture in review.stability].count("stability_backtest") == 1


def test_only_a_stable_and_calibrated_model_is_an_a():
    known = {"metric": "average_precision", "model": 0.5, "rule": 0.3, "gain": Interval(0.2, 0.1, 0.3)}
    assert grade(**known, calibrated=True, stable=True).letter == "A"
    assert grade(**known, calibrated=True, stable=False).letter == "B"
    assert grade(**known, calibrated=False, stable=True).letter == "B"
    assert grade(**known, calibrated=True).letter == "B"
