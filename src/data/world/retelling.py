"""The events of drawn futures, for what no method of the truth answers: any target can be counted on them.

Each draw is one future of a person from his state at the cutoff, through the same step as the history. A target that is
computed from the events of n draws has the mean of the n answers as its true probability (or amount), with the standard
error s / sqrt(n).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ...errors import DataError
from .chance import Floats
from .foresight import NO_FORCE, retell
from .market import CAMPAIGN_KINDS, DISCOUNTS
from .names import CAUSES, KINDS, STAGES
from .replay import Cutoff, Seen
from .rows import Clock, Rows, stamps, words
from .state import CUSTOMER, EVENTS, PROSPECT, WIDTH
from .truth import Truth, moments

#: event -> its columns beside id, cutoff, draw and at
TOLD: dict[str, tuple[str, ...]] = {
    "lines": ("order", "product_id", "quantity", "amount", "margin", "discount", "returned"),
    "bills": ("order", "amount", "unpaid"),
    "actions": ("kind", "score"),
    "responses": ("number", "amount"),
    "steps": ("stage",),
    "plans": ("paid", "reason"),
}


def retold(
    truth: Truth, cutoffs: Sequence[Cutoff], horizon: int, event: str, *, draws: int = 20, first_draw: int = 0,
    of: str = "customers", ids: Sequence[int] | None = None, offer: tuple[str, int] | None = None, salt: int = 5,
) -> pa.Table:  # fmt: skip
    """All events of one kind in (cutoff, cutoff + h] of `draws` futures of every customer (or prospect).

    `event` is one of TOLD: lines (of purchases, `returned` beside), bills (`unpaid`), actions (interactions),
    responses, steps (of prospects), plans (ended, with the stated `reason`). Columns customer_id (or prospect_id),
    cutoff, draw (numbered from `first_draw`; calls of the same salt and number tell the same future), at, and those of
    the event. `offer` is (kind, 0..2) of a treated contact at the cutoff. A person without events has no rows.
    """
    if event not in TOLD:
        raise DataError(f"no events '{event}' are told; known: {', '.join(TOLD)}")
    name = {"customers": "customer_id", "prospects": "prospect_id"}.get(of)
    if name is None:
        raise DataError(f"of is customers or prospects, not '{of}'")
    force = NO_FORCE if offer is None else _forced(*offer)
    world, clock = truth.world, Clock(truth.world)

    def one(seen: Seen) -> pa.Table:
        market = truth.replay.market
        if offer is not None:
            market = market.copy()
            market["campaign"][seen.day] = -1
        log = retell(
            seen.people, seen.states, market, world.goods, world.rules, seen.day, horizon, draws=draws,
            first_draw=first_draw, force=force, salt=salt,
        )  # fmt: skip
        log = log[log[:, 0] == list(EVENTS).index(event)]
        rows = Rows(log, event, np.ones(len(seen.ids), bool))
        columns = {
            name: seen.ids.take(pa.array(rows.person)),
            "cutoff": moments(seen, rows.person.size),
            "draw": pa.array(log[:, WIDTH].astype(np.int64)),
            "at": stamps(clock.at(rows.day)),
        }
        return pa.table(columns | {column: _column(rows, event, column) for column in TOLD[event]})

    return truth.collect(cutoffs, horizon, CUSTOMER if of == "customers" else PROSPECT, one, ids)


def _forced(kind: str, offer: int) -> Floats:
    known = [CAMPAIGN_KINDS[number] for number in sorted(DISCOUNTS)]
    if kind not in known or not 0 <= offer < len(DISCOUNTS[CAMPAIGN_KINDS.index(kind)]):
        raise DataError(f"no offer {offer} of kind '{kind}' is made; known kinds: {', '.join(known)}, offers 0 to 2")
    number = CAMPAIGN_KINDS.index(kind)
    return np.array([number, offer, -1, DISCOUNTS[number][offer]], float)


def _column(rows: Rows, event: str, name: str) -> pa.Array:
    spoken = {("actions", "kind"): KINDS, ("steps", "stage"): STAGES, ("plans", "reason"): CAUSES}
    if (event, name) in spoken:
        return words(rows.whole(name), spoken[event, name]).cast(pa.string())
    if name in ("returned", "unpaid", "paid"):
        return pa.array(rows[name] == 1)
    if name in ("amount", "margin", "discount", "score"):
        return pa.array(rows[name])
    return pa.array(rows.whole("product" if name == "product_id" else name), pa.int64())
