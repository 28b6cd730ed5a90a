"""What can be said about the past (a feature, a population) and the future (a target), as typed declarations.

A declaration names a table, a key and a measure, never a time condition: the compiler alone writes those. So

>>> Count(last=56) > 0
Condition(measure=Count(last=(56,), ahead=None, until=None, where=None), operator='>', value=0)

is a population, `Count(ahead=28) == 0` a target, and `Sum("amount", last=(30, 90))` two columns of features.
Windows are days of the business calendar: `last=30` sees events in (cutoff - 30 days, cutoff], `last=None` all of the
visible past, `ahead=28` sees (cutoff, cutoff + 28 days], `until="ends_at"` sees up to a column of the population.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Days = int | None
MANY_VALUES = 20
"""An attribute with more values is not told apart value by value (see `Encoding`)."""
Operator = Literal["==", "!=", "<", "<=", ">", ">="]
Value = str | int | float | bool


# ------------------------------------------------------------------------------------------- which events
@dataclass(frozen=True)
class Predicate:
    """A test on one column of an event; join several with `&`."""

    column: str
    operator: Operator | Literal["in"]
    value: Value | tuple[Value, ...]

    def __and__(self, other: Predicate | Conjunction) -> Conjunction:
        return Conjunction((self,)) & other

    def __bool__(self) -> bool:
        raise TypeError("tests on events are joined with `&`, each in parentheses; `and`, `or` and `not` cannot be")


@dataclass(frozen=True)
class Conjunction:
    """Predicates that must all hold."""

    parts: tuple[Predicate, ...]

    def __and__(self, other: Predicate | Conjunction) -> Conjunction:
        return Conjunction(self.parts + (other.parts if isinstance(other, Conjunction) else (other,)))

    def __bool__(self) -> bool:
        return bool(self.parts[0])


@dataclass(frozen=True, eq=False)
class Column:
    """A column of an event, to be compared: `Column("kind") == "complaint"`."""

    name: str

    def __eq__(self, value: object) -> Predicate:  # type: ignore[override]
        return Predicate(self.name, "==", value)  # type: ignore[arg-type]

    def __ne__(self, value: object) -> Predicate:  # type: ignore[override]
        return Predicate(self.name, "!=", value)  # type: ignore[arg-type]

    def __gt__(self, value: Value) -> Predicate:
        return Predicate(self.name, ">", value)

    def __ge__(self, value: Value) -> Predicate:
        return Predicate(self.name, ">=", value)

    def __lt__(self, value: Value) -> Predicate:
        return Predicate(self.name, "<", value)

    def __le__(self, value: Value) -> Predicate:
        return Predicate(self.name, "<=", value)

    def is_in(self, *values: Value) -> Predicate:
        """True where the column has one of the values."""
        return Predicate(self.name, "in", values)


# ------------------------------------------------------------------------------------------- what is measured
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


# ------------------------------------------------------------------------------------------- from column to column
@dataclass(frozen=True)
class Ratio:
    """One feature over another; missing where the divisor is zero or missing.

    With `{value}` in the numerator's name and the feature's, there is one for each value of a `ForTopValues`.
    """

    numerator: str
    denominator: str


@dataclass(frozen=True)
class DaysBetween:
    """Days from one timestamp of the population's row to another."""

    start: str
    end: str


@dataclass(frozen=True)
class Attribute:
    """A column of the population's own row, or of the table that describes its key (profile data)."""

    column: str


@dataclass(frozen=True)
class EveryAttribute:
    """Every attribute column of a table that describes the key, each as a feature of its own name and type."""


@dataclass(frozen=True)
class MissingShare:
    """Share of the attributes of a table, those that became features, that are missing; 1 for a key without a row."""


@dataclass(frozen=True)
class ForTopValues:
    """One measure for each of the most common values of a column.

    The values are those with the most keys in sight at the first training cutoff; they are learned once, stored with
    the model, and the same ever after. The feature's name holds `{value}`.
    """

    measure: Measure
    of: str
    top: int


Declaration = Measure | Ratio | DaysBetween | Attribute | EveryAttribute | MissingShare | ForTopValues
Kind = Literal["number", "category"]


@dataclass(frozen=True)
class Feature:
    """One declaration and what a reader must know of it.

    `what` is None where a function computes the values (see `Fitted`).
    `name` may hold `{window}` (30d, life); a measure with several windows yields one column for each. `words` is the
    template of its reason in plain English: `{value}`, `{typical}` (the training median) and the name of any other
    feature of the row stand for their values, written with their units; `{window}` inside such a name is the column's.
    """

    name: str
    what: Declaration | None
    definition: str
    unit: str = ""
    words: str = ""
    family: str = ""
    kind: Kind = "number"


@dataclass(frozen=True)
class FeatureColumn:
    """One column of a snapshot, described: the entry of the feature dictionary.

    `family` groups the columns that say one thing: their contributions are summed into one reason. `unit` is one of
    "days", "currency", "share", "count", "" (or any word that is printed behind the number); `window` is in days,
    None for the whole past or where there is no window.
    """

    name: str
    block: str
    family: str
    kind: Kind = "number"
    unit: str = ""
    window: int | None = None
    definition: str = ""
    words: str = ""


@dataclass(frozen=True)
class Group:
    """Features over one table with one key, such as ("customer_id",) or ("customer_id", "category").

    With `planned`, rows are plans (contacts, campaigns, offers): visible from `known_at` on, even before they happen,
    and read only for what was planned. With `through="offers"`, events count where their product (or what else `on`
    names) is among the offers of the key's campaign.
    """

    table: str
    key: tuple[str, ...]
    features: tuple[Feature, ...]
    planned: bool = False
    through: str | None = None
    on: str = "product_id"


Made = TypeVar("Made")


class Visible(Protocol):
    """What a fitted feature may ask for: measures over the events in sight at one cutoff, already cut there."""

    @property
    def cutoff(self) -> datetime:
        """The moment as of which things are known, naive UTC."""

    def measure(self, group: Group) -> pa.Table:
        """One row for each key in sight, one column for each measure of the group, sorted by key."""

    def attribute(self, table: str, key: tuple[str, ...], column: str) -> pa.Table:
        """One row for each key that a table describes at the cutoff: the key and its attribute, `value` (string)."""

    def everywhere(self, count: Callable[[Visible], pa.Table], fit: Callable[[pa.Table], Made]) -> Made:
        """What `fit` makes of counts over everybody, where perhaps only one bucket of customers is at hand.

        `count` gives a table whose last column `n` is a whole number; over the buckets, `n` is added up for each
        combination of the other columns. `fit` gets the sums, in no particular order of rows, and what it makes of them
        is made once a cutoff and kept: all rows of a cutoff are judged by the same.
        """


@dataclass(frozen=True)
class Fitted:
    """Features computed by a function over the visible events of one cutoff.

    `compute(visible, spine)` gets the spine (an Arrow table with the keys) and returns one float64 array for each of
    the features, aligned with the spine's rows. `needs` names the tables and columns that it reads.
    """

    key: tuple[str, ...]
    features: tuple[Feature, ...]
    needs: tuple[tuple[str, tuple[str, ...]], ...]
    compute: Callable[[Visible, pa.Table], Sequence[npt.NDArray[np.float64]]]


@dataclass(frozen=True)
class Encoding:
    """Fitted features that stand for an attribute of very many values, such as a post code.

    There is one of each feature for every text attribute of `table` that had more than `MANY_VALUES` values at the
    first training cutoff, and at most half as many as keys; the attribute itself is then no feature. Which attributes
    these are is learned once and stored with the model. `{value}` in names and words stands for the attribute;
    `compute(column)` gives the function of one, as in `Fitted`.
    """

    table: str
    key: tuple[str, ...]
    features: tuple[Feature, ...]
    needs: tuple[tuple[str, tuple[str, ...]], ...]
    compute: Callable[[str], Callable[[Visible, pa.Table], Sequence[npt.NDArray[np.float64]]]]

    @property
    def learned_as(self) -> str:
        """The name under which its attributes are stored with a model."""
        return f"{self.table} with many values"


@dataclass(frozen=True)
class Block:
    """One family of feature declarations: the content of one module of `features/blocks/`.

    `derived` features are computed from columns of any block that is in use; `fitted` ones are functions over what is
    visible at the cutoff, for what the language cannot say; `encodings` are such functions for attributes.
    """

    name: str
    groups: tuple[Group, ...] = ()
    derived: tuple[Feature, ...] = ()
    fitted: tuple[Fitted, ...] = ()
    encodings: tuple[Encoding, ...] = ()


# ------------------------------------------------------------------------------------------- who and what is predicted
@dataclass(frozen=True)
class Seen:
    """Every value of the key with at least one visible event in the table."""

    table: str
    key: tuple[str, ...]


@dataclass(frozen=True)
class Pairs:
    """Every combination of what two others have seen."""

    left: Seen
    right: Seen


@dataclass(frozen=True)
class Planned:
    """The rows of a table of plans, each at its own cutoff: the moment `at` for which it was planned.

    To train, a row counts if it was known by then; to score as of a day, the rows known by that day and not begun
    before it count. `until` is the column where the row's target window ends, `carry` names planned columns that
    become part of the population's rows, `where` chooses among the plans by what was planned.
    """

    table: str
    key: tuple[str, ...]
    at: str
    until: str
    carry: tuple[str, ...] = ()
    where: Predicate | Conjunction | None = None


@dataclass(frozen=True)
class Requirement:
    """A condition on the events of one table with one key; also the form of a target.

    With `over`, the condition is on the measure as a share of that one, by the same key; what has nothing to be a share
    of counts as zero.
    """

    table: str
    key: tuple[str, ...]
    condition: Condition
    over: Over | None = None

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it reads."""
        return (self.table, *([self.over.table] if self.over is not None else []))

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All that it measures."""
        return (self.condition.measure, *([self.over.measure] if self.over is not None else []))


@dataclass(frozen=True)
class Over:
    """What a measure is a share of: a sum or count over the events of a table."""

    table: str
    measure: Measure


@dataclass(frozen=True)
class Together:
    """A target of several requirements with one key: true where at least so many of them hold.

    `at_least` 1 means any of them, their number means all. A key without any event meets none of them.
    """

    parts: tuple[Requirement | Together, ...]
    at_least: int

    def __post_init__(self) -> None:
        if len({part.key for part in self.parts}) != 1:
            raise ValueError("requirements that are taken together need one and the same key")
        if not 1 <= self.at_least <= len(self.parts):
            raise ValueError(f"at least {self.at_least} of {len(self.parts)} requirements cannot hold")
        for part in self.parts:
            if isinstance(part, Requirement) and part.condition.holds_of_nothing:
                raise ValueError("a requirement that holds without any event cannot be taken together with others")

    @property
    def key(self) -> tuple[str, ...]:
        """The key of all parts."""
        return self.parts[0].key

    @property
    def condition(self) -> Condition:
        """That enough of the parts hold, counted ahead like them."""
        measure = self.measures[0]
        return Condition(Count(ahead=measure.ahead, until=measure.until), ">=", self.at_least)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that the parts read."""
        return tuple(dict.fromkeys(table for part in self.parts for table in part.tables))

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All that the parts measure."""
        return tuple(measure for part in self.parts for measure in part.measures)


@dataclass(frozen=True)
class Worth:
    """What comes of a row if its target comes true, in money: a sum over the same time ahead as the target's."""

    table: str
    key: tuple[str, ...]
    measure: Measure

    def __post_init__(self) -> None:
        if not self.measure.looks_ahead:
            raise ValueError("what a row is worth lies ahead of the cutoff: give its measure `ahead` or `until`")


Universe = Seen | Pairs | Planned


@dataclass(frozen=True)
class Population:
    """Who is eligible at a cutoff: a universe, less whoever fails a requirement."""

    universe: Universe
    requirements: tuple[Requirement, ...] = ()

    def __post_init__(self) -> None:
        if any(measure.looks_ahead for requirement in self.requirements for measure in requirement.measures):
            raise ValueError("who is eligible is decided as of the cutoff: a requirement cannot look ahead")
