"""Which events are meant: conditions on their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Operator = Literal["==", "!=", "<", "<=", ">", ">="]
Value = str | int | float | bool


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
