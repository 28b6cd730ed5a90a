"""What goes together: pairs of categories that more customers have than chance would bring together, with a test.

Of N customers with a basket (90 days), n_a have category a, n_b category b, n_ab both. Lift is N n_ab / (n_a n_b). The
test is Fisher's exact one of independence, one-sided: P(at least n_ab) under the hypergeometric distribution (Fisher,
"The logic of inductive inference", JRSS 1935); over all pairs the share of false discoveries is held (Benjamini and
Hochberg, JRSS B 57, 1995). The interval of the lift is that of its logarithm, with the variance
1/n_ab - 1/n_a - 1/n_b + (2 lift - 1) / N of the delta method.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..features.blocks.co_purchase import BASKET_DAYS, count_together
from ..features.snapshot import Snapshots
from .material import Floats

FALSE_SHARE = 0.05  # of pairs said to go together that do not
SHOWN = 30
FEWEST_BOTH = 20  # customers of a pair that is shown: the highest lifts are those of one customer with two rarities


@dataclass(frozen=True)
class Pair:
    """Two categories, the customers who have both, lift with its 95 % interval, and the p-value, also corrected."""

    category: str
    other: str
    customers: int
    lift: float
    low: float
    high: float
    p_value: float
    q_value: float


@dataclass(frozen=True)
class Associations:
    """Of so many pairs `tested` those that go together, the highest lift first; baskets of so many `customers`."""

    pairs: tuple[Pair, ...]
    tested: int
    customers: int
    days: int = BASKET_DAYS

    @property
    def words(self) -> str:
        """One sentence of what was found."""
        if not self.customers:
            return f"Nobody bought anything in the last {self.days} days."
        return (
            f"{len(self.pairs):,} of {self.tested:,} pairs go together beyond chance (Fisher's exact test, at most "
            f"{FALSE_SHARE:.0%} of them false) in the baskets of {self.customers:,} customers over {self.days} days. "
            f"The strongest that at least {FEWEST_BOTH} customers have are shown."
        )

    def strongest(self, most: int = SHOWN) -> tuple[Pair, ...]:
        """The pairs of the highest lift among those that enough customers have."""
        return tuple(pair for pair in self.pairs if pair.customers >= FEWEST_BOTH)[:most]

    def as_dict(self, most: int = SHOWN) -> dict[str, Any]:
        """Plain values, with the strongest pairs."""
        pairs = [asdict(pair) for pair in self.strongest(most)]
        return {"words": self.words, "tested": self.tested, "found": len(self.pairs), "pairs": pairs}


def what_goes_together(snapshots: Snapshots, as_of: datetime) -> Associations:
    """The associations in the baskets that were known at a moment."""
    return associations(count_together(snapshots.visible(as_of)))


def associations(counted: pa.Table) -> Associations:
    """The associations of counts as `count_together` gives them: category, other, n; missing names count everybody."""
    everybody = int(pc.sum(counted.filter(pc.is_null(counted["category"]))["n"]).as_py() or 0)
    rows = counted.filter(pc.is_valid(counted["category"]))
    names = np.array(sorted(pc.unique(rows["category"]).to_pylist()), object)
    place = {name: number for number, name in enumerate(names)}
    together = np.zeros((len(names), len(names)), np.int64)
    for left, right, n in zip(*(rows[name].to_pylist() for name in ("category", "other", "n")), strict=True):
        together[place[left], place[right]] = n
    first, second = np.triu_indices(len(names), 1)
    if not len(first):
        return Associations((), 0, everybody)
    both, alone = together[first, second], np.diag(together)
    p_value, q_value = _tested(both, alone[first], alone[second], everybody)
    with np.errstate(divide="ignore"):
        lift = everybody * both / (alone[first] * alone[second])
        variance = 1 / both - 1 / alone[first] - 1 / alone[second] + (2 * lift - 1) / everybody
        error = 1.96 * np.sqrt(np.maximum(variance, 0))
    found = np.flatnonzero((q_value <= FALSE_SHARE) & (lift > 1))
    found = found[np.lexsort((found, -lift[found]))]
    pairs = tuple(
        Pair(
            str(names[first[i]]),
            str(names[second[i]]),
            int(both[i]),
            float(lift[i]),
            float(lift[i] * np.exp(-error[i])),
            float(lift[i] * np.exp(error[i])),
            float(p_value[i]),
            float(q_value[i]),
        )
        for i in found
    )
    return Associations(pairs, len(first), everybody)


def _tested(both: Any, left: Any, right: Any, everybody: int) -> tuple[Floats, Floats]:
    from scipy.stats import false_discovery_control, hypergeom

    p_value = np.clip(hypergeom.sf(both - 1, everybody, left, right), 0, 1)
    return p_value, np.asarray(false_discovery_control(p_value))
