"""What an offer would do: on a purchase or a contract, on an answer, and on a year's margin.

Treated and held-out futures share their random numbers (chance.py), so that they differ by the offer alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from ...errors import DataError
from .chance import Floats
from .foresight import NO_FORCE, OUTCOMES
from .market import ACQUISITION, CAMPAIGN_KINDS, DISCOUNTS, offer_id
from .products import CATEGORIES
from .replay import Cutoff, Seen
from .simulation import Ints
from .state import CUSTOMER, FUTURE, PROSPECT, SILENT
from .truth import Truth, moments

BATCHES = 8  # of draws, from whose spread the error of a difference is known


def effects(
    truth: Truth, cutoffs: Sequence[Cutoff], kind: str, horizon: int = 21, *, draws: int = 8,
    category: str | None = None, ids: Sequence[int] | None = None,
) -> pa.Table:  # fmt: skip
    """What each offer of a campaign of that kind does: P(purchase within h | treated at the cutoff) and | held out.

    For `acquisition` the ids are prospects' and the outcome is a contract. A row for each id and offer (0, 1, 2 with
    the discounts of market.DISCOUNTS): probability_treated, probability_held_out, effect, effect_se (an upper bound, as
    the arms share their random numbers). Other campaigns go on as planned, but for one on the day itself. For customers
    who have left this is the probability of coming back, for those who may have, the mixture.
    """
    number, days = _kind(kind), np.array([horizon], np.int64)
    place = CATEGORIES.index(category) if category else -1
    prospects = number == ACQUISITION

    def happens(seen: Seen, force: Floats) -> tuple[Floats, Floats]:
        result, _ = truth.foresee(seen, days, draws=draws, mode=SILENT, quiet=True, force=force)
        return (result.mean if prospects else 1 - result.mean)[:, 0], result.error[:, 0]

    def one(seen: Seen) -> pa.Table:
        held, held_error = happens(seen, NO_FORCE)
        parts = []
        for offer, discount in enumerate(DISCOUNTS[number]):
            treated, error = happens(seen, np.array([number, offer, place, discount], float))
            columns = {
                "prospect_id" if prospects else "customer_id": seen.ids,
                "cutoff": moments(seen, len(seen.ids)),
                "offer": pa.array(np.full(len(seen.ids), offer)),
                "probability_treated": pa.array(treated),
                "probability_held_out": pa.array(held),
                "effect": pa.array(treated - held),
                "effect_se": pa.array(np.hypot(error, held_error)),
            }
            parts.append(pa.table(columns))
        return pa.concat_tables(parts)

    return truth.collect(cutoffs, horizon, PROSPECT if prospects else CUSTOMER, one, ids)


def worth(
    truth: Truth, cutoffs: Sequence[Cutoff], kind: str, horizon: int = 365, *, draws: int = 48,
    category: str | None = None, customers: Sequence[int] | None = None,
) -> pa.Table:  # fmt: skip
    """What each offer of a kind is worth: expected outcomes within the horizon if treated at the cutoff, and if not.

    A row for each customer and offer (-1 for none): buys = P(a purchase), margin, service_cost (money), each with the
    gain over no offer (`buys_gain`, `margin_gain`, ...) and that gain's standard error (`..._gain_se`, from batches of
    draws that share their random numbers with the same batch of no offer). For a win-back, `buys` is P(return) of who
    has left, and `margin` what the second life brings. The cost of the contact is not in it.
    """
    number, days = _kind(kind), np.array([horizon], np.int64)
    if number == ACQUISITION:
        raise DataError("acquisition offers go to prospects, who have no margin yet; see effects")
    place, each = CATEGORIES.index(category) if category else -1, max(1, draws // BATCHES)
    names = ("buys", "margin", "service_cost")
    columns = [OUTCOMES.index(name) for name in names]

    def batches(seen: Seen, force: Floats) -> Floats:
        """Means (batches, n, outcomes)."""
        means = []
        for first in range(0, BATCHES * each, each):
            result, _ = truth.foresee(
                seen, days, draws=each, first_draw=first, mode=FUTURE, quiet=True, force=force, salt=4
            )
            means.append(result.mean[:, columns])
        return np.stack(means)

    def one(seen: Seen) -> pa.Table:
        nothing, parts = batches(seen, NO_FORCE), []
        for offer, discount in ((-1, 0.0), *enumerate(DISCOUNTS[number])):
            force = np.array([number, offer, place, discount], float)
            treated = nothing if offer < 0 else batches(seen, force)
            gains = treated - nothing
            error = gains.std(axis=0, ddof=1) / np.sqrt(BATCHES)
            found: dict[str, Any] = {"customer_id": seen.ids, "cutoff": moments(seen, len(seen.ids))}
            found["offer"] = pa.array(np.full(len(seen.ids), offer))
            for j, name in enumerate(names):
                found[name] = pa.array(treated.mean(axis=0)[:, j])
                found[f"{name}_se"] = pa.array(treated[:, :, j].std(axis=0, ddof=1) / np.sqrt(BATCHES))
                found[f"{name}_gain"] = pa.array(gains.mean(axis=0)[:, j])
                found[f"{name}_gain_se"] = pa.array(error[:, j])
            parts.append(pa.table(found))
        return pa.concat_tables(parts)

    return truth.collect(cutoffs, horizon, CUSTOMER, one, customers)


def answers(truth: Truth, campaign_id: int, *, draws: int = 100, customers: Sequence[int] | None = None) -> pa.Table:
    """P(answer before the campaign ends | treated) of every customer, for each offer of a campaign of the company.

    The cutoff is the campaign's start. Columns customer_id, cutoff, offer_id, probability, probability_se.
    """
    day, start, window = _campaign(truth, campaign_id)
    place = OUTCOMES.index("answers")

    def one(seen: Seen) -> pa.Table:
        parts = []
        for offer in range(len(day["offer_category"])):
            force = np.array([day["kind"], offer, day["offer_category"][offer], day["offer_discount"][offer]], float)
            result, _ = truth.foresee(seen, window, draws=draws, mode=FUTURE, quiet=True, force=force)
            columns = {
                "customer_id": seen.ids,
                "cutoff": moments(seen, len(seen.ids)),
                "offer_id": pa.array(np.full(len(seen.ids), offer_id(campaign_id - 1, offer))),
                "probability": pa.array(result.mean[:, place]),
                "probability_se": pa.array(result.error[:, place]),
            }
            parts.append(pa.table(columns))
        return pa.concat_tables(parts)

    return truth.collect([start], int(window[0]), CUSTOMER, one, customers)


def moves(truth: Truth, campaign_id: int, *, draws: int = 16, customers: Sequence[int] | None = None) -> pa.Table:
    """What the contact of a campaign does to P(purchase before it ends), of every customer, for each of its offers.

    The cutoff is the campaign's start. Columns customer_id, cutoff, offer_id, effect, effect_se (an upper bound: both
    futures share their random numbers).
    """
    day, start, window = _campaign(truth, campaign_id)

    def silent(seen: Seen, force: Floats) -> tuple[Floats, Floats]:
        result, _ = truth.foresee(seen, window, draws=draws, mode=SILENT, quiet=True, force=force)
        return result.mean[:, 0], result.error[:, 0]

    def one(seen: Seen) -> pa.Table:
        held, held_error = silent(seen, NO_FORCE)
        parts = []
        for offer in range(len(day["offer_category"])):
            force = np.array([day["kind"], offer, day["offer_category"][offer], day["offer_discount"][offer]], float)
            treated, error = silent(seen, force)
            columns = {
                "customer_id": seen.ids,
                "cutoff": moments(seen, len(seen.ids)),
                "offer_id": pa.array(np.full(len(seen.ids), offer_id(campaign_id - 1, offer))),
                "effect": pa.array(held - treated),
                "effect_se": pa.array(np.hypot(error, held_error)),
            }
            parts.append(pa.table(columns))
        return pa.concat_tables(parts)

    return truth.collect([start], int(window[0]), CUSTOMER, one, customers)


def _campaign(truth: Truth, campaign_id: int) -> tuple[Any, date, Ints]:
    """The day of the market on which a campaign starts, its date, and its length in days, (1,)."""
    market = truth.replay.market
    days = np.flatnonzero(market["campaign"] == campaign_id - 1)
    if days.size == 0:
        own = int((market["campaign"] >= 0).sum())
        raise DataError(f"campaign {campaign_id} is not one of the company's {own}")
    window = np.array([int(truth.world.config.contacting.window_days)], np.int64)
    return market[days[0]], truth.world.config.start + timedelta(days=int(days[0])), window


def _kind(name: str) -> int:
    known = [CAMPAIGN_KINDS[number] for number in sorted(DISCOUNTS)]
    if name not in known:
        raise DataError(f"no offers of kind '{name}' are made; known: {', '.join(known)}")
    return CAMPAIGN_KINDS.index(name)
