"""Unusual behaviour: tails by hand, exact contributions, saved and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rapport.errors import ModelError
from rapport.explain.contributions import explainer
from rapport.language.declarations import FeatureColumn
from rapport.models.kinds import load_model
from rapport.models.tails import Tails
from rapport.tasks.base import Evidence

NAMES = ("returns", "days_kept", "nothing")
COLUMNS = tuple(FeatureColumn(name, "b", name) for name in NAMES)
EVIDENCE = (Evidence("returns"), Evidence("days_kept", -1), Evidence("nothing"), Evidence("not in the data"))
# 80 of 100 sent nothing back, ten did so once, ten 1 to 10 times more; days run from 1 to 100.
KNOWN = pa.table(
    {
        "returns": np.concatenate([np.zeros(80), np.ones(10), np.arange(2.0, 12)]),
        "days_kept": np.arange(100.0, 0, -1),
        "nothing": pa.nulls(100, pa.float64()),
    }
)


@pytest.fixture(scope="module")
def tails() -> Tails:
    return Tails.fit(EVIDENCE, COLUMNS, KNOWN)


def rows(returns: list[float | None], days_kept: list[float | None]) -> pa.Table:
    return pa.table({"returns": pa.array(returns, pa.float64()), "days_kept": pa.array(days_kept, pa.float64())})


def test_by_hand(tails: Tails) -> None:
    assert [column.name for column in tails.columns] == ["returns", "days_kept"]
    found = tails.raw_score(rows([0, 1, 11, 99], [100, 10, 1, -5]))
    # one return or more: 20 of 100; days kept of ten or less: 10 of 100; the outermost: 1 of 100, and not beyond.
    np.testing.assert_allclose(found, -np.log([1, 0.2 * 0.1, 0.01 * 0.01, 0.01 * 0.01]), atol=1e-12)


def test_contributions_are_exact_and_the_unknown_adds_nothing(tails: Tails) -> None:
    rng = np.random.default_rng(0)
    table = rows(*[[None if rng.random() < 0.3 else x for x in rng.uniform(-3, 120, 200)] for _ in range(2)])
    why = explainer(tails)
    np.testing.assert_allclose(why.contributions(table).sum(axis=1), tails.raw_score(table), atol=1e-12)
    (of_nothing,) = why.contributions(rows([None], [None]))
    np.testing.assert_array_equal(of_nothing[:-1], 0)
    top = why.top_reasons(rows([11.0], [50.0]), 1)
    assert top.features[top.feature[0, 0]] == "returns"
    np.testing.assert_allclose(why.contributions(KNOWN)[:, :-1].mean(axis=0), 0, atol=1e-12)  # less the mean


def test_many_distinct_values_keep_the_shape_of_the_tail() -> None:
    values = np.random.default_rng(1).lognormal(size=20_000)
    table = pa.table({"returns": values})
    tails = Tails.fit(EVIDENCE[:1], COLUMNS, table)
    looked = np.quantile(values, [0.2, 0.9, 0.999])
    found = tails.raw_score(pa.table({"returns": looked}))
    np.testing.assert_allclose(found, -np.log([0.8, 0.1, 0.001]), rtol=0.03)


def test_saved_and_read_back_it_is_the_same(tails: Tails, tmp_path: Path) -> None:
    tails.save(tmp_path)
    again = load_model(tmp_path)
    assert again.content == tails.content
    np.testing.assert_array_equal(again.raw_score(KNOWN), tails.raw_score(KNOWN))


def test_without_any_sign_there_is_no_score() -> None:
    with pytest.raises(ModelError, match="nothing of what would be unusual; it would be seen in: nothing"):
        Tails.fit(EVIDENCE[2:3], COLUMNS, KNOWN)
