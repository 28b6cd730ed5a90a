"""Why somebody gets an action, or gets none, what was second in line, and which rule decided: in a sentence."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..config import PlanConfig
from .allocate import Choices, Floats
from .candidates import Candidates
from .plan import Plan, second_best


def reasons_of(plan: Plan, config: PlanConfig, currency: str) -> pa.Array:
    """A sentence (n,) for each candidate."""
    actions = list(config.actions.items())
    other, lacking = second_best(plan)
    value, gross, choice = plan.candidates.value, plan.candidates.gross, plan.choice
    charge, kind = plan.charge, plan.shared.kind
    dear = [[_dearest(plan, k, place, currency) for place in range(len(actions))] for k in range(len(charge))]
    barred, rule = barred_best(plan.candidates, np.maximum(choice, other))
    texts = []
    for row in range(len(choice)):
        own, second, k = int(choice[row]), int(other[row]), int(kind[row])
        if plan.held_out[row]:
            texts.append("left to chance, so that what the plan brings can be measured")
            continue
        if own >= 0:
            name, action = actions[own]
            brings = _money(gross[row, own], currency)
            told = f"{_spoken(name)}: expected to bring {brings} after its cost of {_money(action.cost, currency)}"
            if action.mandatory:
                told = f"{_spoken(name)}: mandatory; expected to bring {brings}"
            elif value[row, own] <= 0:
                told += ", for the least share of his group"
            elif second >= 0:
                told += (
                    f"; second in line: {_spoken(actions[second][0])}, {_money(lacking[row], currency)} after prices"
                )
        elif second >= 0 and value[row, second] > 0:
            told = (
                f"nothing; second in line: {_spoken(actions[second][0])}, which would bring "
                f"{_money(value[row, second], currency)}, not chosen because {dear[k][second]} and all that it takes "
                f"of the limits is worth {_money(charge[k, second], currency)} elsewhere"
            )
        elif second >= 0:
            told = f"nothing: {_spoken(actions[second][0])} would cost more than it brings"
        elif np.isfinite(gross[row]).any():
            told = "nothing: a rule of the plan forbids every action"
        else:
            told = "nothing: no task has a score for it"
        if barred[row] >= 0 and (own < 0 or not actions[own][1].mandatory):
            told += f"; {_spoken(actions[int(barred[row])][0])} not allowed ({plan.candidates.rules[rule[row]].words})"
        texts.append(told)
    return pa.array(texts, pa.string())


def barred_best(found: Candidates, instead: Choices) -> tuple[Choices, Choices]:
    """The action that is worth most (n,) where a rule forbids it, and the number of the first such rule (n,).

    -1 where nothing that brings more than the action `instead` (n,) was forbidden.
    """
    gross, rows = found.gross, np.arange(len(instead))
    if not gross.shape[1]:
        return np.full(len(rows), -1), np.full(len(rows), -1)
    best = gross.argmax(axis=1)
    rival: Floats = np.where(instead >= 0, gross[rows, np.maximum(instead, 0)], 0.0)
    wanted = (gross[rows, best] > np.maximum(rival, 0.0)) & ~np.isfinite(found.value[rows, best])
    first = np.full(len(rows), -1, np.int64)
    for number, rule in enumerate(found.rules):
        hit = wanted & rule.forbidden & (first < 0)
        if rule.action is not None:
            hit &= best == found.actions.index(rule.action)
        first[hit] = number
    return np.where(first >= 0, best, -1), first


def _dearest(plan: Plan, kind: int, action: int, currency: str) -> str:
    """Which limit's price weighs most on an action, in words."""
    prices = plan.prices[: len(plan.shared.limits)]
    parts = plan.shared.uses[kind, action] * prices
    if not parts.size or parts.max() <= 0:
        return "others bring more"
    place = int(parts.argmax())
    return f"the price of the {plan.shared.names[place]} is {_money(prices[place], currency)} per unit"


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _money(amount: float, currency: str) -> str:
    return f"{amount:,.2f} {currency}".strip()
