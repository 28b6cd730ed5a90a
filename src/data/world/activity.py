"""What customers do, as the contract's tables: purchases, returns, payments, interactions, subscriptions, contacts.

The order_id is the customer_id times 100000 plus the number of the visit; contacts are numbered as their persons are.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .blocks import Block, World
from .chance import uniforms
from .dirt import late
from .market import offer_id
from .names import CAUSES, CHANNEL_COSTS, CHANNELS, KINDS
from .rows import Clock, Ids, Rows, money, stamps, words
from .service import COMPLAINT, COSTS

FEE = 6.9


def transactions(world: World, block: Block, lines: Rows, ids: Ids, clock: Clock) -> pa.Table:
    """A row for each category and visit; a few are known late, and those known only after the end are left out."""
    at, order = clock.at(lines.day), _order(lines, ids)
    known, seen, zero = late(world, block.people["key"][lines.person], lines["order"], lines["product"], at, clock.end)
    quantity = np.where(zero, 0, lines.whole("quantity"))
    amount, margin = np.where(zero, 0.0, lines["amount"]), np.where(zero, 0.0, lines["margin"])
    full = lines["amount"] / np.maximum(1 - lines["discount"], 0.01)
    table = pa.table(
        {
            "customer_id": ids.customers(lines.person),
            "at": stamps(at),
            "order_id": pa.array(order, pa.int64()),
            "product_id": pa.array(lines.whole("product"), pa.int64()),
            "quantity": pa.array(quantity, pa.int64()),
            "amount": pa.array(amount),
            "margin": pa.array(money(margin)),
            "discount": pa.array(money(np.where(zero, 0.0, full - lines["amount"]))),
            "channel": words(lines["channel"], ("store", "online")),
            "known_at": stamps(known),
        }
    )
    return table.filter(pa.array(seen))


def _order(rows: Rows, ids: Ids) -> NDArray[np.int64]:
    return np.asarray(ids.customer[rows.person] * 100_000 + rows.whole("order"), np.int64)


def returns(block: Block, lines: Rows, ids: Ids, clock: Clock) -> pa.Table:
    """Goods that came back, some days after the purchase."""
    keys = np.ascontiguousarray(block.people["key"][lines.person])
    counter = lines.whole("order") * 1000 + lines.whole("product")
    back = lines.day + 2 - 7 * np.log1p(-uniforms(keys, 300, counter))
    some = (lines["returned"] == 1) & (back < clock.days)
    return pa.table(
        {
            "customer_id": ids.customers(lines.person[some]),
            "at": stamps(clock.at(back[some])),
            "order_id": pa.array(_order(lines, ids)[some], pa.int64()),
            "product_id": pa.array(lines.whole("product")[some], pa.int64()),
            "amount": pa.array(lines["amount"][some]),
        }
    )


def payments(block: Block, bills: Rows, ids: Ids, clock: Clock) -> pa.Table:
    """Bills of those who buy on account: due after a fortnight, not paid by who will not pay."""
    keys = np.ascontiguousarray(block.people["key"][bills.person])
    due = clock.plain(np.floor(bills.day) + 15) - np.timedelta64(1, "us")
    habit = 6 * uniforms(keys, 301)
    paid = bills.day + 1 + habit + 12 * uniforms(keys, 302, bills.whole("order")) ** 2
    paid = np.where((bills["unpaid"] == 1) | (paid >= clock.days), np.nan, paid)
    return pa.table(
        {
            "customer_id": ids.customers(bills.person),
            "due_at": stamps(due),
            "paid_at": stamps(clock.at(paid)),
            "amount": pa.array(money(bills["amount"])),
        }
    )


def interactions(block: Block, kept: NDArray[np.bool_], ids: Ids, clock: Clock) -> pa.Table:
    """Complaints (with their resolution), service, mere visits, referrals, surveys, failures."""
    actions, solved = Rows(block.log, "actions", kept), Rows(block.log, "resolutions", kept)
    kind = actions.whole("kind")
    # a person has one open complaint at most: a resolution belongs to his last complaint before it
    resolved = np.full(kind.size, np.nan)
    complaints = np.flatnonzero(kind == COMPLAINT)
    if complaints.size and solved.day.size:
        place = actions.person[complaints] * 1e5 + actions.day[complaints]
        resolved[complaints[np.searchsorted(place, solved.person * 1e5 + solved.day) - 1]] = solved.day
    return pa.table(
        {
            "customer_id": ids.customers(actions.person),
            "at": stamps(clock.at(actions.day)),
            "kind": words(kind, KINDS),
            "score": pa.array(actions["score"], mask=np.isnan(actions["score"])),
            "cost": pa.array(COSTS[kind]),
            "resolved_at": stamps(clock.at(resolved)),
        }
    )


def subscriptions(plans: Rows, ids: Ids, clock: Clock) -> pa.Table:
    """A card for everybody, a paid plan for some; ended where somebody cancelled or answered the exit survey."""
    paid, reason = plans["paid"] == 1, plans.whole("reason")
    stated = np.where(np.isfinite(plans.day) & (reason < 0), len(CAUSES), reason)
    return pa.table(
        {
            "customer_id": ids.customers(plans.person),
            "started_at": stamps(clock.at(plans["start"])),
            "ended_at": stamps(clock.at(plans.day)),
            "plan": words(paid, ("card", "plus")),
            "fee": pa.array(np.where(paid, FEE, 0.0)),
            "end_reason": words(stated, (*CAUSES, "not_stated")),
        }
    )


def contacts(
    world: World, block: Block, kept: NDArray[np.bool_], ids: Ids, clock: Clock, before: int
) -> dict[str, pa.Table]:
    """Contacts, hold-outs among them (`treated` is false), and the responses to them."""
    contacts, responses = Rows(block.log, "contacts", kept), Rows(block.log, "responses", kept)
    each = np.bincount(contacts.person, minlength=kept.size)
    base = before + np.cumsum(each) - each
    prospect = contacts["prospect"] == 1
    person, channel = contacts.person, contacts.whole("channel")
    campaign = contacts.whole("campaign")
    firsts = np.array(world.campaigns.first or [0], float)
    customer = np.where(prospect, 0, ids.customer[person])
    lead = np.where(prospect, ids.prospect[person], 0)
    treated = contacts["treated"] == 1
    table = pa.table(
        {
            "contact_id": pa.array(base[person] + contacts.whole("number"), pa.int64()),
            "customer_id": pa.array(customer, pa.int64(), mask=customer == 0),
            "prospect_id": pa.array(lead, pa.int64(), mask=lead == 0),
            "at": stamps(clock.plain(contacts.day)),
            "campaign_id": pa.array(campaign + 1, pa.int64()),
            "offer_id": pa.array(offer_id(campaign, contacts.whole("offer")), pa.int64()),
            "channel": words(channel, CHANNELS),
            "cost": pa.array(np.where(treated, np.array(CHANNEL_COSTS)[channel], 0.0)),
            "treated": pa.array(treated),
            "known_at": stamps(clock.plain(firsts[campaign])),
        }
    )
    amount = responses["amount"]
    answered = pa.table(
        {
            "contact_id": pa.array(base[responses.person] + responses.whole("number"), pa.int64()),
            "at": stamps(clock.at(responses.day)),
            "amount": pa.array(money(amount), mask=np.isnan(amount)),
        }
    )
    return {"contacts": table, "responses": answered}
