"""Who comes: founders, who are customers when the world begins, and prospects, on their own account or referred.

Arrivals have a density that grows by `prospects_per_year`; a share comes in yearly cohorts that an event sets off:
school leavers in July and August, movers around October.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .chance import Floats, derived, root_keys, uniforms
from .characters import PERSON, characters
from .parameters import WorldConfig


def roots(config: WorldConfig, seed: int, first: int, count: int) -> NDArray[Any]:
    """The roots number first to first + count - 1: founders and prospects who came on their own account."""
    keys = root_keys(seed, first, count)
    people = np.zeros(count, PERSON)
    people["key"], people["root"], people["parent"] = keys, np.arange(first, first + count), -1
    days = config.days
    u = uniforms(keys, 10)
    if not config.switches.prospects:
        pure = config.dropout.at_purchase
        people["founder"] = 1
        people["arrival"] = u * days / 6 if pure else -900 * u**1.5
        return characters(config, people)
    people["founder"] = uniforms(keys, 11) < config.prospecting.founders
    occasion = uniforms(keys, 12)
    share = config.prospecting.cohort_share
    people["occasion"] = np.where(occasion < share / 2, 1, np.where(occasion < share, 2, 0))
    growth = config.growth.prospects_per_year * days / 365 if config.switches.growth else 0.0
    # arrivals with a density that grows linearly; school leavers come in July and August, movers around October
    arrival = days * (u if growth == 0 else (np.sqrt(1 + u * growth * (2 + growth)) - 1) / growth)
    start_of_year = config.start.timetuple().tm_yday - 1
    year = np.floor((arrival + start_of_year) / 365.25)
    within = uniforms(keys, 13)
    leaver = 365.25 * year - start_of_year + 182 + 50 * within
    mover = 365.25 * year - start_of_year + 275 + 25 * special.ndtri(np.clip(within, 1e-9, 1 - 1e-9))
    arrival = np.select([people["occasion"] == 1, people["occasion"] == 2], [leaver, mover], arrival)
    # an event outside the world belongs to somebody who came at any other time
    outside = (arrival < 0) | (arrival >= days)
    people["occasion"][outside] = 0
    arrival = np.where(outside, u * days, arrival)
    people["arrival"] = np.where(people["founder"] == 1, -900 * u**1.5, arrival)
    people["occasion"][people["founder"] == 1] = 0
    return characters(config, people)


def children(
    config: WorldConfig, parents: NDArray[Any], place: NDArray[Any], number: Any, arrival: Floats
) -> NDArray[Any]:
    """Prospects who were referred: `place` of the referrer in the block, which of his referrals, day of arrival."""
    people = np.zeros(place.size, PERSON)
    referrer = parents[place]
    people["key"] = derived(np.ascontiguousarray(referrer["key"]), 14, number)
    people["root"], people["parent"], people["arrival"] = referrer["root"], place, arrival
    people["generation"] = referrer["generation"] + 1
    people["segment"] = referrer["segment"]
    return characters(config, people)
