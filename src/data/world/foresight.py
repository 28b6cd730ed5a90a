"""The future of a person, lived again from his state at a cutoff.

Two ways, through the same step as the history (simulation.live_day):

SILENT: no purchase is drawn. The filter's weights go on from the cutoff and give, for the drawn contacts and life
events, the exact probability that nothing is bought by day T: A_T S(u_T) + sum D_cT, with A S + sum D = 1 at the
cutoff. Averaging over a few draws leaves little error. For prospects the probabilities of the stages go forward
instead. (Rao and Blackwell: what can be integrated is not drawn.)

FUTURE: everything is drawn. Whether a silent customer is alive, and the rest of his gap, are drawn first from what the
history says about them (or, with `sees_all`, taken as they are). A category's probability needs no basket: over the
visits of a draw it is 1 - prod (1 - pi_ic), averaged over the draws. TOLD is FUTURE with its events kept
(retelling.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .chance import Floats, compiled, compiled_and_kept, derive, uniform
from .contacts import touch
from .day import live_day
from .defection import survival
from .products import N_CATEGORIES
from .purchases import appetite, inclusion, remaining_gap
from .simulation import STAMP, Ints, Records
from .state import CUSTOMER, PROSPECT, SILENT, STATE, TOLD, WIDTH, WORK

#: columns of what a FUTURE draw yields, summed over draws
OUTCOMES = ("buys", "visits", "margin", "service_cost", "referrals", "leaves", "alive", "converts", "answers")


@compiled
def settle(p: Any, x: Any, sees_all: Any) -> Any:
    """Bring the filter's weights to a sum of 1 at the cutoff; False where a visit is certain at once."""
    shape = p.shape if x.used else 1
    s = survival(x.elapsed, shape)
    if sees_all:
        for c in range(5):
            x.left[c] = 0.0
        if x.alive:
            if s <= 0:
                return False
            x.weight = 1 / s
        else:
            x.weight = 0.0
            x.left[x.cause] = 1.0
        return True
    total = x.weight * s
    for c in range(5):
        total += x.left[c]
    if total <= 0:
        return False
    x.weight /= total
    for c in range(5):
        x.left[c] /= total
    return True


@compiled
def draw_hidden(p: Any, x: Any, key: Any, sees_all: Any) -> None:
    """Draw what nobody can see: whether he is alive, else the cause by which he left; and the rest of the gap."""
    certain = not settle(p, x, sees_all)
    if not sees_all:
        u, cause = uniform(key, 410, 0), 0
        gone = 0.0
        for c in range(5):
            gone += x.left[c]
        x.alive, x.cause = 1, -1
        if u < gone and not certain:
            while cause < 4 and u >= x.left[cause]:
                u -= x.left[cause]
                cause += 1
            x.alive, x.cause = 0, cause
    if x.alive:
        remaining_gap(p, x, key)


def _compile(stamp: str) -> Any:
    @compiled_and_kept
    def foresee(people: Any, states: Any, market: Any, goods_: Any, rules: Any, day: int, horizons: Any, draws: int,
                first_draw: int, mode: int, sees_all: bool, force: Any, salt: int, categories: bool, first: int,
                work: Any, scratch: Any, results: Any, squares: Any, miss: Any, miss_squares: Any,
                log: Any) -> tuple[int, int]:  # fmt: skip
        assert len(stamp) == 64
        r, goods, k, x = rules[0], goods_[0], work[0], scratch[0]
        last = horizons[horizons.size - 1]
        never, filled = np.empty(N_CATEGORIES), 0
        for i in range(first, people.size):
            p, start = people[i], filled
            results[i] = 0.0
            squares[i] = 0.0
            phase = states[i].phase
            if phase != PROSPECT and phase != CUSTOMER:
                continue
            for n in range(first_draw, first_draw + draws):
                scratch[0] = states[i]
                x.watched = 0
                key = derive(derive(p.key, 400 + salt, day), 401, n)
                visits, margin, cost, referrals = x.visits, x.margin, x.service_cost, x.referrals
                never[:] = 1.0
                open_ = True
                if phase == PROSPECT:
                    x.chain[x.stage] = 1.0
                elif mode == SILENT:
                    open_ = settle(p, x, sees_all)
                else:
                    draw_hidden(p, x, key, sees_all)
                was_alive = x.alive
                if force[0] >= 0:
                    x.contacts += 1
                    x.contact = x.contacts
                    x.watched = x.contacts
                    touch(p, x, r, day, int(force[0]), int(force[1]), int(force[2]), force[3])
                done = 0
                for t in range(day, day + last):
                    before = x.visits
                    k.rows = 0
                    if open_:
                        live_day(p, x, market[t], goods, r, t, key, mode, k)
                    if mode == TOLD:
                        if filled + k.rows > log.shape[0]:
                            return i, start
                        for row in range(k.rows):
                            for j in range(WIDTH):
                                log[filled, j] = k.log[row, j]
                            log[filled, 1], log[filled, WIDTH] = i, n
                            filled += 1
                    if categories and x.visits > before:
                        extras = appetite(p, x, market[t], r, t, k.wants)
                        inclusion(p, goods, k.wants, extras, k.pi)
                        for _ in range(x.visits - before):
                            for c in range(N_CATEGORIES):
                                never[c] *= 1 - k.pi[c]
                    while mode == SILENT and done < horizons.size and horizons[done] == t + 1 - day:
                        if phase == PROSPECT:
                            value = x.chain[3]
                        elif open_:
                            value = x.weight * survival(x.elapsed, p.shape if x.used else 1)
                            for c in range(5):
                                value += x.left[c]
                        else:
                            value = 0.0
                        results[i, done] += value
                        squares[i, done] += value * value
                        done += 1
                if mode != SILENT:
                    bought = x.visits - visits
                    values = (
                        1.0 if bought > 0 else 0.0, float(bought), x.margin - margin, x.service_cost - cost,
                        float(x.referrals - referrals), 1.0 if was_alive and not x.alive else 0.0, float(x.alive),
                        1.0 if phase == PROSPECT and x.phase == CUSTOMER else 0.0, 1.0 if x.watched < 0 else 0.0,
                    )  # fmt: skip
                    for j in range(9):
                        results[i, j] += values[j]
                        squares[i, j] += values[j] * values[j]
                    if categories:
                        for c in range(N_CATEGORIES):
                            miss[i, c] += 1 - never[c]
                            miss_squares[i, c] += (1 - never[c]) ** 2
        return people.size, filled

    return foresee


_foresee = _compile(STAMP)

#: no contact at the cutoff but what the calendar of campaigns brings
NO_FORCE = np.array([-1.0, 0.0, 0.0, 0.0])


class Foreseen:
    """Means over draws and their standard errors, for the persons that were asked for."""

    def __init__(self, total: Floats, squares: Floats, draws: int) -> None:
        self.mean = total / draws
        variance = np.maximum(0.0, squares / draws - self.mean**2)
        self.error = np.sqrt(variance / max(1, draws - 1))


def foresee(
    people: Records, states: Records, market: Records, goods: Records, rules: Records, day: int, horizons: Ints, *,
    draws: int, mode: int, sees_all: bool = False, force: Floats = NO_FORCE, salt: int = 0, categories: bool = False,
    first_draw: int = 0,
) -> tuple[Foreseen, Foreseen]:  # fmt: skip
    """Live the days from `day` on again, `draws` times.

    people (n,) of PERSON and states (n,) of STATE at the beginning of `day`; horizons in days, ascending. SILENT:
    probability of no purchase within each horizon (prospects: of a contract), shape (n, horizons). FUTURE: OUTCOMES
    within the last horizon, (n, 9), and beside it the probability of each category, (n, categories). `force` is
    (kind, offer, category or -1, discount) of a treated contact at the cutoff. Futures of another `salt` are
    independent; of the same salt they share their random numbers, whatever is forced.
    """
    n = people.size
    if categories and horizons.size != 1:
        raise ValueError("categories are asked for within one horizon")
    columns = horizons.size if mode == SILENT else len(OUTCOMES)
    results, squares = np.zeros((n, columns)), np.zeros((n, columns))
    shape = (n if categories else 0, N_CATEGORIES)
    miss, miss_squares = np.zeros(shape), np.zeros(shape)
    work, scratch = np.zeros(1, WORK), np.zeros(1, STATE)
    _foresee(
        people, states, market, goods, rules, day, horizons, draws, first_draw, mode, sees_all, force, salt, categories,
        0, work, scratch, results, squares, miss, miss_squares, np.empty((0, WIDTH + 1)),
    )  # fmt: skip
    return Foreseen(results, squares, draws), Foreseen(miss, miss_squares, draws)


def retell(
    people: Records, states: Records, market: Records, goods: Records, rules: Records, day: int, horizon: int, *,
    draws: int, first_draw: int = 0, sees_all: bool = False, force: Floats = NO_FORCE, salt: int = 0,
) -> Floats:  # fmt: skip
    """The events of drawn futures: a log (rows, WIDTH + 1) of state.EVENTS, the number of the draw in the last column.

    The futures of FUTURE with the same salt and number, with their events.
    """
    n, shape = people.size, (people.size, len(OUTCOMES))
    results, squares, none = np.zeros(shape), np.zeros(shape), np.zeros((0, N_CATEGORIES))
    work, scratch = np.zeros(1, WORK), np.zeros(1, STATE)
    logs, first, size = [], 0, max(20_000, n * draws)
    while first < n:
        log = np.empty((size, WIDTH + 1))
        reached, rows = _foresee(
            people, states, market, goods, rules, day, np.array([horizon], np.int64), draws, first_draw, TOLD, sees_all,
            force, salt, False, first, work, scratch, results, squares, none, none, log,
        )  # fmt: skip
        if reached == first:
            size *= 2
        first = reached
        logs.append(log[:rows].copy())
    return np.concatenate(logs) if logs else np.empty((0, WIDTH + 1))
