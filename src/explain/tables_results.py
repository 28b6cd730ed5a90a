"""Compiled kernels that turn the totals of a chunk, feature by feature, into what is asked for, row by row."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

_TILE = 16  # rows that are written together, so that their lines stay in the cache
_TOP_TILE = 256  # the same where totals are read several times


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
def write_matrix(total, score, used, bias, first, rows, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write totals (used features, R) as rows of out (n, p + 1) from row `first` on; the last column is the bias.

    Returns the largest gap between the sum of a row and its score (R,), relative to 1 + |score|.
    """
    p = out.shape[1] - 1
    worst, sums = 0.0, np.empty(_TILE)
    for start in range(0, rows, _TILE):
        stop = min(rows, start + _TILE)
        out[first + start : first + stop, :p] = 0.0
        out[first + start : first + stop, p] = bias
        sums[:] = bias
        for i in range(used.shape[0]):
            for r in range(start, stop):
                out[first + r, used[i]] = total[i, r]
                sums[r - start] += total[i, r]
        worst = _worse(worst, sums, score, start, stop)
    return worst


@njit(cache=True, nogil=True)
def write_top(total, score, bias, members, first, rows, top):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write top groups and scores (R,) of rows with totals (used features, R) from row `first` of the result on.

    Returns the largest gap between the sum of a row and its score, relative to 1 + |score|.
    """
    k, groups = top.group.shape[1], members.group.shape[0]
    sums, whole = np.empty((groups, _TOP_TILE)), np.empty(_TOP_TILE)
    best = np.empty(k, np.int64)
    worst = 0.0
    for start in range(0, rows, _TOP_TILE):
        stop = min(rows, start + _TOP_TILE)
        part = total[:, start:stop]
        whole[:] = bias
        for g in range(groups):
            sums[g] = 0.0
            for j in range(members.start[g], members.start[g + 1]):
                for r in range(stop - start):
                    sums[g, r] += part[members.row[j], r]
            whole += sums[g]
        worst = _worse(worst, whole, score, start, stop)
        for r in range(stop - start):
            row = first + start + r
            top.raw_score[row] = score[start + r]
            found = _best(sums[:, r], best)
            for place in range(k):
                if place >= found:
                    top.group[row, place] = top.feature[row, place] = -1
                    top.group_contribution[row, place] = top.feature_contribution[row, place] = 0.0
                    continue
                g = best[place]
                sign = 1.0 if sums[g, r] > 0.0 else -1.0
                strongest = members.start[g]
                for j in range(members.start[g] + 1, members.start[g + 1]):
                    if sign * part[members.row[j], r] > sign * part[members.row[strongest], r]:
                        strongest = j
                top.group[row, place] = members.group[g]
                top.group_contribution[row, place] = sums[g, r]
                top.feature[row, place] = members.feature[strongest]
                top.feature_contribution[row, place] = part[members.row[strongest], r]
    return worst


@njit(cache=True, nogil=True)
def _best(values, best):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Write the places of the largest absolute values to `best`, the largest first; return how many are not zero."""
    k, found = best.shape[0], 0
    for i in range(values.shape[0]):
        size = abs(values[i])
        if size > 0.0 and (found < k or size > abs(values[best[k - 1]])):
            place = min(found, k - 1)
            while place > 0 and abs(values[best[place - 1]]) < size:
                best[place] = best[place - 1]
                place -= 1
            best[place] = i
            found = min(found + 1, k)
    return found


@njit(cache=True, nogil=True)
def _worse(worst, sums, score, start, stop):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The larger of `worst` and the gaps between sums and score[start:stop]; a NaN counts as the worst."""
    for r in range(start, stop):
        gap = abs(sums[r - start] - score[r]) / (1.0 + abs(score[r]))
        if not gap <= worst:
            worst = np.inf if gap != gap else gap
    return worst
