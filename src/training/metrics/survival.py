"""Measures of survival curves in discrete time, with censoring weighed by its inverse probability (IPCW).

A row leaves in period `time` (1 to K) where `event` is true, else it was last seen, still there, at the end of period
`time` (0: at its cutoff). G(k) is the probability of being observed up to the end of period k (Kaplan-Meier of the
censoring). All measures take `weight` (n,), how often each row counts, so that a bootstrap is a matter of weights.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

Floats = npt.NDArray[np.float64]


def kaplan_meier(time: ArrayLike, event: ArrayLike, periods: int, weight: ArrayLike | None = None) -> Floats:
    """S(k) = prod over j <= k of (1 - d_j / n_j), k = 1 to `periods`, shape (periods,).

    d_j leave in period j, of n_j who were observed through it or left in it (Kaplan and Meier, "Nonparametric
    estimation from incomplete observations", 1958). From where nobody is left to look at, the curve is nan.
    """
    t, left, w = _columns(time, event, weight)
    died, risk = np.zeros(periods), np.zeros(periods)
    for k in range(1, periods + 1):
        died[k - 1] = w[left & (t == k)].sum()
        risk[k - 1] = w[t >= k].sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.cumprod(1 - died / risk))


def observed(time: ArrayLike, event: ArrayLike, periods: int, weight: ArrayLike | None = None) -> Floats:
    """G(k) = P(observed up to the end of period k), k = 0 to `periods`, shape (periods + 1,).

    The factor of k is the share of those at risk in it, and not leaving before, whose observation did not end at k - 1.
    """
    t, left, w = _columns(time, event, weight)
    going = [1.0]
    for k in range(1, periods + 1):
        there = w[(t >= k) | (~left & (t == k - 1))].sum()
        ended = w[~left & (t == k - 1)].sum()
        going.append(1 - ended / there if there > 0 else np.nan)
    return np.asarray(np.cumprod(going))


def brier_at(time: ArrayLike, event: ArrayLike, survival: ArrayLike, k: int, weight: ArrayLike | None = None) -> float:
    """Brier score of P(still there at the end of period k), `survival` (n,), with IPCW; smaller is better.

    BS(k) = 1/n sum of S_i^2 [left by k] / G(T_i) + (1 - S_i)^2 [still there at k] / G(k)
    (Graf, Schmoor, Sauerbrei and Schumacher, "Assessment and comparison of prognostic classification schemes for
    survival data", Statistics in Medicine 1999). nan where nobody was observed for so long.
    """
    t, left, w = _columns(time, event, weight)
    s = np.asarray(survival, np.float64)
    each, sure = _weights(t, left, k, w)
    return float((w * each * np.where(sure, s**2, (1 - s) ** 2)).sum() / w.sum())


def integrated_brier(time: ArrayLike, event: ArrayLike, curves: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Mean of the Brier scores over the periods of `curves` (n, K), those of equal length: (1/K) sum of BS(k).

    Periods that nobody was observed through do not count.
    """
    s = np.asarray(curves, np.float64)
    each = np.array([brier_at(time, event, s[:, k - 1], k, weight) for k in range(1, s.shape[1] + 1)])
    return float(np.mean(each[np.isfinite(each)])) if np.isfinite(each).any() else float("nan")


def concordance(
    time: ArrayLike, event: ArrayLike, risk: ArrayLike, periods: int, weight: ArrayLike | None = None
) -> float:
    """Of two rows of which one leaves earlier, how often has it the higher risk (n,)? Ties count half; 1/2 is chance.

    C = sum over i, j of G(T_i)^-2 [i left by K, T_i < T_j] ([r_i > r_j] + [r_i = r_j] / 2) over the same without the
    last factor (Uno, Cai, Pencina, D'Agostino and Wei, "On the C-statistics for evaluating overall adequacy of risk
    prediction procedures with censored survival data", Statistics in Medicine 2011). Who leaves in the same period is
    no pair. nan without a pair.
    """
    t, left, w = _columns(time, event, weight)
    going = observed(t, left, periods, w)
    _, rank = np.unique(np.asarray(risk, np.float64), return_inverse=True)
    good, pairs = 0.0, 0.0
    for k in range(1, periods + 1):
        first, later = left & (t == k), t >= k + 1
        later |= ~left & (t == k)
        if not (w[first].sum() > 0 and w[later].sum() > 0 and going[k] > 0):
            continue
        mass = np.bincount(rank[later], w[later], rank.max() + 1)
        below = np.cumsum(mass) - mass / 2
        good += float((w[first] * below[rank[first]]).sum()) / going[k] ** 2
        pairs += float(w[first].sum() * w[later].sum()) / going[k] ** 2
    return good / pairs if pairs > 0 else float("nan")


def calibration_gap(
    time: ArrayLike, event: ArrayLike, survival: ArrayLike, k: int, weight: ArrayLike | None = None, bins: int = 10
) -> float:
    """Mean distance, over bins of equal size by forecast, of the forecast and the observed P(left by period k).

    sum over bins of n_b / n |mean of (1 - S_i) - (1 - KM_b(k))|, with the bin's own Kaplan-Meier estimate, which takes
    the censored as they are. nan where nobody was observed for so long.
    """
    t, left, w = _columns(time, event, weight)
    s = np.asarray(survival, np.float64)
    place = np.minimum((np.argsort(np.argsort(s, kind="stable"), kind="stable") * bins) // max(len(s), 1), bins - 1)
    total = 0.0
    for b in np.unique(place):
        mine = place == b
        if w[mine].sum() > 0:
            came = kaplan_meier(t[mine], left[mine], k, w[mine])[-1]
            total += w[mine].sum() * abs(float(np.average(s[mine], weights=w[mine])) - came)
    return float(total / w.sum())


def _weights(t: Floats, left: npt.NDArray[np.bool_], k: int, w: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The weight (n,) of each row in the Brier score of period k, 0 where it is not known, and who had left by k."""
    going = observed(t, left, k, w)
    gone = left & (t <= k)
    still = (t > k) | (~left & (t == k))
    each = np.zeros(len(t))
    with np.errstate(divide="ignore", invalid="ignore"):
        each[gone] = 1 / going[t[gone].astype(np.int64)]
        each[still] = 1 / going[k]
    if not still.any() and not gone.any():
        each[:] = np.nan
    if not np.isfinite(going[k]) or going[k] <= 0:
        each[:] = np.nan
    return each, gone


def _columns(
    time: ArrayLike, event: ArrayLike, weight: ArrayLike | None
) -> tuple[Floats, npt.NDArray[np.bool_], Floats]:
    t, left = np.asarray(time, np.float64), np.asarray(event, bool)
    return t, left, np.ones(len(t)) if weight is None else np.asarray(weight, np.float64)
