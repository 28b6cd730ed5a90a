"""Uplift on a small company with campaigns of which a third of the targets is held back at random."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from small_project import write_project

from rapport.config import Config
from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.errors import DataError, ModelError
from rapport.registry.versions import load
from rapport.scoring.batch import score
from rapport.scoring.monitor import monitor
from rapport.training.experiment import train
from rapport.training.uplift import TrainedUplift, train_uplift
from rapport.training.uplift_judge import imbalance, judge_uplift

CAMPAIGNS, CUSTOMERS = 10, 900
FIRST = datetime(2023, 3, 1)
UPLIFT = {
    "kinds": ["letter"],
    "score_as_of": "2024-01-08",
    "split": {
        "train": {"first": "2023-03-01", "last": "2023-09-30", "every": 1},
        "test": {"first": "2023-10-01", "last": "2023-12-30", "every": 1},
    },
    "learner": {"num_leaves": 4, "n_estimators": 30, "learning_rate": 0.1, "min_child_samples": 50},
    "bootstrap": 40,
    "blocks": ["spending", "rhythm", "profile"],
}


def tables(held_back: float = 1 / 3) -> dict[str, Any]:
    """The young buy when a letter comes; the old buy anyhow. Calls (another kind) go to everybody."""
    rng = np.random.default_rng(0)
    young = rng.random(CUSTOMERS) < 0.5
    contacts, bought, campaigns = [], [], []
    for who in range(CUSTOMERS):
        bought.append({"customer_id": who, "at": datetime(2023, 1, 5) + timedelta(days=who % 40), "amount": 5.0})
    for number in range(2 * CAMPAIGNS):
        letter, starts = number % 2 == 0, FIRST + timedelta(days=35 * (number // 2))
        campaigns.append({"campaign_id": number, "starts_at": starts, "ends_at": starts + timedelta(days=20)})
        campaigns[-1] |= {"kind": "letter" if letter else "call", "known_at": starts - timedelta(days=5)}
        for who in rng.choice(CUSTOMERS, 500, replace=False).tolist() if letter else range(CUSTOMERS):
            treated = bool(rng.random() >= held_back) if letter else True
            row = {"contact_id": len(contacts), "customer_id": who, "campaign_id": number, "treated": treated}
            contacts.append(row | {"at": starts + timedelta(hours=5), "known_at": starts - timedelta(days=5)})
            chance = (0.1 + 0.4 * treated) if young[who] else 0.4
            if letter and rng.random() < chance:
                when = starts + timedelta(days=1 + 18 * float(rng.random()))
                bought.append({"customer_id": who, "at": when, "amount": 5.0})
    customers = [{"customer_id": who, "age": 25 if young[who] else 60} for who in range(CUSTOMERS)]
    rows = {"customers": customers, "campaigns": campaigns, "contacts": contacts, "transactions": bought}
    return {name: pa.Table.from_pylist(content) for name, content in rows.items()}


def project(folder: Path, content: dict[str, Any], **more: Any) -> Config:
    tasks = {"uplift": UPLIFT | more}
    return write_project(folder, content, time_zone="UTC", observed_until="2024-02-05", tasks=tasks)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_dataset(project(tmp_path_factory.mktemp("uplift"), tables()))


@pytest.fixture(scope="module")
def trained(company: Dataset) -> TrainedUplift:
    return train_uplift(company, "uplift")


def test_whom_a_letter_moves_is_found_and_a_rule_does_not(trained: TrainedUplift) -> None:
    judged = trained.judged
    assert judged.letter in "BC"  # two regressions see what age alone tells as well as trees do
    assert judged.intervals["test.qini"].low > 0.02
    assert judged.metrics["test.uplift_at_30pct"] == pytest.approx(0.4, abs=0.15)
    assert judged.metrics["likeliest.test.qini"] < judged.metrics["test.qini"]
    assert judged.metrics["test.treated_share"] == pytest.approx(2 / 3, abs=0.05)  # of letters; calls are left out
    assert not judged.unlike


def test_everybody_who_is_targeted_gets_the_effect_and_its_reasons(company: Dataset, trained: TrainedUplift) -> None:
    report = score(company, "uplift", load(company.config, "uplift"), force=True)
    table = pq.read_table(report.folder, partitioning=None)
    assert set(table["campaign_id"].to_pylist()) == {18}  # the letter that comes next
    ages = pq.read_table(company.config.folder / "customers.parquet")
    young = set(ages.filter(pc.less(ages["age"], 40))["customer_id"].to_pylist())
    of_young = np.array([int(who) in young for who in table["entity_id"].to_pylist()])
    effect = table["score"].to_numpy()
    assert effect[of_young].mean() > 0.25
    assert abs(effect[~of_young].mean()) < 0.15  # nothing, in truth: few small trees come near it
    assert table["reason_1"].null_count == 0
    assert "treated" not in [column.name for column in trained.model.columns]


def test_it_is_no_question_of_who_buys(company: Dataset, trained: TrainedUplift) -> None:
    with pytest.raises(ModelError, match="what a contact changes"):
        train(company, "uplift")
    with pytest.raises(ModelError, match="no single outcome shows"):
        monitor(company, "uplift")


def test_without_anybody_held_back_there_is_no_effect_to_learn(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nobody was held back among the .* rows of the train window"):
        train_uplift(open_dataset(project(tmp_path, tables(held_back=0.0))), "uplift")


# ------------------------------------------------------------------------------------------- judging
def test_where_there_is_nothing_to_find_it_says_so() -> None:
    rng = np.random.default_rng(0)
    n = 3000
    treated, target = (rng.random(n) < 0.5).astype(float), (rng.random(n) < 0.3).astype(float)
    scores = {"model": rng.normal(size=n), "rule": rng.normal(size=n), "ceiling": rng.normal(size=n)}
    judged = judge_uplift(scores, target, treated, np.arange(n), replicates=50, seed=0)
    assert judged.letter == "D"
    assert "nothing to find" in judged.reasons[-1]


def test_arms_that_are_not_alike_spoil_an_experiment() -> None:
    rng = np.random.default_rng(0)
    matrix, treated = rng.normal(size=(2000, 4)), (rng.random(2000) < 0.5).astype(float)
    names = ("a", "b", "c", "d")
    assert imbalance(matrix, treated, names) == ()
    matrix[:, 2] += 0.3 * treated
    assert imbalance(matrix, treated, names) == ("c",)
    scores = {"model": matrix[:, 0], "rule": matrix[:, 1]}
    judged = judge_uplift(
        scores, treated * (rng.random(2000) < 0.5), treated, np.arange(2000), unlike=("c",), replicates=20, seed=0
    )
    assert judged.letter == "D"
    assert "hold-out is not random" in judged.reasons[0]
