"""The true probabilities, and the money expected, of the rows that a model is judged on.

What they reach on the outcomes that came about is the ceiling: nothing that is learnt from the data does better on
average.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...errors import DataError
from .chance import Floats
from .interventions import answers, moves
from .retelling import retold
from .truth import Truth

#: default number of draws by task; the standard errors stand beside the probabilities
DRAWS = {"churn": 8, "conversion": 16, "next_offer": 60, "value": 4, "winback": 8, "up_sell": 60}
#: the same for money, whose means are noisier
WORTH_DRAWS = 24
_AT_ONCE = 5  # draws of which every line is held


def true_probabilities(
    world: str | Path | Truth, task: str, rows: pa.Table, *, horizon: int = 0, draws: int | None = None
) -> Floats:
    """The true probability of each row's target, (n,), in the order of the rows; NaN where there is none.

    churn: rows with customer_id and cutoff; no purchase in (cutoff, cutoff + horizon]. next_offer: with category too; a
    purchase of it within the horizon. up_sell: with line and tier. conversion: with prospect_id and cutoff; a contract
    within the horizon; or with customer_id and campaign_id; an answer before the campaign ends (0 for the hold-out).
    value, winback: a purchase within the horizon. Ids may be numbers or text.
    `world` is the folder of a written world, or its Truth (which remembers what it lived through).
    """
    truth = world if isinstance(world, Truth) else Truth(world)
    if task not in TASKS:
        raise DataError(f"the world knows no ceiling of the task '{task}'; it knows: {', '.join(TASKS)}")
    return TASKS[task](truth, rows, horizon, draws or DRAWS[task])


def true_margins(world: str | Path | Truth, rows: pa.Table, *, horizon: int, draws: int | None = None) -> Floats:
    """The margin expected of each row's customer in (cutoff, cutoff + horizon], (n,), in the order of the rows.

    Rows with customer_id and cutoff, ids as for `true_probabilities`; NaN for who is no customer. A mean over futures:
    its error adds 1 / draws of what the future holds in itself to a mean squared error.
    """
    truth = world if isinstance(world, Truth) else Truth(world)
    ids = _ids(rows, "customer_id")
    known = truth.futures(_cutoffs(rows), horizon, draws=draws or WORTH_DRAWS, customers=ids)
    return _matched(rows, known, ("customer_id", "cutoff"), "margin")


def _up_sell(truth: Truth, rows: pa.Table, horizon: int, draws: int) -> Floats:
    """Counted on retold futures, a few draws at a time: how often something of the line and tier is bought."""
    products = pq.read_table(truth.folder / "products.parquet", columns=["product_id", "line", "tier"])
    cutoffs, ids = _cutoffs(rows), _ids(rows, "customer_id")
    keys = ["customer_id", "cutoff", "line", "tier"]
    parts = []
    for first in range(0, draws, _AT_ONCE):
        told = retold(truth, cutoffs, horizon, "lines", draws=_AT_ONCE, first_draw=first, ids=ids, salt=6)
        told = told.select(["customer_id", "cutoff", "draw", "product_id"])
        told = told.set_column(3, "product_id", told["product_id"].cast(products["product_id"].type))
        bought = told.join(products, "product_id").group_by([*keys, "draw"]).aggregate([])
        parts.append(bought.group_by(keys).aggregate([([], "count_all")]))
    counted = pa.concat_tables(parts).group_by(keys).aggregate([("count_all", "sum")])
    share = pc.divide(counted["count_all_sum"].cast(pa.float64()), float(len(parts) * _AT_ONCE))
    # who bought nothing of it in any draw has no row
    return np.nan_to_num(
        _matched(rows, counted.append_column("probability", share), ("customer_id", "cutoff", "line", "tier"))
    )


def true_effects(truth: Truth, rows: pa.Table, *, draws: int = 16) -> Floats:
    """P(purchase before the campaign ends | contacted) - P(... | held back) of rows with customer_id and campaign_id.

    With the offer that was planned for each. NaN where the contact is not one of the company's.
    """
    contacts = pq.read_table(truth.folder / "contacts.parquet", columns=["customer_id", "campaign_id", "offer_id"])
    parts = []
    for campaign in pc.unique(rows["campaign_id"]).to_pylist():
        targeted = contacts.filter(pc.equal(contacts["campaign_id"], int(campaign)))
        targeted = targeted.filter(pc.is_valid(targeted["customer_id"]))
        moved = moves(truth, int(campaign), draws=draws, customers=targeted["customer_id"].to_pylist())
        joined = targeted.join(moved, ["customer_id", "offer_id"], join_type="inner")
        parts.append(joined.select(["customer_id", "campaign_id"]).append_column("probability", joined["effect"]))
    return _matched(rows, pa.concat_tables(parts), ("customer_id", "campaign_id"))


def _churn(truth: Truth, rows: pa.Table, horizon: int, draws: int) -> Floats:
    known = truth.silence(_cutoffs(rows), [horizon], draws=draws, customers=_ids(rows, "customer_id"))
    return _matched(rows, known, ("customer_id", "cutoff"))


def _buys(truth: Truth, rows: pa.Table, horizon: int, draws: int) -> Floats:
    return 1 - _churn(truth, rows, horizon, draws)


def _next_offer(truth: Truth, rows: pa.Table, horizon: int, draws: int) -> Floats:
    known = truth.categories(_cutoffs(rows), horizon, draws=draws, customers=_ids(rows, "customer_id"))
    return _matched(rows, known, ("customer_id", "cutoff", "category"))


def _conversion(truth: Truth, rows: pa.Table, horizon: int, draws: int) -> Floats:
    if "prospect_id" in rows.column_names:
        return _matched(
            rows,
            truth.conversion(_cutoffs(rows), [horizon], draws=draws, prospects=_ids(rows, "prospect_id")),
            ("prospect_id", "cutoff"),
        )
    contacts = pq.read_table(
        truth.folder / "contacts.parquet", columns=["customer_id", "campaign_id", "offer_id", "treated"]
    )
    contacts = contacts.filter(pc.is_valid(contacts["customer_id"]))
    parts = []
    for campaign in pc.unique(rows["campaign_id"]).to_pylist():
        targeted = contacts.filter(pc.equal(contacts["campaign_id"], int(campaign)))
        answered = answers(truth, int(campaign), draws=10 * draws, customers=targeted["customer_id"].to_pylist())
        joined = targeted.join(answered, ["customer_id", "offer_id"], join_type="inner")
        probability = pc.if_else(joined["treated"], joined["probability"], 0.0)
        parts.append(joined.select(["customer_id", "campaign_id"]).append_column("probability", probability))
    return _matched(rows, pa.concat_tables(parts), ("customer_id", "campaign_id"))


#: how the true probabilities of a task's rows are found
TASKS: dict[str, Callable[[Truth, pa.Table, int, int], Floats]] = {
    "churn": _churn,
    "conversion": _conversion,
    "next_offer": _next_offer,
    "value": _buys,
    "winback": _buys,
    "up_sell": _up_sell,
}


#: which planted strength a trait of loyalty is to show
PLANTED = {
    "repeat_purchase": "regular",
    "breadth": "broad",
    "referral": "referring",
    "immunity": "immune",
    "tolerance": "tolerant",
}


def strengths(truth: Truth, customers: pa.ChunkedArray) -> dict[str, Floats]:
    """The planted strength (n,), 0 to 1, of each trait of loyalty of customers (n,); nan for one who is not known."""
    people = truth.people()
    place = pc.index_in(customers.cast(pa.int64()), value_set=people["customer_id"].combine_chunks().cast(pa.int64()))
    known = {trait: people[planted].combine_chunks().take(place.combine_chunks()) for trait, planted in PLANTED.items()}
    return {trait: np.asarray(values.to_numpy(zero_copy_only=False), float) for trait, values in known.items()}


def staying(
    world: str | Path | Truth, rows: pa.Table, every: int, periods: int, *, active_within: int | None = None,
    paid: bool = False, draws: int = 40,
) -> Floats:  # fmt: skip
    """P(still there at the end of each of so many periods of `every` days), (n, periods), over futures drawn anew.

    `rows` have customer_id and cutoff. With `active_within`, somebody has left at the first end of a period at which he
    has bought nothing for so many days (days_since_visit of the rows tells what was before the cutoff); without, as
    soon as his card, or with `paid` his paid plan, has ended.
    """
    truth = world if isinstance(world, Truth) else Truth(world)
    there = np.zeros((rows.num_rows, periods))
    ids = np.array([int(value) for value in rows["customer_id"].to_pylist()])
    moments = np.array(rows["cutoff"].cast(pa.timestamp("us")).to_numpy(), "M8[us]")
    ends = every * np.arange(1, periods + 1)
    for cutoff in np.unique(moments):
        mine = np.flatnonzero(moments == cutoff)
        order = mine[np.argsort(ids[mine], kind="stable")]
        event = "plans" if active_within is None else "lines"
        when = _cutoffs(rows.take(pa.array(mine[:1])))
        told = retold(truth, when, every * periods, event, draws=draws, ids=ids[order].tolist())
        if event == "plans" and paid:
            told = told.filter(told["paid"])
        days = (told["at"].to_numpy() - cutoff).astype("m8[us]").astype(np.float64) / 8.64e10
        place = np.searchsorted(ids[order], [int(value) for value in told["customer_id"].to_pylist()])
        future = place * draws + told["draw"].to_numpy()
        if active_within is None:
            first = np.full(len(order) * draws, np.inf)
            np.minimum.at(first, future, days)
            still = first[:, None] > ends[None, :]
        else:
            last = np.repeat(-np.asarray(rows["days_since_visit"].to_numpy(), np.float64)[order], draws)
            still = np.ones((len(order) * draws, periods), bool)
            for k, end in enumerate(ends):
                now = days <= end
                np.maximum.at(last, future[now], days[now])
                still[:, k] = end - last < active_within
            still = np.logical_and.accumulate(still, axis=1)
        there[order] = still.reshape(len(order), draws, periods).mean(axis=1)
    return there


def _cutoffs(rows: pa.Table) -> list[datetime]:
    """The distinct cutoffs; one a microsecond before midnight means that midnight."""
    moments = pc.unique(rows["cutoff"].cast(pa.timestamp("us"))).to_pylist()
    return [moment + timedelta(microseconds=1) if moment.microsecond == 999_999 else moment for moment in moments]


def _ids(rows: pa.Table, name: str) -> list[int]:
    return [int(value) for value in pc.unique(rows[name]).to_pylist()]


def _matched(rows: pa.Table, known: pa.Table, keys: tuple[str, ...], column: str = "probability") -> Floats:
    """A column of `known` in the order of `rows`, found by the keys."""
    wanted, given = rows.select(list(keys)), known.select([*keys, column])
    for place, name in enumerate(keys):
        wanted = wanted.set_column(place, name, _comparable(wanted[name], name))
        given = given.set_column(place, name, _comparable(given[name], name))
    wanted = wanted.append_column("__row", pa.array(np.arange(len(rows))))
    joined = wanted.join(given, list(keys), join_type="left outer").sort_by("__row")
    return np.asarray(joined[column].to_numpy(), float)


def _comparable(values: Any, name: str) -> Any:
    if name == "cutoff":
        # the last microsecond of a day is the next midnight
        stamps = pc.add(values.cast(pa.timestamp("us")), pa.scalar(1, pa.duration("us")))
        return pc.floor_temporal(stamps, unit="day")
    return values.cast(pa.string())
