"""Why somebody gets an action, or gets none, in a sentence."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..config import PlanConfig
from .plan import Plan, second_best


def reasons_of(plan: Plan, config: PlanConfig, currency: str) -> pa.Array:
    """A sentence (n,) for each candidate."""
    actions = list(config.actions.items())
    other, lacking = second_best(plan)
    prices = plan.uses @ plan.prices
    value, gross, choice = plan.candidates.value, plan.candidates.gross, plan.choice
    texts = []
    for row in range(len(choice)):
        own = int(choice[row])
        second = int(other[row])
        if plan.held_out[row]:
            texts.append("left to chance, so that what the plan brings can be measured")
        elif own >= 0:
            name, action = actions[own]
            brings = _money(value[row, own], currency)
            told = f"{_spoken(name)}: expected to bring {brings} after its cost of {_money(action.cost, currency)}"
            if action.mandatory:
                told = f"{_spoken(name)}: mandatory; expected to bring {brings}"
            elif second >= 0:
                told += (
                    f"; second in line: {_spoken(actions[second][0])}, {_money(lacking[row], currency)} after prices"
                )
            texts.append(told)
        elif second >= 0 and value[row, second] > 0:
            texts.append(
                f"nothing: {_spoken(actions[second][0])} would bring {_money(value[row, second], currency)}, but what "
                f"it takes of the limits is worth {_money(prices[second], currency)} elsewhere"
            )
        elif second >= 0:
            texts.append(f"nothing: {_spoken(actions[second][0])} would cost more than it brings")
        elif np.isfinite(gross[row]).any():
            texts.append("nothing: a rule of the plan forbids every action")
        else:
            texts.append("nothing: no task has a score for it")
    return pa.array(texts, pa.string())


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _money(amount: float, currency: str) -> str:
    return f"{amount:,.2f} {currency}".strip()
