"""Compiled kernels that turn the totals of a chunk, feature by feature, into what is asked for, row by row."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

_TILE = 16  # rows that are written together, so that their lines stay in the cache


class Members(NamedTuple):
    """Which of the used features form a group: those of group i are feature[start[i] : start[i + 1]]."""

    group: NDArray[np.int32]  # (groups,) ids
    start: NDArray[np.int64]  # (groups + 1,)
    row: NDArray[np.int64]  # (used features,) row of the totals
    feature: NDArray[np.int32]  # (used features,) column of X

    @classmethod
    def of(cls, groups: NDArray[np.integer[Any]], used: NDArray[np.integer[Any]]) -> Members:
        """Members of the groups (p,), as far as the features `used` go; row i of the totals is feature used[i]."""
        own = groups[used]
        order = np.argsort(own, kind="stable")
        ids, start = np.unique(own[order], return_index=True)
        return cls(
            ids.astype(np.int32),
            np.append(start, len(own)).astype(np.int64),
            order.astype(np.int64),
            used[order].astype(np.int32),
        )


class TopGroups(NamedTuple):
    """The k groups that move each row's score most, by absolute contribution; -1 and 0 where there are fewer.

    `feature` is the one of the group that moves the score furthest in the group's own direction.
    """

    group: NDArray[np.int32]  # (n, k)
    group_contribution: NDArray[np.float64]  # (n, k)
    feature: NDArray[np.int32]  # (n, k)
    feature_contribution: NDArray[np.float64]  # (n, k)
    raw_score: NDArray[np.float64]  # (n,)

    @classmethod
    def empty(cls, n: int, k: int) -> TopGroups:
        """Arrays to be written."""
        ids = np.empty((2, n, k), np.int32)
        return cls(ids[0], np.empty((n, k)), ids[1], np.empty((n, k)), np.empty(n))


@njit(cache=True, nogil=True)
def write_matrix(total, used, bias, first, rows, out):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Write totals (used features, R) as rows of out (n, p + 1) from row `first` on; the last column is the bias."""
    p = out.shape[1] - 1
    for start in range(0, rows, _TILE):
        stop = min(rows, start + _TILE)
        out[first + start : first + stop, :p] = 0.0
        out[first + start : first + stop, p] = bias
        for i in range(used.shape[0]):
            for r in range(start, stop):
                out[first + r, used[i]] = total[i, r]


@njit(cache=True, nogil=True)
def write_top(total, members, group_total, first, rows, top):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the top groups of each row from row `first` on; group_total (groups, R) is working memory."""
    k = top.group.shape[1]
    groups = members.group.shape[0]
    for g in range(groups):
        group_total[g, :rows] = 0.0
        for j in range(members.start[g], members.start[g + 1]):
            for r in range(rows):
                group_total[g, r] += total[members.row[j], r]
    best, best_value = np.empty(k, np.int64), np.empty(k)
    for r in range(rows):
        found, least = 0, 0.0
        for g in range(groups):
            value = abs(group_total[g, r])
            if value > least:
                place = min(found, k - 1)
                while place > 0 and best_value[place - 1] < value:
                    best[place], best_value[place] = best[place - 1], best_value[place - 1]
                    place -= 1
                best[place], best_value[place] = g, value
                found = min(found + 1, k)
                least = best_value[k - 1] if found == k else 0.0
        for place in range(k):
            if place >= found:
                top.group[first + r, place] = top.feature[first + r, place] = -1
                top.group_contribution[first + r, place] = top.feature_contribution[first + r, place] = 0.0
                continue
            g = best[place]
            sign = 1.0 if group_total[g, r] > 0.0 else -1.0
            strongest = members.start[g]
            for j in range(members.start[g] + 1, members.start[g + 1]):
                if sign * total[members.row[j], r] > sign * total[members.row[strongest], r]:
                    strongest = j
            top.group[first + r, place] = members.group[g]
            top.group_contribution[first + r, place] = group_total[g, r]
            top.feature[first + r, place] = members.feature[strongest]
            top.feature_contribution[first + r, place] = total[members.row[strongest], r]


@njit(cache=True, nogil=True)
def worst_gap(total, score, bias, expected, rows):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Largest |sum of totals + bias - score| among the rows, each relative to 1 + |score|; `expected` is memory."""
    expected[:rows] = bias
    for i in range(total.shape[0]):
        for r in range(rows):
            expected[r] += total[i, r]
    worst = 0.0
    for r in range(rows):
        gap = abs(expected[r] - score[r]) / (1.0 + abs(score[r]))
        if not gap <= worst:  # NaN counts as broken
            worst = gap
    return worst
