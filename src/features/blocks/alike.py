"""What others do who share a value: how an attribute of very many values (a post code, a device) becomes numbers.

Of the customers with the same value as the row's customer, himself left out: how many they are, the share of them
that bought in the last 90 days, and what they typically spent in the last 365. Both are drawn towards the mean of all
customers, as if `STRENGTH` more of the mean kind had the value (Micci-Barreca 2001, with a fixed weight).

This is an encoding by what the value's customers did, and not by the target, for three reasons. It cannot leak: it
reads what was visible at the cutoff and nothing that came after, and the row's own purchases are left out, as in an
encoding out of fold. A nightly job computes it by the same code from the same data, where nobody knows a target. And it
is of use to every task: those who lapse, answer or spend do so by the habits that these numbers tell.

Counts are whole numbers and amounts are logs in whole thousandths, so that they can be added up over buckets of
customers in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...language.declarations import Count, Feature, Group, Sum, Visible
from ..aligned import aligned
from .co_purchase import index

Floats = npt.NDArray[np.float64]
CUSTOMER = ("customer_id",)
STRENGTH = 20.0
LATELY, YEAR = 90, 365
_UNIT = 1000.0
_KINDS = ("customers", "active", "spent")
_DONE = Group(
    "transactions",
    CUSTOMER,
    (
        Feature("visits", Count(last=(LATELY,)), definition=""),
        Feature("spent", Sum(column="amount", last=(YEAR,)), definition=""),
    ),
)


@dataclass(frozen=True)
class Alike:
    """The features of one attribute of a table that describes customers."""

    table: str
    column: str

    def __call__(self, visible: Visible, spine: pa.Table) -> list[Floats]:
        """Others with the same value, the share of them that is active, and what they spend; missing without a value.

        (n,) each: a count, a share, an amount rounded to hundredths.
        """
        values, totals = visible.everywhere(self.count, _by_value)
        if not len(values):
            return [np.full(spine.num_rows, np.nan) for _ in totals]
        held = self._held(visible)
        own = {name: aligned(held, name, spine) for name in totals}
        known = np.isfinite(own["customers"])
        row = np.maximum(
            index(pc.take(held["value"], pc.index_in(spine["customer_id"], held["customer_id"])), values), 0
        )
        others = totals["customers"][row] - 1.0

        def drawn(name: str) -> Floats:
            mean = totals[name].sum() / totals["customers"].sum()
            return np.asarray((totals[name][row] - own[name] + STRENGTH * mean) / (others + STRENGTH))

        amount = np.round(np.expm1(drawn("spent") / _UNIT), 2)
        return [np.where(known, each, np.nan) for each in (others, drawn("active"), amount)]

    def count(self, visible: Visible) -> pa.Table:
        """Sums over the customers at hand: `value` and `kind` (strings), `n` (int64)."""
        summed = self._held(visible).group_by("value").aggregate([(kind, "sum") for kind in _KINDS])
        parts = [
            pa.table({"value": summed["value"], "kind": [kind] * summed.num_rows, "n": summed[f"{kind}_sum"]})
            for kind in _KINDS
        ]
        return pa.concat_tables(parts)

    def _held(self, visible: Visible) -> pa.Table:
        """The customers with a value: `customer_id`, `value`, and what is summed up, in whole numbers."""
        held = visible.attribute(self.table, CUSTOMER, self.column)
        done = visible.measure(_DONE)
        spent = np.maximum(np.nan_to_num(aligned(done, "spent", held)), 0.0)
        sums = {
            "customers": np.ones(held.num_rows, np.int64),
            "active": (np.nan_to_num(aligned(done, "visits", held)) > 0).astype(np.int64),
            "spent": np.rint(np.log1p(spent) * _UNIT).astype(np.int64),
        }
        return pa.table({name: held[name] for name in held.column_names} | sums)


def _by_value(counted: pa.Table) -> tuple[pa.Array, dict[str, Floats]]:
    """The values in order, and the sums of each (values,)."""
    values = pa.array(sorted(pc.unique(counted["value"]).to_pylist()), pa.string())
    totals = {kind: np.zeros(len(values)) for kind in _KINDS}
    for kind, total in totals.items():
        some = counted.filter(pc.equal(counted["kind"], kind))
        total[index(some["value"], values)] = some["n"].to_numpy()
    return values, totals
