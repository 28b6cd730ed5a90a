"""A plan: who gets which action, why, and what the whole is expected to bring.

Mandatory actions come first and use up what they cost; the others are chosen together under what is left
(`allocate`). A share of the customers is left to chance: whether one is in it depends on his id, the seed and the day
alone, so that the same plan leaves out the same people on every machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ..config import PlanConfig
from ..errors import GateError
from .allocate import NOTHING, Allocation, Choices, Floats, allocate, problem_of
from .candidates import Candidates, Flags
from .feasible import conflict, feasible
from .limits import Limits, limits_of

CURVE = (0.25, 0.5, 0.75, 1.5, 2.0)
HOLDOUT = "the share left to chance"


@dataclass(frozen=True)
class Limit:
    """One limit: how much there is, how much the plan takes, and what one more unit would bring.

    For the least share of a group: how many must get something, how many do, what one fewer would bring.
    """

    name: str
    limit: float
    used: float
    price: float


@dataclass(frozen=True)
class Plan:
    """The choice of each candidate (n,), an action's place or NOTHING, and the facts of the whole.

    `expected` is what the chosen actions are expected to bring, `value` the same by what the plan ranks by (the lower
    bounds, if asked), `bound` what no plan under these limits can exceed of that. `held_out` (n,) is who was left to
    chance, `policy` (n,) what the plan would give, to them too. `mandatory_cost` is the cost of what had to be done,
    `charge` (k, m) what the limits' prices charge an action for customers of a kind.
    """

    candidates: Candidates
    choice: Choices
    policy: Choices
    held_out: Flags
    expected: float
    value: float
    bound: float
    limits: tuple[Limit, ...]
    mandatory_cost: float
    shared: Limits
    prices: Floats

    @property
    def gap(self) -> float:
        """How far the plan may be from the best one at the most, as a share of the bound."""
        return 0.0 if self.bound <= 0 else max(0.0, (self.bound - self.value) / self.bound)

    @property
    def charge(self) -> Floats:
        """What the limits' prices charge each action for each kind of customers, (k, m)."""
        r = len(self.shared.limits)
        return np.asarray(self.shared.uses @ self.prices[:r] - (self.shared.covers @ self.prices[r:])[:, None])


def make_plan(config: PlanConfig, found: Candidates, *, seed: int, salt: str, held_out: Flags | None = None) -> Plan:
    """Choose among candidates under the limits of a configuration.

    `salt` names the day, so that another day leaves other customers to chance; `held_out` (n,) says who is, where that
    is known already. Whoever gets a mandatory action is not left to chance. GateError where no plan obeys all rules,
    naming those in conflict.
    """
    chance = left_to_chance(config, found, seed=seed, salt=salt) if held_out is None else held_out
    shared = limits_of(config, found)
    must = np.array([action.mandatory for action in config.actions.values()])
    mandatory = _mandatory(found.value, must)
    held_out = chance & (mandatory < 0)
    value = found.value.copy()
    value[held_out | (mandatory >= 0)] = -np.inf
    value[:, must] = -np.inf
    if not _obeys(shared, mandatory, value):
        raise GateError(_refusal(config, found, shared, chance))
    rest = _allocate_rest(shared, mandatory, value)
    choice = np.where(mandatory >= 0, mandatory, rest.choice)
    taken, covered = shared.used(choice)
    named = zip(
        (*shared.names, *shared.groups), (*shared.limits, *shared.least), (*taken, *covered), rest.prices, strict=True
    )
    costs = np.array([action.cost for action in config.actions.values()])
    had_to = float(_own(found.value, mandatory).sum())
    plan = Plan(
        candidates=found,
        choice=choice,
        policy=choice,
        held_out=held_out,
        expected=float(_own(found.gross, choice).sum()),
        value=rest.value + had_to,
        bound=rest.bound + had_to,
        limits=tuple(Limit(name, float(limit), float(used), float(price)) for name, limit, used, price in named),
        mandatory_cost=float(costs[mandatory[mandatory >= 0]].sum()),
        shared=shared,
        prices=rest.prices,
    )
    return _with_policy(plan, held_out, must)


def left_to_chance(config: PlanConfig, found: Candidates, *, seed: int, salt: str) -> Flags:
    """Who is left to chance (n,)."""
    return _held_out(found.entities, config.holdout, f"{seed}/{salt}")


def budget_curve(config: PlanConfig, made: Plan) -> list[tuple[float, float]]:
    """What plans with less or more money would bring: pairs of budget and value; empty where there is no budget."""
    if config.budget is None:
        return []
    points = [(config.budget, made.expected)]
    for share in CURVE:
        other = config.model_copy(update={"budget": config.budget * share})
        try:
            plan = make_plan(other, made.candidates, seed=0, salt="", held_out=made.held_out)
        except GateError:  # so little does not even pay for what is mandatory, or asked for a group
            continue
        points.append((config.budget * share, plan.expected))
    return sorted(points)


def second_best(plan: Plan) -> tuple[Choices, Floats]:
    """The best action that was not chosen (n,), and what it lacks after prices (n,); NOTHING where there is none."""
    charge = plan.charge
    net = plan.candidates.value - (charge[0] if len(charge) == 1 else charge[plan.shared.kind])
    rows = np.arange(len(net))
    chosen = plan.choice >= 0
    net[rows[chosen], plan.choice[chosen]] = -np.inf
    other = net.argmax(axis=1) if net.shape[1] else np.zeros(len(net), np.int64)
    worth = net[rows, other]
    return np.where(np.isfinite(worth), other, NOTHING).astype(np.int64), np.where(np.isfinite(worth), worth, 0.0)


# ------------------------------------------------------------------------------------------- whether there is a plan
def _obeys(shared: Limits, mandatory: Choices, value: Floats) -> bool:
    """Whether some plan with these mandatory choices obeys the limits; `value` is -inf where nothing may be given."""
    taken, covered = shared.used(mandatory)
    if (taken > shared.limits * (1 + 1e-9)).any():
        return False
    least = np.maximum(shared.least - covered, 0.0)
    if not least.any():
        return True
    left = np.maximum(shared.limits - taken, 0.0)
    return feasible(problem_of(value, shared.uses, left, kind=shared.kind, covers=shared.covers, least=least))


def _allocate_rest(shared: Limits, mandatory: Choices, value: Floats) -> Allocation:
    taken, covered = shared.used(mandatory)
    return allocate(
        value,
        shared.uses,
        np.maximum(shared.limits - taken, 0.0),
        kind=shared.kind,
        covers=shared.covers,
        least=np.maximum(shared.least - covered, 0.0),
    )


def _refusal(config: PlanConfig, found: Candidates, shared: Limits, chance: Flags) -> str:
    """What to tell whoever asks for a plan that cannot be: a smallest set of rules in conflict."""
    musts = {f"mandatory {name}": name for name, action in config.actions.items() if action.mandatory}
    rules = [*dict.fromkeys(rule.words for rule in found.rules), HOLDOUT, *shared.names, *musts, *shared.groups]

    def holds(active: frozenset[str]) -> bool:
        value = found.allowed(active)
        must = np.array([f"mandatory {name}" in active and name in musts.values() for name in config.actions])
        mandatory = _mandatory(value, must)
        value[mandatory >= 0] = -np.inf
        value[:, must] = -np.inf
        if HOLDOUT in active:
            value[chance] = -np.inf
        return _obeys(shared.without(frozenset(rules) - active), mandatory, value)

    names = conflict(rules, holds)
    short = _what_is_needed(found, shared, musts, names, config)
    return (
        f"no plan obeys all rules; these are in conflict, and each of them could be relaxed: {'; '.join(names)}{short}"
    )


def _what_is_needed(
    found: Candidates, shared: Limits, musts: dict[str, str], names: tuple[str, ...], config: PlanConfig
) -> str:
    """How much mandatory actions need of the limits in conflict."""
    must = np.array([f"mandatory {name}" in names and name in musts.values() for name in config.actions])
    taken, _ = shared.used(_mandatory(found.value, must))
    told = [
        f"{name}: {need:,.2f} needed, {there:,.2f} there"
        for name, need, there in zip(shared.names, taken, shared.limits, strict=True)
        if name in names and need > there
    ]
    return f" ({'; '.join(told)})" if told else ""


# ------------------------------------------------------------------------------------------- parts of a plan
def _with_policy(plan: Plan, held_out: Flags, must: Flags) -> Plan:
    """The same plan with what it would give to whoever was left to chance: the best for him at the limits' prices."""
    rows = np.flatnonzero(held_out)
    charge = plan.charge[plan.shared.kind[rows]]
    net = np.where(must, -np.inf, plan.candidates.value[rows] - charge)
    policy = plan.choice.copy()
    if len(rows):
        best = net.argmax(axis=1)
        policy[rows] = np.where(net[np.arange(len(rows)), best] > 0, best, NOTHING)
    return replace(plan, policy=policy)


def _held_out(entities: pa.Array, share: float, salt: str) -> Flags:
    """Who is left to chance: a number between 0 and 1 from the sha256 of salt and id lies below the share."""
    if share == 0:
        return np.zeros(len(entities), bool)
    edge = int(share * 2**64)
    seeded = hashlib.sha256(salt.encode())
    flags = np.empty(len(entities), bool)
    for place, entity in enumerate(entities.to_pylist()):
        digest = seeded.copy()
        digest.update(b"\0" + entity.encode())
        flags[place] = int.from_bytes(digest.digest()[:8], "big") < edge
    return flags


def _mandatory(value: Floats, must: Flags) -> Choices:
    """The mandatory action of each candidate: of several the one that is worth most."""
    if not must.any() or not len(value):
        return np.full(len(value), NOTHING, np.int64)
    only = np.where(must, value, -np.inf)
    best = only.argmax(axis=1)
    return np.where(np.isfinite(only[np.arange(len(only)), best]), best, NOTHING).astype(np.int64)


def _own(value: Floats, choice: Choices) -> Floats:
    """The value of each choice, without those who get nothing."""
    rows = np.flatnonzero(choice >= 0)
    return np.asarray(value[rows, choice[rows]])
