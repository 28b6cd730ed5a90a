"""What goes together, by hand and against chance."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import fisher_exact

from rapport.training.associations import associations


def counted(baskets: np.ndarray, names: list[str]) -> pa.Table:
    """Counts of baskets (customers, categories) of 0 and 1, as the features count them."""
    both = baskets.T @ baskets
    rows = [{"category": a, "other": b, "n": int(both[i, j])} for i, a in enumerate(names) for j, b in enumerate(names)]
    return pa.Table.from_pylist([*rows, {"category": None, "other": None, "n": len(baskets)}])


def test_one_pair_by_hand() -> None:
    # 100 customers: 40 have tea, 20 jam, 16 both; chance would give 8.
    tea, jam = np.arange(100) < 40, (np.arange(100) < 16) | (np.arange(100) >= 96)
    found = associations(counted(np.column_stack([tea, jam]).astype(int), ["tea", "jam"]))
    (pair,) = found.pairs
    assert (pair.category, pair.other, pair.customers) == ("jam", "tea", 16)
    assert pair.lift == pytest.approx(2.0)
    assert pair.low == pytest.approx(2 * np.exp(-1.96 * np.sqrt(1 / 16 - 1 / 40 - 1 / 20 + 3 / 100)))
    assert pair.low < 2 < pair.high
    assert pair.p_value == pytest.approx(fisher_exact([[16, 24], [4, 56]], alternative="greater").pvalue)
    assert pair.q_value == pair.p_value  # one test alone
    assert "1 of 1 pairs go together" in found.words


def test_chance_finds_next_to_nothing_and_a_true_pair_stands_first() -> None:
    rng = np.random.default_rng(0)
    baskets = (rng.random((2000, 20)) < 0.2).astype(int)
    names = [f"c{i:02d}" for i in range(20)]
    assert len(associations(counted(baskets, names)).pairs) <= 2
    baskets[:, 7] = np.where(rng.random(2000) < 0.5, baskets[:, 3], baskets[:, 7])
    best = associations(counted(baskets, names)).pairs[0]
    assert (best.category, best.other) == ("c03", "c07")
    assert best.q_value > best.p_value


def test_a_pair_of_few_customers_is_found_and_not_shown() -> None:
    """One customer with two things that nobody else has is the strongest pair that there can be, and says nothing."""
    baskets = (np.arange(2000)[:, None] < [1, 1, 400, 400]).astype(int)
    found = associations(counted(baskets, ["odd", "rare", "tea", "jam"]))
    assert {pair.customers for pair in found.pairs} == {1, 400}
    assert [(pair.category, pair.other) for pair in found.strongest()] == [("jam", "tea")]
    assert [pair["customers"] for pair in found.as_dict()["pairs"]] == [400]


def test_the_interval_holds_the_true_lift_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        left = rng.random(400) < 0.3
        right = rng.random(400) < np.where(left, 0.6, 0.2)  # 0.32 of all, so a lift of 0.6 / 0.32
        (pair,) = associations(counted(np.column_stack([left, right]).astype(int), ["a", "b"])).pairs
        held += pair.low < 0.6 / 0.32 < pair.high
    assert 0.92 < held / 300 < 0.98


def test_what_avoids_each_other_does_not_go_together() -> None:
    left = np.arange(200) < 100
    found = associations(counted(np.column_stack([left, ~left]).astype(int), ["a", "b"]))
    assert found.pairs == ()
    assert found.tested == 1


def test_without_baskets_there_is_nothing() -> None:
    nothing = pa.table({"category": pa.nulls(1, pa.string()), "other": pa.nulls(1, pa.string()), "n": [0]})
    assert associations(nothing).words.startswith("Nobody bought anything")
