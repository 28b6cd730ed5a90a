"""Which features a task can have on the data at hand: declarations resolved against the tables that exist.

What lacks its table or a column is left out, and said to be. Declarations that stand for several features
(`EveryAttribute`, `ForTopValues`) are spelled out here; the values that were learned for them belong to the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..data.moments import origin_of, why_absent
from ..errors import ConfigError
from ..language.declarations import (
    Attribute,
    Block,
    Column,
    DaysBetween,
    Encoding,
    EveryAttribute,
    Feature,
    FeatureColumn,
    Fitted,
    ForTopValues,
    Group,
    Measure,
    MissingShare,
    Ratio,
)
from ..language.guards import refuse_foresight
from ..language.parts import column_name, columns_of
from ..language.sight import Columns
from .spelled import describe, for_value, names_of_attribute, of_attribute, slugs

Learned = Mapping[str, tuple[str, ...]]
_OF_ROWS = ("cutoff", "window_end", "target", "worth", "treated", "__row")


@dataclass(frozen=True)
class AttributeTable:
    """Columns of a table with one row a key, that become features: pairs of a column and the feature's name.

    `missing` is the name of the feature that tells the share of them that are missing; empty where there is none.
    """

    table: str
    key: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    missing: str = ""


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
    rows: Mapping[str, str]
    declared: frozenset[str]
    groups: list[Group] = field(default_factory=list)
    attribute_tables: list[AttributeTable] = field(default_factory=list)
    fitted: list[Fitted] = field(default_factory=list)
    derived: list[Feature] = field(default_factory=list)
    columns: dict[str, FeatureColumn] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)
    elsewhere: set[str] = field(default_factory=set)  # features of keys that the rows do not have
    encoded: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by table, attributes of very many values
    spelled: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # name with {value}: its parts and values

    def add_columns(self, block: str, feature: Feature, windows: Sequence[int | None]) -> None:
        for window in windows:
            column = describe(block, feature, window)
            if column.name.casefold() in self.names:
                raise ConfigError(
                    f"two features are called '{column.name}', one of block '{block}': rename one of them"
                )
            if column.name in (*self.rows, *_OF_ROWS) and feature.what != Attribute(column.name):
                raise ConfigError(
                    f"feature '{column.name}' of block '{block}' has the name of a key or time: rename it"
                )
            self.columns[column.name] = column
            self.names.add(column.name.casefold())

    def is_free(self, name: str) -> bool:
        """True for a name that neither the rows nor any feature has, whatever its capitals."""
        return name.casefold() not in self.names | self.declared | {*self.rows, *_OF_ROWS}


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
    attribute columns by table; `learned` the values for `ForTopValues`, by the name of its feature. Features that come
    from the data (attributes, top values) give way to declared ones of the same name: they get another.

    Raises ConfigError for a name that two features have, and for a feature that would look ahead.
    """
    excluded = frozenset(exclude)
    declared = _drafted(_Draft(tables, {}, {}, excluded, population_columns, frozenset()), blocks)
    names = frozenset(declared.names)
    draft = _drafted(_Draft(tables, attributes, learned, excluded, population_columns, names), blocks)
    ratios = {feature.name for block in blocks for feature in block.derived}
    unknown = sorted(excluded - set(draft.columns) - ratios - set().union(*attributes.values()))
    return FeaturePlan(
        _wanted(draft),
        tuple(draft.attribute_tables),
        tuple(one for one in draft.fitted if not all(feature.name in excluded for feature in one.features)),
        tuple(draft.derived),
        tuple(column for column in draft.columns.values() if column.name not in excluded),
        tuple(
            dict.fromkeys([*draft.left_out, *(f"exclude_features: no feature is called {name}" for name in unknown)])
        ),
    )


def _drafted(draft: _Draft, blocks: Sequence[Block]) -> _Draft:
    for encoding in encodings_in_use(blocks, draft.tables, draft.rows):
        draft.encoded[encoding.table] = draft.learned.get(encoding.learned_as, ())
    for block in blocks:
        for group in block.groups:
            if _reaches(group.key, draft.rows):
                _add_group(draft, block.name, group)
            else:
                draft.elsewhere |= set(_names(group))
        for fitted in block.fitted:
            if _reaches(fitted.key, draft.rows):
                _add_fitted(draft, block.name, fitted)
        for encoding in block.encodings:
            _add_encoding(draft, block.name, encoding)
    for block in blocks:
        for feature in block.derived:
            _add_derived(draft, block, feature)
    return draft


def values_to_learn(blocks: Sequence[Block], tables: Columns) -> dict[str, tuple[Group, ForTopValues]]:
    """The features whose values must be learned from the data at hand, by name."""
    found = {}
    for block in blocks:
        for group in block.groups:
            for feature in group.features:
                what = feature.what
                if not isinstance(what, ForTopValues) or what.of not in tables.get(group.table, {}):
                    continue
                if feature.name in found:
                    raise ConfigError(
                        f"two features are called '{feature.name}', one of block '{block.name}': rename one"
                    )
                found[feature.name] = (group, what)
    return found


def encodings_in_use(blocks: Sequence[Block], tables: Columns, rows: Mapping[str, str]) -> list[Encoding]:
    """The encodings whose key the rows have, and whose tables and columns are there."""
    encodings = (encoding for block in blocks for encoding in block.encodings if _reaches(encoding.key, rows))
    return [
        encoding
        for encoding in encodings
        if encoding.table in tables and all(set(names) <= set(tables.get(table, {})) for table, names in encoding.needs)
    ]


def _wanted(draft: _Draft) -> tuple[Group, ...]:
    """The groups without what is excluded, where no ratio needs it: nothing is computed for nobody."""
    ratios = [feature.what for feature in draft.derived if isinstance(feature.what, Ratio)]
    idle = draft.excluded.difference(*((ratio.numerator, ratio.denominator) for ratio in ratios))
    groups = []
    for group in draft.groups:
        features = []
        for feature in group.features:
            assert isinstance(feature.what, Measure)
            windows = tuple(window for window in feature.what.last if column_name(feature, window) not in idle)
            if windows:
                features.append(replace(feature, what=replace(feature.what, last=windows)))
        if features:
            groups.append(replace(group, features=tuple(features)))
    return tuple(groups)


def _names(group: Group) -> Iterator[str]:
    for feature in group.features:
        if isinstance(feature.what, Measure):
            yield from (column_name(feature, window) for window in feature.what.last)


def _keys(block: Block) -> list[tuple[str, ...]]:
    return [*(group.key for group in block.groups), *(fitted.key for fitted in block.fitted)]


def _reaches(key: Sequence[str], rows: Mapping[str, str]) -> bool:
    return all(name in rows for name in key)


def _add_group(draft: _Draft, block: str, group: Group) -> None:
    refuse_foresight(group, block)
    table = draft.tables.get(group.table)
    if table is None or (group.through and group.through not in draft.tables):
        missing = group.table if table is None else group.through or ""
        draft.left_out.append(f"{block}: {why_absent(missing, draft.tables)}")
        return
    lacking = _lacking(draft, group, table)
    if lacking is not None:
        draft.left_out.append(f"{block}: {lacking}")
        return
    kept: list[Feature] = []
    for feature in group.features:
        if isinstance(feature.what, EveryAttribute):
            _add_attributes(draft, block, group, feature)
            continue
        if isinstance(feature.what, MissingShare):
            _add_missing_share(draft, block, group, feature)
            continue
        for spelled in _spelled_out(draft, block, group, feature):
            assert isinstance(spelled.what, Measure)
            absent = sorted(columns_of(spelled.what) - set(table))
            if absent:
                draft.left_out.append(f"{block}.{feature.name}: {origin_of(group.table)} has no {absent[0]}")
                continue
            kept.append(spelled)
            draft.add_columns(block, spelled, spelled.what.last)
    if kept:
        draft.groups.append(replace(group, features=tuple(kept)))


def _lacking(draft: _Draft, group: Group, table: Mapping[str, str]) -> str | None:
    """The key or time that a group cannot do without and does not have, in words."""
    through = draft.tables[group.through] if group.through else {}
    for key in group.key:
        if key not in table and key not in through:
            return f"{origin_of(group.table)} has no {key}"
    wanted = (
        []
        if all(isinstance(feature.what, EveryAttribute | MissingShare) for feature in group.features)
        else [group.table]
    )
    time = "known_at" if group.planned else "at"
    needed = [(name, time) for name in wanted]
    if group.through:
        needed += [(group.table, group.on), (group.through, group.on), (group.through, "known_at")]
    found = (f"{origin_of(name)} has no {column}" for name, column in needed if column not in draft.tables[name])
    return next(found, None)


def _spelled_out(draft: _Draft, block: str, group: Group, feature: Feature) -> Iterator[Feature]:
    """A feature for each learned value, under a free name; the feature itself where it is a plain measure."""
    what = feature.what
    if not isinstance(what, ForTopValues):
        yield feature
        return
    if what.of not in draft.tables[group.table]:
        draft.left_out.append(f"{block}.{feature.name}: {origin_of(group.table)} has no {what.of}")
        return
    values = draft.learned.get(feature.name, ())
    if not values:
        draft.left_out.append(f"{block}.{feature.name}: no value of {what.of} was learned")
    for value in values:
        one = Column(what.of) == value
        where = one if what.measure.where is None else one & what.measure.where
        for slug in slugs(value):
            spelled = for_value(feature, value, slug, replace(what.measure, where=where))
            if all(draft.is_free(column_name(spelled, window)) for window in what.measure.last):
                for window in what.measure.last:
                    unfilled = column_name(replace(feature, name=feature.name.replace("{value}", "\0")), window)
                    draft.spelled.setdefault(unfilled.replace("\0", "{value}"), []).append((slug, value))
                yield spelled
                break


def _add_attributes(draft: _Draft, block: str, group: Group, feature: Feature) -> None:
    pairs = []
    for column in draft.attributes.get(group.table, ()):
        if column in draft.excluded or column in draft.encoded.get(group.table, ()):
            continue
        name = next(filter(draft.is_free, names_of_attribute(group.table, column)))
        described = of_attribute(feature, column.replace("_", " "), draft.tables[group.table][column])
        draft.add_columns(block, replace(described, name=name), (None,))
        pairs.append((column, name))
    if pairs:
        draft.attribute_tables.append(AttributeTable(group.table, group.key, tuple(pairs)))


def _add_missing_share(draft: _Draft, block: str, group: Group, feature: Feature) -> None:
    """Beside the attributes of the same table and key, where there are some."""
    for position, table in enumerate(draft.attribute_tables):
        if (table.table, table.key) == (group.table, group.key) and feature.name not in draft.excluded:
            draft.attribute_tables[position] = replace(table, missing=feature.name)
            draft.add_columns(block, feature, (None,))


def _add_fitted(draft: _Draft, block: str, fitted: Fitted) -> None:
    for table, columns in fitted.needs:
        absent = sorted(set(columns) - set(draft.tables.get(table, {})))
        if absent:
            draft.left_out.append(f"{block}: {origin_of(table)} has no {absent[0]}")
            return
    draft.fitted.append(fitted)
    for feature in fitted.features:
        draft.add_columns(block, feature, (None,))


def _add_encoding(draft: _Draft, block: str, encoding: Encoding) -> None:
    """The features of each attribute of very many values, under a free name."""
    for column in draft.encoded.get(encoding.table, ()):
        if column in draft.excluded or column not in draft.attributes.get(encoding.table, ()):
            continue
        for name in names_of_attribute(encoding.table, next(slugs(column))):
            features = tuple(for_value(one, column.replace("_", " "), name, None) for one in encoding.features)
            if all(draft.is_free(feature.name) for feature in features):
                fitted = Fitted(encoding.key, features, encoding.needs, encoding.compute(column))
                _add_fitted(draft, block, fitted)
                break


def _add_derived(draft: _Draft, block: Block, feature: Feature) -> None:
    match feature.what:
        case Ratio(numerator, denominator) if "{value}" in numerator:
            for slug, value in draft.spelled.get(numerator, ()):
                spelled = for_value(feature, value, slug, Ratio(numerator.replace("{value}", slug), denominator))
                _add_derived(draft, block, spelled)
            return
        case Ratio(numerator, denominator):
            absent = [name for name in (numerator, denominator) if name not in draft.columns]
        case DaysBetween(start, end):
            absent = [name for name in (start, end) if name not in draft.rows]
        case Attribute(column):
            absent = [column] if column not in draft.rows else []
        case _:
            raise TypeError(f"{feature.name} is not derived from other columns")
    if not absent and feature.name not in draft.excluded:
        draft.derived.append(feature)
        draft.add_columns(block.name, feature, (None,))
    elif draft.elsewhere.intersection(absent):
        draft.elsewhere.add(feature.name)
    elif absent and any(_reaches(key, draft.rows) for key in _keys(block) or [()]):
        draft.left_out.append(f"{block.name}.{feature.name}: there is no {absent[0]}")
