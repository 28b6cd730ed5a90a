"""How likely a customer still is one: a BG/NBD fitted to everybody's visits, as far as they are visible at the cutoff.

It is fitted anew at each cutoff, from what is visible there and for nothing else (it is never frozen at the first
training cutoff): a bundle carries no parameters of it, and what it says follows the business as it changes. It is
fitted once a cutoff, however many rows are scored. The histories are counted in whole days over all customers, so that
every bucket of them sees the same fit; where there are very many different ones, an even sample of them is used. Each
customer is then judged by his own exact times.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import ModelError
from ...estimation import bg_nbd
from ...estimation.maximum_likelihood import maximise
from ...language.declarations import DaysSinceFirst, DaysSinceLast, Feature, Group, Visible, Visits
from .co_purchase import index

Floats = npt.NDArray[np.float64]
AHEAD = 30
MOST_HISTORIES = 5_000
_ITERATIONS = 500
HISTORY = Group(
    "transactions",
    ("customer_id",),
    (
        Feature("visits", Visits(), definition=""),
        Feature("first", DaysSinceFirst(), definition=""),
        Feature("last", DaysSinceLast(), definition=""),
    ),
)


def still_a_customer(visible: Visible, spine: pa.Table) -> list[Floats]:
    """P(alive) and the visits expected in the next 30 days; missing where no rhythm can be fitted."""
    nothing = np.full(spine.num_rows, np.nan)
    parameters = visible.everywhere(count_histories, rhythm_of_all)
    if parameters is None:
        return [nothing, nothing]
    customers = spine["customer_id"].combine_chunks().dictionary_encode()
    histories = visible.measure(HISTORY)
    histories = histories.filter(pc.is_in(histories["customer_id"], customers.dictionary))  # others are not asked for
    if histories.num_rows == 0:
        return [nothing, nothing]
    x, last, age = as_histories(histories)
    scores = [bg_nbd.alive(parameters, x, last, age), bg_nbd.expected(parameters, x, last, age, float(AHEAD))]
    row = index(customers.dictionary, histories["customer_id"].combine_chunks())[customers.indices.to_numpy()]
    return [np.where(row >= 0, score[row], np.nan) for score in scores]


def count_histories(visible: Visible) -> pa.Table:
    """Customers by repeat visits, days from first to last visit, and days since the first; `n` (int64)."""
    x, last, age = (values.astype(np.int64) for values in as_histories(visible.measure(HISTORY), whole_days=True))
    counted = pa.table({"x": x, "last": last, "age": age}).group_by(["x", "last", "age"]).aggregate([([], "count_all")])
    return counted.select(["x", "last", "age", "count_all"]).rename_columns(["x", "last", "age", "n"])


def as_histories(measured: pa.Table, *, whole_days: bool = False) -> tuple[Floats, Floats, Floats]:
    """Repeat visits x, days from the first to the last visit, and from the first to the cutoff, (n,) each.

    Visits at one and the same time are one; a relationship is at least a day (or a moment) old.
    """
    first, since_last = (measured[name].to_numpy().astype(np.float64) for name in ("first", "last"))
    age, last = first, first - since_last
    if whole_days:
        age, last = np.floor(age), np.floor(last)
    least = 1.0 if whole_days else 1e-3
    x = np.where(last > 0, measured["visits"].to_numpy() - 1.0, 0.0)
    return np.maximum(x, 0.0), np.where(x > 0, last, 0.0), np.maximum(age, least)


def rhythm_of_all(counted: pa.Table) -> Floats | None:
    """r, alpha, a, b in days; None where the likelihood has no maximum (nobody came twice, say)."""
    counted = counted.sort_by([(name, "ascending") for name in ("x", "last", "age")])
    counted = counted.take(pa.array(np.arange(0, counted.num_rows, -(-counted.num_rows // MOST_HISTORIES) or 1)))
    x, last, age, weight = (counted[name].to_numpy().astype(np.float64) for name in ("x", "last", "age", "n"))
    if not (x > 0).any():
        return None
    scale = float(weight @ age / weight.sum())
    try:
        found = maximise(
            lambda values: bg_nbd.likelihood(values, x, last / scale, age / scale),
            weight,
            bg_nbd.START,
            iterations=_ITERATIONS,
            what="bg_nbd",
        )
    except ModelError:  # too few repeat purchases: then nobody has a value
        return None
    return np.array(list(found.scaled(scale, ("alpha",), 0.0).values.values()))
