"""From target to lead, opportunity and contract: the stages of a prospect.

Each day a prospect in stage j < 3 moves on with the hazard

    q_j x exp(0.5 interest_i + push + 0.8 (season(t) - 1) - price_effect price_sensitive (price(t, line) - 1)
              - age of the prospect / patience_days)

and he is a customer from the moment of the contract (stage 3); his first purchase makes him a user (stage 4). Nobody
converts later than a year after his arrival. A treated acquisition contact sets `push` (contacts.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .chance import compiled, uniform
from .contacts import respond
from .purchases import next_gap
from .state import CUSTOMER, FORMER_PROSPECT, PLANS, SILENT, STEPS, write, writes

LONGEST = 365


@compiled
def advance_probability(p: Any, x: Any, d: Any, r: Any, t: Any, stage: Any) -> Any:
    """Probability that the prospect leaves the stage on day t."""
    base = r.prospecting_lead if stage == 0 else (r.prospecting_opportunity if stage == 1 else r.prospecting_contract)
    push = x.push if t < x.until else 0.0
    dear = r.prospecting_price_effect * p.price_sensitive * (d.price[p.line] - 1)
    effect = 0.5 * p.interest + push + 0.8 * (d.season - 1) - dear - (t - p.arrival) / r.prospecting_patience_days
    return 1 - np.exp(-base * np.exp(effect))


@compiled
def prospect_day(p: Any, x: Any, d: Any, r: Any, t: Any, key: Any, mode: Any, k: Any) -> None:
    """A day of a prospect; at most one stage a day."""
    if t - p.arrival > LONGEST:
        x.phase = FORMER_PROSPECT
        return
    if mode == SILENT:
        moved = 0.0
        for stage in range(3):
            q = advance_probability(p, x, d, r, t, stage)
            leaves = x.chain[stage] * q
            x.chain[stage] += moved - leaves
            moved = leaves
        x.chain[3] += moved
        return
    if uniform(key, 180, t) >= advance_probability(p, x, d, r, t, x.stage):
        return
    x.stage += 1
    day = t + uniform(key, 181, t)
    if writes(mode):
        write(k, STEPS, day, x.stage, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    if x.stage == 3:
        if t < x.until and x.contact >= 0:
            respond(x, day, np.nan, mode, k)
        x.phase, x.acquired, x.last = CUSTOMER, day, day
        x.until, x.push, x.contact = -1e9, 0.0, -1
        x.contract, x.plan_since = p.contract, day
        next_gap(p, x, key)


@compiled
def close_plan(x: Any, end: Any, reason: Any, k: Any) -> None:
    """Write the card or paid plan that ran since `plan_since`; `end` is NaN where it runs on."""
    write(k, PLANS, end, x.plan_since, x.contract, reason, 0.0, 0.0, 0.0, 0.0, 0.0)
