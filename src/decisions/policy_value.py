"""What a plan is worth, from what came of decisions that were taken partly by chance: off-policy evaluation.

From a log of n decisions with their probabilities e_i, the reward r_i that came of each, and the action pi(i) that the
plan to be judged would have taken, with w_i = 1[a_i = pi(i)] / e_i:

    inverse propensity     mean of w_i r_i                                  (Horvitz and Thompson 1952)
    self-normalised        sum of w_i r_i / sum of w_i                      (Hajek 1971; Swaminathan, Joachims 2015)
    doubly robust          mean of m_i(pi(i)) + w_i (r_i - m_i(a_i))        (Robins et al. 1994; Dudik et al. 2011)

where m_i(a) is what a model expects of action a, fitted on other rows. A plan is never judged by the estimates that it
was chosen by: m may be wrong, and the doubly robust value is still right, as long as the probabilities are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .allocate import Choices, Floats

_LEAST_SHARE = 0.01  # of the log, below which too few decisions agree with the plan to say anything


@dataclass(frozen=True)
class Estimated:
    """An estimate of the mean reward a row, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PolicyValue:
    """The mean reward under a plan, estimated in three ways, and how much of the log speaks of it.

    `agreeing` is the number of logged decisions that the plan would have taken too, `effective` the size of a simple
    sample that would say as much (Kish: (sum w)^2 / sum w^2), `largest_weight` the largest w.
    """

    inverse_propensity: Estimated
    self_normalised: Estimated
    doubly_robust: Estimated | None
    rows: int
    agreeing: int
    effective: float
    largest_weight: float


def policy_value(
    reward: Floats,
    action: Choices,
    propensity: Floats,
    policy: Choices,
    expected: Floats | None = None,
    *,
    replicates: int = 500,
    seed: int = 0,
) -> PolicyValue:
    """Estimate what a plan would bring.

    `reward`, `action`, `propensity` (the probability with which that action was taken) and `policy` (the plan's action)
    are (n,), actions counted from 0; `expected` (n, m) is what a model fitted on other rows expects of each action.
    Intervals are percentiles of a bootstrap over rows. DataError where a probability is not in (0, 1], or fewer than
    1 % of the logged decisions agree with the plan: nothing can be said then. ValueError for an action below 0: doing
    nothing is an action of its own.
    """
    weight, terms = _terms(reward, action, propensity, policy, expected)
    means = _bootstrap(terms, replicates, seed)
    sums = terms.mean(axis=0)
    return PolicyValue(
        inverse_propensity=_estimate(sums[0], means[:, 0]),
        self_normalised=_estimate(sums[0] / sums[1], means[:, 0] / means[:, 1]),
        doubly_robust=None if expected is None else _estimate(sums[2], means[:, 2]),
        rows=len(reward),
        agreeing=int((weight > 0).sum()),
        effective=_effective(weight),
        largest_weight=float(weight.max()),
    )


def policy_gain(
    reward: Floats,
    action: Choices,
    propensity: Floats,
    policy: Choices,
    reference: Choices,
    expected: Floats | None = None,
    *,
    replicates: int = 500,
    seed: int = 0,
) -> PolicyValue:
    """Estimate how much more a plan would bring than another one, `reference` (n,), from the same log.

    All else as for `policy_value`; the two values share their bootstrap samples. `agreeing`, `effective` and
    `largest_weight` are those of the plan of which the log says less. Rows on which the log could not have shown one of
    the two (a decision that was certain) do not belong here.
    """
    ours, terms = _terms(reward, action, propensity, policy, expected)
    theirs, other = _terms(reward, action, propensity, reference, expected)
    means = _bootstrap(np.column_stack([terms, other]), replicates, seed)
    sums, k = np.concatenate([terms.mean(axis=0), other.mean(axis=0)]), terms.shape[1]

    def gain(of: Floats) -> tuple[Floats, Floats, Floats]:
        normalised = of[..., 0] / of[..., 1] - of[..., k] / of[..., k + 1]
        return of[..., 0] - of[..., k], normalised, of[..., k - 1] - of[..., 2 * k - 1]

    found = [_estimate(float(value), drawn) for value, drawn in zip(gain(sums), gain(means), strict=True)]
    less = ours if _effective(ours) <= _effective(theirs) else theirs
    return PolicyValue(
        inverse_propensity=found[0],
        self_normalised=found[1],
        doubly_robust=None if expected is None else found[2],
        rows=len(reward),
        agreeing=int((less > 0).sum()),
        effective=_effective(less),
        largest_weight=float(max(ours.max(), theirs.max())),
    )


def _terms(
    reward: Floats, action: Choices, propensity: Floats, policy: Choices, expected: Floats | None
) -> tuple[Floats, Floats]:
    """The weights (n,), and what is averaged (n, 2 or 3): weighted rewards, weights, and the doubly robust terms."""
    if min(action.min(initial=0), policy.min(initial=0)) < 0:
        raise ValueError("actions are counted from 0: number doing nothing as an action of its own")
    if not ((propensity > 0) & (propensity <= 1)).all():
        raise DataError("the log has probabilities outside (0, 1]: a decision that could not happen was logged")
    agrees = action == policy
    if not len(agrees) or agrees.mean() < _LEAST_SHARE:
        raise DataError(
            f"{int(agrees.sum())} of {len(agrees)} logged decisions agree with the plan: too few to tell its worth;"
            " leave a larger share to chance"
        )
    weight = agrees / propensity
    terms = [weight * reward, weight]
    if expected is not None:
        rows = np.arange(len(reward))
        terms.append(expected[rows, policy] + weight * (reward - expected[rows, action]))
    return weight, np.column_stack(terms)


def _effective(weight: Floats) -> float:
    return float(weight.sum() ** 2 / (weight**2).sum())


def _bootstrap(terms: Floats, replicates: int, seed: int) -> Floats:
    """Means of rows drawn with replacement, (replicates, terms)."""
    random = np.random.default_rng(seed)
    found = np.empty((replicates, terms.shape[1]))
    for replicate in range(replicates):
        drawn: NDArray[np.int64] = np.bincount(random.integers(0, len(terms), len(terms)), minlength=len(terms))
        found[replicate] = drawn @ terms / len(terms)
    return found


def _estimate(value: float, replicates: Floats) -> Estimated:
    low, high = np.quantile(replicates, (0.025, 0.975))
    return Estimated(float(value), float(low), float(high))
