"""One action for each customer under common limits: a global set of prices, then a choice that is everyone's own.

With the value v_ca of action a for customer c, what the action uses u_ar of resource r (money, places in a channel) and
the limits B_r, the plan maximises sum v_ca x_ca with at most one action a customer and sum u_ar x_ca <= B_r. Its
Lagrangian dual prices the resources:

    bound(p) = sum over c of max(0, max over a of (v_ca - sum over r of p_r u_ar)) + sum over r of p_r B_r,    p >= 0

which is convex in p and never below the value of any plan. It is minimised by cutting planes inside a trust region
(Kelley 1960; Boyd and Vandenberghe, "Localization and cutting-plane methods", 2007): each look at the customers gives
one cut, and the master problem over the prices is a small linear programme for HiGHS. At the best prices every customer
takes what is worth most to him after prices; what then exceeds a limit is given back where that loses least, and what
is left of the limits is spent where it gains most. The gap to the bound is proved, and reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Choices = NDArray[np.int64]

NOTHING = -1
_ROUNDS = 200
_CLOSE = 1e-4  # of the bound: below that, better prices would not be worth a look
_TINY = 1e-9
_MOST_TRIED = 200_000  # of the changes that would use up what is left: after the best of them little is left


@dataclass(frozen=True)
class Allocation:
    """A plan: `choice` (n,) is an action or NOTHING, `value` its worth, `bound` what no plan can exceed.

    `prices` (r,) is what one more unit of each resource would bring, `used` (r,) what the plan takes of it.
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


def allocate(value: Floats, uses: Floats, limits: Floats) -> Allocation:
    """Give each of n customers at most one of m actions under r limits.

    `value` (n, m) is what each action is worth to each customer, -inf where he may not have it; `uses` (m, r) is what
    an action takes of each resource, `limits` (r,) how much there is. ValueError where one of them is negative or not
    finite, or the shapes differ.
    """
    value, uses, limits = (np.ascontiguousarray(part, np.float64) for part in (value, uses, limits))
    _check(value, uses, limits)
    prices, bound = _best_prices(value, uses, limits)
    choice = _choose(value, uses, prices)
    choice = _give_back(choice, value, uses, limits, prices)
    choice = _spend_what_is_left(choice, value, uses, limits, prices)
    used = used_by(choice, uses)
    return Allocation(choice, _worth(choice, value), bound, prices, used)


def _check(value: Floats, uses: Floats, limits: Floats) -> None:
    if value.ndim != 2 or uses.shape != (value.shape[1], len(limits)):
        raise ValueError(f"shapes differ: value {value.shape}, uses {uses.shape}, limits {limits.shape}")
    if np.isnan(value).any() or np.isposinf(value).any():
        raise ValueError("value: a number, or -inf where an action may not be had")
    for name, part in (("uses", uses), ("limits", limits)):
        if not np.isfinite(part).all() or (part < 0).any():
            raise ValueError(f"{name}: finite numbers of 0 or more")


# ------------------------------------------------------------------------------------------- prices
def _dual(value: Floats, uses: Floats, limits: Floats, prices: Floats) -> tuple[float, Floats]:
    """The bound at some prices, and a subgradient (r,)."""
    choice = _choose(value, uses, prices)
    taken = choice >= 0
    net = value[taken, choice[taken]] - (uses @ prices)[choice[taken]]
    return float(net.sum() + prices @ limits), limits - used_by(choice, uses)


def _best_prices(value: Floats, uses: Floats, limits: Floats) -> tuple[Floats, float]:
    """Prices (r,) of the least bound that was found, and that bound."""
    from scipy.optimize import linprog

    r = len(limits)
    most = _highest(value, uses)
    best = np.zeros(r)
    bound, slope = _dual(value, uses, limits, best)
    cuts, heights = [-slope], [slope @ best - bound]
    radius = np.maximum(most, _TINY)
    for _ in range(_ROUNDS if r else 0):
        # Least t with t >= bound_k + slope_k (p - p_k) for every cut, p close to the best prices.
        low, high = np.maximum(best - radius, 0), np.minimum(best + radius, most)
        rows = np.column_stack([-np.array(cuts), -np.ones(len(cuts))])
        objective = np.append(np.zeros(r), 1.0)
        bounds = [*zip(low, high, strict=True), (None, None)]
        found = linprog(objective, A_ub=rows, b_ub=np.array(heights), bounds=bounds, method="highs")
        if found.status != 0:
            raise RuntimeError(f"the prices could not be found: {found.message}")
        prices, promised = found.x[:r], float(found.fun)
        inside = bool(
            ((prices > low + _TINY * most) | (low <= 0)).all()
            and ((prices < high - _TINY * most) | (high >= most)).all()
        )
        if bound - promised <= _CLOSE * abs(bound) and inside:
            break
        now, slope = _dual(value, uses, limits, prices)
        cuts.append(-slope)
        heights.append(slope @ prices - now)
        if now < bound - 0.1 * (bound - promised):
            best, bound, radius = prices, now, radius * 2
        else:
            if now < bound:
                best, bound = prices, now
            radius = radius / 2
        if (radius <= 1e-7 * most).all():
            break
    return best, bound


def _highest(value: Floats, uses: Floats) -> Floats:
    """A price (r,) at which nobody would take a resource any more."""
    worth = np.where(np.isfinite(value), value, 0).max(axis=0, initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        a_unit = np.where(uses > 0, np.maximum(worth, 0)[:, None] / uses, 0.0)
    return np.asarray(a_unit.max(axis=0, initial=0.0) * (1 + 1e-6) + _TINY)


def _choose(value: Floats, uses: Floats, prices: Floats) -> Choices:
    """What is worth most to each customer after prices; nothing, where that is nothing."""
    if not len(value):
        return np.empty(0, np.int64)
    net = value - uses @ prices
    choice = net.argmax(axis=1)
    worth = net[np.arange(len(net)), choice]
    return np.where(worth > 0, choice, NOTHING).astype(np.int64)


# ------------------------------------------------------------------------------------------- a plan that fits
def _give_back(choice: Choices, value: Floats, uses: Floats, limits: Floats, prices: Floats) -> Choices:
    """Move customers to what is next best for them, where that loses least, until every limit holds."""
    choice = choice.copy()
    for resource in range(len(limits)):
        over = used_by(choice, uses)[resource] - limits[resource]
        if over <= _TINY * (1 + limits[resource]):
            continue
        holders = np.flatnonzero((choice >= 0) & (_of(uses[:, resource], choice) > 0))
        other, loss = _next_best(holders, choice, value, uses, prices, resource)
        freed = _of(uses[:, resource], choice[holders]) - _of(uses[:, resource], other)
        order = np.argsort(loss / freed, kind="stable")
        enough = int(np.searchsorted(np.cumsum(freed[order]), over - _TINY * (1 + limits[resource]))) + 1
        moved = order[:enough]
        choice[holders[moved]] = other[moved]
    return _drop_the_rest(choice, value, uses, limits)


def _next_best(
    rows: Choices, choice: Choices, value: Floats, uses: Floats, prices: Floats, resource: int
) -> tuple[Choices, Floats]:
    """For each row the best choice that takes less of a resource, and no more of any other, and what that loses."""
    net = value[rows] - uses @ prices
    now = choice[rows]
    lighter = uses[:, resource][None, :] < uses[now, resource][:, None]
    no_more = (uses[None, :, :] <= uses[now][:, None, :] + _TINY).all(axis=2)
    net = np.where(lighter & no_more, net, -np.inf)
    other = net.argmax(axis=1)
    worth = net[np.arange(len(rows)), other]
    other = np.where(worth > 0, other, NOTHING).astype(np.int64)
    own = value[rows, now] - (uses @ prices)[now]
    return other, np.asarray(own - np.maximum(worth, 0))


def _drop_the_rest(choice: Choices, value: Floats, uses: Floats, limits: Floats) -> Choices:
    """Take actions away, the least worth a unit first, where a limit is still exceeded."""
    for resource in range(len(limits)):
        over = used_by(choice, uses)[resource] - limits[resource]
        if over <= _TINY * (1 + limits[resource]):
            continue
        holders = np.flatnonzero((choice >= 0) & (_of(uses[:, resource], choice) > 0))
        freed = _of(uses[:, resource], choice[holders])
        order = np.argsort(value[holders, choice[holders]] / freed, kind="stable")
        enough = int(np.searchsorted(np.cumsum(freed[order]), over - _TINY * (1 + limits[resource]))) + 1
        choice[holders[order[:enough]]] = NOTHING
    return choice


def _spend_what_is_left(choice: Choices, value: Floats, uses: Floats, limits: Floats, prices: Floats) -> Choices:
    """Give better actions to whoever gains most for what they take, as long as the limits allow."""
    choice = choice.copy()
    left = limits - used_by(choice, uses)
    now = np.where(choice >= 0, _own(value, choice), 0.0)
    gain = value - now[:, None]
    rows, actions = np.nonzero(gain > _TINY)
    if not len(rows):
        return choice
    more = np.maximum(uses[actions] - _rows_of(uses, choice[rows]), 0)
    fits = (more <= left + _TINY).all(axis=1)
    rows, actions, more = rows[fits], actions[fits], more[fits]
    weight = np.maximum(prices, _TINY * (1 + prices.max(initial=0)))
    order = np.argsort(-(gain[rows, actions] / (more @ weight + _TINY)), kind="stable")
    done = np.zeros(len(choice), bool)
    for place in order[:_MOST_TRIED]:
        row, action = rows[place], actions[place]
        if done[row]:
            continue
        change = uses[action] - (uses[choice[row]] if choice[row] >= 0 else 0.0)
        if (change <= left + _TINY).all():
            left = left - change
            choice[row], done[row] = action, True
    return choice


def used_by(choice: Choices, uses: Floats) -> Floats:
    """What a plan takes of each resource, (r,)."""
    counts = np.bincount(choice[choice >= 0], minlength=len(uses)).astype(np.float64)
    return np.asarray(counts @ uses)


def _worth(choice: Choices, value: Floats) -> float:
    return float(np.where(choice >= 0, _own(value, choice), 0.0).sum())


def _own(value: Floats, choice: Choices) -> Floats:
    return np.asarray(value[np.arange(len(choice)), np.maximum(choice, 0)])


def _of(uses: Floats, choice: Choices) -> Floats:
    """What each choice takes of one resource, (n,); nothing takes nothing."""
    return np.where(choice >= 0, uses[np.maximum(choice, 0)], 0.0)


def _rows_of(uses: Floats, choice: Choices) -> Floats:
    """What each choice takes of every resource, (n, r)."""
    return np.where((choice >= 0)[:, None], uses[np.maximum(choice, 0)], 0.0)
