"""Who is asked about, and what is predicted of them."""

from __future__ import annotations

from dataclasses import dataclass

from .measures import Condition, Count, Measure
from .predicates import Conjunction, Predicate


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
