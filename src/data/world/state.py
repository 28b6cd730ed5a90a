"""The state of a person from day to day, and the events that a day can leave behind.

Everything that moves the future of a person stands in one record of STATE, so that a copy of it, taken at a cutoff, is
enough to live the future again. Days are counted from the start of the world; -1e9 means never.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .chance import compiled, erlang, uniform
from .products import N_CATEGORIES

PROSPECT, CUSTOMER, FORMER_PROSPECT = 0, 1, 2
#: HISTORY writes events and follows the filter; FUTURE draws one future; SILENT follows the weight of silence alone;
#: TOLD is FUTURE with its events written
HISTORY, FUTURE, SILENT, TOLD = 0, 1, 2, 3
NEVER = -1e9

STATE = np.dtype(
    [
        ("phase", np.int64),
        ("stage", np.int64),
        ("alive", np.int64),
        ("cause", np.int64),
        ("life", np.int64),
        ("used", np.int64),  # has bought at least once
        ("acquired", np.float64),
        ("elapsed", np.float64),  # operational time since the last visit: the integral of the rate
        ("target", np.float64),  # operational time at which the next visit comes; redrawn for every future
        ("last", np.float64),  # day of the last visit
        ("visits", np.int64),
        ("breadth", np.uint64),  # one bit for each category ever bought
        ("tier", np.int64),
        ("mood", np.float64),  # satisfaction, 0 is content, negative is hurt
        ("open", np.float64),  # day of the complaint that is not resolved yet
        ("until", np.float64),  # end of the effect of the last contact
        ("push", np.float64),  # its effect on the log rate (customers) or log hazard of converting (prospects)
        ("annoyed", np.float64),  # its effect on the log hazard of leaving
        ("kind", np.int64),
        ("offer", np.int64),
        ("category", np.int64),
        ("discount", np.float64),
        ("contact", np.int64),  # number of the contact that is in effect
        ("redeemed", np.int64),
        ("contacts", np.int64),
        ("watched", np.int64),  # a contact whose answer is waited for; its negative once it has come, 0 for none
        ("referrals", np.int64),
        ("event_day", np.float64),
        ("event", np.int64),
        ("trouble", np.int64),
        ("contract", np.int64),
        ("plan_since", np.float64),
        ("known_gone", np.int64),
        ("margin", np.float64),  # of all purchases so far
        ("service_cost", np.float64),
        ("rate_factor", np.float64),
        ("hazard_factor", np.float64),
        # the filter: weights of being alive (without the survival of the current gap), of having left by each cause
        ("weight", np.float64),
        ("left", np.float64, (5,)),
        # of a prospect in SILENT mode: probabilities of target, lead, opportunity, contract
        ("chain", np.float64, (4,)),
    ]
)

#: what a day can leave behind: table -> its columns after (person, day), in the order of `write`
EVENTS: dict[str, tuple[str, ...]] = {
    "lines": ("order", "product", "quantity", "amount", "margin", "discount", "returned", "channel"),
    "bills": ("order", "amount", "unpaid"),
    "actions": ("kind", "score"),
    "contacts": ("number", "campaign", "offer", "channel", "treated", "prospect"),
    "responses": ("number", "amount"),
    "steps": ("stage",),
    "plans": ("start", "paid", "reason"),  # `day` is the end, NaN where it runs on
    "resolutions": (),  # of the last complaint
    "turns": ("kind", "value"),  # truth: see LEFT and the like
}
LINES, BILLS, ACTIONS, CONTACTS, RESPONSES, STEPS, PLANS, RESOLUTIONS, TURNS = (float(i) for i in range(9))
#: kinds of turns; their values are cause, offer (or -1), kind of trouble, kind of event, number of the referral
LEFT, CAME_BACK, TROUBLE, LIFE_EVENT, REFERRED_CHILD = range(5)
#: columns of a row of the log: table, person, day, and up to eight more
WIDTH = 11
MOST_VISITS_A_DAY = 12

WORK = np.dtype(
    [
        ("hazards", np.float64, (5,)),
        ("signs", np.float64, (4,)),
        ("wants", np.float64, (N_CATEGORIES,)),
        ("pi", np.float64, (N_CATEGORIES,)),
        ("rows", np.int64),
        ("log", np.float64, (30 * MOST_VISITS_A_DAY, WIDTH)),
    ]
)


@compiled
def begin(x: Any, p: Any) -> None:
    """The state of a person on the day of arrival (for a founder, on the first day of the world)."""
    x.phase = CUSTOMER if p.founder else PROSPECT
    x.stage, x.alive, x.cause, x.life, x.used = 0, 1, -1, 1, 0
    x.acquired, x.elapsed, x.target, x.last = p.arrival, 0.0, 0.0, p.arrival
    x.visits, x.breadth, x.tier, x.mood = 0, np.uint64(0), p.tier, 0.0
    x.open = NEVER
    x.until, x.push, x.annoyed, x.kind, x.offer, x.category, x.discount = NEVER, 0.0, 0.0, -1, -1, -1, 0.0
    x.contact, x.redeemed, x.contacts, x.referrals, x.watched = -1, 0, 0, 0, 0
    x.event_day, x.event, x.trouble, x.known_gone, x.margin, x.service_cost = NEVER, -1, 0, 0, 0.0, 0.0
    x.contract = p.contract if p.founder else 0
    x.plan_since, x.rate_factor, x.hazard_factor, x.weight = p.arrival, 1.0, 1.0, 1.0
    for c in range(5):
        x.left[c] = 0.0
    for c in range(4):
        x.chain[c] = 0.0
    if p.founder and p.arrival < 0:
        # the gap that holds the first day is length-biased: Erlang(k + 1) / k, and the day lies anywhere in it
        x.used = 1
        gap = erlang(p.key, 100, 0, p.shape + 1) * (p.shape + 1) / p.shape
        x.target, x.elapsed = gap, gap * uniform(p.key, 101, 0)
        x.last = max(p.arrival, -x.elapsed / p.rate)
        for c in range(N_CATEGORIES):
            if p.interests[c] > 1.2:
                x.breadth |= np.uint64(1) << np.uint64(c)


@compiled
def begin_all(people: Any, states: Any) -> None:
    """`begin` for persons (n,) and states (n,)."""
    for i in range(people.size):
        begin(states[i], people[i])


@compiled
def count_bits(mask: Any) -> Any:
    """How many categories a mask holds."""
    count = 0
    while mask != np.uint64(0):
        mask &= mask - np.uint64(1)
        count += 1
    return count


@compiled
def write(k: Any, table: Any, day: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> None:
    """Write an event of the day into the log."""
    row = k.log[k.rows]
    row[0], row[2] = table, day
    row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10] = a, b, c, d, e, f, g, h
    k.rows += 1


@compiled
def writes(mode: Any) -> Any:
    """True in the modes that write events."""
    return mode in (HISTORY, TOLD)


@compiled
def note(k: Any, day: Any, kind: Any, value: Any) -> None:
    """Write a turn of the truth."""
    write(k, TURNS, day, kind, value, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
