"""The truth that is written beside the tables: who the people are, what happened to them, what the market did."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .blocks import Block, World
from .characters import LIFE_EVENTS
from .names import CAUSES, REGIONS, RESPONSES, TRAITS, TROUBLES
from .products import LINES
from .rows import Clock, Ids, Rows, stamps, words
from .state import CAME_BACK, LEFT, LIFE_EVENT, TROUBLE

TURN_KINDS = ("left", "came_back", "trouble", "life_event", "referred")


def people_table(world: World, block: Block, ids: Ids) -> pa.Table:
    """One row a person: block and place (from which the truth finds him again), ids, segment, traits, rates."""
    person = np.flatnonzero(ids.kept)
    people = block.people[person]
    columns: dict[str, Any] = {
        "block": pa.array(np.full(person.size, block.number), pa.int32()),
        "place": pa.array(person, pa.int32()),
        "customer_id": ids.customers(person),
        "prospect_id": ids.prospects(person),
        "segment": pa.array(people["segment"], pa.int16()),
    }
    fields = ("regular", "broad", "referring", "immune", "tolerant")
    columns |= {trait: pa.array(people[name]) for trait, name in zip(TRAITS, fields, strict=True)}
    columns |= {name: pa.array(people[name]) for name in ("rate", "hazard", "p_drop", "size", "price_sensitive")}
    columns |= {name: pa.array(people[name]) for name in ("service_rate", "referral_rate", "readiness", "interest")}
    columns |= {
        "gap_shape": pa.array(people["shape"], pa.int16()),
        "star": pa.array(people["star"] == 1),
        "response": words(people["response"], RESPONSES),
        "trouble": words(people["trouble"], TROUBLES),
        "line": words(people["line"], LINES),
        "lives": pa.array(block.states["life"][person], pa.int16()),
        "visits": pa.array(block.states["visits"][person], pa.int32()),
        "alive_at_end": pa.array(block.states["alive"][person] == 1),
    }
    return pa.table(columns)


def turns_table(world: World, block: Block, ids: Ids) -> pa.Table:
    """What turned in a life: left (by which cause), came back (with which offer), trouble, life event, referral."""
    turns = Rows(block.log, "turns", ids.kept)
    kind, value = turns.whole("kind"), turns.whole("value")
    texts = np.full(kind.size, "", object)
    for number, names in ((LEFT, CAUSES), (TROUBLE, TROUBLES), (LIFE_EVENT, LIFE_EVENTS)):
        texts[kind == number] = np.array(names, object)[value[kind == number]]
    back = kind == CAME_BACK
    texts[back] = np.where(value[back] >= 0, "offer", "unasked")
    return pa.table(
        {
            "customer_id": ids.customers(turns.person),
            "at": stamps(Clock(world).at(turns.day)),
            "turn": words(kind, TURN_KINDS),
            "value": pa.array(texts, pa.string()),
        }
    )


def market_table(world: World) -> pa.Table:
    """One row a day: season, prices by line, competitors by region."""
    market: NDArray[Any] = world.market
    columns: dict[str, Any] = {
        "date": pa.array([world.config.start + timedelta(days=t) for t in range(world.config.days)], pa.date32()),
        "season": pa.array(market["season"]),
    }
    columns |= {f"price_{line}": pa.array(np.ascontiguousarray(market["price"][:, j])) for j, line in enumerate(LINES)}
    for name in ("value", "cheap"):
        values = market[name]
        columns |= {
            f"{name}_{region}": pa.array(np.ascontiguousarray(values[:, j])) for j, region in enumerate(REGIONS)
        }
    return pa.table(columns)
