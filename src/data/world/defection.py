"""Leaving, by five causes; coming back; and what a silence says about it.

Hazards per day of a customer i who is alive (shares w_c sum to 1, tenure and breadth as of the day):

    base = hazard_i x f_life x (1 + tenure / 180)^-tenure_effect x exp(-breadth_effect (categories bought - 3))
    pushed_away = w_0 base exp(trouble_effect [trouble] + cost_effect (service rate / mean - 1), capped at e^3)
    unmet_need  = w_1 base exp(-satisfaction_effect mood + annoyed), doubled while a complaint is open
    pulled_away = w_2 base exp(competitor_effect (1 - immune) value(t, region))
    bought_away = w_3 base exp(competitor_effect (1 - immune) price_sensitive cheap(t, region)
                               + price_effect price_sensitive (1.2 - immune) memory(t, line))
    moved_away  = w_4 base exp(life_event_effect [a life event in the last 60 days])

Who has left comes back with a hazard that depends on cause, offer, mood and tenure (`returning`).

The filter. Nobody can see that a silent customer has left. Let A be the weight of being alive apart from the survival
S(u) of the current gap (u the operational time since the last visit, S that of Erlang-k), and D_c that of having left
by cause c, all given what happened since the last sign of life. Each day, with q the probability of leaving,

    D_c <- D_c (1 - return_c) + A S(u) q h_c / sum h,    A <- A (1 - q) x P(no other sign of life),

and a visit or another sign of life sets D to 0. So P(alive | history, traits) = A S(u) / (A S(u) + sum D), exactly:
the forward recursion of a hidden Markov model. In the pure world q acts at a visit with probability p_i, and the
formula is that of Fader, Hardie and Lee (2005, equation 7). P(cause | has left, history) = D_c / sum D.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .chance import compiled
from .market import WINBACK
from .state import count_bits

PUSHED, UNMET, PULLED, BOUGHT, MOVED = range(5)

#: odds of coming back within the window of a win-back offer, relative, by cause and offer (a word, 15 %, 30 %)
RETURN_ODDS = np.array([[0.2, 0.4, 0.5], [1.6, 1.2, 1.3], [0.6, 0.9, 1.2], [0.3, 1.3, 2.4], [0.1, 0.15, 0.15]])
#: relative rate of visits in the second life, by cause and offer; the last column: without an offer
SECOND_RATE = np.array(
    [[0.7, 0.6, 0.5, 0.8], [1.2, 1.0, 0.9, 1.1], [0.9, 0.9, 0.8, 1.0], [0.8, 0.7, 0.6, 0.7], [0.6, 0.5, 0.5, 0.8]]
)
SPONTANEOUS = np.array([0.5, 0.6, 1.2, 1.6, 0.3])
RESPONSE_ODDS = np.array([1.5, 1.0, 0.5, 0.3])


@compiled
def survival(elapsed: Any, shape: Any) -> Any:
    """P(E > elapsed) of an Erlang-k gap of mean 1 in operational time: exp(-k u) sum_{j<k} (k u)^j / j!."""
    if shape == 1:
        return np.exp(-elapsed)
    x = shape * elapsed
    term, total = 1.0, 1.0
    for j in range(1, shape):
        term *= x / j
        total += term
    return np.exp(-x) * total


@compiled
def hazards(p: Any, x: Any, d: Any, r: Any, t: Any, h: Any) -> Any:
    """Fill h (5,) with the day's hazards by cause; returns their sum."""
    tenure = max(0.0, t - x.acquired)
    base = p.hazard * x.hazard_factor
    if base == 0.0:
        h[:] = 0.0
        return 0.0
    base *= np.exp(
        -r.dropout_tenure_effect * np.log1p(tenure / 180) - r.dropout_breadth_effect * (count_bits(x.breadth) - 3)
    )
    cost = r.dropout_cost_effect * (p.service_rate / max(r.service_contact_rate, 1e-9) - 1)
    h[PUSHED] = r.dropout_pushed_share * np.exp(min(3.0, r.dropout_trouble_effect * x.trouble + cost))
    annoyed = x.annoyed if t < x.until else 0.0
    h[UNMET] = r.dropout_unmet_share * np.exp(min(4.0, annoyed - r.dropout_satisfaction_effect * x.mood))
    if x.open >= 0:
        h[UNMET] *= 2
    pull = r.dropout_competitor_effect * (1 - p.immune)
    value, cheap, memory = d.value[p.region], d.cheap[p.region], d.memory[p.line]
    h[PULLED] = r.dropout_pulled_share * (np.exp(pull * value) if value > 0 else 1.0)
    price = p.price_sensitive * (pull * cheap + r.dropout_price_effect * (1.2 - p.immune) * memory)
    h[BOUGHT] = r.dropout_bought_share * np.exp(min(4.0, price))
    h[MOVED] = r.dropout_moved_share * (np.exp(r.dropout_life_event_effect) if t - x.event_day < 60 else 1.0)
    total = 0.0
    for c in range(5):
        h[c] *= base
        total += h[c]
    return total


@compiled
def returning(p: Any, x: Any, r: Any, t: Any, cause: Any) -> Any:
    """Probability that somebody who left by `cause` comes back on day t."""
    hazard = r.second_life_spontaneous * SPONTANEOUS[cause]
    if t < x.until and x.kind == WINBACK:
        tenure = np.log1p(max(0.0, t - x.acquired) / 365)
        odds = r.second_life_offer_odds * RETURN_ODDS[cause, x.offer] * RESPONSE_ODDS[p.response]
        odds *= np.exp(r.second_life_satisfaction_effect * x.mood + r.second_life_tenure_effect * (tenure - 0.7))
        hazard += odds / r.contacting_window_days
    return 1 - np.exp(-hazard)


@compiled
def come_back(x: Any, r: Any, t: Any) -> None:
    """Start another life."""
    offered = t < x.until and x.kind == WINBACK
    x.rate_factor = r.second_life_rate_factor * SECOND_RATE[x.cause, x.offer if offered else 3]
    x.hazard_factor = r.second_life_hazard_factor * (1.4 if x.cause == BOUGHT else 1.0)
    x.alive, x.cause, x.known_gone, x.mood = 1, -1, 0, min(0.0, 0.3 * x.mood)
    x.life += 1


@compiled
def sign_of_life(x: Any) -> None:
    """The filter after an event that only the living leave."""
    for c in range(5):
        x.left[c] = 0.0


@compiled
def filter_day(p: Any, x: Any, r: Any, t: Any, h: Any, total: Any, hidden: Any) -> None:
    """One day of the filter; `hidden` is false where leaving would be seen at once (a paid plan is cancelled)."""
    gone = 0.0
    for c in range(5):
        gone += x.left[c]
    if gone > 0:
        for c in range(5):
            if x.left[c] > 0:
                x.left[c] *= 1 - returning(p, x, r, t, c)
    if total > 0 and x.weight > 0:
        leaving = 1 - np.exp(-total)
        if hidden:
            now = x.weight * survival(x.elapsed, p.shape if x.used else 1) * leaving
            for c in range(5):
                x.left[c] += now * h[c] / total
        x.weight *= 1 - leaving


@compiled
def p_alive(p: Any, x: Any) -> Any:
    """P(alive | history, traits), from the filter."""
    gone = 0.0
    for c in range(5):
        gone += x.left[c]
    if gone == 0.0:
        return 0.0 if x.known_gone else 1.0
    alive = x.weight * survival(x.elapsed, p.shape if x.used else 1)
    return alive / (alive + gone)


@compiled
def all_alive(people: Any, states: Any) -> Any:
    """`p_alive` of persons (n,) in states (n,)."""
    out = np.empty(people.size)
    for i in range(people.size):
        out[i] = p_alive(people[i], states[i])
    return out
