"""From the choice at given prices to a plan that obeys every limit, and uses up what is left.

Prices leave ties: at the best ones some limits are exceeded by a few customers, or not used up. What exceeds a limit is
given back where that loses least, groups short of their number get what loses least, and what is left is spent where it
gains most. Where that does not lead to a plan, the nearest one that obeys is found exactly (feasible.py).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .allocate import NOTHING, TINY, Choices, Floats, Problem

_MOST_TRIED = 200_000  # of the changes that would use up what is left: after the best of them little is left


def mend(problem: Problem, choice: Choices, prices: Floats) -> Choices:
    """A plan (n,) that obeys every limit, close to `choice`. InfeasibleError where there is none."""
    from .feasible import nearest

    if not problem.value.size:
        choice = np.full(len(choice), NOTHING, np.int64)
    choice = _give_back(problem, choice, prices)
    choice = _fill_up(problem, choice, prices)
    if (problem.used(choice) > problem.limits + problem.slack).any():
        choice = nearest(problem, choice, prices)
    return _spend_what_is_left(problem, choice, prices)


def _give_back(problem: Problem, choice: Choices, prices: Floats) -> Choices:
    """Move customers to what is next best for them, where that loses least, until no resource is exceeded."""
    choice = choice.copy()
    for second_try in (False, True):
        for resource in range(problem.packing):
            over = problem.used(choice)[resource] - problem.limits[resource]
            if over <= problem.slack[resource]:
                continue
            rows = np.flatnonzero(choice >= 0)
            taken = problem.uses_of(rows, choice[rows])[:, resource]
            rows, taken = rows[taken > 0], taken[taken > 0]
            if second_try:  # take the action away, the least worth a unit first
                other = np.full(len(rows), NOTHING, np.int64)
                freed, loss = taken, problem.value[rows, choice[rows]]
            else:
                other, loss = _next_best(problem, rows, choice, prices, resource)
                freed = taken - problem.uses_of(rows, other)[:, resource]
            order = np.argsort(loss / freed, kind="stable")
            enough = int(np.searchsorted(np.cumsum(freed[order]), over - problem.slack[resource])) + 1
            choice[rows[order[:enough]]] = other[order[:enough]]
    return choice


def _next_best(
    problem: Problem, rows: Choices, choice: Choices, prices: Floats, resource: int
) -> tuple[Choices, Floats]:
    """For each row the best choice that takes less of a resource, and no more of any other, and what that loses."""
    part = Problem(problem.value[rows], problem.kind[rows], problem.uses, problem.limits, problem.packing)
    net, now = part.net(prices), choice[rows]
    places = np.arange(len(rows))
    own = net[places, now]
    all_uses, mine = (
        problem.uses[part.kind][:, :-1, : problem.packing],
        problem.uses_of(rows, now)[:, : problem.packing],
    )
    lighter = all_uses[:, :, resource] < mine[:, None, resource]
    no_more = (all_uses <= mine[:, None, :] + TINY).all(axis=2)
    net = np.where(lighter & no_more, net, -np.inf)
    other = net.argmax(axis=1)
    worth = net[places, other]
    return np.where(worth > 0, other, NOTHING).astype(np.int64), np.asarray(own - np.maximum(worth, 0))


def _fill_up(problem: Problem, choice: Choices, prices: Floats) -> Choices:
    """Give those of a group that is short of its number what loses least of all that still fits."""
    choice = choice.copy()
    for group in range(problem.packing, len(problem.limits)):
        short = int(np.ceil(problem.used(choice)[group] - problem.limits[group] - problem.slack[group]))
        if short <= 0:
            continue
        members = problem.uses[:, 0, group][problem.kind] < 0
        rows = np.flatnonzero(members & (choice < 0))
        part = Problem(problem.value[rows], problem.kind[rows], problem.uses, problem.limits, problem.packing)
        net = part.net(prices)
        left = problem.limits - problem.used(choice)
        for place in np.argsort(-net.max(axis=1, initial=-np.inf), kind="stable"):
            for action in np.argsort(-net[place], kind="stable"):
                change = problem.uses[part.kind[place], action]
                if np.isfinite(net[place, action]) and _fits(change, left, problem):
                    choice[rows[place]] = action
                    left, short = left - change, short - 1
                    break
            if short <= 0:
                break
    return choice


def _spend_what_is_left(problem: Problem, choice: Choices, prices: Floats) -> Choices:
    """Give better actions to whoever gains most for what they take, as long as the limits allow."""
    choice = choice.copy()
    left = problem.limits - problem.used(choice)
    gain = problem.value - problem.worth(choice)[:, None]
    rows, actions = np.nonzero(gain > TINY)
    if not len(rows):
        return choice
    more = problem.uses_of(rows, actions) - problem.uses_of(rows, choice[rows])
    fits = _fits(np.maximum(more, 0), left, problem)
    rows, actions, more = rows[fits], actions[fits], np.maximum(more[fits], 0)
    weight = np.maximum(prices, TINY * (1 + prices.max(initial=0)))
    order = np.argsort(-(gain[rows, actions] / (more @ weight + TINY)), kind="stable")
    done = np.zeros(len(choice), bool)
    for place in order[:_MOST_TRIED]:
        row, action = rows[place], actions[place]
        if done[row]:
            continue
        change = problem.uses[problem.kind[row], action] - problem.uses[problem.kind[row], choice[row]]
        if _fits(change, left, problem):
            left = left - change
            choice[row], done[row] = action, True
    return choice


def _fits(change: Floats, left: Floats, problem: Problem) -> NDArray[np.bool_]:
    """Whether changes (..., r) keep every limit: none that is used more has less left than that."""
    return np.asarray(((change <= left + 0.5 * problem.slack) | (change <= 0)).all(axis=-1))
