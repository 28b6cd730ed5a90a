"""Blocks of families: the unit of work, which alone decides what a world holds.

A block is a fixed number of roots with all who were referred by them, generation by generation. Blocks know nothing of
one another, so they can be lived in any order, on several threads, and again when the truth is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .chance import Floats, uniforms
from .market import Campaigns, build_market
from .parameters import WorldConfig
from .population import children, roots
from .products import product_range
from .rules import rules
from .simulation import Ints, Records, blank_states, live_histories
from .state import CUSTOMER, REFERRED_CHILD, TURNS, WIDTH

LARGEST_BLOCK = 8_192
_ROWS_A_PERSON = 120


@dataclass(frozen=True)
class World:
    """A configuration, a size and a seed, with what follows from them at once."""

    config: WorldConfig
    customers: int
    seed: int
    market: Records = field(repr=False)
    campaigns: Campaigns = field(repr=False)
    goods: Records = field(repr=False)
    rules: Records = field(repr=False)

    @classmethod
    def of(cls, config: WorldConfig, customers: int, seed: int) -> World:
        """Build the market, the catalogue and the rules."""
        market, campaigns = build_market(config, seed)
        return cls(config, customers, seed, market, campaigns, product_range(), rules(config))

    @property
    def roots_a_block(self) -> int:
        """Roots in one block: a power of two, not far above the number of customers."""
        return int(min(LARGEST_BLOCK, max(256, 2 ** int(np.ceil(np.log2(self.customers))))))


@dataclass(frozen=True)
class Block:
    """The people of a block and what they lived through: `log` holds rows of events (see state.EVENTS)."""

    number: int
    people: Records
    states: Records
    saved: Records
    log: Floats

    @property
    def customers(self) -> Any:
        """Who became a customer, (n,) of bool."""
        return self.states["phase"] == CUSTOMER


def live_block(world: World, number: int, stops: Ints, *, keep: bool = True) -> Block:
    """Live one block; `stops` are days whose states are kept, `keep` false leaves the log to the turns."""
    count = world.roots_a_block
    generation = roots(world.config, world.seed, number * count, count)
    people, states, saved, logs, offset = [], [], [], [], 0
    while generation.size:
        state, kept, log = _live(world, generation, stops, keep)
        log[:, 1] += offset
        people.append(generation)
        states.append(state)
        saved.append(kept)
        logs.append(log)
        generation = _referred(world, generation, log, offset)
        offset += state.size
    return Block(number, *(np.concatenate(parts) for parts in (people, states, saved, logs)))


def _live(world: World, people: Records, stops: Ints, keep: bool) -> tuple[Records, Records, Floats]:
    states, saved = blank_states(people.size), blank_states(people.size, stops.size)
    logs, first = [], 0
    size = max(60_000, people.size * (_ROWS_A_PERSON if keep else 3))
    while first < people.size:
        log = np.empty((size, WIDTH))
        reached, rows = live_histories(
            people, world.market, world.goods, world.rules, stops, log, first, states, saved, keep=keep
        )
        if reached == first:
            size *= 2
        first = reached
        logs.append(log[:rows].copy() if rows < size // 2 else log[:rows])
    return states, saved, np.concatenate(logs)


def _referred(world: World, parents: Records, log: Floats, offset: int) -> Records:
    """The next generation: who was referred, and comes some days later, before the world ends."""
    rows = log[(log[:, 0] == TURNS) & (log[:, 3] == REFERRED_CHILD)]
    place = rows[:, 1].astype(np.int64) - offset
    number = rows[:, 4].astype(np.uint64)
    keys = np.ascontiguousarray(parents["key"][place])
    arrival = rows[:, 2] + 1 - 10 * np.log1p(-uniforms(keys, 15, number))
    comes = arrival < world.config.days - 1
    people = children(world.config, parents, place[comes], number[comes], arrival[comes])
    people["parent"] += offset
    return people


def lived_blocks(world: World, threads: int = 2) -> Iterator[Block]:
    """Block after block without end, in order, some of them ahead of their time on other threads."""
    stops = np.zeros(0, np.int64)
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[Block]] = deque()
        number = 0
        try:
            while True:
                while len(ahead) < threads:
                    ahead.append(pool.submit(live_block, world, number, stops))
                    number += 1
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def chosen(block: Block, left: int) -> Any:
    """Which persons of a block belong to the world when `left` more customers are wanted, (n,) of bool.

    All of them, but in the last block: there families are taken in order as long as they fit, so that the world has
    exactly its number of customers.
    """
    customers = block.customers
    if customers.sum() < left:
        return np.ones(customers.size, bool)
    first = int(block.people["root"][0])
    family = block.people["root"] - first
    sizes = np.bincount(family, customers, minlength=int(family.max()) + 1).astype(np.int64)
    taken = np.zeros(sizes.size, bool)
    for number, size in enumerate(sizes):
        if left == 0:
            break
        if size <= left:
            taken[number] = True
            left -= size
    return taken[family]
