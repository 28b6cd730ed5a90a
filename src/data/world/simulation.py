"""The loops that live through histories, day after day (day.py), and their compilation."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .chance import Floats, compiled_and_kept
from .day import first_day, first_hours, live_day
from .prospects import close_plan
from .state import CUSTOMER, FORMER_PROSPECT, HISTORY, STATE, TURNS, WIDTH, WORK, begin

Records = NDArray[Any]
Ints = NDArray[np.int64]

#: the modules that compiled code is made of, or takes its constants and records from
_STEP = (
    *("chance", "characters", "contacts", "day", "defection", "foresight", "groups", "market"),
    *("parameters", "products", "prospects", "purchases", "rules", "service", "simulation", "state"),
)


def _stamp() -> str:
    """A digest of the modules of the step: a compiled function kept on disk must not outlive any of them."""
    digest = hashlib.sha256()
    for name in _STEP:
        digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return digest.hexdigest()


#: part of what numba knows a compiled entry point by (see _compile_history)
STAMP = _stamp()


def _compile_history(stamp: str) -> Any:
    """Numba keys its disk cache by this file and by the values of the closure: `stamp` stands for the other modules."""

    @compiled_and_kept
    def history(people: Any, market: Any, goods_: Any, rules: Any, states: Any, first: int, keep: bool, stops: Any,
                saved: Any, log: Any, work: Any) -> tuple[int, int]:  # fmt: skip
        assert len(stamp) == 64
        r, goods, k = rules[0], goods_[0], work[0]
        days, filled = market.size, 0
        for i in range(first, people.size):
            p, x = people[i], states[i]
            start = filled
            begin(x, p)
            done, t0 = 0, first_day(p)
            k.rows = 0
            while done < stops.size and stops[done] < t0:
                saved[i, done].phase = -1
                done += 1
            for t in range(t0, days + 1):
                while done < stops.size and stops[done] == t:
                    saved[i, done] = x
                    done += 1
                if t == days or (x.phase == FORMER_PROSPECT and done == stops.size):
                    break
                if t == t0 and p.arrival >= 0:
                    first_hours(p, x, market[t], goods, r, t, k)
                else:
                    live_day(p, x, market[t], goods, r, t, p.key, HISTORY, k)
                if filled + k.rows + 2 > log.shape[0]:
                    return i, start
                for n in range(k.rows):
                    if keep or k.log[n, 0] == TURNS:
                        for j in range(WIDTH):
                            log[filled, j] = k.log[n, j]
                        log[filled, 1] = i
                        filled += 1
                k.rows = 0
            if keep and x.phase == CUSTOMER and x.plan_since > -1e8:
                close_plan(x, np.nan, -1, k)
                for j in range(WIDTH):
                    log[filled, j] = k.log[0, j]
                log[filled, 1] = i
                filled += 1
        return people.size, filled

    return history


_history = _compile_history(STAMP)


def live_histories(
    people: Records, market: Records, goods: Records, rules: Records, stops: Ints, log: Floats, first: int,
    states: Records, saved: Records, *, keep: bool = True,
) -> tuple[int, int]:  # fmt: skip
    """Live the persons from number `first` on, until all are done or the log is full; returns (next person, rows).

    `states` (n,) of STATE receives the state at the end, `saved` (n, len(stops)) those at the beginning of the days in
    `stops` (ascending), with phase -1 for who had not come yet. The log (rows, WIDTH) holds whole persons; with `keep`
    false only their turns.
    """
    work = np.zeros(1, WORK)
    done, rows = _history(people, market, goods, rules, states, first, keep, stops, saved, log, work)
    return int(done), int(rows)


def blank_states(*shape: int) -> Records:
    """Room for states."""
    return np.zeros(shape, STATE)
