"""The one test that matters: what was not known at a cutoff moves no feature, no population, and no target.

Every task, with every feature block, on every engine; whatever joins `TasksConfig`, `BLOCKS` or the engines is covered
by itself. Then leaks are planted, one of each kind, and each must be caught: the test can fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sqlglot import exp

import rapport.data.engine
import rapport.features.joins
import rapport.features.plan
import rapport.features.snapshot
import rapport.language.population
from rapport.features.battery import (
    assert_blind_to_outcomes,
    assert_defined,
    assert_point_in_time,
    assert_same_everywhere,
    assert_target_in_window,
    blocks_to_look_at,
    every_task,
)
from rapport.features.battery_data import CUSTOMERS, made_up_company
from rapport.features.blocks import BLOCKS
from rapport.features.snapshot import Snapshots
from rapport.features.visible import VisibleNow
from rapport.language.declarations import (
    Block,
    Count,
    EveryAttribute,
    Feature,
    Fitted,
    ForTopValues,
    Group,
    Measure,
    Population,
    Requirement,
    Sum,
    Visible,
)
from rapport.language.moments import Shared
from rapport.language.sight import Sight
from rapport.tasks import Task

ENGINES = [
    partial(engine, memory_limit="500MB", threads=1)
    for engine in vars(rapport.data.engine).values()
    if isinstance(engine, type) and hasattr(engine, "dialect")
]
TASKS = {f"{task.name} of {' and '.join(task.keys)}": task for task in every_task()}
CHURN, CAMPAIGNS, PROSPECTS, OFFERS = (
    TASKS[name]
    for name in (
        "churn of customer_id",
        "conversion of customer_id and campaign_id",
        "conversion of prospect_id",
        "next_offer of customer_id and category",
    )
)
CUSTOMER = ("customer_id",)
every_task_and_engine = pytest.mark.parametrize(
    ("task", "engine"),
    [
        pytest.param(task, engine, id=f"{name} on {engine.func.dialect}")
        for name, task in TASKS.items()
        for engine in ENGINES
    ],
)


@every_task_and_engine
def test_features_and_population_as_known_at_the_cutoff(task: Task, engine: Callable[[], Any]) -> None:
    assert_point_in_time(task, blocks_to_look_at(task), new=engine)


@every_task_and_engine
def test_targets_see_the_horizon_alone(task: Task, engine: Callable[[], Any]) -> None:
    assert_target_in_window(task, new=engine)


@pytest.mark.parametrize(
    "task",
    [task for task in TASKS.values() if blocks_to_look_at(task) and task.target is not None],
    ids=lambda task: task.name,
)
def test_features_are_blind_to_outcomes(task: Task) -> None:
    assert_blind_to_outcomes(task, [replace(block, groups=(), derived=()) for block in blocks_to_look_at(task)])


@every_task_and_engine
def test_values_do_not_depend_on_where_and_how_they_are_computed(task: Task, engine: Callable[[], Any]) -> None:
    assert_same_everywhere(task, blocks_to_look_at(task), new=engine)


@every_task_and_engine
def test_values_without_history(task: Task, engine: Callable[[], Any]) -> None:
    assert_defined(task, blocks_to_look_at(task), new=engine)


# ------------------------------------------------------------------------------------------- planted leaks
def is_caught(task: Task, blocks: Sequence[Block], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assert_point_in_time(task, blocks, ways=("deleted",))


def without(predicate: str) -> Callable[..., list[exp.Expression]]:
    """`Sight._visible` less the condition whose SQL holds this text."""
    honest = Sight._visible

    def visible(self: Sight, measures: Sequence[Measure], *rest: Any) -> list[exp.Expression]:
        seen = honest(self, measures, *rest)
        ahead = any(measure.looks_ahead for measure in measures)
        return seen if ahead else [condition for condition in seen if predicate not in condition.sql()]

    return visible


@pytest.mark.parametrize("task", [CHURN, CAMPAIGNS], ids=["one cutoff a query", "a cutoff a row"])
@pytest.mark.parametrize("predicate", ["at <=", "known_at"], ids=["the future", "late rows"])
def test_a_sight_that_sees_too_much_is_caught(monkeypatch: pytest.MonkeyPatch, task: Task, predicate: str) -> None:
    monkeypatch.setattr(Sight, "_visible", without(predicate))
    is_caught(task, [BLOCKS["spending"]], r"columns moved: visits_7d \(block spending\)|the population changed")


def test_a_feature_that_looks_ahead_is_refused_and_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = Feature("next_visits", Count(ahead=28), "visits to come", "count", "{value} visits to come", "visits")
    leaky = Block("leaky", (Group("transactions", CUSTOMER, (ahead,)),))
    with pytest.raises(rapport.errors.ConfigError, match="'next_visits' of block 'leaky' looks ahead"):
        assert_point_in_time(CHURN, [leaky])
    monkeypatch.setattr(rapport.features.plan, "refuse_foresight", lambda group, block: None)
    is_caught(CHURN, [leaky], r"next_visits_?\w* \(block leaky\)")


def test_the_outcome_of_a_plan_is_refused_and_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    cost = Feature("campaign_cost", Sum(column="cost"), "cost", "currency", "cost {value}", "the campaign itself")
    leaky = Block("leaky", (Group("contacts", ("campaign_id",), (cost,), planned=True),))
    with pytest.raises(rapport.errors.ConfigError, match=r"contacts\.cost, which no plan tells"):
        assert_point_in_time(CAMPAIGNS, [leaky])
    monkeypatch.setattr(rapport.features.plan, "refuse_foresight", lambda group, block: None)
    is_caught(CAMPAIGNS, [leaky], "campaign_cost")


def test_a_population_that_looks_ahead_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Customers who will buy again; customers who have ever been seen, to this day; plans that nobody knew yet."""
    honest = Population.__post_init__
    monkeypatch.setattr(Population, "__post_init__", lambda self: None)
    returning = Population(CHURN.population.universe, (Requirement("transactions", CUSTOMER, Count(ahead=90) > 0),))
    is_caught(replace(CHURN, population=returning), [], "the population changed")
    monkeypatch.setattr(Population, "__post_init__", honest)

    monkeypatch.setattr(Sight, "_visible", without("<="))
    is_caught(replace(CHURN, population=Population(CHURN.population.universe)), [], "the population changed")


def test_plans_that_nobody_knew_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = rapport.features.snapshot.compile_plans

    def everything(*arguments: Any) -> exp.Select:
        query = honest(*arguments)
        for condition in list(query.find_all(exp.LTE)):
            condition.replace(exp.true())
        return query

    monkeypatch.setattr(rapport.features.snapshot, "compile_plans", everything)
    is_caught(CAMPAIGNS, [], "the population changed")


def test_a_population_that_carries_an_outcome_is_caught() -> None:
    carrying = replace(CAMPAIGNS.population.universe, carry=("campaign_kind", "treated"))  # type: ignore[type-var]
    is_caught(replace(CAMPAIGNS, population=Population(carrying)), [], "treated|population changed")


def peeks(visible: Visible, spine: pa.Table) -> list[Any]:
    """A fitted feature that reads the table itself, and not what is visible of it."""
    rows = visible.engine.arrow(exp.select("customer_id").from_("transactions"))  # type: ignore[attr-defined]
    counts = pc.value_counts(rows["customer_id"])
    found = {entry["values"]: entry["counts"] for entry in counts.to_pylist()}
    return [np.array([found.get(key, 0) for key in spine["customer_id"].to_pylist()], np.float64)]


def encodes(visible: Visible, spine: pa.Table) -> list[Any]:
    """Each region by the share of its customers who buy in the next 28 days: a target encoding fed with the future."""
    shared: Shared = visible.moment  # type: ignore[attr-defined]
    edge = f"TIMESTAMP '{shared.cutoff}'"
    query = (
        exp.select("c.customer_id", f"avg(CAST(t.at > {edge} AS DOUBLE)) OVER (PARTITION BY c.region) AS code")
        .from_("customers AS c")
        .join("transactions AS t", on="c.customer_id = t.customer_id", join_type="left")
    )
    rows = visible.engine.arrow(query).to_pylist()  # type: ignore[attr-defined]
    codes = {row["customer_id"]: row["code"] for row in rows}
    return [np.array([codes.get(key, np.nan) for key in spine["customer_id"].to_pylist()], np.float64)]


@pytest.mark.parametrize("compute", [peeks, encodes])
def test_a_fitted_feature_that_looks_ahead_is_caught(compute: Callable[..., Any]) -> None:
    feature = Feature("fitted", None, "something fitted", "count", "{value}", "fitted")
    leaky = Block("leaky", fitted=(Fitted(CUSTOMER, (feature,), (("transactions", ()),), compute),))
    is_caught(CHURN, [leaky], r"fitted \(block leaky\)")


def test_a_fitted_feature_cannot_measure_ahead() -> None:
    ahead = Group("transactions", CUSTOMER, (Feature("n", Count(ahead=28), ""),))
    feature = Feature("fitted", None, "something fitted", "count", "{value}", "fitted")

    def compute(visible: Visible, spine: pa.Table) -> list[Any]:
        return [visible.measure(ahead)["n"].to_numpy()]

    leaky = Block("leaky", fitted=(Fitted(CUSTOMER, (feature,), (("transactions", ()),), compute),))
    with pytest.raises(rapport.errors.ConfigError, match="looks ahead"):
        assert_point_in_time(CHURN, [leaky])


def test_values_learned_from_the_future_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    by_product = ForTopValues(Sum(column="amount"), of="category", top=6)
    feature = Feature("spent_on_{value}", by_product, "spent on {value}", "currency", "{{value}}", "what he buys")
    block = Block("top", (Group("transactions", CUSTOMER, (feature,)),))
    assert_point_in_time(CHURN, [block], ways=("scrambled",))
    honest = Snapshots._learn
    late = datetime(2030, 1, 1)
    monkeypatch.setattr(Snapshots, "_learn", lambda self, blocks, learn_at: honest(self, blocks, late))
    with pytest.raises(AssertionError, match="other values were learned"):
        assert_point_in_time(CHURN, [block], ways=("scrambled",))


def test_attributes_of_those_who_were_not_there_yet_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rapport.features.joins, "attributes_in_sight", lambda table, alias, columns: [])
    is_caught(CHURN, [BLOCKS["profile"]], "region")


def test_attributes_of_a_later_time_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not valid yet, or known only later: the newest row of each customer instead of that of the cutoff."""
    honest = rapport.features.joins.valid_in_sight

    def newest(*arguments: Any) -> exp.Expression:
        query = honest(*arguments)
        for condition in list(query.find_all(exp.LTE)):
            condition.replace(exp.true())
        return query

    monkeypatch.setattr(rapport.features.joins, "valid_in_sight", newest)
    is_caught(CHURN, [BLOCKS["profile"]], "lives_in")


@pytest.mark.parametrize("late", ["measured ahead", "listed later"])
def test_an_encoding_that_looks_ahead_is_caught(monkeypatch: pytest.MonkeyPatch, late: str) -> None:
    """What others with the same street do, a month later than the cutoff; and who they are, a month later."""

    def ahead(self: VisibleNow, *arguments: Any) -> pa.Table:
        later = Shared(self.cutoff + timedelta(days=30), self.moment.zone)
        seen = VisibleNow(self.cutoff, later, self.engine, self.tables)
        return honest(seen, *arguments)

    what = "measure" if late == "measured ahead" else "attribute"
    honest = getattr(VisibleNow, what)
    monkeypatch.setattr(VisibleNow, what, ahead)
    is_caught(CHURN, [BLOCKS["profile"]], r"street_\w+ \(block profile\)|other values were learned")


def test_an_encoding_of_attributes_that_were_chosen_later_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streets became many only when others came to live there, after the cutoffs."""
    company, honest = made_up_company(), Snapshots._many_valued
    rows = company.tables["customers"].to_pylist()
    for row in rows:
        row["acquired_at"] = row["acquired_at"] if row["customer_id"] <= CUSTOMERS else datetime(2024, 6, 1)
    customers = pa.Table.from_pylist(rows, company.tables["customers"].schema)
    company = company.with_tables({**company.tables, "customers": customers})
    assert_point_in_time(CHURN, [BLOCKS["profile"]], company, ways=("deleted",))
    last = Shared(datetime(2030, 1, 1), company.zone)
    monkeypatch.setattr(Snapshots, "_many_valued", lambda self, encoding, moment: honest(self, encoding, last))
    with pytest.raises(AssertionError, match="other values were learned"):
        assert_point_in_time(CHURN, [BLOCKS["profile"]], company, ways=("deleted",))


def test_the_outcome_of_a_prospect_as_an_attribute_is_caught() -> None:
    """`converted_at` and `customer_id` are no attributes; were they, the battery would say so."""
    company = made_up_company()
    leaky = replace(company, attributes={**company.attributes, "prospects": ("heard_from", "customer_id")})
    block = Block("who", (Group("prospects", ("prospect_id",), (Feature("{value}", EveryAttribute(), "{value}"),)),))
    with pytest.raises(AssertionError, match=r"customer_id \(block who\)"):
        assert_point_in_time(PROSPECTS, [block], leaky, ways=("deleted",))
    assert_point_in_time(PROSPECTS, [block], ways=("deleted",))


def shifted_edges(start: type[exp.Expression], end: type[exp.Expression]) -> Callable[..., list[exp.Expression]]:
    honest = Sight._visible

    def visible(self: Sight, measures: Sequence[Measure], *rest: Any) -> list[exp.Expression]:
        seen = honest(self, measures, *rest)
        if not any(measure.looks_ahead for measure in measures):
            return seen
        first, last = seen
        return [start(this=first.this, expression=first.expression), end(this=last.this, expression=last.expression)]

    return visible


# Who named a cause at the very cutoff is not in the population of a task with several outcomes: nothing can leak there.
@pytest.mark.parametrize(
    "task", [task for task in TASKS.values() if task.target is not None and not task.outcomes], ids=lambda t: t.name
)
def test_a_target_that_counts_an_event_at_the_cutoff_is_caught(monkeypatch: pytest.MonkeyPatch, task: Task) -> None:
    monkeypatch.setattr(Sight, "_visible", shifted_edges(exp.GTE, exp.LTE))
    with pytest.raises(AssertionError, match="targets moved"):
        assert_target_in_window(task, ways=("scrambled",))
