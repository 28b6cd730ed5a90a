"""Bins, shares and the population stability index."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.language.declarations import FeatureColumn
from rapport.models.bundle import Bundle
from rapport.models.encoding import Encoder
from rapport.scoring.profile import SCORE, Profile, count_rows, empty_profile, noise, stability

NUMBER, COUNT, CATEGORY = (
    FeatureColumn("x", "b", "f"),
    FeatureColumn("k", "b", "f"),
    FeatureColumn("c", "b", "f", kind="category"),
)


class _Model:
    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder


def _rows(n: int, seed: int, shift: float = 0.0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "x": pa.array(rng.normal(shift, 1, n), mask=rng.random(n) < 0.1),
            "k": rng.poisson(0.3, n),
            "c": pa.array(rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]), mask=rng.random(n) < 0.2),
        }
    )


@pytest.fixture(scope="module")
def empty() -> Profile:
    encoder = Encoder.fit((NUMBER, COUNT, CATEGORY), _rows(20_000, 0))
    distribution = np.quantile(np.random.default_rng(1).normal(size=20_000), np.linspace(0, 1, 1001), method="lower")
    return empty_profile(Bundle(_Model(encoder), {}, {}, distribution))  # type: ignore[arg-type]


def _profile(empty: Profile, table: pa.Table, raw: np.ndarray | None = None) -> Profile:
    raw = np.random.default_rng(2).normal(size=table.num_rows) if raw is None else raw
    return empty.plus(*count_rows(empty, table, raw))


def test_shares_expected_of_training_add_up(empty: Profile) -> None:
    for column in empty.columns:
        assert sum(column.expected) == pytest.approx(1, abs=1e-6)
        assert min(column.expected) >= 0


def test_the_same_population_does_not_drift(empty: Profile) -> None:
    profile = _profile(empty, _rows(10_000, 3))
    for column in profile.columns:
        assert column.psi < 0.01
        assert column.psi < 3 * noise(profile, column)


def test_equal_values_are_no_drift(empty: Profile) -> None:
    """Three quarters of `k` are zeros: levels of quantiles alone would call that drift."""
    assert empty.column("k").bins[0] == 0.0
    assert empty.column("k").expected[0] == pytest.approx(np.exp(-0.3), abs=0.01)


def test_a_shifted_feature_is_seen_and_its_neighbours_are_not(empty: Profile) -> None:
    profile = _profile(empty, _rows(10_000, 3, shift=0.8))
    assert profile.column("x").psi > 0.25
    assert profile.column("k").psi < 0.01


def test_the_index_by_hand(empty: Profile) -> None:
    table = pa.table({"x": pa.nulls(4, pa.float64()), "k": [0, 0, 0, 9], "c": ["a", "z", None, "z"]})
    profile = _profile(empty, table, np.array([-9.0, -9.0, 9.0, 9.0]))
    c = profile.column("c")
    assert c.bins == ("a", "b", "c")
    assert c.counts == (1, 0, 0, 2, 1)
    assert (c.unseen, c.missing_rise) == (0.5, pytest.approx(0.25 - c.expected[-1]))
    found, expected = np.maximum([0.25, 0, 0, 0.5, 0.25], 1e-4), np.maximum(c.expected, 1e-4)
    assert c.psi == pytest.approx(sum((found - expected) * np.log(found / expected)))
    assert profile.column("x").missing_rise == pytest.approx(0.9, abs=0.01)
    assert profile.column(SCORE).counts[0] == profile.column(SCORE).counts[-2] == 2


def test_counts_of_pieces_are_those_of_the_whole(empty: Profile) -> None:
    table = _rows(3_000, 5)
    raw = np.random.default_rng(2).normal(size=3_000)
    pieces = empty
    for start in (0, 1_000, 2_500):
        end = {0: 1_000, 1_000: 2_500, 2_500: 3_000}[start]
        pieces = pieces.plus(*count_rows(empty, table.slice(start, end - start), raw[start:end]))
    assert pieces == _profile(empty, table, raw)
    assert Profile.from_json(json.loads(json.dumps(pieces.as_json()))) == pieces


def test_long_pieces_are_sampled_evenly(empty: Profile) -> None:
    profile = _profile(empty, _rows(50_001, 6))
    assert 16_000 < profile.counted <= 20_000
    assert profile.column("x").psi < 0.02


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.none(), max_size=30))
def test_any_numbers_have_a_bin(empty: Profile, values: list[float | None]) -> None:
    table = pa.table({"x": pa.array(values, pa.float64()), "k": [0] * len(values), "c": ["a"] * len(values)})
    profile = _profile(empty, table, np.zeros(len(values)))
    assert sum(profile.column("x").counts) == len(values)
    assert np.isfinite(profile.column("x").psi)
    json.dumps(profile.as_json(), allow_nan=False)


def test_a_feature_that_training_never_saw_has_nothing_but_missing_values() -> None:
    table = pa.table({"x": pa.nulls(50, pa.float64())})
    empty = empty_profile(Bundle(_Model(Encoder.fit((NUMBER,), table)), {}, {}))  # type: ignore[arg-type]
    assert _profile(empty, table).column("x").psi == 0
    assert _profile(empty, pa.table({"x": [1.0] * 50})).column("x").psi > 5


def test_stability_between_two_snapshots() -> None:
    """Nothing moved: 0. All values moved beyond the bins of the first, or went missing: far above a quarter."""
    columns = [FeatureColumn("days", "rhythm", "rhythm"), FeatureColumn("town", "profile", "profile", kind="category")]
    values = [float(i) for i in range(100)]
    first = pa.table({"days": values, "town": ["Bonn", "Ulm"] * 50})
    assert stability(columns, first, first) == pytest.approx({"days": 0.0, "town": 0.0}, abs=1e-9)
    last = pa.table({"days": [value + 200 for value in values], "town": pa.nulls(100, pa.string())})
    assert min(stability(columns, first, last).values()) > 0.25
