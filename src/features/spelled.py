"""Declarations that stand for several features, spelled out: one for each learned value, one for each attribute."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from ..language.declarations import Feature, FeatureColumn, Measure, Ratio
from ..language.expressions import is_number, is_time
from ..language.parts import column_name, window_name


def describe(block: str, feature: Feature, window: int | None) -> FeatureColumn:
    """The dictionary entry of one column of a feature."""
    period = "the whole time" if window is None else f"the last {window} days"
    words = feature.words.replace("{period}", period).replace("{window}", window_name(window))
    return FeatureColumn(
        name=column_name(feature, window),
        block=block,
        family=feature.family or feature.name.format(window="").strip("_").replace("_", " "),
        kind=feature.kind,
        unit=feature.unit,
        window=window,
        definition=feature.definition.replace("{period}", period),
        words=words,
    )


def for_value(feature: Feature, value: str, slug: str, what: Measure | Ratio | None) -> Feature:
    """A feature with `{value}` filled in; the value's own braces stay text in the words."""
    literal = value.replace("{", "{{").replace("}", "}}")
    words = feature.words.replace("{{value}}", "\0").replace("{value}", literal).replace("{{typical}}", "{typical}")
    return replace(
        feature,
        name=feature.name.replace("{value}", slug),
        what=what,
        definition=feature.definition.replace("{value}", value),
        words=words.replace("\0", "{value}"),
    )


def slugs(value: str) -> Iterator[str]:
    """Parts of names that may stand for a value, the plainest first."""
    return _numbered(re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_")[:40] or "value")


def names_of_attribute(table: str, column: str) -> Iterator[str]:
    """Names that the feature of an attribute may have: its own, else with its table before it."""
    yield column
    yield from _numbered(f"{table}_{column}")


def _numbered(base: str) -> Iterator[str]:
    yield base
    yield from (f"{base}_{number}" for number in count(2))


def of_attribute(feature: Feature, column: str, type_name: str) -> Feature:
    """The feature of an attribute by its type: numbers and dates (as their age) are numbers, all else is a category.

    What is usual is said behind its words: of numbers the typical one, of a category how many have it.
    """
    described = for_value(feature, column, "", None)
    if is_time(type_name):
        definition, words = f"days since {column}, as stored", f"{described.words} ago; typically {{typical}} ago"
        return replace(described, kind="number", definition=definition, words=words, unit="days")
    if is_number(type_name):
        return replace(described, kind="number", words=f"{described.words}; typically {{typical}}")
    return replace(described, kind="category", words=f"{described.words}, as for {{share}} of all")
