"""Which offer brings a lost customer most, by what came of earlier offers that were drawn by lot.

Every win-back campaign is a trial: of the customers who were on the list when it began and were drawn for it, some
were held out (`contacts.treated` is false). For customers of stated cause g and offer k, over all campaigns whose
horizon had ended by the day of the list,

    effect(g, k) = mean worth of those who got k - mean worth of those held out - cost of the contact,

the worth being the task's: the money within its horizon. Few customers say little: so the effects of causes are drawn
towards that of all by the variance between them (DerSimonian and Laird 1986). The best offer of a row is that of the
largest effect for its cause, with a 95 % interval; where that reaches below nothing, or an arm is too small, none is
named. An offer is known by its discount, or else by its id: one that was never made has no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from ..config import WinbackConfig
from ..data.dataset import Dataset
from ..features.snapshot import Snapshots
from ..language.declarations import Block, Feature, Group, Latest
from ..language.moments import shift
from ..tasks.base import Task
from .job import Job

KIND = "winback"
FEWEST = 30
"""Customers that an arm must have, to say something."""
NAMES = ("best_offer", "best_offer_adds", "best_offer_adds_low", "best_offer_adds_high")
_Z = 1.96
_ALL = ""  # the group of everybody
_CUSTOMER = ("customer_id",)
_CAUSE = Block(
    "cause",
    (
        Group(
            "subscription_ends",
            _CUSTOMER,
            (Feature("cause", Latest(column="end_reason"), definition="", kind="category"),),
        ),
    ),
)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """What an offer adds to the worth of a customer, after its cost, with a 95 % interval."""

    offer: str
    adds: float
    low: float
    high: float


@dataclass(frozen=True)
class BestOffers:
    """The best offer by stated cause, and the causes that customers stated, whose ids are text."""

    applies: bool = False
    best: Mapping[str, Effect | None] = field(default_factory=dict)
    cause: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Dataset, task: Task, job: Job) -> BestOffers:
        """As of a job's day; for tasks and data without such offers nothing is put beside the rows."""
        needed = data.has("contacts", *_CUSTOMER, "treated", "campaign_kind", "starts_at", "offer_id")
        if not isinstance(data.config.task(job.task), WinbackConfig) or not needed or task.worth is None:
            return cls()
        lists = Snapshots(data, task, blocks=[_CAUSE], learned={})
        trials = _trials(data, lists, job.cutoff)
        if trials is None:
            return cls()
        now = lists.features(lists.population([job.cutoff], with_target=False))
        stated = dict(zip(_ids(now), _causes(now).tolist(), strict=True))
        return cls(True, best_by_cause(trials), stated)

    def beside(self, rows: pa.Table) -> pa.Table:
        """Rows of the scores file with the columns NAMES before the reasons; missing where none helps."""
        if not self.applies:
            return rows
        ids = rows["entity_id"].cast(pa.string()).to_pylist()
        found = [self.best.get(self.cause.get(one, _ALL), self.best.get(_ALL)) for one in ids]
        values = [None if one is None else (one.offer, one.adds, one.low, one.high) for one in found]
        for place, (name, kind) in enumerate(zip(NAMES, (pa.string(), *[pa.float64()] * 3), strict=True)):
            column = pa.array([None if one is None else one[place] for one in values], kind)
            rows = rows.add_column(rows.schema.get_field_index("reason_1"), name, column)
        return rows


@dataclass(frozen=True)
class Trials:
    """What came of n customers who were drawn for a campaign: stated cause, offer, treated or not, worth, cost."""

    cause: npt.NDArray[np.object_]
    offer: npt.NDArray[np.object_]
    treated: npt.NDArray[np.bool_]
    worth: Floats
    cost: Floats


def best_by_cause(trials: Trials) -> dict[str, Effect | None]:
    """For each stated cause, and for everybody under the name "", the offer that adds most; None where none does."""
    offers = sorted(set(trials.offer[trials.treated]))
    causes = sorted(set(trials.cause) - {_ALL})
    found: dict[str, list[Effect]] = {cause: [] for cause in (_ALL, *causes)}
    for offer in offers:
        overall = _effect(trials, offer, np.ones(len(trials.worth), bool))
        if overall is None:
            continue
        mean, error = overall
        found[_ALL].append(Effect(offer, mean, mean - _Z * error, mean + _Z * error))
        known = {cause: one for cause in causes if (one := _effect(trials, offer, trials.cause == cause)) is not None}
        for cause, (own, spread) in _drawn_together(mean, known).items():
            found[cause].append(Effect(offer, own, own - _Z * spread, own + _Z * spread))
    best = {cause: max(effects, key=lambda one: one.adds, default=None) for cause, effects in found.items()}
    for cause in causes:
        if best[cause] is None:  # too few who stated this cause: what holds for all is the best guess
            best[cause] = best[_ALL]
    return {cause: one if one is not None and one.low > 0 else None for cause, one in best.items()}


def _effect(trials: Trials, offer: str, among: npt.NDArray[np.bool_]) -> tuple[float, float] | None:
    """Effect of an offer among some customers, and its standard error; None where an arm is too small."""
    got = trials.worth[among & trials.treated & (trials.offer == offer)]
    held = trials.worth[among & ~trials.treated]
    if min(len(got), len(held)) < FEWEST:
        return None
    cost = float(trials.cost[trials.treated & (trials.offer == offer)].mean())
    error = np.sqrt(got.var(ddof=1) / len(got) + held.var(ddof=1) / len(held))
    return float(got.mean() - held.mean() - cost), float(error)


def _drawn_together(mean: float, known: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Effects and errors by cause, drawn towards the mean of all by the variance between causes."""
    if not known:
        return {}
    effect, error = (np.array(values) for values in zip(*known.values(), strict=True))
    weight = 1 / np.maximum(error, 1e-12) ** 2
    spare = weight.sum() - (weight**2).sum() / weight.sum()
    between = max((weight @ (effect - mean) ** 2 - (len(effect) - 1)) / spare, 0.0) if spare > 0 else 0.0
    own = between / (between + error**2)
    drawn, spread = mean + own * (effect - mean), np.sqrt(own) * error
    floor = np.sqrt(1 / weight.sum())  # no surer of one cause than of all of them together
    return dict(zip(known, zip(drawn.tolist(), np.maximum(spread, floor).tolist(), strict=True), strict=True))


# ------------------------------------------------------------------------------------------- from the data
def _trials(data: Dataset, lists: Snapshots, until: datetime) -> Trials | None:
    """The customers drawn for campaigns whose horizon had ended by a moment; None where nobody was."""
    drawn = _drawn(data)
    ends = [
        (start, shift(start, lists.task.horizon, lists.zone)) for start in pc.unique(drawn["starts_at"]).to_pylist()
    ]
    cutoffs = [start for start, end in ends if end <= until and start > data.first_event]
    if not cutoffs:
        return None
    listed = lists.features(lists.population(cutoffs, with_target=True))
    rows = pa.table({"customer_id": listed["customer_id"], "starts_at": listed["cutoff"], "worth": listed["worth"]})
    rows = rows.append_column("cause", pa.array(_causes(listed), pa.string()))
    rows = rows.join(drawn, ["customer_id", "starts_at"], join_type="inner")
    if rows.num_rows == 0:
        return None
    return Trials(
        cause=rows["cause"].to_numpy(zero_copy_only=False),
        offer=rows["offer"].to_numpy(zero_copy_only=False),
        treated=rows["treated"].to_numpy(zero_copy_only=False).astype(bool),
        worth=np.nan_to_num(rows["worth"].to_numpy(zero_copy_only=False).astype(np.float64)),
        cost=np.nan_to_num(rows["cost"].to_numpy(zero_copy_only=False).astype(np.float64)),
    )


def _drawn(data: Dataset) -> pa.Table:
    """Who was drawn for which win-back campaign, when it began: offer (text), treated, cost."""
    query = exp.select("customer_id", "offer_id", "treated", "starts_at").from_("contacts")
    cost = exp.column("cost") if data.has("contacts", "cost") else exp.Literal.number(0)
    query = query.select(exp.alias_(exp.cast(cost, "double"), "cost"))
    needed = [exp.column(name).is_(exp.null()).not_() for name in ("customer_id", "offer_id", "treated", "starts_at")]
    found = data.engine.arrow(query.where(exp.column("campaign_kind").eq(KIND), *needed))
    return found.set_column(1, "offer", _named(data, found["offer_id"]))


def _named(data: Dataset, offers: pa.ChunkedArray) -> pa.Array:
    """Offers by their discount, such as "15 % off", where it is known, else by their ids."""
    discounts: dict[object, float | None] = {}
    if data.has("offers", "discount"):
        known = data.engine.arrow(
            exp.select("offer_id", exp.alias_(exp.cast(exp.column("discount"), "double"), "d")).from_("offers")
        )
        discounts = dict(zip(known["offer_id"].to_pylist(), known["d"].to_pylist(), strict=True))
    return pa.array(
        [None if one is None else _words(one, discounts.get(one)) for one in offers.to_pylist()], pa.string()
    )


def _words(offer: object, discount: float | None) -> str:
    if discount is None:
        return f"offer {offer}"
    return "without a discount" if discount == 0 else f"{discount:.0%} off" if discount <= 1 else f"{discount:g} off"


def _ids(rows: pa.Table) -> list[str]:
    found: list[str] = rows["customer_id"].cast(pa.string()).to_pylist()
    return found


def _causes(rows: pa.Table) -> npt.NDArray[np.object_]:
    """The cause that each stated when he last left (n,); "" where none is known."""
    known = rows["cause"].to_pylist() if "cause" in rows.column_names else [None] * rows.num_rows
    return np.array([one or _ALL for one in known], object)
