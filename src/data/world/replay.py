"""The latent states of a written world at any cutoff: its blocks are lived again up to the days that are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...errors import DataError
from .blocks import Block, World, live_block
from .market import build_market
from .parameters import world_config
from .simulation import Ints, Records
from .state import CUSTOMER
from .write import STEP_VERSION

#: futures may reach so many days past the end of the world
BEYOND = 400
#: bytes of states that are remembered
_MEMORY = 500_000_000
Cutoff = date | datetime


@dataclass(frozen=True)
class Seen:
    """Some persons of a block at one cutoff: their latent records, their states, their ids."""

    day: int
    cutoff: datetime
    people: Records
    states: Records
    ids: pa.Array


class Replay:
    """A written world that can be lived again.

    The states of the last few cutoffs are remembered as long as they are small. Raises DataError where the folder holds
    no truth, or that of another version of the step.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "truth" / "world.json"
        if not path.is_file():
            raise DataError(f"{folder} holds no truth; write a world with: rapport world {folder}")
        described = json.loads(path.read_text(encoding="utf-8"))
        if described["step_version"] != STEP_VERSION:
            raise DataError(
                f"{folder} was written by another version of the world ({described['step_version']}, this is "
                f"{STEP_VERSION}); write it again"
            )
        config = world_config(described["parameters"])
        self.world = World.of(config, described["customers"], described["seed"])
        self.market = build_market(config, described["seed"], BEYOND)[0]
        self.people = pq.read_table(path.parent / "people.parquet")
        self._start = datetime.combine(config.start, time())
        self._remembered: dict[tuple[int, int], tuple[Records, Records]] = {}

    def day(self, cutoff: Cutoff, horizon: int) -> int:
        """Days from the start of the world to a cutoff; DataError where it or its horizon lies outside."""
        moment = cutoff if isinstance(cutoff, datetime) else datetime.combine(cutoff, time())
        day, rest = divmod(moment - self._start, timedelta(days=1))
        if rest:
            raise DataError(f"the truth is known at midnights (UTC); {moment} is none")
        if not 0 <= day <= self.world.config.days or day + horizon > self.world.config.days + BEYOND:
            raise DataError(f"{moment:%Y-%m-%d} with a horizon of {horizon} days lies outside this world")
        return day

    def seen(self, days: Sequence[int], phase: int, ids: Sequence[int] | None = None) -> Iterator[Seen]:
        """Customers (or prospects without a contract) at the beginning of each day, block by block."""
        name = "customer_id" if phase == CUSTOMER else "prospect_id"
        known = self.people.filter(pc.is_valid(self.people[name]))
        if ids is not None:
            known = known.filter(pc.is_in(known[name], pa.array(ids, known[name].type)))
        blocks = known["block"].to_numpy()
        for number in np.unique(blocks):
            part = known.filter(pa.array(blocks == number))
            place = part["place"].to_numpy()
            for day, (people, states) in self._states(int(number), np.array(days, np.int64)).items():
                there = states[place]
                here = np.flatnonzero((there["phase"] == phase) & ((phase == CUSTOMER) | (there["stage"] < 3)))
                chosen = part[name].combine_chunks().take(pa.array(here))
                yield Seen(day, self._start + timedelta(days=day), people[place[here]], there[here], chosen)

    def _states(self, number: int, days: Ints) -> dict[int, tuple[Records, Records]]:
        """The people of a block and their states at the beginning of each day."""
        new = np.array([day for day in days if (number, int(day)) not in self._remembered], np.int64)
        fresh: dict[int, tuple[Records, Records]] = {}
        if new.size:
            block = live_block(self.world, number, new, keep=False)
            self._compare(block)
            for j, day in enumerate(new):
                fresh[int(day)] = block.people, np.ascontiguousarray(block.saved[:, j])
        found = {int(day): fresh.get(int(day)) or self._remembered[number, int(day)] for day in days}
        self._remembered |= {(number, day): pair for day, pair in fresh.items()}
        while sum(states.nbytes + people.nbytes for people, states in self._remembered.values()) > _MEMORY:
            self._remembered.pop(next(iter(self._remembered)))
        return found

    def _compare(self, block: Block) -> None:
        """Every life must have ended as it is written: a truth of other lives would be worse than none."""
        written = self.people.filter(pc.equal(self.people["block"], block.number))
        place = written["place"].to_numpy()
        same = (
            place.max() < block.states.size
            and np.array_equal(block.states["life"][place], written["lives"].to_numpy())
            and np.array_equal(block.states["visits"][place], written["visits"].to_numpy())
        )
        if not same:
            raise DataError("this world was written by another version of the simulation; write it again")
