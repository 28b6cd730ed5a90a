"""Cohorts of prospects that an event sets off, such as school leavers or movers: found by when they come.

For each value of an attribute of prospects, the arrivals of each calendar month are held against the value's share in
all of them. A burst is a month in which it has at least twice that share, and more than chance allows (binomial tail,
shared by all months and values). A value is a cohort set off by an event where most of its arrivals fall into bursts,
and bursts are the exception: who comes evenly, however often, is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from ..data.dataset import Dataset
from ..language.moments import to_local

FEWEST = 50
"""Arrivals that a cohort must have."""
_TWICE, _MOST, _EXCEPTION, _ALPHA = 2.0, 0.6, 0.6, 1e-3


@dataclass(frozen=True)
class EventCohort:
    """Prospects with one value of an attribute, who come in bursts.

    `months` are those of the bursts (YYYY-MM), `in_bursts` the share of its arrivals that fall there, `converted` the
    share who have become customers so far, `others` that of all others who came in the same months.
    """

    attribute: str
    value: str
    arrivals: int
    months: tuple[str, ...]
    in_bursts: float
    converted: float | None
    others: float | None

    @property
    def words(self) -> str:
        """One sentence."""
        text = (
            f"{self.attribute} '{self.value}' is a cohort set off by an event: {self.in_bursts:.0%} of its "
            f"{self.arrivals:,} prospects came in {_spans(self.months)}"
        )
        if self.converted is None or self.others is None:
            return text
        return f"{text}; {self.converted:.0%} became customers so far, of the others of these months {self.others:.0%}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def find_event_cohorts(data: Dataset) -> tuple[EventCohort, ...]:
    """The cohorts among all prospects who came before the end of the data; none where there are no prospects."""
    if not data.has("prospects", "created_at"):
        return ()
    types = data.columns["prospects"]
    names = [name for name in data.attributes.get("prospects", ()) if "CHAR" in types[name]]
    converted = "converted_at" in types
    query = exp.select("created_at", *(exp.column(name, quoted=True) for name in names)).from_("prospects")
    query = query.select("converted_at") if converted else query
    rows = data.engine.arrow(query)
    rows = rows.filter(pc.less_equal(rows["created_at"], pa.scalar(data.observed_until, rows["created_at"].type)))
    month = [f"{to_local(one, data.config.zone):%Y-%m}" for one in rows["created_at"].to_pylist()]
    signed = (
        [one is not None and one <= data.observed_until for one in rows["converted_at"].to_pylist()]
        if converted
        else None
    )
    values = {name: [_plain(one) for one in rows[name].to_pylist()] for name in names}
    return among(month, values, signed)


def among(
    month: Sequence[str], values: dict[str, list[str | None]], signed: Sequence[bool] | None
) -> tuple[EventCohort, ...]:
    """The cohorts of prospects (n) with their month of arrival, attributes by name, and whether they have converted."""
    from scipy.stats import binom

    total = Counter(month)
    looked = sum(len(set(column) - {None}) for column in values.values()) * len(total)
    found = []
    for name, column in values.items():
        pairs = Counter(zip(month, column, strict=True))
        for value in sorted({one for one in column if one is not None}):
            mine = Counter({m: pairs[m, value] for m in total})
            count, share = mine.total(), mine.total() / len(month)
            if count < FEWEST:
                continue
            bursts = tuple(
                m
                for m in sorted(total)
                if mine[m] >= _TWICE * share * total[m] and binom.sf(mine[m] - 1, total[m], share) * looked < _ALPHA
            )
            within = sum(mine[m] for m in bursts) / count
            if within < _MOST or len(bursts) > _EXCEPTION * len(total):
                continue
            told = None if signed is None else _converted(month, column, value, set(bursts), signed)
            own, others = (None, None) if told is None else told
            found.append(EventCohort(name, value, count, bursts, within, own, others))
    return tuple(found)


def _converted(
    month: Sequence[str], column: Sequence[str | None], value: str, bursts: set[str], signed: Sequence[bool]
) -> tuple[float | None, float | None]:
    rows = [(one == value, done) for m, one, done in zip(month, column, signed, strict=True) if m in bursts]
    own, others = ([done for mine, done in rows if mine is wanted] for wanted in (True, False))
    return (sum(own) / len(own) if own else None, sum(others) / len(others) if others else None)


def _plain(value: Any) -> str | None:
    text = "" if value is None else str(value).strip().casefold()
    return text or None


def _spans(months: Sequence[str]) -> str:
    """Months as spans, such as "2023-07 to 2023-09 and 2024-07"."""
    spans: list[list[str]] = []
    for one in months:
        if spans and _next(spans[-1][-1]) == one:
            spans[-1].append(one)
        else:
            spans.append([one])
    told = [span[0] if len(span) == 1 else f"{span[0]} to {span[-1]}" for span in spans]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def _next(month: str) -> str:
    year, number = (int(part) for part in month.split("-"))
    return f"{year + number // 12}-{number % 12 + 1:02}"
