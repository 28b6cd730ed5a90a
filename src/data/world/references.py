"""What customers are worth as references: the margin that comes through those whom they refer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

from .chance import Floats, root_keys
from .characters import PERSON
from .foresight import OUTCOMES
from .population import children
from .replay import Cutoff, Seen
from .simulation import blank_states
from .state import CUSTOMER, FUTURE, begin_all
from .truth import Truth, moments

_YEAR = np.array([365], np.int64)
_REFERRALS, _MARGIN = OUTCOMES.index("referrals"), OUTCOMES.index("margin")


def references(truth: Truth, cutoffs: Sequence[Cutoff], *, draws: int = 20, sample: int = 300) -> pa.Table:
    """Expected margin that comes through a customer's referrals of the next 365 days, each in its first 365 days.

    E[referrals] x E[margin of a referred prospect of the customer's segment], the second from `sample` invented
    prospects a segment who arrive at the cutoff; what these refer in turn is left out. Columns customer_id, cutoff,
    referrals, referrals_se, margin_each, reference_margin.
    """
    margins: dict[int, Floats] = {}

    def one(seen: Seen) -> pa.Table:
        result, _ = truth.foresee(seen, _YEAR, draws=draws, mode=FUTURE, salt=2)
        if seen.day not in margins:
            margins[seen.day] = _worth_of_referred(truth, seen.day, draws, sample)
        each = margins[seen.day][seen.people["segment"]]
        referrals = result.mean[:, _REFERRALS]
        return pa.table(
            {
                "customer_id": seen.ids,
                "cutoff": moments(seen, len(seen.ids)),
                "referrals": pa.array(referrals),
                "referrals_se": pa.array(result.error[:, _REFERRALS]),
                "margin_each": pa.array(each),
                "reference_margin": pa.array(referrals * each),
            }
        )

    return truth.collect(cutoffs, 365, CUSTOMER, one)


def _worth_of_referred(truth: Truth, day: int, draws: int, sample: int) -> Floats:
    """Expected margin in 365 days of a prospect who is referred at the cutoff, by segment of the referrer."""
    world = truth.world
    segments = world.config.segments + 1
    parents = np.zeros(segments, PERSON)
    parents["key"], parents["segment"] = root_keys(world.seed, 2**61, segments), np.arange(segments)
    place = np.repeat(np.arange(segments), sample)
    number = np.tile(np.arange(sample), segments).astype(np.uint64)
    invented = children(world.config, parents, place, number, np.full(place.size, float(day)))
    states = blank_states(invented.size)
    begin_all(invented, states)
    seen = Seen(day, datetime.min, invented, states, pa.nulls(0))
    result, _ = truth.foresee(seen, _YEAR, draws=draws, mode=FUTURE, salt=3)
    return np.asarray(result.mean[:, _MARGIN].reshape(segments, sample).mean(axis=1))
