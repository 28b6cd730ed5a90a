"""Which features a task can have on the data at hand: declarations resolved against the tables that exist.

What lacks its table or a column is left out, and said to be. Declarations that stand for several features
(`EveryAttribute`, `ForTopValues`) are spelled out here; the values that were learned for them belong to the model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..language.compile import column_name, columns_of
from ..language.declarations import (
    Attribute,
    Block,
    Column,
    DaysBetween,
    EveryAttribute,
    Feature,
    FeatureColumn,
    Fitted,
    ForTopValues,
    Group,
    Kind,
    Measure,
    Ratio,
)
from ..language.sight import Columns

Learned = Mapping[str, tuple[str, ...]]
_NUMBERS = ("INT", "DOUBLE", "FLOAT", "DECIMAL", "REAL")


@dataclass(frozen=True)
class AttributeTable:
    """Columns of a table with one row a key, that become features under their own names."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class FeaturePlan:
    """All that a snapshot computes, in the order in which it computes it, and what could not be had."""

    groups: tuple[Group, ...] = ()
    attributes: tuple[AttributeTable, ...] = ()
    fitted: tuple[Fitted, ...] = ()
    derived: tuple[Feature, ...] = ()
    columns: tuple[FeatureColumn, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass
class _Draft:
    """A plan in the making."""

    tables: Columns
    attributes: Mapping[str, Sequence[str]]
    learned: Learned
    excluded: frozenset[str]
    groups: list[Group] = field(default_factory=list)
    attribute_tables: list[AttributeTable] = field(default_factory=list)
    fitted: list[Fitted] = field(default_factory=list)
    derived: list[Feature] = field(default_factory=list)
    columns: dict[str, FeatureColumn] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def add_columns(self, block: str, feature: Feature, windows: Sequence[int | None]) -> None:
        for window in windows:
            column = describe(block, feature, window)
            self.columns[column.name] = column


def plan_features(
    blocks: Sequence[Block],
    population_columns: Mapping[str, str],
    tables: Columns,
    attributes: Mapping[str, Sequence[str]],
    learned: Learned,
    exclude: Sequence[str] = (),
) -> FeaturePlan:
    """Resolve blocks against the tables at hand.

    `population_columns` are the columns of the population's own rows, by name with their types; `attributes` the
    attribute columns by table; `learned` the values for `ForTopValues`, by the name of its feature.
    """
    draft = _Draft(tables, attributes, learned, frozenset(exclude))
    for block in blocks:
        for group in block.groups:
            if _reaches(group.key, population_columns):
                _add_group(draft, block.name, group)
        for fitted in block.fitted:
            if _reaches(fitted.key, population_columns):
                _add_fitted(draft, block.name, fitted)
    for block in blocks:
        for feature in block.derived:
            _add_derived(draft, block.name, feature, population_columns)
    return FeaturePlan(
        tuple(draft.groups),
        tuple(draft.attribute_tables),
        tuple(draft.fitted),
        tuple(draft.derived),
        tuple(column for column in draft.columns.values() if column.name not in draft.excluded),
        tuple(dict.fromkeys(draft.left_out)),
    )


def describe(block: str, feature: Feature, window: int | None) -> FeatureColumn:
    """The dictionary entry of one column of a feature."""
    period = "the whole time" if window is None else f"the last {window} days"
    return FeatureColumn(
        name=column_name(feature, window),
        block=block,
        family=feature.family or feature.name.format(window="").strip("_").replace("_", " "),
        kind=feature.kind,
        unit=feature.unit,
        window=window,
        definition=feature.definition.replace("{period}", period),
        words=feature.words.replace("{period}", period),
    )


def values_to_learn(blocks: Sequence[Block], tables: Columns) -> dict[str, tuple[Group, ForTopValues]]:
    """The features whose values must be learned from the data at hand, by name."""
    found = {}
    for block in blocks:
        for group in block.groups:
            for feature in group.features:
                what = feature.what
                if isinstance(what, ForTopValues) and what.of in tables.get(group.table, {}):
                    found[feature.name] = (group, what)
    return found


def _reaches(key: Sequence[str], population_columns: Mapping[str, str]) -> bool:
    return all(name in population_columns for name in key)


def _add_group(draft: _Draft, block: str, group: Group) -> None:
    table = draft.tables.get(group.table)
    if table is None or (group.through and group.through not in draft.tables):
        missing = group.table if table is None else group.through
        draft.left_out.append(f"{block}: no table {missing}")
        return
    through = draft.tables[group.through] if group.through else {}
    absent = [key for key in group.key if key not in table and key not in through]
    absent += [group.on for side in (table, through) if group.through and group.on not in side]
    if absent:
        draft.left_out.append(f"{block}: {group.table} has no {absent[0]}")
        return
    kept: list[Feature] = []
    for feature in group.features:
        if isinstance(feature.what, EveryAttribute):
            _add_attributes(draft, block, group, feature)
            continue
        for spelled in _spelled_out(draft, feature):
            assert isinstance(spelled.what, Measure)
            absent = sorted(columns_of(spelled.what) - set(table))
            if absent:
                draft.left_out.append(f"{block}.{feature.name}: {group.table} has no {absent[0]}")
                continue
            kept.append(spelled)
            draft.add_columns(block, spelled, spelled.what.last)
    if kept:
        draft.groups.append(replace(group, features=tuple(kept)))


def _spelled_out(draft: _Draft, feature: Feature) -> list[Feature]:
    """A feature for each learned value; the feature itself where it is a plain measure."""
    what = feature.what
    if not isinstance(what, ForTopValues):
        return [feature]
    spelled: list[Feature] = []
    taken: set[str] = set()
    for value in draft.learned.get(feature.name, ()):
        slug = _slug(value, taken)
        one = Column(what.of) == value
        where = one if what.measure.where is None else one & what.measure.where
        spelled.append(_for_value(feature, value, slug, replace(what.measure, where=where)))
    return spelled


def _for_value(feature: Feature, value: str, slug: str, what: Measure | None) -> Feature:
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


def _slug(value: str, taken: set[str]) -> str:
    base = re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_")[:40] or "value"
    slug, number = base, 1
    while slug in taken:
        number += 1
        slug = f"{base}_{number}"
    taken.add(slug)
    return slug


def _add_attributes(draft: _Draft, block: str, group: Group, feature: Feature) -> None:
    names = [name for name in draft.attributes.get(group.table, ()) if name not in draft.excluded]
    for name in names:
        kind: Kind = "number" if _is_number(draft.tables[group.table][name]) else "category"
        column = _for_value(replace(feature, kind=kind), name.replace("_", " "), name, None)
        draft.add_columns(block, replace(column, name=name), (None,))
    if names:
        draft.attribute_tables.append(AttributeTable(group.table, group.key, tuple(names)))


def _is_number(type_name: str) -> bool:
    return any(type_name.upper().startswith(prefix) or prefix in type_name.upper() for prefix in _NUMBERS)


def _add_fitted(draft: _Draft, block: str, fitted: Fitted) -> None:
    for table, columns in fitted.needs:
        absent = sorted(set(columns) - set(draft.tables.get(table, {})))
        if absent:
            draft.left_out.append(f"{block}: {table} has no {absent[0]}")
            return
    draft.fitted.append(fitted)
    for feature in fitted.features:
        draft.add_columns(block, feature, (None,))


def _add_derived(draft: _Draft, block: str, feature: Feature, population_columns: Mapping[str, str]) -> None:
    match feature.what:
        case Ratio(numerator, denominator):
            present = numerator in draft.columns and denominator in draft.columns
        case DaysBetween(start, end):
            present = start in population_columns and end in population_columns
        case Attribute(column):
            present = column in population_columns
        case _:
            raise TypeError(f"{feature.name} is not derived from other columns")
    if present and feature.name not in draft.excluded:
        draft.derived.append(feature)
        draft.add_columns(block, feature, (None,))
