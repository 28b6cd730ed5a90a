"""How good the top of many short lists is: offers ranked for each customer (or each customer at each cutoff).

`rank_lists` sorts once and keeps the top of every list; the functions that take `RankedLists` then return one value
a group, shape (g,), nan where the group has no positive. Tied scores are taken at their expected value over all
orders of the tied rows (McSherry & Najork 2008), so that no result depends on the order of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from .counts import FloatArray, IntArray, as_floats, as_outcomes, encode


@dataclass(frozen=True)
class RankedLists:
    """The first `depth` places of every group's list, and what is needed to judge them.

    For each place (m,): its group, its rank 1.., `relevance` the chance that the row there is a positive,
    `precision` the expected share of positives down to it given that it is one, `value` the expected amount earned
    there, and of the block of ties that it lies in: rows and positives `before`, `tied` and `tied_positives`.
    `positives` (g,) counts each group's positives, at any rank.
    """

    depth: int
    positives: FloatArray
    group: IntArray
    rank: IntArray
    relevance: FloatArray
    precision: FloatArray
    value: FloatArray
    before: FloatArray
    positives_before: FloatArray
    tied: FloatArray
    tied_positives: FloatArray

    def sums(self, values: FloatArray, k: int) -> FloatArray:
        """Sum of one value a place over the first k places of each group, (g,)."""
        return np.bincount(self.group, values * self.within(k), len(self.positives)).astype(np.float64)

    def within(self, k: int) -> npt.NDArray[np.bool_]:
        """Which places are among the first k, (m,); ValueError where the lists were not kept that deep."""
        if not 0 < k <= self.depth:
            raise ValueError(f"k: these lists were kept to rank {self.depth}; k is {k}")
        return self.rank <= k


def rank_lists(target: Any, score: Any, groups: Any, depth: int = 10, margin: Any = None) -> RankedLists:
    """Sort each group's rows by score, highest first, and keep the first `depth` places.

    `target` (n,) of 0 and 1, `groups` (n,) any values without missing ones, rows in any order; `margin` (n,) is
    what a positive earns, 1 where absent. Linear in the rows but for one sort: 1.5 M rows take about half a second.
    """
    codes, size = encode(groups)
    return rank_coded_lists(target, score, codes, size, depth, margin)


def rank_coded_lists(
    target: Any, score: Any, codes: IntArray, size: int, depth: int, margin: Any = None
) -> RankedLists:
    """As `rank_lists`, for groups that are codes already: all of 0..size-1 occur."""
    outcome, scores = as_outcomes(target), as_floats(score, "score")
    if not len(outcome) == len(scores) == len(codes):
        raise ValueError(f"target, score, groups differ in length: {len(outcome)}, {len(scores)}, {len(codes)}")
    order = np.argsort(-scores)
    # a stable sort of small codes is a radix sort: linear in the rows
    order = order[np.argsort(codes.astype(np.uint16 if size < 2**16 else np.int64)[order], kind="stable")]
    code, sorted_score, positive = codes[order], scores[order], outcome[order]
    new_group = np.diff(code, prepend=-1) != 0
    new_block = new_group | (np.diff(sorted_score, prepend=np.nan) != 0)
    group_start, block_start = np.flatnonzero(new_group), np.flatnonzero(new_block)
    rank = np.arange(len(code)) - np.repeat(group_start, np.diff(np.append(group_start, len(code)))) + 1
    kept = np.flatnonzero(rank <= depth)
    block = (np.cumsum(new_block) - 1)[kept]

    sizes = np.diff(np.append(block_start, len(code))).astype(np.float64)
    block_positives = np.add.reduceat(positive, block_start)
    earned = positive if margin is None else positive * as_floats(margin, "margin")[order]
    block_value = np.add.reduceat(earned, block_start)
    positives = np.add.reduceat(positive, group_start)
    before_group = (np.cumsum(positives) - positives)[code[block_start]]
    positives_before = np.cumsum(block_positives) - block_positives - before_group

    place, tied, tied_positives = rank[kept], sizes[block], block_positives[block]
    before = (rank[block_start][block] - 1).astype(np.float64)
    relevance = tied_positives / tied
    # given a positive at this place, the places above it in its block hold the other tied positives evenly
    others = np.divide(tied_positives - 1, tied - 1, out=np.zeros_like(tied), where=tied > 1)
    found = positives_before[block] + 1 + (place - before - 1) * others
    return RankedLists(
        depth=depth,
        positives=positives,
        group=code[kept],
        rank=place,
        relevance=relevance,
        precision=found / place,
        value=block_value[block] / tied,
        before=before,
        positives_before=positives_before[block],
        tied=tied,
        tied_positives=tied_positives,
    )


def average_precisions(lists: RankedLists, k: int) -> FloatArray:
    """Average precision at k of each group: sum over hits in the first k of the precision there / min(k, positives).

    The mean over groups is MAP@k; only groups with a positive have a value (g,).
    """
    return _per_positive(lists, lists.sums(lists.relevance * lists.precision, k), np.minimum(k, lists.positives))


def ndcgs(lists: RankedLists, k: int, *, whole_basket: bool = False) -> FloatArray:
    """Normalised discounted cumulative gain at k of each group (Järvelin & Kekäläinen 2002), binary relevance.

    DCG@k = sum over hits in the first k of 1 / log2(rank + 1), divided by the best possible: over min(k, positives)
    ranks, the usual definition, or over all positives of the group (`whole_basket`), which a list of k cannot
    reach where there are more than k.
    """
    gained = lists.sums(lists.relevance / np.log2(lists.rank + 1), k)
    reached = lists.positives if whole_basket else np.minimum(k, lists.positives)
    steps = 1 / np.log2(np.arange(2, int(max(reached.max(), 1)) + 2))
    return _per_positive(lists, gained, np.append(0, np.cumsum(steps))[reached.astype(np.int64)])


def recalls(lists: RankedLists, k: int) -> FloatArray:
    """Share of each group's positives that stand in its first k places."""
    return _per_positive(lists, lists.sums(lists.relevance, k), lists.positives)


def precisions(lists: RankedLists, k: int) -> FloatArray:
    """Positives in the first k places / k, of each group with a positive (also where a list is shorter than k)."""
    return _per_positive(lists, lists.sums(lists.relevance, k), np.full(len(lists.positives), float(k)))


def hit_rates(lists: RankedLists, k: int) -> FloatArray:
    """Whether at least one of the first k places is a positive: 1 or 0; between them where ties decide.

    Where the first k places end inside a block of ties without a hit above it: 1 - C(t - p, m) / C(t, m), the chance
    that m of t tied rows, p of them positive, hold at least one.
    """
    last = lists.within(k)
    # the last place within k of each group: rows are ordered by group and rank, so a later one overwrites
    place = np.full(len(lists.positives), -1, dtype=np.int64)
    place[lists.group[last]] = np.flatnonzero(last)
    drawn = lists.rank[place] - lists.before[place]
    tied, positive = lists.tied[place], lists.tied_positives[place]
    could_miss = (lists.positives_before[place] == 0) & (tied - positive >= drawn)
    other = np.where(could_miss, tied - positive, drawn)
    log_missed = gammaln(other + 1) - gammaln(other - drawn + 1) - gammaln(tied + 1) + gammaln(tied - drawn + 1)
    missed = np.where(could_miss, np.exp(log_missed), 0.0)
    return _per_positive(lists, 1 - missed, np.ones(len(lists.positives)))


def margins(lists: RankedLists, k: int) -> FloatArray:
    """Amount earned by the positives among the first k places of each group, in the unit of `margin`.

    Every group has a value: a list without a positive earns nothing. The mean is the expected margin at k.
    """
    return lists.sums(lists.value, k)


def mean_over(values: FloatArray, *, all_groups: bool = False) -> float:
    """Mean of one value a group: over the groups that have one, or over all with 0 for the others; nan if none has."""
    defined = values[np.isfinite(values)]
    if len(defined) == 0:
        return float("nan")
    return float(defined.sum() / (len(values) if all_groups else len(defined)))


def map_at_k(target: Any, score: Any, groups: Any, k: int = 10, *, all_groups: bool = False) -> float:
    """Mean average precision at k over groups with a positive (see `average_precisions`)."""
    return mean_over(average_precisions(rank_lists(target, score, groups, k), k), all_groups=all_groups)


def ndcg_at_k(target: Any, score: Any, groups: Any, k: int = 10, *, whole_basket: bool = False) -> float:
    """Mean NDCG at k over groups with a positive (see `ndcgs`)."""
    return mean_over(ndcgs(rank_lists(target, score, groups, k), k, whole_basket=whole_basket))


def recall_at_k(target: Any, score: Any, groups: Any, k: int = 10) -> float:
    """Mean recall at k over groups with a positive (see `recalls`)."""
    return mean_over(recalls(rank_lists(target, score, groups, k), k))


def hit_rate_at_k(target: Any, score: Any, groups: Any, k: int = 10) -> float:
    """Share of groups with a positive that have one among their first k (see `hit_rates`)."""
    return mean_over(hit_rates(rank_lists(target, score, groups, k), k))


def margin_at_k(target: Any, score: Any, groups: Any, margin: Any, k: int = 10) -> float:
    """Mean amount that a list of k earns: sum of target * margin over its first k places, over all groups."""
    return float(margins(rank_lists(target, score, groups, k, margin), k).mean())


def _per_positive(lists: RankedLists, numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    out = np.full(len(lists.positives), np.nan)
    np.divide(numerator, denominator, out=out, where=lists.positives > 0)
    return out
