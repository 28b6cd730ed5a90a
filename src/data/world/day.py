"""The step: one day of one person.

`live_day` is the only place where time passes; histories, re-simulated futures and the silent weights of the truth all
go through it (see state.HISTORY, FUTURE, SILENT). The order within a day: life event, trouble, campaign, mood; coming
back or leaving, and the filter; visits at their exact times; other signs of life.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .chance import compiled, uniform
from .contacts import campaign
from .defection import come_back, filter_day, hazards, returning, sign_of_life
from .prospects import close_plan, prospect_day
from .purchases import next_gap, rate_of, visit
from .service import SERVICE, act, mood_day, rates_of_signs, sign
from .state import (
    CAME_BACK,
    FORMER_PROSPECT,
    HISTORY,
    LEFT,
    LIFE_EVENT,
    MOST_VISITS_A_DAY,
    PROSPECT,
    SILENT,
    TROUBLE,
    note,
    writes,
)


@compiled
def circumstances(p: Any, x: Any, r: Any, t: Any, key: Any, mode: Any, k: Any) -> None:
    """Life events and the beginning of trouble."""
    if r.life_rate_per_year > 0 and uniform(key, 190, t) < 1 - np.exp(-r.life_rate_per_year / 365):
        x.event_day, x.event = t, 0 if uniform(key, 191, t) < 0.6 else 1
        if writes(mode):
            note(k, t, LIFE_EVENT, x.event)
            if x.alive and uniform(key, 192, t) < r.life_told:
                act(k, t + 0.3 + 0.4 * uniform(key, 193, t), SERVICE, np.nan)
                sign_of_life(x)
            else:
                x.weight *= 1 - r.life_told
    if p.trouble and not x.trouble and uniform(key, 194, t) < 1 - np.exp(-r.trouble_onset):
        x.trouble = 1
        if writes(mode):
            note(k, t, TROUBLE, p.trouble)


@compiled
def leave(p: Any, x: Any, r: Any, t: Any, key: Any, h: Any, total: Any, mode: Any, k: Any) -> None:
    """The customer leaves; a paid plan is cancelled, perhaps with a reason."""
    left, cause = uniform(key, 201, t) * total, 0
    while cause < 4 and left >= h[cause]:
        left -= h[cause]
        cause += 1
    x.alive, x.cause = 0, cause
    if writes(mode):
        note(k, t, LEFT, cause)
        if x.contract:
            for c in range(5):
                x.left[c] = h[c] / total
            tell(p, x, r, t, key, k, 0.6)
    x.contract = 0


@compiled
def tell(p: Any, x: Any, r: Any, t: Any, key: Any, k: Any, answered: Any) -> None:
    """A customer who has left says so: the plan ends, with a reason if he answers, at times a wrong one."""
    reason = -1
    if uniform(key, 202, t) < answered:
        reason = x.cause
        if uniform(key, 203, t) < r.second_life_survey_wrong:
            reason = (x.cause + 1 + int(4 * uniform(key, 204, t))) % 5
        wrong = r.second_life_survey_wrong
        for c in range(5):
            x.left[c] *= 1 - wrong if c == reason else wrong / 4
    close_plan(x, t + 0.2 + 0.6 * uniform(key, 205, t), reason, k)
    x.known_gone, x.weight, x.plan_since = 1, 0.0, -1e9


@compiled
def exit_survey(p: Any, x: Any, r: Any, t: Any, key: Any, k: Any) -> None:
    """The survey of those who are silent for long; only who has left answers it."""
    if r.dropout_hazard == 0 or x.known_gone or x.contract or t - int(np.floor(x.last)) != r.second_life_survey_after:
        return
    if not x.alive and uniform(key, 206, t) < r.second_life_survey_answered:
        tell(p, x, r, t, key, k, 1.0)
    else:
        for c in range(5):
            x.left[c] *= 1 - r.second_life_survey_answered


@compiled
def buy(p: Any, x: Any, d: Any, goods: Any, r: Any, t: Any, f: Any, key: Any, mode: Any, k: Any) -> None:
    """A visit at t + f, what it says about being alive, and the next gap (in BG/NBD nobody leaves at the first)."""
    visit(p, x, d, goods, r, t, f, key, mode, k)
    x.elapsed = 0.0
    x.weight = 1.0
    sign_of_life(x)
    if p.p_drop > 0 and x.visits > 1:
        x.weight, x.left[1] = 1 - p.p_drop, p.p_drop
        if uniform(key, 207, x.visits) < p.p_drop:
            x.alive, x.cause = 0, 1
            if writes(mode):
                note(k, t + f, LEFT, 1)
    next_gap(p, x, key)


@compiled
def live_day(p: Any, x: Any, d: Any, goods: Any, r: Any, t: Any, key: Any, mode: Any, k: Any) -> None:
    """Day t of a person: [t, t + 1)."""
    if x.phase == FORMER_PROSPECT:
        return
    if x.phase == PROSPECT:
        campaign(p, x, d, r, t, key, mode, k)
        prospect_day(p, x, d, r, t, key, mode, k)
        return
    circumstances(p, x, r, t, key, mode, k)
    campaign(p, x, d, r, t, key, mode, k)
    mood_day(p, x, r, t, key, mode, k)
    h = k.hazards
    total = hazards(p, x, d, r, t, h)
    back = False
    if mode != SILENT:
        if x.alive:
            leaves = total > 0 and uniform(key, 200, t) < 1 - np.exp(-total)
        else:
            leaves = False
            back = p.p_drop == 0 and uniform(key, 208, t) < returning(p, x, r, t, x.cause)
    else:
        leaves = False
    if mode in (HISTORY, SILENT):
        filter_day(p, x, r, t, h, total, mode == SILENT or not x.contract)
    if leaves:
        leave(p, x, r, t, key, h, total, mode, k)
    if writes(mode):
        exit_survey(p, x, r, t, key, k)
    rate = rate_of(p, x, d, r, t)
    f = 0.0
    if back:
        come_back(x, r, t)
        f = 0.3 + 0.4 * uniform(key, 209, t)
        if writes(mode):
            note(k, t + f, CAME_BACK, x.offer if t < x.until and x.kind == 3 else -1)
            if x.plan_since < -1e8:
                x.plan_since = t + f
        buy(p, x, d, goods, r, t, f, key, mode, k)
    visits = 0
    while x.alive and mode != SILENT and visits < MOST_VISITS_A_DAY and rate * (1 - f) >= x.target - x.elapsed:
        visits += 1
        f += max(0.0, x.target - x.elapsed) / rate
        buy(p, x, d, goods, r, t, min(f, 0.999999), key, mode, k)
    x.elapsed += rate * max(0.0, 1 - f)
    signs = k.signs
    kappa = rates_of_signs(p, x, d, r, t, rate, signs)
    if kappa > 0:
        if x.alive and mode != SILENT and uniform(key, 170, t) < 1 - np.exp(-kappa):
            sign(p, x, t, key, signs, kappa, mode, k)
            sign_of_life(x)
        elif mode == HISTORY:
            x.weight *= np.exp(-kappa)


@compiled
def first_hours(p: Any, x: Any, d: Any, goods: Any, r: Any, t: Any, k: Any) -> None:
    """The day of arrival: a prospect only appears; in a pure world the first purchase happens, and maybe more."""
    if not p.founder:
        return
    f = p.arrival - t
    buy(p, x, d, goods, r, t, f, p.key, HISTORY, k)
    visits = 1
    while x.alive and visits < MOST_VISITS_A_DAY and p.rate * (1 - f) >= x.target:
        f += x.target / p.rate
        buy(p, x, d, goods, r, t, min(f, 0.999999), p.key, HISTORY, k)
        visits += 1
    x.elapsed = p.rate * (1 - f)


@compiled
def first_day(p: Any) -> Any:
    """The first day that is lived of a person."""
    return max(0, int(np.floor(p.arrival)))
