"""Causes of leaving and win-back lists on a small company whose customers leave for causes that can be seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from small_project import write_project

from rapport.config import Config, SegmentsConfig
from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.errors import DataError, ModelError
from rapport.registry.versions import load
from rapport.scoring.batch import score
from rapport.training.computed import draw_up
from rapport.training.experiment import train
from rapport.training.several import TrainedSeveral, train_several

CAUSES = ("bought_away", "unmet_need", "moved_away")
SPLIT = {"train": {"first": "2023-05-01", "last": "2023-12-20", "every": 20}, "test": ["2024-03-01", "2024-04-15"]}
LEARNER = {"n_estimators": 30, "num_leaves": 4, "learning_rate": 0.1, "min_child_samples": 10}
TASK = {"split": SPLIT, "learner": LEARNER, "bootstrap": 30, "blocks": ["spending", "service"]}


def tables(seed: int = 0, customers: int = 400) -> dict[str, Any]:
    """Customers buy every week for half a year, then leave: some for prices, after complaints, or without a sign.

    Two thirds answer the survey 50 days after the last purchase.
    """
    rng = np.random.default_rng(seed)
    bought: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    plans: list[dict[str, Any]] = []
    for who in range(customers):
        cause = CAUSES[rng.integers(3)]
        began = datetime(2023, 1, 1, 10) + timedelta(days=int(rng.integers(0, 420)))
        for week in range(int(rng.integers(5, 20))):
            when = began + timedelta(days=7 * week + float(rng.random()))
            cheap = rng.random() < (0.7 if cause == "bought_away" else 0.3)
            bought.append({"customer_id": who, "at": when, "amount": 10.0, "discount": 3.0 if cheap else 0.0})
            if rng.random() < (0.15 if cause == "unmet_need" else 0.03):
                said.append({"customer_id": who, "at": when + timedelta(days=1), "kind": "complaint"})
        answers = rng.random() < 2 / 3
        plan = {"customer_id": who, "started_at": began, "ended_at": when + timedelta(days=50) if answers else None}
        plans.append(plan | {"end_reason": cause if answers else None})
    rows = {"transactions": bought, "interactions": said, "subscriptions": plans}
    return {name: pa.Table.from_pylist(content).to_pydict() for name, content in rows.items()}


GUARDS = {"limits": {"missing_rise": {"warn": 0.1}}}  # for a list that is scored with another task's model


def project(folder: Path, content: dict[str, Any], **tasks: Any) -> Config:
    return write_project(folder, content, time_zone="UTC", observed_until="2024-07-01", tasks=tasks, scoring=GUARDS)


DEFECTION = {**TASK, "silent_for": 20, "horizon": 40, "causes": list(CAUSES)}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    winback = {**TASK, "leave_out": ["bought_away"], "leave_out_from": 0.6, "silent_for": 20, "horizon": 40}
    tasks = {"defection": DEFECTION | {"score_as_of": "2024-05-01"}, "winback": winback | {"score_as_of": "2024-05-01"}}
    return open_dataset(project(tmp_path_factory.mktemp("leaving"), tables(), **tasks))


@pytest.fixture(scope="module")
def trained(company: Dataset) -> TrainedSeveral:
    return train_several(company, "defection")


def test_causes_are_told_better_than_by_the_prior(trained: TrainedSeveral) -> None:
    metrics = trained.judged.metrics
    assert trained.judged.letter in "BC"
    assert metrics["baseline.test.macro_roc_auc"] == 0.5
    assert trained.judged.intervals["test.macro_roc_auc"].low > 0.6
    assert metrics["test.log_loss"] < metrics["baseline.test.log_loss"]
    assert set(trained.answers) == set(CAUSES)


def test_everybody_silent_gets_a_probability_of_each_cause(company: Dataset, trained: TrainedSeveral) -> None:
    report = score(company, "defection", load(company.config, "defection"), force=True)
    table = pq.read_table(report.folder, partitioning=None)
    each = np.column_stack([table[f"probability_{name}"].to_numpy() for name in CAUSES])
    np.testing.assert_allclose(each.sum(axis=1), 1)
    np.testing.assert_allclose(table["score"].to_numpy(), each.max(axis=1), atol=1e-6)
    assert table["reason_1"].null_count == 0
    answered = set(pc.filter(pa.array(range(400)), pa.array([bool(x) for x in ended(company)])).to_pylist())
    assert not answered & set(table["entity_id"].to_pylist())  # who named a cause by then is known, not foretold


def ended(company: Dataset) -> list[bool]:
    rows = pq.read_table(company.config.folder / "subscriptions.parquet").sort_by("customer_id")
    day = datetime(2024, 5, 1)
    return [when is not None and when <= day for when in rows["ended_at"].to_pylist()]


def test_a_win_back_list_says_whom_it_leaves_out_and_why(company: Dataset, trained: TrainedSeveral) -> None:
    """The scores of win-back are made with the model of defection here: only the list is at stake."""
    score(company, "defection", load(company.config, "defection"), force=True)
    foretold = pq.read_table(
        company.config.home / "scores/small/defection/as_of=2024-05-01", partitioning=None
    ).to_pylist()
    likely = {row["entity_id"] for row in foretold if row["cause"] == "bought_away" and row["score"] >= 0.6}
    bundle = load(company.config, "defection")
    report = score(company, "winback", replace(bundle, metadata={**bundle.metadata, "task": "winback"}), force=True)
    rows = pq.read_table(report.folder, partitioning=None).to_pylist()
    subscribed = pq.read_table(company.config.folder / "subscriptions.parquet").to_pylist()
    day = datetime(2024, 5, 1)
    stated = {row["customer_id"] for row in subscribed if row["end_reason"] == "bought_away" and row["ended_at"] <= day}
    assert likely
    assert stated
    because = {row["entity_id"]: row["left_out_because"] for row in rows}
    assert {who for who, why in because.items() if why == "said so: bought_away"} == stated & set(because)
    assert {who for who, why in because.items() if (why or "").startswith("probably bought_away (")} == likely
    assert {who for who, why in because.items() if why} == likely | (stated & set(because))


def test_it_is_not_trained_as_a_question_of_yes_or_no(company: Dataset) -> None:
    with pytest.raises(ModelError, match="which of several things"):
        train(company, "defection")


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (lambda names: [None] * len(names), "the train window has 0 positives among .*one of the causes is named"),
        (lambda names: ["moved_away" if name else None for name in names], "not enough data to tell causes apart: .*"),
    ],
)
def test_without_answers_or_with_one_cause_only_it_says_so(tmp_path: Path, reasons: Any, said: str) -> None:
    content = tables(customers=220)
    plans = content["subscriptions"]
    plans["end_reason"] = pa.array(reasons(plans["end_reason"]), pa.string())
    data = open_dataset(project(tmp_path, content, defection=DEFECTION))
    with pytest.raises(DataError, match=said):
        train_several(data, "defection")


# ------------------------------------------------------------------------------------------- segments
def test_segments_are_drawn_up_put_out_and_keep_their_numbers(company: Dataset) -> None:
    tasks = company.config.tasks.model_copy(update={"segments": SegmentsConfig(most=4, every=30, active_within=365)})
    data = replace(company, config=company.config.model_copy(update={"name": "grouped", "tasks": tasks}))
    drawn = draw_up(data, "segments")
    assert drawn.segments is not None
    found = drawn.segments.as_dict()
    assert list(found["watched"]) == ["2024-06-01", "2024-07-01"]
    report = score(data, "segments", load(data.config, "segments"))
    table = pq.read_table(report.folder, partitioning=None)
    assert set(table["segment"].to_pylist()) <= set(drawn.segments.model.numbers)
    assert table["reason_1"].null_count == 0
    again = draw_up(data, "segments").segments
    assert again is not None
    assert again.model.numbers == drawn.segments.model.numbers
    assert not again.new
