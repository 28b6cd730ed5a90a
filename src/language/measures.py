"""What is measured of a key's events, and the conditions that a measure can be held to."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

from .predicates import Conjunction, Operator, Predicate

Days = int | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Measure:
    """Something measured over the events of one key: how many, how much, how long ago.

    `last` is one window or several, in days; `ahead` and `until` make it a target.
    """

    last: tuple[Days, ...] = (None,)
    ahead: int | None = None
    until: str | None = None
    where: Predicate | Conjunction | None = None

    def __post_init__(self) -> None:
        windows = self.last if isinstance(self.last, tuple) else (self.last,)
        object.__setattr__(self, "last", windows)
        if not windows:
            raise ValueError("a measure needs at least one window; None stands for all of the visible past")
        if self.ahead is not None and self.until is not None:
            raise ValueError("a measure looks ahead by days or until a column, not both")
        if self.looks_ahead and windows != (None,):
            raise ValueError("a measure looks ahead or back, not both")
        if any(days is not None and days <= 0 for days in (*windows, self.ahead)):
            raise ValueError("a window is a positive number of days, or None for all of the visible past")

    @property
    def looks_ahead(self) -> bool:
        """True for a target: it sees events after the cutoff and none before."""
        return self.ahead is not None or self.until is not None

    def __eq__(self, value: object) -> Condition:  # type: ignore[override]
        return Condition(self, "==", value)  # type: ignore[arg-type]

    def __ne__(self, value: object) -> Condition:  # type: ignore[override]
        return Condition(self, "!=", value)  # type: ignore[arg-type]

    __hash__ = object.__hash__

    def __gt__(self, value: float) -> Condition:
        return Condition(self, ">", value)

    def __ge__(self, value: float) -> Condition:
        return Condition(self, ">=", value)

    def __lt__(self, value: float) -> Condition:
        return Condition(self, "<", value)

    def __le__(self, value: float) -> Condition:
        return Condition(self, "<=", value)


@dataclass(frozen=True)
class Condition:
    """A measure compared with a number: a population or a target."""

    measure: Measure
    operator: Operator
    value: float

    @property
    def holds_of_nothing(self) -> bool:
        """True where a count or sum of zero would do: then it holds of a key without any event."""
        return bool(_OPERATORS[self.operator](0, self.value))


_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    **{"==": operator.eq, "!=": operator.ne, "<": operator.lt},
    **{"<=": operator.le, ">": operator.gt, ">=": operator.ge},
}


@dataclass(frozen=True, eq=False)
class Count(Measure):
    """Number of events."""


@dataclass(frozen=True, eq=False)
class Visits(Measure):
    """Number of visits: distinct order_id, else (for rows without one) distinct timestamps.

    A visit takes place at the time of its last event in sight.
    """


@dataclass(frozen=True, eq=False)
class Sum(Measure):
    """Sum of a column; 0 where there is no event."""

    column: str


@dataclass(frozen=True, eq=False)
class Mean(Measure):
    """Mean of a column over events; missing where there is none."""

    column: str


@dataclass(frozen=True, eq=False)
class Largest(Measure):
    """Largest value of a column; missing where there is no event."""

    column: str


@dataclass(frozen=True, eq=False)
class DaysSinceLast(Measure):
    """Days from the last event to the cutoff, with fractions; missing where there is none."""


@dataclass(frozen=True, eq=False)
class DaysSinceFirst(Measure):
    """Days from the first event to the cutoff, with fractions; missing where there is none."""


@dataclass(frozen=True, eq=False)
class GapMean(Measure):
    """Mean days between consecutive visits; missing below two visits."""


@dataclass(frozen=True, eq=False)
class GapSpread(Measure):
    """Sample standard deviation of the days between consecutive visits; missing below three visits."""


@dataclass(frozen=True, eq=False)
class GapLargest(Measure):
    """Longest days between consecutive visits; missing below two visits."""


@dataclass(frozen=True, eq=False)
class GapMedian(Measure):
    """Median days between consecutive visits; missing below two visits."""


@dataclass(frozen=True, eq=False)
class GapShape(Measure):
    """Shape of a Gamma distribution fitted to the days between visits; missing below three visits.

    1 is chance, more is regularity, less is clumps. By maximum likelihood in the closed form of Minka (2002), at most
    about 500; visits at one and the same time count as one.
    """


@dataclass(frozen=True, eq=False)
class DaysSinceNthLast(Measure):
    """Days from the n-th last visit to the cutoff (1 is the last one); missing below n visits."""

    nth: int


@dataclass(frozen=True, eq=False)
class FadingVisits(Measure):
    """Number of visits, each weighted by exp(-age / fade) with its age in days: recent visits count most."""

    fade: int


def half_life(fade: int) -> int:
    """The days in which what fades by exp(-age / fade) comes down to half, rounded: what readers are told of it."""
    return round(fade * math.log(2))


@dataclass(frozen=True, eq=False)
class Distinct(Measure):
    """Number of distinct values of a column (missing values do not count)."""

    column: str


@dataclass(frozen=True, eq=False)
class NewValues(Measure):
    """Number of distinct values of a column that were seen for the first time ever within the window."""

    column: str


@dataclass(frozen=True, eq=False)
class EffectiveNumber(Measure):
    """Over how many values of a column events spread: e to the Shannon entropy of the shares of events (Hill 1973).

    1 where all have the same value, k where k values share them evenly; missing where no event has a value.
    """

    column: str


@dataclass(frozen=True, eq=False)
class Commonest(Measure):
    """Value of a column that most events have; among equally common ones the largest, so that engines agree."""

    column: str


@dataclass(frozen=True, eq=False)
class CommonestShare(Measure):
    """Share of events with the commonest value of a column among those with a value; missing where there is none."""

    column: str


@dataclass(frozen=True, eq=False)
class TopShare(Measure):
    """Share of the largest value of `of` in the total of `column`; missing where the total is not positive.

    Events whose `of` is missing count in the total only.
    """

    column: str
    of: str


@dataclass(frozen=True, eq=False)
class Latest(Measure):
    """Value of a column at the last event; among equal times the largest value, so that engines agree."""

    column: str


@dataclass(frozen=True, eq=False)
class DaysUntil(Measure):
    """Days from the cutoff to the latest date in a column, negative where it has passed; missing where there is none.

    The column must have been known with the event, as the end of a term that was agreed at its start.
    """

    column: str
