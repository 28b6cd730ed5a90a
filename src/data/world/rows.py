"""What turns the log of a block into columns: the clock, the ids, the rows of one kind of event.

Customers are numbered from 100001 and prospects from 500000001 in the order of the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .blocks import Block, World
from .state import EVENTS

MICROSECONDS = 86_400_000_000
#: hours of the day at which the hundredths of a day's activity are reached; shops open at seven and close at ten
_HOURS = np.interp(np.linspace(0, 1, 101), [0, 0.12, 0.35, 0.55, 0.9, 1], [7.0, 9.5, 12.0, 15.5, 19.5, 22.0])


@dataclass
class Numbers:
    """How many customers, prospects and contacts there were before the block."""

    customers: int = 0
    prospects: int = 0
    contacts: int = 0


class Clock:
    """From days since the start of the world to UTC timestamps."""

    def __init__(self, world: World) -> None:
        self.start = np.datetime64(world.config.start, "us")
        self.end = self.start + np.timedelta64(world.config.days * MICROSECONDS, "us")
        self.days = float(world.config.days)
        self.opening_hours = not world.config.dropout.at_purchase

    def at(self, day: Any) -> Any:
        """datetime64[us]; NaN becomes NaT. Within a day the order of events is kept."""
        day = np.asarray(day, float)
        whole = np.floor(day)
        fraction = day - whole
        if self.opening_hours:
            fraction = np.interp(fraction, np.linspace(0, 1, 101), _HOURS / 24)
        return self.plain(whole + np.minimum(fraction, 1 - 1e-9))

    def plain(self, day: Any) -> NDArray[Any]:
        """The same without opening hours."""
        day = np.asarray(day, float)
        known = np.isfinite(day)
        passed = np.where(known, np.round(np.where(known, day, 0) * MICROSECONDS), 0).astype(np.int64)
        return np.where(known, self.start + passed.astype("timedelta64[us]"), np.datetime64("NaT", "us"))


def words(codes: Any, names: tuple[str, ...]) -> pa.Array:
    """Codes as strings; a negative code is missing."""
    codes = np.asarray(codes).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), list(names))


def stamps(values: NDArray[Any]) -> pa.Array:
    """datetime64[us] as Arrow timestamps; NaT is missing."""
    return pa.array(values, pa.timestamp("us"))


def money(values: Any) -> Any:
    """Rounded to cents."""
    return np.round(values, 2)


class Rows:
    """The rows of one kind of event, by column name."""

    def __init__(self, log: NDArray[np.float64], table: str, kept: NDArray[np.bool_]) -> None:
        rows = log[(log[:, 0] == list(EVENTS).index(table)) & kept[log[:, 1].astype(np.int64)]]
        self.person = rows[:, 1].astype(np.int64)
        self.day = rows[:, 2]
        self.columns = {name: rows[:, 3 + j] for j, name in enumerate(EVENTS[table])}

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return np.asarray(self.columns[name])

    def whole(self, name: str) -> NDArray[np.int64]:
        """A column of whole numbers."""
        return np.asarray(self.columns[name].astype(np.int64))


class Ids:
    """Numbers of the customers and prospects of a block; 0 where a person is not one."""

    def __init__(self, block: Block, kept: NDArray[np.bool_], numbers: Numbers) -> None:
        customers, founders = block.customers & kept, block.people["founder"] == 1
        prospects = kept & ~founders
        self.kept = kept
        self.customer = np.where(customers, 100_000 + numbers.customers + np.cumsum(customers), 0)
        self.prospect = np.where(prospects, 500_000_000 + numbers.prospects + np.cumsum(prospects), 0)

    def prospects(self, person: NDArray[Any]) -> pa.Array:
        """Prospect ids of persons, missing where a person is none."""
        numbers = self.prospect[person]
        return pa.array(numbers, pa.int64(), mask=numbers == 0)

    def customers(self, person: NDArray[Any]) -> pa.Array:
        """Customer ids of persons, missing where a person is none."""
        numbers = self.customer[person]
        return pa.array(numbers, pa.int64(), mask=numbers == 0)
