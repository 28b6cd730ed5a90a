"""One action for each customer under common limits: a global set of prices, then a choice that is everyone's own.

With the value v_ca of action a for customer c of kind k(c), what the action uses u_kar of resource r (money, places in
a channel), the limits B_r, and groups s of which at least L_s customers get something, the plan maximises sum v_ca x_ca
with at most one action a customer, sum u_k(c)ar x_ca <= B_r and sum over c in s of x_ca >= L_s. The latter is a limit
like the others, of which an action uses -1. The Lagrangian dual prices the limits:

    bound(p) = sum over c of max(0, max over a of (v_ca - sum over r of p_r u_ar)) + sum over r of p_r B_r,    p >= 0

which is convex in p and never below the value of any plan. It is minimised by cutting planes inside a trust region
(Kelley 1960; Boyd and Vandenberghe, "Localization and cutting-plane methods", 2007): each look at the customers gives
one cut, and the master problem over the prices is a small linear programme for HiGHS. At the best prices every customer
takes what is worth most to him after prices. Where many are worth the same that leaves much undecided: so a second
plan gives each customer what he took at one of the looks, drawn with the weights of the cuts in the last master
problem, which obeys the limits on average (Dantzig and Wolfe 1960). What then breaks a limit is mended where that loses
least (`mend`), and the better plan is taken. The gap to the bound is proved, and reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Choices = NDArray[np.int64]

NOTHING = -1
TINY = 1e-9
_ROUNDS = 200
_CLOSE = 1e-4  # of the bound: below that, better prices would not be worth a look


@dataclass(frozen=True)
class Problem:
    """Customers (n,) of some kinds (k,), what each action (m,) is worth to them and uses of each limit (r,).

    `value` (n, m) is -inf where an action may not be had; `uses` (k, m + 1, r) has nothing as its last action, so that
    NOTHING finds it; the first `packing` limits hold back what is used (never negative), the others ask for a least
    number, as uses of -1 under a negative limit.
    """

    value: Floats
    kind: Choices
    uses: Floats
    limits: Floats
    packing: int

    @property
    def slack(self) -> Floats:
        """How far a sum of rounded numbers may lie above each limit, (r,)."""
        return TINY * (1 + np.abs(self.limits))

    def net(self, prices: Floats) -> Floats:
        """Values after prices, (n, m)."""
        charge = self.uses[:, :-1] @ prices
        return self.value - (charge[0] if len(charge) == 1 else charge[self.kind])

    def used(self, choice: Choices) -> Floats:
        """What a plan takes of each limit, (r,)."""
        k, m, r = self.uses.shape
        place = self.kind * m + np.where(choice < 0, m - 1, choice)
        return np.asarray(np.bincount(place, minlength=k * m).astype(np.float64) @ self.uses.reshape(k * m, r))

    def uses_of(self, rows: Choices, choice: Choices) -> Floats:
        """What each choice of some customers takes of each limit, (rows, r)."""
        return np.asarray(self.uses[self.kind[rows], choice])

    def worth(self, choice: Choices) -> Floats:
        """What each choice is worth (n,), 0 for nothing."""
        own = self.value[np.arange(len(choice)), np.maximum(choice, 0)] if self.value.shape[1] else 0.0
        return np.where(choice >= 0, own, 0.0)


@dataclass(frozen=True)
class Allocation:
    """A plan: `choice` (n,) is an action or NOTHING, `value` its worth, `bound` what no plan can exceed.

    `prices` (r,) is what one more unit of each resource would bring, `used` (r,) what the plan takes of it. Behind the
    limits stand the groups: the price is what one customer less who must get something would bring, `used` how many
    get something, as a negative number.
    """

    choice: Choices
    value: float
    bound: float
    prices: Floats
    used: Floats

    @property
    def gap(self) -> float:
        """How far the plan may be from the best one at the most, as a share of the bound."""
        return 0.0 if self.bound <= 0 else max(0.0, (self.bound - self.value) / self.bound)


def allocate(
    value: Floats,
    uses: Floats,
    limits: Floats,
    *,
    kind: Choices | None = None,
    covers: NDArray[np.bool_] | None = None,
    least: Floats | None = None,
) -> Allocation:
    """Give each of n customers at most one of m actions under r limits.

    `value` (n, m) is what each action is worth to each customer, -inf where he may not have it; `uses` (m, r), or
    (k, m, r) for customers of k kinds `kind` (n,), is what an action takes of each resource, `limits` (r,) how much
    there is. Of the customers of the kinds `covers` (k, s), at least `least` (s,) get an action, be it at a loss.
    ValueError where numbers are negative or not finite, or shapes differ; InfeasibleError where no plan obeys.
    """
    from .mend import mend

    problem = problem_of(value, uses, limits, kind=kind, covers=covers, least=least)
    prices, bound, mixed = _best_prices(problem)
    plans = [mend(problem, start, prices) for start in (choose(problem, prices), mixed) if start is not None]
    choice = max(plans, key=lambda plan: float(problem.worth(plan).sum()))
    return Allocation(choice, float(problem.worth(choice).sum()), bound, prices, problem.used(choice))


def problem_of(
    value: Floats,
    uses: Floats,
    limits: Floats,
    *,
    kind: Choices | None = None,
    covers: NDArray[np.bool_] | None = None,
    least: Floats | None = None,
) -> Problem:
    """The arguments of `allocate`, checked."""
    value, uses, limits = (np.ascontiguousarray(part, np.float64) for part in (value, uses, limits))
    uses = uses if uses.ndim == 3 else uses[None]
    kind = np.zeros(len(value), np.int64) if kind is None else np.asarray(kind, np.int64)
    covers = np.zeros((len(uses), 0), bool) if covers is None else np.asarray(covers, bool)
    least = np.zeros(0) if least is None else np.asarray(least, np.float64)
    if value.ndim != 2 or uses.shape[1:] != (value.shape[1], len(limits)) or kind.shape != (len(value),):
        raise ValueError(f"shapes differ: value {value.shape}, uses {uses.shape}, limits {limits.shape}")
    if covers.shape != (len(uses), len(least)) or (len(kind) and not 0 <= kind.min() <= kind.max() < len(uses)):
        raise ValueError(f"shapes differ: kinds {len(uses)}, covers {covers.shape}, least {least.shape}")
    if np.isnan(value).any() or np.isposinf(value).any():
        raise ValueError("value: a number, or -inf where an action may not be had")
    for name, part in (("uses", uses), ("limits", limits), ("least", least)):
        if not np.isfinite(part).all() or (part < 0).any():
            raise ValueError(f"{name}: finite numbers of 0 or more")
    asked = np.broadcast_to(-covers[:, None, :].astype(np.float64), (len(uses), uses.shape[1], len(least)))
    whole = np.concatenate([uses, asked], axis=2)
    padded = np.concatenate([whole, np.zeros((len(whole), 1, whole.shape[2]))], axis=1)
    return Problem(value, kind, padded, np.concatenate([limits, -least]), len(limits))


def choose(problem: Problem, prices: Floats) -> Choices:
    """What is worth most to each customer after prices; nothing, where that is nothing."""
    if not problem.value.size:
        return np.full(len(problem.value), NOTHING, np.int64)
    return _choose(problem.net(prices))[0]


def _choose(net: Floats) -> tuple[Choices, Floats]:
    best = net.argmax(axis=1)
    worth = net[np.arange(len(net)), best]
    return np.where(worth > 0, best, NOTHING).astype(np.int64), np.maximum(worth, 0.0)


# ------------------------------------------------------------------------------------------- prices
def _dual(problem: Problem, prices: Floats) -> tuple[float, Floats, Choices]:
    """The bound at some prices, a subgradient (r,), and what everybody takes (n,)."""
    if not problem.value.size:
        return float(prices @ problem.limits), problem.limits.copy(), np.full(len(problem.value), NOTHING, np.int64)
    choice, worth = _choose(problem.net(prices))
    return float(worth.sum() + prices @ problem.limits), problem.limits - problem.used(choice), choice


def _best_prices(problem: Problem) -> tuple[Floats, float, Choices | None]:
    """Prices (r,) of the least bound that was found, that bound, and the mixture of the looks (n,)."""
    r = len(problem.limits)
    most = _highest(problem)
    best = np.zeros(r)
    bound, slope, taken = _dual(problem, best)
    if not r or not (slope < 0).any():
        return best, bound, None  # everybody takes his best, and no limit is reached
    slopes, heights, looks = [slope], [float(slope @ best) - bound], [taken.astype(np.int8)]
    radius = np.maximum(most, TINY)
    for _ in range(_ROUNDS):
        low, high = np.maximum(best - radius, 0), np.minimum(best + radius, most)
        prices, promised, _weights = _master(slopes, heights, low, high)
        inside = bool(
            ((prices > low + TINY * most) | (low <= 0)).all() and ((prices < high - TINY * most) | (high >= most)).all()
        )
        if bound - promised <= _CLOSE * abs(bound) and inside:
            break
        now, slope, taken = _dual(problem, prices)
        slopes.append(slope)
        heights.append(float(slope @ prices) - now)
        looks.append(taken.astype(np.int8))
        if now < bound - 0.1 * (bound - promised):
            best, bound, radius = prices, now, radius * 2
        else:
            if now < bound:
                best, bound = prices, now
            radius = radius / 2
        if (radius <= 1e-7 * most).all():
            break
    weights = _master(slopes, heights, np.zeros(r), most)[2]
    return best, bound, _mixed(looks, weights)


def _master(slopes: list[Floats], heights: list[float], low: Floats, high: Floats) -> tuple[Floats, float, Floats]:
    """Least t with t >= slope_k p - height_k for every cut k, low <= p <= high: p, t, and the weights of the cuts."""
    from scipy.optimize import linprog

    rows = np.column_stack([np.array(slopes), -np.ones(len(slopes))])
    objective = np.append(np.zeros(len(low)), 1.0)
    bounds = [*zip(low, high, strict=True), (None, None)]
    found = linprog(objective, A_ub=rows, b_ub=np.array(heights), bounds=bounds, method="highs")
    if found.status != 0:
        raise RuntimeError(f"the prices could not be found: {found.message}")
    return found.x[:-1], float(found.fun), np.maximum(-found.ineqlin.marginals, 0.0)


def _mixed(looks: list[NDArray[np.int8]], weights: Floats) -> Choices:
    """For each customer what he took at one of the looks, drawn with their weights; the same draw every time."""
    used = np.flatnonzero(weights > TINY)
    edges = np.cumsum(weights[used]) / weights[used].sum()
    drawn = used[np.searchsorted(edges[:-1], np.random.default_rng(0).random(len(looks[0])), side="right")]
    choice: Choices = looks[used[0]].astype(np.int64)
    for look in used[1:]:
        choice = np.where(drawn == look, looks[look], choice).astype(np.int64)
    return choice


def _highest(problem: Problem) -> Floats:
    """A price (r,) at which nobody would take a resource any more, or everybody of a group would take something."""
    finite = np.where(np.isfinite(problem.value), problem.value, 0)
    worth = np.maximum(finite.max(axis=0, initial=0.0), 0)[:, None]
    packing = problem.uses[:, :-1, : problem.packing]
    with np.errstate(divide="ignore", invalid="ignore"):
        a_unit = np.where(packing > 0, worth / packing, 0.0)
    highest = a_unit.max(axis=(0, 1), initial=0.0)
    charged = float((packing @ highest).max(initial=0.0))
    asked = np.full(len(problem.limits) - problem.packing, charged - finite.min(initial=0.0))
    return np.asarray(np.concatenate([highest, asked]) * (1 + 1e-6) + TINY)
