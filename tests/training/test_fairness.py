"""Groups of people and their figures: small ones merged, values computed by hand, intervals that hold."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from rapport.data.dataset import Dataset
from rapport.errors import ConfigError
from rapport.tasks import declare
from rapport.training.attributes import (
    MISSING,
    Grouped,
    _quarters,
    check_attributes,
    grouped,
    merge_small,
    unknown_alike,
)
from rapport.training.experiment import train
from rapport.training.fairness import fairness, spreads


def test_small_groups_are_taken_together_and_what_is_not_known_stays_by_itself() -> None:
    value = np.array(["9-14"] * 60 + ["15-24"] * 60 + ["25-34"] * 30 + ["65+"] * 30 + ["old"] * 3 + [None] * 50, object)
    target = np.zeros(233)
    target[0:25] = target[60:85] = target[120:130] = target[150:160] = target[180:182] = 1.0
    found = merge_small("age", value, target)
    assert found.names == ("9-14", "15-24", "25-34, 65+, old together", MISSING)
    assert np.bincount(found.code).tolist() == [60, 60, 63, 50]
    assert merge_small("x", np.array(["a", "b"], object), np.array([1.0, 0.0])).names == ("a, b together",)


def test_groups_of_many_values_are_told_apart_and_spellings_that_look_alike_are_named_once() -> None:
    value = np.repeat(np.array([f"v{i}" for i in range(14)] + ["west", "west ", " west"], object), 8)
    target = np.tile([1.0] * 4 + [0.0] * 4, 17)
    found = merge_small("x", value, target).names
    assert found == (
        "west, v0, v1, v2, v3 together",
        "v4, v5, v6, v7, v8 together",
        "v9, v10 and 4 more together",
    )


def test_numbers_are_cut_into_quarters() -> None:
    text = _quarters(pa.array([1.0, 2, 3, 4, 5, 6, 7, 8, None]))
    assert text.tolist() == ["up to 2"] * 2 + ["above 2, up to 4"] * 2 + ["above 4, up to 6"] * 2 + ["above 6"] * 2 + [
        None
    ]
    assert _quarters(pa.array([None, None], pa.float64())).tolist() == [None, None]
    assert set(_quarters(pa.array([5, 5, 5, 5])).tolist()) == {"up to 5"}


def test_the_figures_are_those_of_the_counts() -> None:
    # Group 0: 100 rows, 40 positives, of which 30 flagged, and 10 others flagged; group 1: 100 rows, 40 and 0 flagged.
    code = np.repeat([0, 1], 100)
    target = np.tile(np.repeat([1.0, 0.0], [40, 60]), 2)
    probability = np.full(200, 0.1)
    probability[:30] = probability[40:50] = 0.9
    groups = fairness([Grouped("sex", ("f", "m"), code)], probability, target, np.arange(200).astype(str))
    assert [(g.value, g.rows, g.positives, g.happened) for g in groups] == [("f", 100, 40, 0.4), ("m", 100, 40, 0.4)]
    first = {figure.name: figure for figure in groups[0].figures}
    assert first["flagged"].value == 0.4
    assert first["found"].value == 0.75
    assert first["false_alarms"].value == pytest.approx(1 / 6)
    assert groups[0].promised == pytest.approx(0.4 * 0.9 + 0.6 * 0.1)
    assert first["overstated"].value == pytest.approx(groups[0].promised - 0.4)
    assert first["found"].gap == 0.75
    for figure in groups[0].figures:
        assert figure.low <= figure.value <= figure.high
        assert figure.gap_low <= figure.gap <= figure.gap_high
    assert first["found"].gap_low > 0
    assert spreads(groups)["fairness.sex.found_spread"] == 0.75


def test_a_share_of_none_has_an_interval_too() -> None:
    code, target = np.repeat([0, 1], 60), np.tile(np.repeat([1.0, 0.0], 30), 2)
    probability = np.where(code == 0, 0.5 + target / 10, 0.1)
    groups = fairness([Grouped("g", ("a", "b"), code)], probability, target, np.arange(120))
    found = next(figure for figure in groups[1].figures if figure.name == "found")
    assert found.value == found.low == 0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 30))
    assert found.gap_high > found.gap


def test_equal_groups_differ_beyond_chance_as_rarely_as_promised() -> None:
    beyond, count = 0, 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        probability = rng.uniform(0.02, 0.6, 1200)
        target = (rng.random(1200) < probability).astype(float)
        people = np.repeat(np.arange(400), 3)
        code = rng.integers(0, 2, 400)[people]
        for group in fairness([Grouped("g", ("a", "b"), code)], probability, target, people, seed=seed):
            for figure in group.figures:
                beyond += not figure.gap_low <= 0 <= figure.gap_high
                count += 1
    assert count == 200
    assert beyond / count < 0.12


def test_a_group_too_small_has_no_figures() -> None:
    code = np.repeat([0, 1], [180, 20])
    target = np.tile([1.0, 0.0], 100)
    groups = fairness([Grouped("g", ("a", "b"), code)], np.linspace(0, 1, 200), target, np.arange(200))
    assert groups[0].figures
    assert groups[1].figures == ()


def test_attributes_are_read_beside_the_rows_and_unknown_ones_are_named(shop: Dataset) -> None:
    task = declare("churn", shop.config.tasks.churn)
    table = shop.columns["customers"]
    known = next(name for name in shop.attributes["customers"] if table[name] == "VARCHAR")
    listed = replace(shop, config=shop.config.model_copy(update={"fairness": (known,)}))
    check_attributes(listed)
    ids = listed.engine.arrow(_select(task.entity))[task.entity]
    rows = pa.table({task.entity: pa.chunked_array([pa.concat_arrays([ids.combine_chunks(), pa.array(["nobody"])])])})
    target = np.tile([1.0, 0.0], rows.num_rows)[: rows.num_rows]
    (found,) = grouped(listed, task, (), rows, target)
    assert found.names[found.code[-1]] == MISSING
    assert len(set(found.code.tolist())) > 1
    wrong = SimpleNamespace(**{**vars(shop), "config": SimpleNamespace(fairness=("colour",))})
    with pytest.raises(ConfigError, match="close to it"):
        check_attributes(wrong)
    said: list[str] = []
    with pytest.raises(ConfigError, match="close to it"):
        train(replace(shop, config=shop.config.model_copy(update={"fairness": ("colour",)})), "churn", say=said.append)
    assert said == [], "nothing is built before"


def _select(name: str):  # type: ignore[no-untyped-def]
    from sqlglot import exp

    return exp.select(exp.column(name)).from_("customers")


def test_who_has_no_attributes_at_all_is_one_group() -> None:
    """Rows without age are rows without income, not those without region: the former are told once."""
    codes = {"age": (0, 0, 1, 1), "income": (1, 1, 0, 0), "region": (0, 1, 1, 1)}
    names = {"age": ("young", MISSING), "income": (MISSING, "high"), "region": (MISSING, "north")}
    attributes = [Grouped(name, names[name], np.array(code)) for name, code in codes.items()]
    assert unknown_alike(attributes) == {"age": ("age", "income"), "income": (), "region": ("region",)}
