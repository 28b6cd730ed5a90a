"""Purchase histories in the form that buy-till-you-die models read: frequency, recency, age."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from .base import Floats


@dataclass(frozen=True)
class Histories:
    """What is known of each customer at the end of observation, (n,) each, in one unit of time (weeks, days).

    `frequency` x: repeat visits, the first not counted; `recency` t_x: time from the first visit to the last (0 where
    x is 0); `age` T: time from the first visit to the end of observation. ValueError for what cannot be.
    """

    frequency: Floats
    recency: Floats
    age: Floats

    def __post_init__(self) -> None:
        for name in ("frequency", "recency", "age"):
            object.__setattr__(self, name, np.atleast_1d(np.asarray(getattr(self, name), dtype=np.float64)))
        x, last, age = self.frequency, self.recency, self.age
        if not len(x) == len(last) == len(age) or len(x) == 0:
            raise ValueError(
                f"histories: need equally many frequencies, recencies and ages: {len(x)} {len(last)} {len(age)}"
            )
        faults = {
            "missing or infinite values": ~(np.isfinite(x) & np.isfinite(last) & np.isfinite(age)),
            "a frequency that is no count": (x < 0) | (x != np.floor(x)),
            "a recency outside 0 to age": (last < 0) | (last > age),
            "no time observed": age <= 0,
            "a recency without repeat visits, or the reverse": (x > 0) != (last > 0),
        }
        for what, where in faults.items():
            if where.any():
                first = int(np.flatnonzero(where)[0])
                raise ValueError(
                    f"histories: {int(where.sum())} of {len(x)} have {what}; the first is row {first}: "
                    f"frequency {x[first]:g}, recency {last[first]:g}, age {age[first]:g}"
                )

    def __len__(self) -> int:
        return len(self.frequency)

    def pieces(self, size: int = 20_000) -> Iterator[Histories]:
        """The same customers in pieces of at most `size`, in order, so that temporary arrays stay small."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield Histories(self.frequency[part], self.recency[part], self.age[part])


def histories_of(customers: Any, at: Any, until: Any, *, unit_days: float = 7.0) -> tuple[pa.Array, Histories]:
    """Histories from purchases by `until`, and the customers that they belong to, in order of appearance.

    `customers` and `at` (n,) one entry a purchase; purchases of one calendar day of `at` are one visit. Age is counted
    in days from the day of the first visit to the day of `until`. A customer whose first visit is on the last day has
    no age yet and is left out. ValueError where no one is left.
    """
    day = np.asarray(at).astype("M8[D]").astype(np.int64)
    end = int(np.datetime64(until, "D").astype(np.int64))
    column = customers.combine_chunks() if isinstance(customers, pa.ChunkedArray) else pa.array(customers)
    seen = day <= end
    encoded = column.filter(pa.array(seen)).dictionary_encode()
    code, day = encoded.indices.to_numpy(zero_copy_only=False), day[seen]
    if len(code) == 0:
        raise ValueError(f"histories: no purchase by {until}")
    order = np.lexsort((day, code))
    code, day = code[order], day[order]
    visit = np.ones(len(code), dtype=bool)
    visit[1:] = (np.diff(code) != 0) | (np.diff(day) != 0)
    code, day = code[visit], day[visit]
    first = np.flatnonzero(np.diff(code, prepend=-1))
    last = np.append(first[1:], len(code)) - 1
    age = (end - day[first]) / unit_days
    known = age > 0
    repeats = (last - first)[known].astype(np.float64)
    histories = Histories(repeats, ((day[last] - day[first]) / unit_days)[known], age[known])
    return encoded.dictionary.filter(pa.array(known)), histories
