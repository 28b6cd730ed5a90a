"""Visits and baskets.

The rate of visits on day t of a customer who is alive, with mood <= 0, dip and memory as in market.py:

    rate_i(t) = rate_i x f_life x season(t) x exp(satisfaction_effect mood + push)
                x (1 - competitor_dip (1 - immune) min(1, value + cheap)) x exp(-price_effect price_sensitive memory)

Visits are a renewal process in operational time u(t) = integral of the rate: gaps are Erlang-k of mean 1 in u, which is
exact within the day because the rate is constant there. Before the first purchase the rate is at least 0.08 and k = 1.
Each visit fills a basket (products.py) whose items have a tier near the customer's own, a quantity, maybe a promotion
or the discount of an offer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .chance import compiled, derive, exponential, poisson, uniform
from .contacts import PERSUADABLE, redeems, respond
from .market import REFERRAL, UP_SELL, WINBACK
from .products import N_CATEGORIES, N_MISSIONS, N_TIERS, N_VARIANTS
from .service import fail
from .state import BILLS, LINES, STEPS, write, writes


@compiled
def rate_of(p: Any, x: Any, d: Any, r: Any, t: Any) -> Any:
    """Visits a day while alive."""
    effect = r.buying_satisfaction_effect * x.mood - r.buying_price_effect * p.price_sensitive * d.memory[p.line]
    if t < x.until and x.kind != REFERRAL:
        effect += x.push
    rate = p.rate * x.rate_factor * d.season
    if effect != 0.0:
        rate *= np.exp(effect)
    pull = d.value[p.region] + d.cheap[p.region]
    if pull > 0:
        rate *= 1 - r.buying_competitor_dip * (1 - p.immune) * min(1.0, pull)
    return rate if x.used else max(rate, 0.08)


@compiled
def next_gap(p: Any, x: Any, key: Any) -> None:
    """Draw the operational time to the next visit."""
    shape = p.shape if x.used else 1
    total = 0.0
    for j in range(shape):
        total += exponential(key, 120 + j, x.visits)
    x.target = total / shape


@compiled
def remaining_gap(p: Any, x: Any, key: Any) -> None:
    """Redraw the gap given that `elapsed` of it has passed without a visit.

    An Erlang-k gap is k phases; given u the number of phases passed is j with P(j) ~ (k u)^j / j!, j < k.
    """
    shape = p.shape if x.used else 1
    passed = 0
    if shape > 1:
        weight, total = 1.0, 1.0
        for j in range(1, shape):
            weight *= shape * x.elapsed / j
            total += weight
        left = uniform(key, 140, x.visits) * total
        weight = 1.0
        while left > weight and passed < shape - 1:
            left -= weight
            passed += 1
            weight *= shape * x.elapsed / passed
    rest = 0.0
    for j in range(shape - passed):
        rest += exponential(key, 141 + j, x.visits)
    x.target = x.elapsed + rest / shape


@compiled
def appetite(p: Any, x: Any, d: Any, r: Any, t: Any, wants: Any) -> Any:
    """Fill `wants` (categories,) with the day's v_ic; returns the mean extras per visit."""
    life = t - x.event_day < r.life_lasts_days
    for c in range(N_CATEGORIES):
        want = p.interests[c] * d.category_season[c]
        if life and ((x.event == 0 and 16 <= c < 20) or (x.event == 1 and (c < 8 or c == 23))):
            want *= 3.0
        wants[c] = want
    if t < x.until and x.category >= 0 and p.response == PERSUADABLE:
        wants[x.category] *= 1 + r.contacting_category_boost
    return r.buying_extras * p.size


@compiled
def inclusion(p: Any, goods: Any, wants: Any, extras: Any, pi: Any) -> None:
    """Fill pi (categories,): the probability that a visit's basket holds the category (the formula of products.py)."""
    pi[:] = 0.0
    for mission in range(N_MISSIONS):
        total = 0.0
        for c in range(N_CATEGORIES):
            total += goods.anchor[mission, c] * wants[c]
        for c in range(N_CATEGORIES):
            anchor = goods.anchor[mission, c] * wants[c] / total
            along = 1 - 1 / np.sqrt(1 + 2 * extras * goods.extras[mission, c] * wants[c])
            pi[c] += p.missions[mission] * (anchor + (1 - anchor) * along)


@compiled
def visit(p: Any, x: Any, d: Any, goods: Any, r: Any, t: Any, f: Any, key: Any, mode: Any, k: Any) -> None:
    """A visit at the time t + f: its basket, its events, and the state after it (but for the gap)."""
    draw = derive(key, 150, x.visits)
    wants = k.wants
    # the square of a normal number (Box and Muller 1958)
    plenty = -2 * np.log(1 - uniform(draw, 0, 7)) * np.cos(2 * np.pi * uniform(draw, 0, 8)) ** 2
    extras = appetite(p, x, d, r, t, wants) * plenty
    mission, u = 0, uniform(draw, 0, 0)
    while mission < N_MISSIONS - 1 and u >= p.missions[mission]:
        u -= p.missions[mission]
        mission += 1
    total = 0.0
    for c in range(N_CATEGORIES):
        total += goods.anchor[mission, c] * wants[c]
    left, came_for = uniform(draw, 0, 1) * total, 0
    while came_for < N_CATEGORIES - 1 and left >= goods.anchor[mission, came_for] * wants[came_for]:
        left -= goods.anchor[mission, came_for] * wants[came_for]
        came_for += 1
    ready = p.readiness * (5.0 if t < x.until and x.kind == UP_SELL and p.response == PERSUADABLE else 1.0)
    if x.tier < N_TIERS - 1 and uniform(draw, 0, 2) < ready:
        x.tier += 1
    uses = redeems(p, x, r, t, uniform(draw, 0, 3))
    channel = 1 if uniform(draw, 0, 5) < (0.25 if p.channel == 2 else 0.6) else 0
    margin, amount, redeemed = 0.0, 0.0, 0.0
    for c in range(N_CATEGORIES):
        if c != came_for and uniform(draw, 1, c) >= 1 - np.exp(-extras * goods.extras[mission, c] * wants[c]):
            continue
        x.breadth |= np.uint64(1) << np.uint64(c)
        tier, u = x.tier, uniform(draw, 2, c)
        down = 0.15 + 3.0 * p.price_sensitive * d.memory[p.line]
        if u < down and tier > 0:
            tier -= 1
        elif u > 0.97 and tier < N_TIERS - 1 and p.readiness > 0:
            tier += 1
        variant = 1 if uniform(draw, 3, c) < 0.4 else 0
        quantity = 1 + poisson(draw, 4, c, 0.35 * p.size)
        discount = 0.0
        if uniform(draw, 5, c) < r.buying_promotion * (0.5 + p.price_sensitive):
            discount = 0.1 if uniform(draw, 6, c) < 0.5 else 0.25
        offered = uses and (x.category < 0 or x.category == c)
        if offered:
            discount = max(discount, x.discount)
        price = goods.price[c, tier, variant] * d.price[goods.line_of[c]]
        paid = np.floor(price * quantity * (1 - discount) * 100 + 0.5) / 100
        gain = paid - price * quantity * (1 - goods.margin[tier])
        margin += gain
        amount += paid
        if offered:
            redeemed += paid
        if writes(mode):
            product = (c * N_TIERS + tier) * N_VARIANTS + variant + 1
            back = r.trouble_returned_by_abuser if p.trouble == 1 and x.trouble else r.trouble_returned
            returned = uniform(draw, 7, c) < back or (p.trouble == 3 and x.trouble and offered)
            write(k, LINES, t + f, x.visits, product, quantity, paid, gain, discount, returned, channel)
    if redeemed > 0:
        x.redeemed = 1
        respond(x, t + f, redeemed, mode, k)
    elif t < x.until and x.kind == WINBACK and x.contact >= 0 and not x.redeemed:
        x.redeemed = 1
        respond(x, t + f, amount, mode, k)
    if writes(mode):
        if p.invoiced:
            refuses = p.trouble == 2 and x.trouble
            unpaid = uniform(draw, 0, 6) < (r.trouble_unpaid_by_abuser if refuses else r.trouble_unpaid)
            write(k, BILLS, t + f, x.visits, amount, unpaid, 0.0, 0.0, 0.0, 0.0, 0.0)
        if not x.used and p.founder == 0:
            write(k, STEPS, t + f, 4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    if not x.used:
        x.used, x.stage = 1, 4
    x.visits += 1
    x.margin += margin
    x.last = t + f
    fail(p, x, d, r, t, f, draw, mode, k)
