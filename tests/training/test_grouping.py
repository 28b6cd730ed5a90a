"""Segments on planted groups: they come back and keep their numbers; a new one raises the alert, and only that."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_rand_score

from rapport.errors import DataError
from rapport.language.declarations import FeatureColumn
from rapport.models.clusters import Clusters
from rapport.training.grouping import choose_k, describe, watch

NAMES = ("visits_365d", "spend_365d", "gap_mean", "discount_share", "days_known", "categories_90d")
COLUMNS = tuple(FeatureColumn(name, "b", name) for name in NAMES)
CENTRES = np.array([[0, 0, 4, 0, 2, 1], [4, 1, 0, 1, 4, 4], [2, 4, 2, 4, 0, 2], [1, 2, 1, 3, 3, 0]], float)
NEW = np.array([4.5, 4.5, 4.5, 0, 0, 4.5])


def people(seed: int, sizes: tuple[int, ...] = (300, 250, 150, 100), *, new: int = 0, noise: float = 0.35):
    """Rows of planted groups, behind them those of a new one, and the group of each."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes) + 1), (*sizes, new))
    matrix = np.exp(np.vstack([CENTRES, NEW])[group] + rng.normal(0, noise, (len(group), len(NAMES))))
    return pa.table(dict(zip(NAMES, matrix.T, strict=True))), group


@pytest.fixture(scope="module")
def model() -> Clusters:
    table, _ = people(0)
    return Clusters.fit(COLUMNS, table, 4)


def test_planted_groups_come_back_and_so_does_their_number() -> None:
    table, group = people(1)
    choice = choose_k(COLUMNS, table, 6)
    assert choice.k == 4
    assert choice.stability[4] > 0.9 > choice.stability[6]
    found = Clusters.fit(COLUMNS, table, choice.k).assign(table)
    assert adjusted_rand_score(group, found) > 0.8
    noisy, group = people(1, noise=2.5)
    assert adjusted_rand_score(group, Clusters.fit(COLUMNS, noisy, 4).assign(noisy)) < 0.8  # it can fail


def test_segment_three_stays_segment_three(model: Clusters) -> None:
    """Another version, of other people in other proportions, whose own order of sizes is another one."""
    table, _ = people(2, (100, 150, 250, 300))
    again = Clusters.fit(COLUMNS, table, 4, seed=9)
    numbers, last = again.numbers_like(model, table)
    assert last == 4
    before, now = np.array(model.numbers)[model.assign(table)], np.array(numbers)[again.assign(table)]
    assert np.mean(before == now) > 0.95
    grown, _ = people(2, new=200)
    five = Clusters.fit(COLUMNS, grown, 5)
    numbers, last = five.numbers_like(model, grown)
    assert sorted(numbers) == [1, 2, 3, 4, 5]
    assert last == 5
    assert set(np.array(numbers)[five.assign(grown)][-200:]) == {5}


def test_ten_runs_without_a_new_segment_raise_no_alert(model: Clusters) -> None:
    assert [watch(model, people(seed)[0]).alerts for seed in range(10, 20)] == [()] * 10


def test_a_new_segment_is_told_within_two_cutoffs(model: Clusters) -> None:
    """Twenty people of a new kind at the first monthly cutoff, forty at the second, beside 800 others."""
    found = [watch(model, people(seed, new=20 * (seed - 29))[0], f"in month {seed}").alerts for seed in (30, 31)]
    assert any("a new segment is forming" in text for alerts in found for text in alerts)


def test_a_segment_that_doubles_is_told_by_its_number(model: Clusters) -> None:
    table, group = people(40, (300, 250, 150, 300))
    number = model.numbers[model.assign(table)[group == 3][0]]
    (alert,) = watch(model, table).alerts
    assert alert.startswith(f"segment {number} ")
    assert "has grown from 12.5% to" in alert


def test_words_place_people_as_the_centroids_do(model: Clusters) -> None:
    table, _ = people(3)
    said = describe(model, table)
    assert said.fidelity > 0.9
    assert len(set(said.words)) == 4
    assert all(any(name in words for name in NAMES) for words in said.words)


def test_bad_input() -> None:
    table, _ = people(5)
    with pytest.raises(DataError, match="segments need 50 customers at least, and there are 20"):
        choose_k(COLUMNS, table.slice(0, 20), 4)
    alike = pa.table({name: np.ones(100) for name in NAMES})
    with pytest.raises(DataError, match="all customers behave alike"):
        choose_k(COLUMNS, alike, 4)
