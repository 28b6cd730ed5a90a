"""The limits of a plan: money, places in the channels, places kept back, and least shares of groups.

Places are kept back as an airline keeps seats. With v_low and v_high, what a place brings on average to an ordinary
customer and to one of high value, and D, the number of the latter who will ask for one, Littlewood's rule keeps

    y = the largest whole number with P(D >= y) >= v_low / v_high,    D ~ Normal(mean, sd)

from the ordinary ones: they get at most the places less y; those of high value get any (Littlewood, "Forecasting and
control of passenger bookings", AGIFORS 1972; Talluri and van Ryzin, "The Theory and Practice of Revenue Management",
2004, section 2.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ..config import PlanConfig
from .allocate import Choices, Floats
from .candidates import Candidates, Flags, group_words


@dataclass(frozen=True)
class Limits:
    """What `allocate` asks for, with names: see there for `uses` (k, m, r), `covers` (k, s) and `kind` (n,)."""

    names: tuple[str, ...]
    uses: Floats
    limits: Floats
    groups: tuple[str, ...]
    covers: Flags
    least: Floats
    kind: Choices

    def without(self, dropped: frozenset[str]) -> Limits:
        """The limits and groups whose names are not among some."""
        kept = [place for place, name in enumerate(self.names) if name not in dropped]
        groups = [place for place, name in enumerate(self.groups) if name not in dropped]
        return Limits(
            tuple(self.names[place] for place in kept),
            self.uses[:, :, kept],
            self.limits[kept],
            tuple(self.groups[place] for place in groups),
            self.covers[:, groups],
            self.least[groups],
            self.kind,
        )

    def used(self, choice: Choices) -> tuple[Floats, Floats]:
        """What a plan takes of each limit (r,), and how many of each group get something (s,)."""
        rows = np.flatnonzero(choice >= 0)
        kind = self.kind[rows]
        taken = self.uses[kind, choice[rows]].sum(axis=0)
        return np.asarray(taken, np.float64), np.asarray(self.covers[kind].sum(axis=0), np.float64)


def limits_of(plan: PlanConfig, found: Candidates) -> Limits:
    """The limits of a plan for its candidates."""
    actions = list(plan.actions.values())
    flags = [*found.high.values(), *found.members.values()]
    kind, traits = _kinds(flags, len(found.entities))
    high = dict(zip(found.high, traits.T, strict=False))
    names, uses, limits = list[str](), list[NDArray[np.float64]](), list[float]()

    def add(name: str, limit: float, use: list[float], who: Flags | None = None) -> None:
        names.append(name)
        limits.append(float(limit))
        everyone = np.ones(len(traits)) if who is None else who.astype(np.float64)
        uses.append(np.outer(everyone, np.array(use, np.float64)))

    if plan.budget is not None:
        add("budget", plan.budget, [action.cost for action in actions])
    for direction, money in plan.budgets.items():
        own = [action.cost if action.direction == direction else 0.0 for action in actions]
        add(f"budget for {direction}", money, own)
    for channel, places in plan.channels.items():
        own = [1.0 if action.channel == channel else 0.0 for action in actions]
        add(f"places in {channel}", places, own)
        if channel in plan.kept_back:
            back = kept_back(plan, found, channel)
            words = f"places in {channel} less {back} kept back for customers of high value"
            add(words, places - back, own, ~high[channel])
    shares = {group_words(name, value): share for name, of in plan.least_shares.items() for value, share in of.items()}
    least = [float(ceil(shares[words] * who.sum() - 1e-9)) for words, who in found.members.items()]
    return Limits(
        tuple(names),
        np.stack(uses, axis=2) if uses else np.zeros((len(traits), len(actions), 0)),
        np.array(limits, np.float64),
        tuple(found.members),
        traits[:, len(found.high) :],
        np.array(least, np.float64),
        kind,
    )


def kept_back(plan: PlanConfig, found: Candidates, channel: str) -> int:
    """How many places of a channel are kept from ordinary customers, by what its actions bring to either."""
    own = [place for place, action in enumerate(plan.actions.values()) if action.channel == channel]
    best = found.value[:, own].max(axis=1, initial=-np.inf)
    high, gains = found.high[channel], best > 0
    settings, places = plan.kept_back[channel], plan.channels[channel]
    if not (gains & high).any() or not (gains & ~high).any():
        return 0
    low_value, high_value = float(best[gains & ~high].mean()), float(best[gains & high].mean())
    return protection_level(settings.mean, settings.sd, low_value, high_value, places)


def protection_level(mean: float, sd: float, low: float, high: float, places: int) -> int:
    """Littlewood's rule: how many of the `places` to keep for customers worth `high`, against `low` for the others.

    >>> protection_level(10, 0, 1, 4, 50), protection_level(10, 4, 2, 4, 50), protection_level(10, 4, 4, 4, 50)
    (10, 10, 0)
    """
    if low >= high:
        return 0
    wanted = mean if sd == 0 else NormalDist(mean, sd).inv_cdf(1 - low / high)
    return int(min(max(floor(wanted + 1e-9), 0), places))


def _kinds(flags: list[Flags], n: int) -> tuple[Choices, Flags]:
    """The kind of each customer (n,), and the flags of each kind (k, flags)."""
    if not flags:
        return np.zeros(n, np.int64), np.zeros((1, 0), bool)
    bits = np.packbits(np.column_stack(flags), axis=1)
    _, first, kind = np.unique(bits, axis=0, return_index=True, return_inverse=True)
    return kind.ravel().astype(np.int64), np.column_stack([part[first] for part in flags])
