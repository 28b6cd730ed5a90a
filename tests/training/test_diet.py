"""What says nothing, or nothing new, is dropped and named; what may say something is kept."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rapport.language.declarations import FeatureColumn
from rapport.training.diet import diet

NAN = float("nan")


def columns(**kinds: str) -> list[FeatureColumn]:
    return [FeatureColumn(name, block="test", family=name, kind=kind) for name, kind in kinds.items()]


def test_planted_cases_are_dropped_with_the_reason():
    table = pa.table(
        {
            "spend": [1.0, 2.0, NAN, 0.0],
            "spend_again": pa.array([1.0, 2.0, None, -0.0]),
            "whole": [1, 2, 3, 4],
            "whole_as_float": [1.0, 2.0, 3.0, 4.0],
            "always_seven": [7, 7, 7, 7],
            "seven_or_missing": pa.array([7, 7, None, 7]),
            "nothing": pa.nulls(4, pa.float64()),
            "city": ["a", "b", "a", None],
            "town": pa.chunked_array([["a"], ["b", "a", None]]),
            "renamed": ["b", "a", "b", None],
            "one_word": ["x"] * 4,
            "no_word": pa.nulls(4, pa.string()),
            "word_or_missing": ["x", None, "x", "x"],
        }
    )
    words = ("city", "town", "renamed", "one_word", "no_word", "word_or_missing")
    kinds = {name: "category" if name in words else "number" for name in table.column_names}
    found = diet(table, columns(**kinds))
    assert found.dropped == {
        "spend_again": "equal to spend",
        "whole_as_float": "equal to whole",
        "always_seven": "the same in every row",
        "nothing": "missing in every row",
        "town": "equal to city",
        "one_word": "the same in every row",
        "no_word": "missing in every row",
    }
    kept = ["spend", "whole", "seven_or_missing", "city", "renamed", "word_or_missing"]
    assert [column.name for column in found.kept] == kept
    assert found.text.startswith("7 of 13 features say nothing new: spend_again (equal to spend); ")
    assert found.text.endswith("; and 2 more, in diet.json of the run")
    assert found.in_short == (
        "7 of 13 features say nothing new in training and are left out: 2 missing in every row, 2 the same in every "
        "row, 3 equal to another one."
    )
    assert diet(table, columns(spend="number")).in_short == ""


def test_columns_that_differ_in_one_row_are_both_kept():
    random = np.random.default_rng(0)
    values = random.normal(size=1_000)
    other = values.copy()
    other[-1] += 1e-12
    found = diet(pa.table({"a": values, "b": other}), columns(a="number", b="number"))
    assert found.dropped == {}
    assert found.text == ""
