"""How sure what a plan is expected to bring is."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..config import PlanConfig
from .plan import Plan

COVERS = (
    "95 %: the chance of who responds, where the score is a probability, and the errors of levers as given; not errors"
    " of the scores and of the amounts, and not what nobody foresaw"
)
_NORMAL = 1.959964


def expected_interval(config: PlanConfig, plan: Plan, effects: Collection[str] = ()) -> tuple[float, float]:
    """The 95 % interval of the sum that a plan brings: see COVERS for what is in it.

    `effects` are tasks whose scores are effects, and no probabilities.

    With q = lever x score, the probability that the action brings the outcome about, and the gain g = q x worth, the
    variance of one response is worth^2 q (1 - q) = g^2 (1 - q) / q, independent of those of others; a lever's error
    moves all gains of its action together: (sum of g x lever_error / lever)^2. The sum is taken as normal.
    """
    variance = 0.0
    for place, action in enumerate(config.actions.values()):
        rows = plan.choice == place
        gain = plan.candidates.gross[rows, place] + action.cost
        q = action.lever * plan.candidates.score[rows, place]
        chance = (q > 0) & (q <= 1) & (action.score == "score" and action.task not in effects)
        variance += float((gain[chance] ** 2 * (1 - q[chance]) / q[chance]).sum())
        if action.lever > 0:
            variance += float(gain.sum() * action.lever_error / action.lever) ** 2
    spread = _NORMAL * float(np.sqrt(variance))
    return plan.expected - spread, plan.expected + spread
