"""What stands beside the score: the expected margin, cross-sell or up-sell; and lists ranked by margin."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from rapport.config import NextOfferConfig
from rapport.errors import ModelError
from rapport.scoring.rows import Scorer, outputs
from rapport.tasks import declare

PLAIN = declare("next_offer", NextOfferConfig(top=2))
BY_MARGIN = declare("next_offer", NextOfferConfig(top=2, rank_by="expected_margin"))
SNAPSHOT = pa.table(
    {
        "customer_id": [1, 1, 1, 2],
        "category": ["tea", "jam", "wine", "tea"],
        "category_item_margin": pa.array([1.0, None, 10.0, 1.0]),
        "is_up_sell": pa.array([0.0, None, 1.0, 0.0]),
    }
)
PROBABILITY = np.array([0.5, 0.4, 0.1, 0.3])
RAW = np.log(PROBABILITY / (1 - PROBABILITY))


def best(task, snapshot: pa.Table) -> list[tuple[int, str, int]]:
    calibrator = SimpleNamespace(apply=lambda raw: 1 / (1 + np.exp(-raw)))
    scorer = Scorer(task, SimpleNamespace(model=SimpleNamespace(calibrator=calibrator)), None, None)
    chosen, rank = scorer._best(snapshot, RAW)
    rows = snapshot.take(pa.array(chosen))
    return list(zip(rows["customer_id"].to_pylist(), rows["category"].to_pylist(), rank.tolist(), strict=True))


def test_outputs_by_hand():
    found = outputs(PLAIN, SNAPSHOT, PROBABILITY)
    assert found["expected_margin"].to_pylist() == [0.5, None, 1.0, 0.3]
    assert found["kind"].to_pylist() == ["cross-sell", None, "up-sell", "cross-sell"]
    assert outputs(PLAIN, SNAPSHOT.select(["customer_id", "category"]), PROBABILITY) == {}


def test_lists_are_ranked_by_probability_or_by_expected_margin():
    assert best(PLAIN, SNAPSHOT) == [(1, "tea", 1), (1, "jam", 2), (2, "tea", 1)]
    assert best(BY_MARGIN, SNAPSHOT) == [(1, "wine", 1), (1, "tea", 2), (2, "tea", 1)]


def test_without_margins_there_is_no_rank_by_margin():
    with pytest.raises(ModelError, match=r"map transactions.margin, or set rank_by: probability"):
        best(BY_MARGIN, SNAPSHOT.drop_columns(["category_item_margin"]))
