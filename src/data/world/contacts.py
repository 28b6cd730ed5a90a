"""Campaigns: who is contacted, by chance who is held out, and what a contact does to whom.

A campaign draws its targets at random among those whom its kind admits (by what the company can see: days since the
last visit, tier, consent), holds out a random share of them (`treated` is false, the row is kept), and draws one of
its three offers. A treated contact is in effect for `window_days`. Four kinds of people answer differently:

    persuadable: log rate + persuadable_effect x sqrt(clip(v_ic, .2, 3)) x (0.6 + 2.5 discount); buys the category more
    sure thing:  no effect, but redeems (and buys often anyhow)
    lost cause:  no effect, never redeems
    put off:     log rate - put_off_effect, log hazard of leaving + contact_effect

On prospects the same kinds act on the hazard of each stage; a win-back acts on the hazard of coming back
(defection.py). A service rescue calls those who were let down: it closes the complaint and gives back
rescue_relief (0.6 + 2.5 discount) of the hurt, to all four kinds of people alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .chance import compiled, derive, uniform
from .market import ACQUISITION, CROSS_SELL, REFERRAL, RESCUE, RETENTION, UP_SELL, WINBACK
from .state import CONTACTS, CUSTOMER, PROSPECT, RESOLUTIONS, RESPONSES, write, writes

PERSUADABLE, SURE_THING, LOST_CAUSE, PUT_OFF = range(4)
#: mood below which a failure is fresh: whom a service rescue is for, beside open complaints
HURT = -0.4


@compiled
def admitted(p: Any, x: Any, kind: Any, t: Any) -> Any:
    """Share of the kind's targets, 0 where the campaign does not admit the person."""
    if not p.consent:
        return 0.0
    if kind == ACQUISITION:
        return 1.1 if x.phase == PROSPECT and t - p.arrival >= 5 else 0.0
    if x.phase != CUSTOMER:
        return 0.0
    silence = t - x.last
    if kind == CROSS_SELL:
        return 0.8 if silence < 180 else 0.0
    if kind == UP_SELL:
        return 0.7 if silence < 120 and x.tier < 2 else 0.0
    if kind == RETENTION:
        return 1.2 if 45 <= silence < 120 else 0.0
    if kind == WINBACK:
        return 1.3 if silence >= 120 and x.visits >= 2 else 0.0
    if kind == REFERRAL:
        return 0.5 if silence < 90 else 0.0
    if kind == RESCUE:
        return 1.5 if silence < 180 and (x.open >= 0 or x.mood < HURT) else 0.0
    return 0.0


@compiled
def touch(p: Any, x: Any, r: Any, t: Any, kind: Any, offer: Any, category: Any, discount: Any) -> None:
    """Put a treated contact into effect."""
    x.until, x.kind, x.offer, x.category, x.discount, x.redeemed = t + r.contacting_window_days, kind, offer, -1, 0.0, 0
    x.push, x.annoyed = 0.0, 0.0
    x.category, x.discount = category, discount
    strength = 0.6 + 2.5 * discount
    if kind == ACQUISITION:
        if p.response == PERSUADABLE:
            x.push = r.contacting_acquisition_effect * (0.6 + 2.0 * discount) * 1.4
        elif p.response == PUT_OFF:
            x.push = -r.contacting_put_off_effect
        return
    if kind == RESCUE:
        x.mood = min(0.0, x.mood + r.contacting_rescue_relief * strength * (r.service_hurt * (1 - p.tolerant) + 0.1))
        x.open = -1e9
        return
    if p.response == PERSUADABLE:
        fit = 1.0 if category < 0 else np.sqrt(min(max(p.interests[category], 0.2), 3.0))
        x.push = r.contacting_persuadable_effect * fit * strength
        if kind == REFERRAL:
            x.push = 0.0
    elif p.response == PUT_OFF:
        x.push, x.annoyed = -r.contacting_put_off_effect, r.dropout_contact_effect


@compiled
def campaign(p: Any, x: Any, d: Any, r: Any, t: Any, key: Any, mode: Any, k: Any) -> None:
    """The campaign that starts on day t, if there is one and the person is drawn."""
    if d.campaign < 0:
        return
    kind = d.kind
    share = admitted(p, x, kind, t) * r.contacting_target_share
    draw = derive(key, 110, t)
    if share == 0.0 or uniform(draw, 0, 0) >= share:
        return
    treated = uniform(draw, 0, 1) >= r.contacting_holdout
    offer = int(uniform(draw, 0, 2) * 3)
    channel = int(uniform(draw, 0, 3) * 4)
    x.contacts += 1
    complained = x.open >= 0
    if treated:
        touch(p, x, r, t, kind, offer, d.offer_category[offer], d.offer_discount[offer])
        x.contact = x.contacts
    if writes(mode):
        day, prospect = t + 0.02 + 0.25 * uniform(draw, 0, 4), x.phase == PROSPECT
        write(k, CONTACTS, day, x.contacts, d.campaign, offer, channel, treated, prospect, 0.0, 0.0)
        if complained and x.open < 0:
            write(k, RESOLUTIONS, day, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@compiled
def respond(x: Any, day: Any, amount: Any, mode: Any, k: Any) -> None:
    """The answer to the contact in effect."""
    if x.watched == x.contact:
        x.watched = -x.contact
    if not writes(mode):
        return
    write(k, RESPONSES, day, x.contact, amount, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@compiled
def redeems(p: Any, x: Any, r: Any, t: Any, u: Any) -> Any:
    """True if the customer uses the offer in effect at a visit on day t (u uniform)."""
    if t >= x.until or x.contact < 0 or x.discount == 0.0:
        return False
    if p.trouble == 3 and x.trouble:
        return True
    if x.redeemed or p.response == LOST_CAUSE:
        return False
    return u < r.contacting_redemption * (0.2 if p.response == PUT_OFF else 1.0)
