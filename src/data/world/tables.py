"""From the log of a block to the tables of the data contract."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from . import activity
from .blocks import Block, World
from .dirt import attribute_columns, spoil
from .names import STAGES
from .rows import Clock, Ids, Numbers, Rows, stamps, words


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
        "transactions": activity.transactions(world, block, lines, ids, clock),
        "returns": activity.returns(block, lines, ids, clock),
        "payments": activity.payments(block, Rows(block.log, "bills", kept), ids, clock),
        "interactions": activity.interactions(block, kept, ids, clock),
        "subscriptions": activity.subscriptions(Rows(block.log, "plans", kept), ids, clock),
    }
    tables |= activity.contacts(world, block, kept, ids, clock, numbers.contacts)
    numbers.customers += int((ids.customer > 0).sum())
    numbers.prospects += int((ids.prospect > 0).sum())
    numbers.contacts += len(tables["contacts"])
    return {name: spoil(world.config, name, table) for name, table in tables.items()}


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
