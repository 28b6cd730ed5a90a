"""A prospect's segment from his attributes alone, and the money that is to be expected of him."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from rapport.scoring.prospect_segments import Likely, ProspectSegments


def customers(rows: int, seed: int = 0) -> tuple[np.ndarray, dict[str, list[str | None]]]:
    """Segments 1 (a third) and 4; of segment 1 nine in ten are young, of 4 one in ten; a region says nothing."""
    rng = np.random.default_rng(seed)
    segment = np.where(rng.random(rows) < 1 / 3, 1, 4)
    young = rng.random(rows) < np.where(segment == 1, 0.9, 0.1)
    age = [None if rng.random() < 0.1 else "young" if one else "old" for one in young]
    return segment, {"age": age, "region": rng.choice(["north", "south"], rows).tolist()}


def test_segments_are_told_from_attributes_as_often_as_bayes_says() -> None:
    segment, values = customers(20_000)
    likely = Likely.fit(segment, values, None)
    found = likely.of({"age": ["young", "old", None], "region": ["north"] * 3}, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found[:, 0] == pytest.approx([0.3 / (0.3 + 0.2 / 3), (0.1 / 3) / (0.1 / 3 + 0.6), 1 / 3], abs=0.03)
    later, told = customers(5_000, seed=1)
    probability = likely.of(told, len(later))
    for low in (0.0, 0.2, 0.6):
        inside = (probability[:, 0] >= low) & (probability[:, 0] < low + 0.4)
        if inside.sum() > 200:
            assert (later[inside] == 1).mean() == pytest.approx(probability[inside, 0].mean(), abs=0.04)


def test_a_value_that_customers_never_had_and_one_that_few_have_say_little() -> None:
    segment, values = customers(3_000)
    values["age"][0], first = "ancient", segment[0]
    likely = Likely.fit(segment, values, None)
    never, rare = likely.of({"age": ["martian", "ancient"]}, 2)
    assert never == pytest.approx(likely.prior)
    assert rare[likely.numbers == first] < likely.prior[likely.numbers == first] + 0.15


def test_the_money_is_the_chance_times_the_worth_of_the_segments() -> None:
    segment, values = customers(20_000)
    worth = np.where(segment == 1, 300.0, 60.0)
    worth[::3] = np.nan  # of some customers no value was scored
    likely = Likely.fit(segment, values, worth)
    assert likely.worth == pytest.approx([300, 60])
    told = {"age": {"7": "young", "8": None}}
    rows = pa.table({"entity_id": [7, 8], "score": [0.5, 0.5], "reason_1": ["", ""]})
    found = ProspectSegments(likely, told).beside(rows)
    assert found.column_names == ["entity_id", "score", "segment", "segment_probability", "expected_worth", "reason_1"]
    assert found["segment"].to_pylist() == [1, 4]
    young = found["segment_probability"][0].as_py()
    assert found["expected_worth"][0].as_py() == pytest.approx(0.5 * (young * 300 + (1 - young) * 60))
    assert found["expected_worth"][1].as_py() == pytest.approx(0.5 * (100 + 40), abs=3)


def test_without_values_there_is_no_money_and_without_segments_nothing() -> None:
    segment, values = customers(500)
    rows = pa.table({"entity_id": ["a"], "score": [0.5], "reason_1": [""]})
    found = ProspectSegments(Likely.fit(segment, values, None), {}).beside(rows)
    assert "expected_worth" not in found.column_names
    assert found["segment"].to_pylist() == [4]
    assert ProspectSegments().beside(rows) is rows
