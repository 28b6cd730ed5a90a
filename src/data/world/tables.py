"""From the log of a block to the tables of the data contract.

Ids: customers are numbered from 100001 and prospects from 500000001 in the order of the blocks; the order_id is the
customer_id times 100000 plus the number of the visit; contacts are numbered in the order of persons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .blocks import Block, World
from .chance import uniforms
from .dirt import attribute_columns, late, spoil
from .market import offer_id
from .parameters import CAUSES, CHANNEL_COSTS, CHANNELS, KINDS, STAGES
from .service import COMPLAINT, COSTS
from .state import EVENTS

MICROSECONDS = 86_400_000_000
FEE = 6.9
#: hours of the day at which the hundredths of a day's activity are reached; shops open at seven and close at ten
_HOURS = np.interp(np.linspace(0, 1, 101), [0, 0.12, 0.35, 0.55, 0.9, 1], [7.0, 9.5, 12.0, 15.5, 19.5, 22.0])


@dataclass
class Numbers:
    """How many customers, prospects and contacts there were before the block."""

    customers: int = 0
    prospects: int = 0
    contacts: int = 0


class Clock:
    """From days since the start of the world to UTC timestamps."""

    def __init__(self, world: World) -> None:
        self.start = np.datetime64(world.config.start, "us")
        self.end = self.start + np.timedelta64(world.config.days * MICROSECONDS, "us")
        self.days = float(world.config.days)
        self.opening_hours = not world.config.dropout.at_purchase

    def at(self, day: Any) -> Any:
        """datetime64[us]; NaN becomes NaT. Within a day the order of events is kept."""
        day = np.asarray(day, float)
        whole = np.floor(day)
        fraction = day - whole
        if self.opening_hours:
            fraction = np.interp(fraction, np.linspace(0, 1, 101), _HOURS / 24)
        return self.plain(whole + np.minimum(fraction, 1 - 1e-9))

    def plain(self, day: Any) -> NDArray[Any]:
        """The same without opening hours."""
        day = np.asarray(day, float)
        known = np.isfinite(day)
        passed = np.where(known, np.round(np.where(known, day, 0) * MICROSECONDS), 0).astype(np.int64)
        return np.where(known, self.start + passed.astype("timedelta64[us]"), np.datetime64("NaT", "us"))


def words(codes: Any, names: tuple[str, ...]) -> pa.Array:
    """Codes as strings; a negative code is missing."""
    codes = np.asarray(codes).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), list(names))


def stamps(values: NDArray[Any]) -> pa.Array:
    """datetime64[us] as Arrow timestamps; NaT is missing."""
    return pa.array(values, pa.timestamp("us"))


def money(values: Any) -> Any:
    """Rounded to cents."""
    return np.round(values, 2)


class Rows:
    """The rows of one kind of event, by column name."""

    def __init__(self, log: NDArray[np.float64], table: str, kept: NDArray[np.bool_]) -> None:
        rows = log[(log[:, 0] == list(EVENTS).index(table)) & kept[log[:, 1].astype(np.int64)]]
        self.person = rows[:, 1].astype(np.int64)
        self.day = rows[:, 2]
        self.columns = {name: rows[:, 3 + j] for j, name in enumerate(EVENTS[table])}

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return np.asarray(self.columns[name])

    def whole(self, name: str) -> NDArray[np.int64]:
        """A column of whole numbers."""
        return np.asarray(self.columns[name].astype(np.int64))


def block_tables(world: World, block: Block, kept: NDArray[np.bool_], numbers: Numbers) -> dict[str, pa.Table]:
    """The rows that a block adds to each table of the contract, and to truth/people and truth/turns.

    `numbers` moves on.
    """
    ids = Ids(block, kept, numbers)
    clock = Clock(world)
    lines = Rows(block.log, "lines", kept)
    tables = {
        "customers": _customers(world, block, ids, clock),
        "prospects": _prospects(world, block, ids, clock),
        "stages": _stages(block, kept, ids, clock),
        "transactions": _transactions(world, block, lines, ids, clock),
        "returns": _returns(block, lines, ids, clock),
        "payments": _payments(block, Rows(block.log, "bills", kept), ids, clock),
        "interactions": _interactions(block, kept, ids, clock),
        "subscriptions": _subscriptions(Rows(block.log, "plans", kept), ids, clock),
    }
    tables |= _contacts(world, block, kept, ids, clock, numbers.contacts)
    numbers.customers += int((ids.customer > 0).sum())
    numbers.prospects += int((ids.prospect > 0).sum())
    numbers.contacts += len(tables["contacts"])
    return {name: spoil(world.config, name, table) for name, table in tables.items()}


class Ids:
    """Numbers of the customers and prospects of a block; 0 where a person is not one."""

    def __init__(self, block: Block, kept: NDArray[np.bool_], numbers: Numbers) -> None:
        customers, founders = block.customers & kept, block.people["founder"] == 1
        prospects = kept & ~founders
        self.kept = kept
        self.customer = np.where(customers, 100_000 + numbers.customers + np.cumsum(customers), 0)
        self.prospect = np.where(prospects, 500_000_000 + numbers.prospects + np.cumsum(prospects), 0)

    def prospects(self, person: NDArray[Any]) -> pa.Array:
        """Prospect ids of persons, missing where a person is none."""
        numbers = self.prospect[person]
        return pa.array(numbers, pa.int64(), mask=numbers == 0)

    def customers(self, person: NDArray[Any]) -> pa.Array:
        """Customer ids of persons, missing where a person is none."""
        numbers = self.customer[person]
        return pa.array(numbers, pa.int64(), mask=numbers == 0)


def _customers(world: World, block: Block, ids: Ids, clock: Clock) -> pa.Table:
    person = np.flatnonzero(ids.customer)
    people = block.people[person]
    age_days = people["age"] * 365.25 - np.where(people["founder"] == 1, 0, people["arrival"])
    parent = np.where(people["parent"] >= 0, ids.customer[people["parent"]], 0)
    columns = {
        "customer_id": ids.customers(person),
        "acquired_at": stamps(clock.at(block.states["acquired"][person])),
        "referred_by": pa.array(parent, pa.int64(), mask=parent == 0),
        "consent": pa.array(people["consent"] == 1),
    }
    return pa.table(columns | attribute_columns(world, people, clock.start, age_days, of="customers"))


def _prospects(world: World, block: Block, ids: Ids, clock: Clock) -> pa.Table:
    person = np.flatnonzero(ids.prospect)
    people = block.people[person]
    converted = np.where(ids.customer[person] > 0, block.states["acquired"][person], np.nan)
    columns = {
        "prospect_id": ids.prospects(person),
        "created_at": stamps(clock.at(people["arrival"])),
        "converted_at": stamps(clock.at(converted)),
        "customer_id": ids.customers(person),
    }
    return pa.table(columns | attribute_columns(world, people, clock.start, people["age"], of="prospects"))


def _stages(block: Block, kept: NDArray[np.bool_], ids: Ids, clock: Clock) -> pa.Table:
    steps, person = Rows(block.log, "steps", kept), np.flatnonzero(ids.prospect)
    persons = np.concatenate([person, steps.person])
    days = np.concatenate([block.people["arrival"][person], steps.day])
    stage = np.concatenate([np.zeros(person.size, np.int64), steps.whole("stage")])
    order = np.lexsort([stage, persons])
    return pa.table(
        {
            "entity_id": ids.prospects(persons[order]),
            "at": stamps(clock.at(days[order])),
            "stage": words(stage[order], STAGES),
        }
    )


def _transactions(world: World, block: Block, lines: Rows, ids: Ids, clock: Clock) -> pa.Table:
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


def _returns(block: Block, lines: Rows, ids: Ids, clock: Clock) -> pa.Table:
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


def _payments(block: Block, bills: Rows, ids: Ids, clock: Clock) -> pa.Table:
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


def _interactions(block: Block, kept: NDArray[np.bool_], ids: Ids, clock: Clock) -> pa.Table:
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


def _subscriptions(plans: Rows, ids: Ids, clock: Clock) -> pa.Table:
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


def _contacts(
    world: World, block: Block, kept: NDArray[np.bool_], ids: Ids, clock: Clock, before: int
) -> dict[str, pa.Table]:
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
