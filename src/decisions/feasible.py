"""Whether any plan obeys a set of limits, the plan nearest to a given one that does, and which rules are in conflict.

Values do not matter here, so customers of one kind who may have the same actions are one: their numbers are the
variables of a small integer programme, solved exactly by HiGHS however many customers there are.

Rules in conflict are found by deletion: a rule without which there is still no plan is dropped for good; what is left
has a plan as soon as any one of it is dropped (the deletion filter of Chinneck and Dravnieks, "Locating minimal
infeasible constraint sets in linear programs", 1991).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .allocate import Choices, Floats, Problem


class InfeasibleError(ValueError):
    """No plan obeys all limits."""


def feasible(problem: Problem) -> bool:
    """True if some plan obeys all limits."""
    if (problem.limits >= 0).all():
        return True  # doing nothing does
    return _counts(problem, *_alike(problem), near=None) is not None


def nearest(problem: Problem, choice: Choices, prices: Floats) -> Choices:
    """A plan that obeys all limits and differs from `choice` for as few customers as can be; who moves loses least.

    InfeasibleError where there is none.
    """
    code, masks, kinds = _alike(problem)
    m = problem.value.shape[1]
    now = np.zeros((len(masks), m + 1), np.int64)
    np.add.at(now, (code, np.where(choice < 0, m, choice)), 1)
    wanted = _counts(problem, code, masks, kinds, near=now)
    if wanted is None:
        raise InfeasibleError("no plan obeys all limits")
    choice = choice.copy()
    net = np.column_stack([problem.net(prices), np.zeros(len(choice))])
    for group in np.flatnonzero((wanted != now).any(axis=1)):
        _move(choice, np.flatnonzero(code == group), wanted[group] - now[group], net)
    return choice


def conflict(rules: Sequence[str], holds: Callable[[frozenset[str]], bool]) -> tuple[str, ...]:
    """A smallest set of rules without a plan: dropping any one of it gives one. `holds` says if a set has a plan."""
    kept = list(rules)
    for rule in rules:
        without = [other for other in kept if other != rule]
        if not holds(frozenset(without)):
            kept = without
    return tuple(kept)


def _alike(problem: Problem) -> tuple[Choices, Choices, Choices]:
    """The group of each customer (n,), and of each group the actions that it may have as bits, and its kind."""
    bits = (np.isfinite(problem.value) @ (1 << np.arange(problem.value.shape[1], dtype=np.int64))).astype(np.int64)
    groups, code = np.unique(np.column_stack([bits, problem.kind]), axis=0, return_inverse=True)
    return code.ravel().astype(np.int64), groups[:, 0], groups[:, 1]


def _counts(problem: Problem, code: Choices, masks: Choices, kinds: Choices, near: Choices | None) -> Choices | None:
    """How many of each group get each action, nothing last, (groups, m + 1); None where no numbers obey the limits."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array, eye_array, hstack

    m, r, n_groups = problem.value.shape[1], len(problem.limits), len(masks)
    size = np.bincount(code, minlength=n_groups)
    may = np.column_stack([(masks[:, None] >> np.arange(m)) & 1 == 1, np.ones(n_groups, bool)])
    group, action = np.nonzero(may)
    count, place = len(group), np.arange(len(group))
    everyone = coo_array((np.ones(count), (group, place)), shape=(n_groups, count))
    uses = problem.uses[kinds[group], action].T
    moved = 0 if near is None else count
    constraints = [
        LinearConstraint(hstack([everyone, coo_array((n_groups, moved))]).tocsr(), size, size),
    ]
    if r:
        limited = hstack([coo_array(uses), coo_array((r, moved))]).tocsr()
        constraints.append(LinearConstraint(limited, -np.inf, problem.limits + 0.1 * problem.slack))
    objective = np.zeros(count + moved)
    if near is not None:
        # d >= x - now: the sum of d is the number of customers who move
        objective[count:] = 1.0
        step = hstack([eye_array(count), -eye_array(count)]).tocsr()
        constraints.append(LinearConstraint(step, -np.inf, near[group, action]))
    whole = np.concatenate([np.ones(count), np.zeros(moved)])
    found = milp(objective, constraints=constraints, integrality=whole, bounds=Bounds(0, np.inf))
    if found.status == 2:
        return None
    if found.x is None:
        raise RuntimeError(f"the limits could not be examined: {found.message}")
    counts = np.zeros((n_groups, m + 1), np.int64)
    counts[group, action] = np.rint(found.x[:count]).astype(np.int64)
    return counts


def _move(choice: Choices, rows: Choices, change: Choices, net: Floats) -> None:
    """Move customers `rows` of one group until the number of each action has changed by `change` (m + 1,)."""
    nothing = len(change) - 1
    change = change.copy()
    for target in np.flatnonzero(change > 0):
        for source in np.flatnonzero(change < 0):
            holders = rows[choice[rows] == (source if source < nothing else -1)]
            number = min(int(change[target]), -int(change[source]))
            loss = net[holders, source] - net[holders, target]
            chosen = holders[np.argsort(loss, kind="stable")[:number]]
            choice[chosen] = target if target < nothing else -1
            change[target] -= number
            change[source] += number
