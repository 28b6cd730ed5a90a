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
    referrals, margin_each, reference_margin, each with its standard error.
    """
    margins: dict[int, tuple[Floats, Floats]] = {}

    def one(seen: Seen) -> pa.Table:
        result, _ = truth.foresee(seen, _YEAR, draws=draws, mode=FUTURE, salt=2)
        if seen.day not in margins:
            margins[seen.day] = _worth_of_referred(truth, seen.day, draws, sample)
        each, each_error = (values[seen.people["segment"]] for values in margins[seen.day])
        referrals, error = result.mean[:, _REFERRALS], result.error[:, _REFERRALS]
        return pa.table(
            {
                "customer_id": seen.ids,
                "cutoff": moments(seen, len(seen.ids)),
                "referrals": pa.array(referrals),
                "referrals_se": pa.array(error),
                "margin_each": pa.array(each),
                "margin_each_se": pa.array(each_error),
                "reference_margin": pa.array(referrals * each),
                "reference_margin_se": pa.array(np.hypot(error * each, referrals * each_error)),
            }
        )

    return truth.collect(cutoffs, 365, CUSTOMER, one)


def _worth_of_referred(truth: Truth, day: int, draws: int, sample: int) -> tuple[Floats, Floats]:
    """Expected margin in 365 days of a prospect who is referred at the cutoff, by the referrer's segment; its error."""
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
    each = result.mean[:, _MARGIN].reshape(segments, sample)
    return each.mean(axis=1), each.std(axis=1, ddof=1) / np.sqrt(sample)
