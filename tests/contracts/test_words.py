"""The words of every feature of every block, with values that a customer could have."""

from __future__ import annotations

import re

import pytest

from rapport.explain.words import LONGEST, ReasonWriter
from rapport.features.battery_words import columns_of_block
from rapport.features.blocks import BLOCKS
from rapport.language.declarations import FeatureColumn
from rapport.models.encoding import LEVELS, Profile

COLUMNS = tuple(column for block in BLOCKS.values() for column in columns_of_block(block))
NUMBERS = (None, 0.0, 0.37, 1.0, 2.0, 41.3, 12_345.6)


def _profile(column: FeatureColumn) -> Profile:
    return {"tea": 60, "jam": 20} if column.kind == "category" else tuple(7.0 * level for level in LEVELS)


WRITER = ReasonWriter(COLUMNS, {column.name: _profile(column) for column in COLUMNS}, "EUR")


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_words_of_a_feature(column: FeatureColumn) -> None:
    for value in (None, "tea") if column.kind == "category" else NUMBERS:
        for other in (None, 0.0, 1.0, 6.2):
            row = {one.name: other if one.kind == "number" else None for one in COLUMNS} | {column.name: value}
            text = WRITER.write(column.name, row)
            where = f"{column.name} = {value}, all others {other}: {text!r}"
            assert 0 < len(text) < LONGEST, where
            assert not re.search(r"[{}]|\bnan\b|\bNone\b|\binf\b|  |_|beyond measure", text), where
            assert text == text.strip(" ;,:"), where
            assert not re.search(r"\b1 (days|visits|times|items|weeks|months|campaigns|coupons|products)\b", text), (
                where
            )
            assert not re.search(r"times times|\ba [aeio]", text), where
            unknown = text.endswith(": not known") or text.startswith(("fewer than ", "no "))
            assert (value is None) == unknown, where
            if value is not None and "{value}" in column.words and column.unit in ("days", "share", "currency"):
                mark = {"days": r"\bdays?\b|once a day|\byears\b", "share": " %", "currency": " EUR"}[column.unit]
                assert re.search(mark, text), f"no unit: {where}"


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_words_say_what_is_usual(column: FeatureColumn) -> None:
    """A value alone tells a reader nothing: each reason says what is usual, of all or of all who buy the same."""
    row = {one.name: 6.2 if one.kind == "number" else "tea" for one in COLUMNS}
    text = WRITER.write(column.name, row)
    assert re.search(r"\btypically\b|half of all customers|as for [\d.]+ % of all|\ball pay\b", text), text
