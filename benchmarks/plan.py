"""What a plan is worth in truth, beside the ways in which companies do without one; and what making it costs.

    python benchmarks/plan.py --world DIR [--dates 2024-05-01 ...] [--draws 8] [--sizes 10000 100000 1000000]

DIR is a world written by `rapport world DIR --customers 20000`; twelve actions, four channels with few places, and too
little money. All ways have the same limits, and each customer is contacted at most once:

- the plan with true effects is held against the bound that its prices prove: no plan, nor the oracle's, does better;
- the plan with estimated effects, judged by the true ones;
- every model for itself: each kind of campaign has an equal part of the money and of the places and goes down its own
  list by its own estimated value; who stands on several lists is contacted for the first of them;
- a priority rule, propensity x value x lever, down one list over all actions;
- by chance.

Intervals are 95 % intervals of a bootstrap over candidates, paired where two ways are compared.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from plan_world import ACTIONS, COSTS, HORIZON, Floats, World, load
from results import table, write

from rapport.decisions.allocate import NOTHING, allocate

DATES = ("2024-05-01", "2024-06-15", "2024-08-01", "2024-09-15", "2024-11-01")
MONEY = 0.15  # a candidate
PLACES = {"phone": 0.02, "post": 0.08, "email": 0.2, "app": 0.15}  # of the candidates
LEVER = 0.2
SIZES = (10_000, 100_000, 1_000_000)


def limits_of(n: int) -> tuple[Floats, Floats]:
    """What an action uses of money and places (m, r), and how much there is (r,)."""
    uses = np.array([[COSTS[channel], *(float(channel == name) for name in PLACES)] for _, _, channel in ACTIONS])
    return uses, np.array([MONEY * n, *(np.floor(share * n) for share in PLACES.values())])


def down_the_list(order: Floats, may: Any, uses: Floats, limits: Floats, only: Any = None) -> Any:
    """Give (customer, action) pairs in falling order of a number (n, m), as long as limits allow and he has nothing."""
    order = np.where(may, order, -np.inf)
    if only is not None:
        order = np.where(only, order, -np.inf)
    choice, left = np.full(len(order), NOTHING, np.int64), limits.copy()
    flat = np.argsort(-order, axis=None, kind="stable")
    for place in flat[: int(np.isfinite(order).sum())]:
        row, action = divmod(int(place), order.shape[1])
        if order[row, action] <= 0:
            break
        if choice[row] < 0 and (uses[action] <= left + 1e-9).all():
            choice[row], left = action, left - uses[action]
    return choice


def every_model(value: Floats, may: Any, uses: Floats, limits: Floats) -> Any:
    """Each kind of campaign with its own part of everything; who is on several lists stays on the first."""
    kinds = list(dict.fromkeys(kind for kind, _, _ in ACTIONS))
    choice = np.full(len(value), NOTHING, np.int64)
    users = {name: len({kind for kind, _, channel in ACTIONS if channel == name}) for name in PLACES}
    shares = np.array([1 / len(kinds), *(1 / users[name] for name in PLACES)])
    for kind in kinds:
        own = np.array([action == kind for action, _, _ in ACTIONS])
        mine = down_the_list(value, may, uses, limits * shares, own)
        choice = np.where(choice < 0, mine, choice)
    return choice


def ways(world: World, seed: int) -> dict[str, Any]:
    """The choice (n,) of each way."""
    uses, limits = limits_of(len(world.truth))
    cost = uses[:, 0]
    estimated = np.where(world.may, world.estimate - cost, -np.inf)
    true = np.where(world.may, world.truth - cost, -np.inf)
    priority = np.repeat((world.buys * world.visit * LEVER)[:, None], len(ACTIONS), axis=1) - cost
    chance = np.random.default_rng(seed).random(world.truth.shape)
    return {
        "the plan, true effects": allocate(true, uses, limits),
        "the plan, estimated effects": allocate(estimated, uses, limits),
        "every model for itself": every_model(estimated, world.may, uses, limits),
        "propensity x value x lever": down_the_list(priority, world.may, uses, limits),
        "by chance": down_the_list(chance, world.may, uses, limits),
    }


def judged(world: World, seed: int = 0) -> tuple[str, str]:
    """A table of true values, and sentences on gaps and ratios."""
    uses, _ = limits_of(len(world.truth))
    found = ways(world, seed)
    oracle, ours = found["the plan, true effects"], found["the plan, estimated effects"]
    choices = {name: getattr(way, "choice", way) for name, way in found.items()}
    net = world.truth - uses[:, 0]
    rows = np.arange(len(net))
    brought = {name: np.where(c >= 0, net[rows, np.maximum(c, 0)], 0.0) for name, c in choices.items()}
    random = np.random.default_rng(seed)
    draws = [random.multinomial(len(net), np.full(len(net), 1 / len(net))) for _ in range(300)]
    sums = {name: np.array([draw @ each for draw in draws]) for name, each in brought.items()}
    lines = []
    for name, each in brought.items():
        low, high = np.quantile(sums[name], (0.025, 0.975))
        given = int((choices[name] >= 0).sum())
        share = each.sum() / oracle.bound
        lines.append([name, given, f"{each.sum():,.0f}", f"{low:,.0f} to {high:,.0f}", f"{100 * share:.1f} %"])
    told = table(["way", "contacts", "true value", "95 %", "of the bound"], lines)
    mine, every = "the plan, estimated effects", "every model for itself"
    low, high = np.quantile(sums[mine] / sums[every] - 1, (0.025, 0.975))
    more = brought[mine].sum() / brought[every].sum() - 1
    words = (
        f"{len(net):,} candidates x {len(ACTIONS)} actions; margin of {HORIZON} days. With true effects the plan "
        f"reaches {100 * oracle.value / oracle.bound:.2f} % of the bound (gap {100 * oracle.gap:.4f} %). With "
        f"estimated effects it brings {100 * more:+.1f} % over every model for itself "
        f"({100 * low:+.1f} to {100 * high:+.1f} %); its gap to the bound of what it optimised is "
        f"{100 * ours.gap:.4f} %, and it promised {ours.value:,.0f}. True effects are means over few futures, so the "
        "best plan by them looks better than it is, and the estimated one does not."
    )
    return told, words


# ------------------------------------------------------------------------------------------- cost
def drawn(n: int, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """A made-up problem of n customers and the twelve actions."""
    random = np.random.default_rng(seed)
    value = random.gamma(1.0, 8.0, (n, len(ACTIONS))) - random.gamma(1.0, 4.0, (n, 1))
    uses, limits = limits_of(n)
    value -= uses[:, 0]
    value[random.random(value.shape) < 0.4] = -np.inf
    return value, uses, limits


def one(n: int) -> tuple[float, float, float]:
    """Seconds of processor time, gigabytes, and the gap."""
    value, uses, limits = drawn(n)
    worked = time.process_time()
    found = allocate(value, uses, limits)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return time.process_time() - worked, memory, found.gap


def by_highs(n: int) -> tuple[float, float]:
    """Seconds of processor time of HiGHS on the whole linear programme, and its value."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, kron, vstack

    value, uses, limits = drawn(n)
    m = value.shape[1]
    rows, actions = np.nonzero(np.isfinite(value))
    everyone = csr_array((np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=(n, len(rows)))
    common = kron(np.ones((1, n)), uses.T, format="csr")[:, rows * m + actions]
    worked = time.process_time()
    found = linprog(
        -value[rows, actions],
        A_ub=vstack([everyone, csr_array(common)]),
        b_ub=np.concatenate([np.ones(n), limits]),
        bounds=(0, 1),
        method="highs",
    )
    return time.process_time() - worked, -float(found.fun)


def costs(sizes: list[int], highs: list[int]) -> str:
    """A table of what plans cost, as ratios to the smallest one, and beside HiGHS."""
    lines, first = [], None
    for n in sizes:
        command = [sys.executable, __file__, "--one", str(n)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, memory, gap = map(float, printed.split())
        first = first or seconds / n
        cell, same = "-", "-"
        if n in highs:
            theirs, value = by_highs(n)
            own = allocate(*drawn(n))
            cell, same = f"{theirs / seconds:.1f}", f"{100 * own.value / value:.4f} %"
        per = f"{seconds / n / first:.2f}"
        lines.append([n, f"{seconds:.1f}", per, f"{memory:.2f}", f"{100 * gap:.4f} %", cell, same])
    head = [
        "customers",
        "seconds of one core",
        "a customer, first = 1",
        "GB",
        "gap",
        "HiGHS takes times",
        "of its value",
    ]
    return table(head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--world", type=Path)
    parser.add_argument("--dates", nargs="+", default=list(DATES))
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--highs", type=int, nargs="*", default=[10_000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(*one(arguments.one))
        return
    blocks = []
    if arguments.world:
        world = load(arguments.world, [date.fromisoformat(day) for day in arguments.dates], arguments.draws)
        blocks += list(reversed(judged(world)))
    blocks.append(costs(arguments.sizes, arguments.highs))
    print("\n\n".join(blocks))
    asked = f"--dates {' '.join(arguments.dates)} --draws {arguments.draws}" if arguments.world else ""
    sizes = " ".join(map(str, arguments.sizes))
    command = " ".join(["python benchmarks/plan.py", *(["--world DIR", asked] if asked else []), "--sizes", sizes])
    write("The plan", command, *blocks, packages=("scipy", "lightgbm"))


if __name__ == "__main__":
    main()
