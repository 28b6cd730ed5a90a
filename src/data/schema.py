"""The words in which the data contract is written: a table, its columns, and what each column must keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LogicalType = Literal["id", "text", "number", "timestamp", "boolean"]
Moment = Literal["start", "end"]
Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Reference:
    """Values of a column must stand in a key column of one of the parent tables.

    `severity` is a warning where the parent may well be partial (demographics of some customers only), and an error
    where a row without its parent cannot be used.
    """

    parents: tuple[tuple[str, str], ...]
    severity: Severity = "warning"


@dataclass(frozen=True)
class Column:
    """One canonical column.

    `required`: the column must be mapped; `missing` says how a row without a value counts (None: it is fine).
    `domain`: ids of one domain are joined with each other and so get one type. `may_be_future`: plans and due dates.
    `negative`, `zero`: how such numbers count (None: they are fine). `not_before`: a column of the same table that it
    must not precede. `allowed`: the only values, where there is a closed list.
    """

    name: str
    type: LogicalType
    required: bool = False
    missing: Severity | None = None
    domain: str = ""
    references: Reference | None = None
    date_means: Moment = "end"
    may_be_future: bool = False
    negative: Severity | None = None
    zero: Severity | None = None
    not_before: str = ""
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One canonical table.

    `key`: columns that identify a row together (those of them that are mapped); `entity`: alternatives of the column
    by which its rows belong to a customer or prospect (one of them is required); `event`: the column that says when it
    happened; `attributes`: whether further columns of the source are kept as attributes.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    entity: tuple[str, ...] = ()
    event: str = ""
    attributes: bool = False

    def __getitem__(self, name: str) -> Column:
        """The column of that name; KeyError where the contract has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(column.name for column in self.columns)
