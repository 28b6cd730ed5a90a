"""Features: a measure or a relation of columns with its definition, unit and words; groups and blocks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .measures import Measure

MANY_VALUES = 20


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
