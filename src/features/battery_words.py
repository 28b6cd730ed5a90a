"""What a reader needs of every feature: a plain name, a definition, a unit, words that can be filled in, a type."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from string import Formatter

import pyarrow as pa

from ..language.declarations import (
    Block,
    EveryAttribute,
    Feature,
    FeatureColumn,
    ForTopValues,
    Measure,
    MissingShare,
)
from .blocks import BLOCKS
from .spelled import describe

_PLAIN = re.compile(r"[a-z][a-z0-9_]*")
_TYPES = {"number": (pa.float64(), pa.int64()), "category": (pa.string(),)}


def assert_described(blocks: Sequence[Block]) -> None:
    """Every feature of the blocks has a plain and unique name, a definition, words, a family and a unit."""
    others = [block for block in BLOCKS.values() if block.name not in {block.name for block in blocks}]
    columns = [column for block in (*others, *blocks) for column in columns_of_block(block)]
    names = [column.name for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    assert not twice, f"features of the same name: {', '.join(twice)}"
    mine = {block.name for block in blocks}
    for column in (column for column in columns if column.block in mine):
        where = f"feature {column.name} of block {column.block}"
        assert _PLAIN.fullmatch(column.name), f"{where}: a name is made of small letters, digits and _"
        assert column.definition, f"{where} has no definition"
        assert column.words, f"{where} has no words"
        assert _is_text(column.definition), f"{where}: the definition still holds a field: {column.definition}"
        assert re.fullmatch(r"[^{}_]+", column.family), f"{where}: the family '{column.family}' is not plain words"
        assert column.kind == "number" or not column.unit, f"{where}: a category has no unit"
        parsed = [field for _, field, _, _ in Formatter().parse(column.words) if field is not None]
        fields = {field.removesuffix(".typical") for field in parsed}
        assert fields & {"value", *names}, f"{where}: its words name no value: {column.words}"
        unknown = sorted(fields - {"value", "typical", "share", *names})
        assert not unknown, f"{where}: its words name {unknown[0]}, which is no feature"


def columns_of_block(block: Block) -> list[FeatureColumn]:
    """The dictionary of a block's features on any data: `x` stands for top values, attributes are not known here."""
    columns = []
    for feature in (feature for group in block.groups for feature in group.features):
        what = feature.what
        if isinstance(what, EveryAttribute | MissingShare):
            continue
        if isinstance(what, ForTopValues):
            columns += [describe(block.name, _of_x(feature), window) for window in what.measure.last]
        else:
            assert isinstance(what, Measure), f"{block.name}.{feature.name} is no measure over events"
            columns += [describe(block.name, feature, window) for window in what.last]
    plain = [*(feature for fitted in block.fitted for feature in fitted.features), *block.derived]
    plain += [feature for encoding in block.encodings[:1] for feature in encoding.features]  # others have the same
    plain = [_of_x(feature) if "{value}" in feature.name else feature for feature in plain]
    return columns + [describe(block.name, feature, None) for feature in plain]


def _of_x(feature: Feature) -> Feature:
    words = feature.words.replace("{{value}}", "\0").replace("{value}", "x").replace("{{typical}}", "{typical}")
    return Feature(
        feature.name.replace("{value}", "x"),
        feature.what,
        feature.definition.replace("{value}", "x"),
        feature.unit,
        words.replace("\0", "{value}"),
        feature.family,
        feature.kind,
    )


def _is_text(text: str) -> bool:
    return "{" not in text and "}" not in text


def assert_typed(table: pa.Table, columns: Sequence[FeatureColumn]) -> None:
    """A snapshot has the columns that its dictionary names, in their types; missing is null, never NaN or infinite."""
    for column in columns:
        where = f"feature {column.name} of block {column.block}"
        assert table.column_names.count(column.name) == 1, (
            f"{where} stands {table.column_names.count(column.name)} times"
        )
        values = table[column.name]
        assert values.type in _TYPES[column.kind], f"{where} is a {column.kind} and came as {values.type}"
        if column.kind == "number":
            odd = [value for value in values.to_pylist() if value is not None and not math.isfinite(value)]
            assert not odd, f"{where} is {odd[0]}; missing values are null"
