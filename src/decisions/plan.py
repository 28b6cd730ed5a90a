"""A plan: who gets which action, why, and what the whole is expected to bring.

Mandatory actions come first and use up what they cost; the others are chosen together under what is left
(`allocate`). A share of the customers is left to chance: whether one is in it depends on his id, the seed and the day
alone, so that the same plan leaves out the same people on every machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ..config import PlanConfig
from ..errors import GateError
from .allocate import NOTHING, Choices, Floats, allocate, used_by
from .candidates import Candidates, Flags, resources

CURVE = (0.25, 0.5, 0.75, 1.5, 2.0)


@dataclass(frozen=True)
class Limit:
    """One limit: how much there is, how much the plan takes, and what one more unit would bring."""

    name: str
    limit: float
    used: float
    price: float


@dataclass(frozen=True)
class Plan:
    """The choice of each candidate (n,), an action's place or NOTHING, and the facts of the whole.

    `value` is what the chosen actions are expected to bring, `bound` what no plan under these limits can exceed,
    `held_out` (n,) who was left to chance, `mandatory_cost` the cost of what had to be done.
    """

    candidates: Candidates
    choice: Choices
    held_out: Flags
    value: float
    bound: float
    limits: tuple[Limit, ...]
    mandatory_cost: float
    prices: Floats
    uses: Floats

    @property
    def gap(self) -> float:
        """How far the plan may be from the best one at the most, as a share of the bound."""
        return 0.0 if self.bound <= 0 else max(0.0, (self.bound - self.value) / self.bound)


def make_plan(config: PlanConfig, found: Candidates, *, seed: int, salt: str, held_out: Flags | None = None) -> Plan:
    """Choose among candidates under the limits of a configuration.

    `salt` names the day, so that another day leaves other customers to chance; `held_out` (n,) says who is, where that
    is known already. Whoever gets a mandatory action is not left to chance. GateError where the mandatory actions alone
    need more than a limit allows, naming the limit.
    """
    names, uses, limits = resources(config)
    must = np.array([action.mandatory for action in config.actions.values()])
    choice = _mandatory(found.value, must)
    taken = used_by(choice, uses)
    _refuse_too_much(names, limits, taken)
    held_out = left_to_chance(config, found, seed=seed, salt=salt) if held_out is None else held_out
    held_out = held_out & (choice < 0)
    value = found.value.copy()
    value[held_out | (choice >= 0)] = -np.inf
    value[:, must] = -np.inf
    rest = allocate(value, uses, np.maximum(limits - taken, 0.0))
    choice = np.where(choice >= 0, choice, rest.choice)
    had_to = float(_own(found.value, choice, must).sum())
    costs = np.array([action.cost for action in config.actions.values()])
    told = tuple(
        Limit(name, float(limit), float(of_all), float(price))
        for name, limit, of_all, price in zip(names, limits, taken + rest.used, rest.prices, strict=True)
    )
    return Plan(
        candidates=found,
        choice=choice,
        held_out=held_out,
        value=rest.value + had_to,
        bound=rest.bound + had_to,
        limits=told,
        mandatory_cost=float(costs[choice[(choice >= 0) & must[np.maximum(choice, 0)]]].sum()),
        prices=rest.prices,
        uses=uses,
    )


def left_to_chance(config: PlanConfig, found: Candidates, *, seed: int, salt: str) -> Flags:
    """Who is left to chance (n,)."""
    return _held_out(found.entities, config.holdout, f"{seed}/{salt}")


def budget_curve(config: PlanConfig, made: Plan) -> list[tuple[float, float]]:
    """What plans with less or more money would bring: pairs of budget and value; empty where there is no budget."""
    if config.budget is None:
        return []
    points = [(config.budget, made.value)]
    for share in CURVE:
        other = config.model_copy(update={"budget": config.budget * share})
        try:
            plan = make_plan(other, made.candidates, seed=0, salt="", held_out=made.held_out)
        except GateError:  # so little does not even pay for what is mandatory
            continue
        points.append((config.budget * share, plan.value))
    return sorted(points)


def second_best(plan: Plan) -> tuple[Choices, Floats]:
    """The best action that was not chosen (n,), and what it lacks after prices (n,); NOTHING where there is none."""
    net = plan.candidates.value - plan.uses @ plan.prices
    rows = np.arange(len(net))
    chosen = plan.choice >= 0
    net[rows[chosen], plan.choice[chosen]] = -np.inf
    other = net.argmax(axis=1) if net.shape[1] else np.zeros(len(net), np.int64)
    worth = net[rows, other]
    return np.where(np.isfinite(worth), other, NOTHING).astype(np.int64), np.where(np.isfinite(worth), worth, 0.0)


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


def _refuse_too_much(names: tuple[str, ...], limits: Floats, taken: Floats) -> None:
    short = [
        f"{name} ({needed:,.2f} needed, {limit:,.2f} there)"
        for name, limit, needed in zip(names, limits, taken, strict=True)
        if needed > limit * (1 + 1e-9)
    ]
    if short:
        raise GateError(
            f"the mandatory actions alone need more than there is of: {'; '.join(short)}; raise it, or drop one"
        )


def _own(value: Floats, choice: Choices, among: Flags) -> Floats:
    """The value of each choice that is among some actions, 0 for all others."""
    rows = np.flatnonzero((choice >= 0) & among[np.maximum(choice, 0)])
    return np.asarray(value[rows, choice[rows]])
