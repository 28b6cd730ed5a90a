"""What a group of features is made of: its columns, and the queries (parts) that compute some of them in one pass."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from .declarations import (
    Commonest,
    CommonestShare,
    Count,
    DaysUntil,
    Distinct,
    EffectiveNumber,
    FadingVisits,
    Feature,
    Group,
    Largest,
    Latest,
    Mean,
    Measure,
    NewValues,
    Sum,
    TopShare,
    Visits,
)
from .expressions import ZERO, predicates


@dataclass(frozen=True)
class Output:
    """One column of a compiled group: what is measured, in which window, under which name."""

    name: str
    measure: Measure
    window: int | None

    def named(self, value: exp.Expression) -> exp.Expression:
        """The value under the column's name."""
        return exp.alias_(value, self.name, quoted=True, copy=False)

    def of(self, alias: str) -> exp.Expression:
        """The column of a part that was joined to keys; for those without a row there, counts and sums are zero."""
        value: exp.Expression = exp.column(self.name, alias, quoted=True)
        if is_zero_without_events(self.measure):
            value = exp.Coalesce(this=value, expressions=[ZERO.copy()])
        return self.named(value)


def outputs(group: Group) -> tuple[Output, ...]:
    """The columns that a group yields, one for each measure and window."""
    return tuple(
        Output(column_name(feature, window), feature.what, window)
        for feature in group.features
        if isinstance(feature.what, Measure)
        for window in feature.what.last
    )


def column_name(feature: Feature, window: int | None) -> str:
    """The name of a feature's column: `{window}` becomes 30d, or life for all of the past."""
    return feature.name.format(window=window_name(window))


def window_name(window: int | None) -> str:
    """What `{window}` becomes: 30d, or life for all of the past."""
    return "life" if window is None else f"{window}d"


@dataclass(frozen=True)
class Part:
    """A query with one row for each key in sight, and the columns that it computes."""

    key: tuple[str, ...]
    columns: tuple[Output, ...]
    query: exp.Select


def is_zero_without_events(measure: Measure) -> bool:
    """True for counts and sums, which are zero where nothing happened; other measures are missing there."""
    return isinstance(measure, Count | Visits | FadingVisits | Sum | Distinct | NewValues)


_OF_COUNTS = EffectiveNumber | Commonest | CommonestShare
_OF_A_COLUMN = Sum | Mean | Largest | Latest | DaysUntil | Distinct | NewValues | _OF_COUNTS | TopShare


def columns_of(measure: Measure) -> set[str]:
    """The columns of an event that a measure reads, beside keys and times."""
    named: set[str] = set()
    if isinstance(measure, _OF_A_COLUMN):
        named.add(measure.column)
    if isinstance(measure, TopShare):
        named.add(measure.of)
    return named | {predicate.column for predicate in predicates(measure.where)}
