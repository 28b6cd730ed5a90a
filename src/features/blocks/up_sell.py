"""Cross-sell or up-sell: whether an offered category is a higher tier of a line from which the customer buys.

Tiers (good, better, best; own brand and name brand) are ranked within a line by what an item of them costs on average,
and a category stands in the line and tier of most of its items. All of it is counted over the last year.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...language.declarations import Count, Feature, Group, Sum, Visible
from .co_purchase import index

YEAR = 365
_ITEMS = Feature("items", Count(last=(YEAR,)), definition="")
_COST = Feature("cost", Sum(column="amount", last=(YEAR,)), definition="")
_KINDS = Group("transactions", ("category", "line", "tier"), (_ITEMS, _COST))
_OWN = Group("transactions", ("customer_id", "line", "tier"), (_ITEMS,))
_NEVER = -1  # the rank of nothing


@dataclass(frozen=True)
class _Ladder:
    """Categories with the number of their line and the rank of their tier, and the rank of each tier by line."""

    categories: pa.Array
    line: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int64]
    lines: pa.Array
    rank_of: dict[tuple[str, str], int]


def up_sell(visible: Visible, spine: pa.Table) -> list[npt.NDArray[np.float64]]:
    """1 where the category's tier is above all that the customer bought in its line, 0 where not.

    Also 0 where he bought nothing of the line: something new is a cross-sell. Missing where the category has no tier.
    """
    ladder = visible.everywhere(count_kinds, _ladder)
    owners, highest = _highest(visible, ladder)
    category = index(spine["category"], ladder.categories)
    known = category >= 0
    if not known.any() or not len(owners):
        return [np.where(known, 0.0, np.nan)]
    owner = index(spine["customer_id"], owners)
    bought = np.where(owner >= 0, highest[owner, ladder.line[category]], _NEVER)
    is_higher = (bought > _NEVER) & (bought < ladder.rank[category])
    return [np.where(known, is_higher.astype(np.float64), np.nan)]


def count_kinds(visible: Visible) -> pa.Table:
    """Items by category, line and tier, and their amounts in hundredths: `n`, told apart by `what`."""
    found = visible.measure(_KINDS)
    found = found.filter(pc.greater(found["items"], 0)).drop_null()
    keys = [pc.cast(found[name], pa.string()) for name in _KINDS.key]
    cents = pc.round(pc.multiply(pc.cast(found["cost"], pa.float64()), 100.0))
    names = [*_KINDS.key, "what", "n"]
    parts = [
        pa.table([*keys, pa.repeat(what, found.num_rows), pc.cast(n, pa.int64())], names)
        for what, n in (("items", found["items"]), ("cents", cents))
    ]
    return pa.concat_tables(parts)


def _ladder(counted: pa.Table) -> _Ladder:
    items: dict[tuple[str, str, str], int] = {}
    sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: {"items": 0, "cents": 0})
    for row in counted.to_pylist():
        line, tier, what, n = row["line"], row["tier"], row["what"], row["n"]
        sums[line, tier][what] += n
        if what == "items":
            items[row["category"], line, tier] = n
    by_line: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for (line, tier), of in sums.items():
        by_line[line].append((of["cents"] / of["items"], tier))
    rank_of = {(line, tier): rank for line, tiers in by_line.items() for rank, (_, tier) in enumerate(sorted(tiers))}
    most: dict[str, tuple[int, str, str]] = {}
    for (category, line, tier), n in items.items():
        most[category] = max(most.get(category, (0, "", "")), (n, line, tier))
    lines, categories = sorted(by_line), sorted(most)
    place = {line: number for number, line in enumerate(lines)}
    return _Ladder(
        categories=pa.array(categories, pa.string()),
        line=np.array([place[most[name][1]] for name in categories], np.int64),
        rank=np.array([rank_of[most[name][1:]] for name in categories], np.int64),
        lines=pa.array(lines, pa.string()),
        rank_of=rank_of,
    )


def _highest(visible: Visible, ladder: _Ladder) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Customers, and the rank of the highest tier that each bought of each line (customers, lines); -1 for nothing."""
    own = visible.measure(_OWN)
    own = own.filter(pc.greater(own["items"], 0)).drop_null()
    owners = pc.unique(own["customer_id"])
    tiers = zip(
        pc.cast(own["line"], pa.string()).to_pylist(), pc.cast(own["tier"], pa.string()).to_pylist(), strict=True
    )
    rank = np.array([ladder.rank_of.get(pair, _NEVER) for pair in tiers], np.int64)
    highest = np.full((len(owners), max(len(ladder.lines), 1)), _NEVER, np.int64)
    of_line = index(pc.cast(own["line"], pa.string()), ladder.lines)
    held = of_line >= 0
    np.maximum.at(highest, (index(own["customer_id"], owners)[held], of_line[held]), rank[held])
    return owners, highest
