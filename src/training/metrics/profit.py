"""What a retention campaign aimed by a churn score would earn: maximum profit and its expectation (EMPC)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betainc

from .counts import Counts, FloatArray, as_floats, as_outcomes, sort_blocks


@dataclass(frozen=True)
class Campaign:
    """Economics of a retention campaign, in the currency of the data (defaults: Verbraken et al. 2013).

    `value`: lifetime value of a customer who stays (CLV); `offer`: cost of the incentive for one who accepts (d);
    `contact`: cost of contacting one (f); would-be churners accept with probability `accept`, of which only a
    Beta(alpha, beta) belief is had in EMPC (its mean with the defaults is .3).
    """

    value: float = 200.0
    offer: float = 10.0
    contact: float = 1.0
    alpha: float = 6.0
    beta: float = 14.0

    def __post_init__(self) -> None:
        if not (self.value > self.offer >= 0 and self.contact > 0 and self.alpha > 0 and self.beta > 0):
            raise ValueError(f"campaign: needs value > offer >= 0 and positive contact cost, alpha and beta: {self}")


@dataclass(frozen=True)
class Profit:
    """Profit for each customer of the base, and the share of the base to be contacted for it."""

    profit: float
    share: float


def maximum_profit(target: Any, score: Any, accept: float = 0.3, campaign: Campaign | None = None) -> Profit:
    """The best profit for each customer that a campaign to the highest scores can make (Verbeke et al. 2012).

    Contacting the customers above t earns P(t) = CLV (gamma (1 - delta) - phi) pi0 F0(t) - CLV (delta + phi) pi1
    F1(t), with delta = d / CLV, phi = f / CLV, gamma = `accept`, pi0 the share of churners, F0 and F1 the shares of
    churners and stayers contacted. The maximum is over all t, contacting nobody (0) included; among equal profits
    the smallest campaign. Tied customers are contacted together or not at all.
    """
    plan = campaign or Campaign()
    if not 0 <= accept <= 1:
        raise ValueError(f"accept: a probability lies in [0, 1]; this is {accept:g}")
    counts = _count(target, score)
    churners, stayers = _hull(counts, 0)
    size = counts.total[0]
    earned = (accept * (plan.value - plan.offer) - plan.contact) * churners - (plan.offer + plan.contact) * stayers
    best = int(np.argmax(earned))
    return Profit(float(earned[best] / size), float((churners[best] + stayers[best]) / size))


def expected_maximum_profit(target: Any, score: Any, campaign: Campaign | None = None) -> Profit:
    """EMPC: the maximum profit averaged over what is believed of the acceptance rate (Verbraken et al. 2013).

    EMPC = integral over gamma of P(T(gamma); gamma) h(gamma), h the density of Beta(alpha, beta), T the best
    threshold for that gamma. Only points of the convex hull of the ROC curve are ever best, each for one interval of
    gamma, so that the integral is a sum of incomplete beta functions. `share` is the expected share to be contacted.
    With one outcome only: nobody to keep (0), or all are churners.
    """
    counts = _count(target, score)
    profit, share = _expected(counts, 0, campaign or Campaign())
    return Profit(profit, share)


def expected_maximum_profit_of(counts: Counts) -> FloatArray:
    """EMPC of each replicate, (r,), with the default campaign."""
    return np.array([_expected(counts, replicate, Campaign())[0] for replicate in range(len(counts.rows))])


def _expected(counts: Counts, replicate: int, plan: Campaign) -> tuple[float, float]:
    churners, stayers = _hull(counts, replicate)
    more_churners, more_stayers = np.diff(churners), np.diff(stayers)
    # acceptance at which the next hull point is as good as the last: its extra cost over its extra saved value
    cost = plan.contact * (more_churners + more_stayers) + plan.offer * more_stayers
    saved = (plan.value - plan.offer) * more_churners
    switch = np.divide(cost, saved, out=np.ones_like(cost), where=saved > 0)
    edges = np.clip(np.concatenate([[0.0], switch, [1.0]]), 0, 1)
    mass = np.diff(betainc(plan.alpha, plan.beta, edges))
    mean = plan.alpha / (plan.alpha + plan.beta) * np.diff(betainc(plan.alpha + 1, plan.beta, edges))
    size = counts.total[replicate]
    spent = plan.contact * churners + (plan.offer + plan.contact) * stayers
    profit = float(((plan.value - plan.offer) * churners * mean - spent * mass).sum() / size)
    return profit, float(((churners + stayers) * mass).sum() / size)


def _hull(counts: Counts, replicate: int) -> tuple[FloatArray, FloatArray]:
    """Corners of the upper hull of the ROC curve from (0, 0): churners and stayers contacted, (h,) each."""
    # the curve only turns down where a block with churners ends: no other point but the last can be a corner
    ends = np.flatnonzero(counts.positives[replicate] > 0)
    ends = np.append(ends, counts.rows.shape[1] - 1)
    churners = np.append(0.0, counts.positives_above[replicate, ends])
    stayers = np.append(0.0, counts.rows_above[replicate, ends]) - churners
    corners: list[int] = []
    for i, (x, y) in enumerate(zip(stayers.tolist(), churners.tolist(), strict=True)):
        while len(corners) > 1:
            a, b = corners[-2], corners[-1]
            if (stayers[b] - stayers[a]) * (y - churners[a]) < (churners[b] - churners[a]) * (x - stayers[a]):
                break
            corners.pop()
        corners.append(i)
    return churners[corners], stayers[corners]


def _count(target: Any, score: Any) -> Counts:
    return sort_blocks(as_outcomes(target), as_floats(score, "score")).count()
