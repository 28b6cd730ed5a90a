"""How much of the assortment the offers use, and how much the lists of different customers differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from .counts import FloatArray, as_floats, encode


def coverage_at_k(items: Any, score: Any, groups: Any, k: int = 10) -> float:
    """Share of the items that are candidates for anyone and stand in anyone's first k places."""
    offered, _ = _offered(items, score, groups, k)
    return float((offered > 0).mean())


def diversity_at_k(items: Any, score: Any, groups: Any, k: int = 10) -> float:
    """How much two customers' lists differ: 1 - mean over all pairs of groups of |both| / k (Zhou et al. 2010).

    0 where all get the same list, 1 where no two share an item; nan for a single group. Computed from how often
    each item is offered: the pairs that share it are n (n - 1) / 2.
    """
    offered, groups_number = _offered(items, score, groups, k)
    if groups_number < 2:
        return float("nan")
    shared = float((offered * (offered - 1)).sum() / (groups_number * (groups_number - 1)))
    return 1 - shared / k


def _offered(items: Any, score: Any, groups: Any, k: int) -> tuple[FloatArray, int]:
    """How many lists hold each item among the first k places (equal scores by the items' own order), and lists."""
    values = as_floats(score, "score")
    item, number = encode(items, "items")
    group, size = encode(groups)
    # names decide between equal scores, so that the order of the rows does not
    name = np.unique(np.asarray(items), return_inverse=True)[1]
    order = np.lexsort((name, -values, group))
    start = np.flatnonzero(np.diff(group[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(start, np.diff(np.append(start, len(order))))
    return np.bincount(item[order[rank < k]], minlength=number).astype(np.float64), size
