"""Whom a plan may not give an action: consent, contacts of the past, anniversaries, and what earlier plans gave."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlglot import exp

from ..config import PlanConfig
from ..data.dataset import Dataset
from ..decisions.candidates import Flags, Rule
from ..errors import ConfigError
from ..language.compile import compile_measure
from ..language.declarations import Column, Count, Predicate
from ..language.moments import Shared
from .never import Never
from .results import results

KINDS = {"customer_id": "customer", "prospect_id": "prospect"}


def rules_of(
    data: Dataset, config: PlanConfig, entities: pa.Array, cutoff: datetime, day: date, plans: Path
) -> list[Rule]:
    """The rules of a plan as of a cutoff for entities (n,), in the order in which they are obeyed.

    `plans` is the folder of the plans of other days: those before `day` say who got which action. ConfigError where a
    rule names a column that is not there.
    """
    return [
        Rule("never contacted, or no consent", _never(data, entities)),
        *_contacts(data, config, entities, cutoff),
        *_anniversaries(data, config, entities, day),
        *_earlier_plans(config, entities, day, plans),
    ]


def attributes_of(data: Dataset, config: PlanConfig, entities: pa.Array) -> dict[str, pa.Array]:
    """The attributes of customers that least shares are asked for, as texts (n,); those that are not there are not."""
    names = [name for name in config.least_shares if name in data.columns.get("customers", ())]
    found = _of_customers(data, entities, names)
    return {name: values.cast(pa.string()) for name, values in zip(names, found, strict=True)}


# ------------------------------------------------------------------------------------------- one rule after the other
def _never(data: Dataset, entities: pa.Array) -> Flags:
    never = np.zeros(len(entities), bool)
    for key, mine, ids in _by_kind(entities):
        if key == "customer_id" or not data.config.scoring.consent:
            never[mine] = ~np.asarray(Never(data, key).allowed(_as_ids(data, ids, key)), bool)
    return never


def _contacts(data: Dataset, config: PlanConfig, entities: pa.Array, cutoff: datetime) -> list[Rule]:
    """At most so many contacts in so many days, and the pauses after each."""
    policy = config.contact_policy
    often = f"contacted {policy.most} times in {policy.within_days} days already"
    rules = [Rule(often, _contacted(data, entities, cutoff, policy.within_days, policy.most))]
    if policy.pause_days:
        words = f"contacted in the last {policy.pause_days} days"
        rules.append(Rule(words, _contacted(data, entities, cutoff, policy.pause_days, 1)))
    for channel, days in policy.pauses.items():
        if not any(data.has("contacts", key, "at", "channel") for key in KINDS):
            raise ConfigError(f"plan.contact_policy.pauses names '{channel}', but `contacts` has no column `channel`")
        flags = _contacted(data, entities, cutoff, days, 1, Column("channel") == channel)
        words = f"contacted through {channel} in the last {days} days"
        rules += [Rule(words, flags, name) for name, action in config.actions.items() if action.channel == channel]
    return rules


def _contacted(
    data: Dataset, entities: pa.Array, cutoff: datetime, days: int, least: int, where: Predicate | None = None
) -> Flags:
    """Who had at least so many contacts in the last days, (n,)."""
    flags = np.zeros(len(entities), bool)
    for key, mine, ids in _by_kind(entities):
        if data.has("contacts", key, "at"):
            window = Count(last=(days,), where=where)
            query = compile_measure("contacts", (key,), window, Shared(cutoff, data.config.zone), data.columns)
            counted = data.engine.arrow(query)
            many = counted.filter(pc.greater_equal(counted["value"], least))[key].cast(pa.string())
            flags[mine] = np.asarray(pc.is_in(ids, value_set=many.combine_chunks()), bool)
    return flags


def _anniversaries(data: Dataset, config: PlanConfig, entities: pa.Array, day: date) -> list[Rule]:
    """Whose date has its day, in any year, on the day of the plan or within the days after it."""
    rules = []
    for name, action in config.actions.items():
        if action.anniversary is None:
            continue
        column, within = action.anniversary.of, action.anniversary.within_days
        if column not in data.columns.get("customers", ()):
            raise ConfigError(f"plan.actions.{name}.anniversary: customers have no column '{column}'")
        (dates,) = _of_customers(data, entities, [column])
        if pa.types.is_timestamp(dates.type):
            dates = pc.assume_timezone(dates, "UTC").cast(pa.timestamp("us", data.config.time_zone))
        days = {f"{day + timedelta(days=ahead):%m-%d}" for ahead in range(within)}
        if "02-28" in days and "02-29" not in days:
            days.add("02-29")  # whoever was born on a 29th of February has his day on the 28th
        due = pc.is_in(pc.strftime(dates, "%m-%d"), value_set=pa.array(sorted(days)))
        rules.append(Rule(f"{name}: no anniversary within {within} days", ~np.asarray(due, bool), name))
    return rules


def _earlier_plans(config: PlanConfig, entities: pa.Array, day: date, plans: Path) -> list[Rule]:
    """What may not follow what, and what only follows something."""
    rules = []
    for name, action in config.actions.items():
        apart = dict(action.never_with)
        for other, there in config.actions.items():
            if name in there.never_with:
                apart[other] = max(apart.get(other, 0), there.never_with[name])
        for other, days in apart.items():
            given = _given(plans, other, entities, day - timedelta(days=days), day - timedelta(days=1))
            rules.append(Rule(f"{name}: never within {days} days of {other}", given, name))
        if action.follow_up is not None:
            due = action.follow_up
            first, last = day - timedelta(days=due.within_days), day - timedelta(days=due.after_days)
            words = f"{name}: only {due.after_days} to {due.within_days} days after {due.of}"
            rules.append(Rule(words, ~_given(plans, due.of, entities, first, last), name))
    return rules


def _given(plans: Path, action: str, entities: pa.Array, first: date, last: date) -> Flags:
    """Who got an action by a plan of the days from first to last, (n,)."""
    given = np.zeros(len(entities), bool)
    for moment, folder in results(plans).items():
        if first <= moment <= last:
            for part in sorted(folder.glob("part-*.parquet")):
                rows = pq.read_table(part, columns=["kind", "entity_id", "action"], partitioning=None)
                rows = rows.filter(pc.equal(rows["action"], action))
                who = pc.binary_join_element_wise(rows["kind"], rows["entity_id"], " ").combine_chunks()
                given |= np.asarray(pc.is_in(entities, value_set=who), bool)
    return given


# ------------------------------------------------------------------------------------------- ids
def _by_kind(entities: pa.Array) -> Iterable[tuple[str, Flags, pa.Array]]:
    """Customers and prospects among the entities: the key of their tables, where they stand (n,), and their ids."""
    for key, kind in KINDS.items():
        mine = np.asarray(pc.starts_with(entities, f"{kind} "), bool)
        if mine.any():
            yield key, mine, pc.utf8_slice_codeunits(entities.filter(pa.array(mine)), len(kind) + 1)


def _as_ids(data: Dataset, ids: pa.Array, key: str) -> pa.ChunkedArray:
    """The ids in the type of the customers' table, where the rule of consent compares them."""
    if key != "customer_id" or not data.has("customers", "customer_id"):
        return pa.chunked_array([ids])
    kind = data.engine.arrow(exp.select("customer_id").from_("customers").limit(0)).schema.field("customer_id").type
    if pa.types.is_integer(kind):
        digits = pc.match_substring_regex(ids, r"^-?\d+$")
        return pa.chunked_array([pc.if_else(digits, ids, pa.scalar(None, pa.string())).cast(kind)])
    return pa.chunked_array([ids])


def _of_customers(data: Dataset, entities: pa.Array, names: list[str]) -> list[pa.Array]:
    """Columns of `customers` for each entity (n,); missing for prospects and for whoever has no row."""
    if not names:
        return []
    wanted = [exp.column(name, quoted=True) for name in ("customer_id", *names)]
    table: Any = data.engine.arrow(exp.select(*wanted).from_("customers"))
    who = pc.binary_join_element_wise("customer", table["customer_id"].cast(pa.string()), " ").combine_chunks()
    place = pc.index_in(entities, value_set=who)
    return [table[name].combine_chunks().take(place) for name in names]
