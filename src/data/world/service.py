"""Failures, complaints and how they are resolved, contacts with the service, surveys, visits without a purchase.

A visit goes wrong with probability failure x factor(t, region). Mood then falls by hurt x (1 - tolerant) + 0.1, and a
complaint follows with probability complaint x (1.6 - 1.2 tolerant). An open complaint is resolved with the hazard
`resolution` during twenty days and `resolution_late` after; it gives back `relief` of the hurt. Mood returns to zero as
exp(-t / recovery_days).

Signs of life other than purchases (service contacts, visits without a purchase, answers to surveys, referrals) come as
a Poisson process of the living, so that their absence tells something too: the filter knows their rate.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .chance import compiled, derive, uniform
from .contacts import PUT_OFF
from .market import REFERRAL
from .state import ACTIONS, REFERRED_CHILD, RESOLUTIONS, note, write, writes

COMPLAINT, SERVICE, VISIT, REFERENCE, SURVEY, FAILURE = range(6)
MOST_REFERRALS = 12
#: cost to the company of one interaction of each kind
COSTS = np.array([12.0, 6.0, 0.2, 1.0, 0.5, 8.0])


@compiled
def act(k: Any, day: Any, kind: Any, score: Any) -> None:
    """Write an interaction."""
    write(k, ACTIONS, day, kind, score, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@compiled
def fail(p: Any, x: Any, d: Any, r: Any, t: Any, f: Any, draw: Any, mode: Any, k: Any) -> None:
    """A visit may go wrong, and the customer may complain."""
    if uniform(draw, 8, 0) >= r.service_failure * d.failure[p.region]:
        return
    hurt = r.service_hurt * (1 - p.tolerant) + 0.1
    x.mood = max(-4.0, x.mood - hurt)
    x.service_cost += COSTS[FAILURE]
    complains = uniform(draw, 8, 1) < r.service_complaint * (1.6 - 1.2 * p.tolerant) and x.open < 0
    if writes(mode):
        act(k, t + f, FAILURE, np.nan)
    if complains:
        x.open = t
        x.service_cost += COSTS[COMPLAINT]
        if writes(mode):
            act(k, t + min(0.999, f + 0.02), COMPLAINT, np.nan)


@compiled
def mood_day(p: Any, x: Any, r: Any, t: Any, key: Any, mode: Any, k: Any) -> None:
    """Wounds heal, complaints are resolved."""
    if x.mood != 0.0:
        x.mood *= np.exp(-1 / r.service_recovery_days)
        if x.mood > -1e-3:
            x.mood = 0.0
    if x.open >= 0 and t > x.open:
        hazard = r.service_resolution if t - x.open <= 20 else r.service_resolution_late
        if uniform(key, 160, t) < hazard:
            x.mood = min(0.0, x.mood + r.service_relief * (r.service_hurt * (1 - p.tolerant) + 0.1))
            x.open = -1e9
            if writes(mode):
                write(k, RESOLUTIONS, t + 0.35 + 0.35 * uniform(key, 161, t), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@compiled
def rates_of_signs(p: Any, x: Any, d: Any, r: Any, t: Any, rate: Any, signs: Any) -> Any:
    """Fill signs (4,) with the day's rates of service contacts, mere visits, surveys, referrals; returns their sum."""
    signs[0] = p.service_rate * (2.0 if x.open >= 0 else 1.0)
    looking = (d.value[p.region] + d.cheap[p.region]) * (1 - p.immune)
    signs[1] = r.service_visit_ratio * rate * (1 + 1.5 * looking)
    signs[2] = r.service_survey_rate
    signs[3] = p.referral_rate * np.exp(min(0.0, x.mood)) if x.referrals < MOST_REFERRALS and x.used else 0.0
    if t < x.until and x.kind == REFERRAL and p.response != PUT_OFF:
        signs[3] *= 4
    return signs[0] + signs[1] + signs[2] + signs[3]


@compiled
def sign(p: Any, x: Any, t: Any, key: Any, signs: Any, total: Any, mode: Any, k: Any) -> Any:
    """One other sign of life on day t, by the rates of its kinds; returns its kind."""
    draw = derive(key, 171, t)
    left, kind = uniform(draw, 0, 0) * total, 0
    while kind < 3 and left >= signs[kind]:
        left -= signs[kind]
        kind += 1
    if kind == 3:
        x.referrals += 1
    x.service_cost += COSTS[SERVICE if kind == 0 else (VISIT if kind == 1 else (SURVEY if kind == 2 else REFERENCE))]
    if writes(mode):
        day = t + uniform(draw, 0, 1)
        if kind == 0:
            act(k, day, SERVICE, np.nan)
        elif kind == 1:
            act(k, day, VISIT, np.nan)
        elif kind == 2:
            noise = uniform(draw, 1, 0) + uniform(draw, 1, 1) + uniform(draw, 1, 2) - 1.5
            score = 8.2 + 2.4 * x.mood + 2.2 * noise - (1.0 if x.open >= 0 else 0.0)
            act(k, day, SURVEY, min(10.0, max(0.0, np.floor(score + 0.5))))
        else:
            act(k, day, REFERENCE, np.nan)
            note(k, day, REFERRED_CHILD, x.referrals)
    return kind
