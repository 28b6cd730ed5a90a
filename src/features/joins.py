"""How the parts of a snapshot's query come together: computed columns, attributes, and what is derived from both."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from ..language.declarations import Attribute, DaysBetween, Feature, Ratio
from ..language.expressions import days, equal, missing_share, ratio
from ..language.parts import Part
from ..language.sight import attribute_in_sight, attributes_in_sight, valid_in_sight
from .plan import AttributeTable


def join_part(query: exp.Select, part: Part, alias: str) -> exp.Select:
    """The query, over the spine `s`, with the columns of a part."""
    on = exp.and_(*(equal(exp.column(key, alias), exp.column(key, "s")) for key in part.key))
    query = query.join(part.query.subquery(alias, copy=False), on=on, join_type="left", copy=False)
    return query.select(*(output.of(alias) for output in part.columns), copy=False)  # copying took seconds


def join_attributes(query: exp.Select, attributes: AttributeTable, alias: str, types: Mapping[str, str]) -> exp.Select:
    """The query, over the spine `s`, with the attributes of a table in sight, and the share that is missing."""
    source: exp.Expression = exp.to_table(attributes.table)
    keys = attributes.key
    if "valid_from" in types:
        source, keys = valid_in_sight(attributes.table, attributes.key, types), (*keys, "cutoff")
    same = [equal(exp.column(key, alias), exp.column(key, "s")) for key in keys]
    on = exp.and_(*same, *attributes_in_sight(attributes.table, alias, types))
    query = query.join(source.as_(alias), on=on, join_type="left", copy=False)
    values = [attribute_in_sight(exp.column(c, alias, quoted=True), types[c]) for c, _ in attributes.columns]
    for value, (_, name) in zip(values, attributes.columns, strict=True):
        query = query.select(exp.alias_(value, name, quoted=True), copy=False)
    if attributes.missing:  # of what is in sight: that there will be a date is not known before it
        share = missing_share([value.copy() for value in values])
        query = query.select(exp.alias_(share, attributes.missing, quoted=True), copy=False)
    return query


def derive(feature: Feature) -> exp.Expression:
    """A feature out of other columns of the snapshot; TypeError for one that is none."""
    match feature.what:
        case Ratio(numerator, denominator):
            return ratio(exp.column(numerator, quoted=True), exp.column(denominator, quoted=True))
        case DaysBetween(start, end):
            return days(exp.column(start), exp.column(end))
        case Attribute(column):
            return exp.column(column)
    raise TypeError(f"{feature.name} is not derived from other columns")
