"""Who is in the population of each task, and what became of him, on rows that a reader can follow by eye."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hand_made import Row, at, bought, company

from rapport.config import ChurnConfig, ConversionConfig, NextOfferConfig, TasksConfig
from rapport.data.engine import DuckDBEngine
from rapport.features.battery import every_task
from rapport.features.battery_data import Company
from rapport.features.battery_words import columns_of_block
from rapport.features.blocks import BLOCKS
from rapport.features.snapshot import Snapshots
from rapport.language.declarations import Count, Requirement
from rapport.tasks import Task, declare

TICK = timedelta(microseconds=1)
BEGINNING, END = datetime(1, 1, 1), datetime(9999, 1, 1)


def outcomes(engine: DuckDBEngine, task: Task, made: Company, *cutoffs: datetime) -> dict[Any, int]:
    """The target of each key (and cutoff, where there are several)."""
    snapshots = Snapshots(made.dataset(engine), task, blocks=())
    rows = snapshots.population(cutoffs, with_target=True).to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["cutoff"], *(row[key] for key in task.keys)))
    found = {}
    for row in rows:
        key = tuple(row[name] for name in task.keys)
        found[(*key, row["cutoff"]) if len(cutoffs) > 1 else key if len(key) > 1 else key[0]] = row["target"]
    return found


# ------------------------------------------------------------------------------------------- churn
CHURN = declare("churn", ChurnConfig())


def test_churn(engine: DuckDBEngine) -> None:
    """The cutoff is 1 June: eligible is who bought after 6 April 0:00; lost is who buys nothing until 29 June 0:00."""
    made = company(
        transactions=[
            bought(1, "2024-05-20 12:00"),
            bought(1, "2024-06-10 12:00"),
            bought(2, "2024-05-20 12:00"),  # never again
            bought(3, "2024-04-06 00:00"),  # exactly 56 days ago: no longer active
            bought(3, "2024-06-10 12:00"),
            bought(4, "2024-04-06 00:00:00.000001"),
            bought(4, "2024-06-29 00:00"),  # exactly at the end of the horizon: in time
            bought(5, "2024-06-01 00:00"),  # exactly at the cutoff: active, and not yet back
            bought(5, "2024-06-29 00:00:00.000001"),  # too late
            bought(6, "2024-06-01 00:00:00.000001"),  # after the cutoff: not known then
            bought(7, "2024-05-20 12:00", known_at=at("2024-06-02")),  # came to be known too late
            bought(None, "2024-05-20 12:00"),
        ]
    )
    assert outcomes(engine, CHURN, made, at("2024-06-01")) == {1: 0, 2: 1, 4: 0, 5: 1}


def test_churn_counts_days_of_the_business_calendar(engine: DuckDBEngine) -> None:
    """28 days from midnight of 1 March in New York end at midnight of 29 March, an hour earlier in UTC."""
    made = company(
        "America/New_York",
        transactions=[
            *(bought(customer, "2024-02-28 12:00") for customer in (1, 2)),
            bought(1, "2024-03-29 04:00"),
            bought(2, "2024-03-29 04:00:00.000001"),
        ],
    )
    assert outcomes(engine, CHURN, made, at("2024-03-01 05:00")) == {1: 0, 2: 1}


def test_churn_at_many_cutoffs(engine: DuckDBEngine) -> None:
    made = company(transactions=[bought(1, "2024-05-20 12:00"), bought(1, "2024-06-10 12:00")])
    cutoffs = [at("2024-05-01"), at("2024-06-01"), at("2024-07-01"), at("2024-09-01")]
    assert outcomes(engine, CHURN, made, *cutoffs) == {(1, cutoffs[1]): 0, (1, cutoffs[2]): 1}
    assert outcomes(engine, CHURN, made) == {}


# ------------------------------------------------------------------------------------------- conversion of campaigns
CAMPAIGNS = declare("conversion", ConversionConfig())


def contact(number: int, customer: int | None, campaign: int, starts: str, known: str, **more: Any) -> Row:
    """A contact for which its campaign runs for 20 days."""
    row = {"contact_id": number, "customer_id": customer, "campaign_id": campaign, "campaign_kind": "spring"}
    span = {"starts_at": at(starts), "ends_at": at(starts) + timedelta(days=20)}
    return row | span | {"at": at(starts), "known_at": at(known)} | more


def answer(number: int, customer: int, campaign: int, when: str) -> Row:
    return {"contact_id": number, "customer_id": customer, "campaign_id": campaign, "at": at(when)}


TARGETED = company(
    contacts=[
        contact(1, 1, 7, "2024-06-01", "2024-05-20"),
        contact(2, 2, 7, "2024-06-01", "2024-06-01"),
        contact(3, 3, 7, "2024-06-01", "2024-06-01 00:00:00.000001"),  # added once the campaign ran
        contact(4, None, 7, "2024-06-01", "2024-05-20", prospect_id=5),
        contact(5, 4, 7, "2024-06-01", "2024-05-20"),
        contact(6, 5, 7, "2024-06-01", "2024-05-20"),
        contact(7, 5, 7, "2024-06-01", "2024-05-21", channel="mail"),  # the same customer by another channel
        contact(8, 1, 8, "2024-07-01", "2024-05-20"),
        contact(9, 2, 8, "2024-07-01", "2024-06-15"),
    ],
    responses=[
        answer(1, 1, 7, "2024-06-05"),
        answer(2, 2, 7, "2024-06-01"),  # exactly at the start: before it
        answer(5, 4, 7, "2024-06-21"),  # exactly at the end: in time
        answer(6, 5, 7, "2024-06-21 00:00:00.000001"),
        answer(9, 2, 8, "2024-07-05"),
        answer(9, 2, 8, "2024-07-06"),
    ],
    transactions=[bought(1, "2024-01-01")],
)


def test_conversion_of_campaigns_each_at_its_start(engine: DuckDBEngine) -> None:
    rows = Snapshots(TARGETED.dataset(engine), CAMPAIGNS, blocks=()).planned(BEGINNING, END, with_target=True)
    found = {(row["customer_id"], row["campaign_id"]): row["target"] for row in rows.to_pylist()}
    assert found == {(1, 7): 1, (2, 7): 0, (4, 7): 1, (5, 7): 0, (1, 8): 0, (2, 8): 1}
    assert rows.num_rows == len(found)
    assert all(row["cutoff"] == row["starts_at"] for row in rows.to_pylist())
    assert all(row["window_end"] == row["ends_at"] for row in rows.to_pylist())


def test_conversion_of_the_campaigns_planned_as_of_a_day(engine: DuckDBEngine) -> None:
    snapshots = Snapshots(TARGETED.dataset(engine), CAMPAIGNS, blocks=())

    def planned(as_of: str) -> set[tuple[int, int]]:
        rows = snapshots.to_score(at(as_of)).to_pylist()
        assert all(row["cutoff"] == at(as_of) for row in rows)
        return {(row["customer_id"], row["campaign_id"]) for row in rows}

    assert planned("2024-05-01") == set()
    assert planned("2024-05-20") == {(1, 7), (4, 7), (5, 7), (1, 8)}
    assert planned("2024-06-01") == {(1, 7), (2, 7), (4, 7), (5, 7), (1, 8)}
    assert planned("2024-06-16") == {(1, 8), (2, 8)}
    assert planned("2024-07-02") == set()


def test_a_plan_is_scored_with_what_is_known_that_day(engine: DuckDBEngine) -> None:
    """As of a day before its start, a row shows the past up to that day, and of the campaign what is planned."""
    snapshots = Snapshots(TARGETED.dataset(engine), CAMPAIGNS, blocks=["spending", "contacts", "campaigns"])
    before = snapshots.features(snapshots.to_score(at("2024-05-20"))).to_pylist()
    row = next(row for row in before if (row["customer_id"], row["campaign_id"]) == (1, 7))
    assert (row["visits_365d"], row["contacts_life"], row["campaign_days"]) == (1, 0, 20.0)
    assert row["campaign_size"] == 3  # the customers of whom it is known by then
    assert row["campaign_kind"] == "spring"
    assert row["days_since_contact"] is None


# ------------------------------------------------------------------------------------------- conversion of prospects
PROSPECTS = declare("conversion", ConversionConfig(of="prospects", horizon=30))


def test_conversion_of_prospects(engine: DuckDBEngine) -> None:
    """The cutoff is 1 June: eligible is who arrived after 2 May 0:00; converted is who does so until 1 July 0:00."""

    def prospect(number: int, arrived: str, converted: str | None) -> Row:
        return {"prospect_id": number, "created_at": at(arrived), "converted_at": at(converted) if converted else None}

    made = company(
        prospects=[
            prospect(1, "2024-05-20", "2024-06-10"),
            prospect(2, "2024-05-20", None),
            prospect(3, "2024-05-02 00:00", "2024-06-10"),  # exactly 30 days ago: too old
            prospect(4, "2024-05-02 00:00:00.000001", "2024-07-01 00:00"),  # exactly at the end: in time
            prospect(5, "2024-06-01 00:00", "2024-07-01 00:00:00.000001"),  # too late
            prospect(6, "2024-06-01 00:00:00.000001", "2024-06-10"),  # not there yet
            prospect(7, "2024-05-20", "2024-06-01 00:00"),  # exactly at the cutoff: a customer already
            prospect(8, "2024-05-20", "2024-05-21"),
        ]
    )
    assert outcomes(engine, PROSPECTS, made, at("2024-06-01")) == {1: 1, 2: 0, 4: 1, 5: 0}


def test_conversion_of_generated_prospects(engine: DuckDBEngine) -> None:
    random, first = Random(5), datetime(2024, 1, 1)
    prospects = []
    for number in range(800):
        created = first + timedelta(hours=random.randrange(24 * 360))
        converted = created + timedelta(hours=random.randrange(24 * 80)) if random.random() < 0.5 else None
        prospects.append({"prospect_id": number, "created_at": created, "converted_at": converted})
    cutoffs = [datetime(2024, 4, 1), datetime(2024, 5, 1), datetime(2024, 9, 15)]
    expected = {}
    for cutoff in cutoffs:
        for row in prospects:
            created, converted = row["created_at"], row["converted_at"]
            if cutoff - timedelta(days=30) < created <= cutoff and not (converted and converted <= cutoff):
                became = converted is not None and converted <= cutoff + timedelta(days=30)
                expected[row["prospect_id"], cutoff] = int(became)
    found = outcomes(engine, PROSPECTS, company(prospects=prospects), *cutoffs)
    assert found == expected
    assert 20 < sum(found.values()) < len(found) - 20


# ------------------------------------------------------------------------------------------- next offer
def test_next_offer(engine: DuckDBEngine) -> None:
    """The cutoff is 1 June: offered is what two have bought, not fuel, and not bought since 3 March 0:00."""
    task = declare("next_offer", NextOfferConfig(min_buyers=2, exclude_categories=("fuel", "it's")))
    made = company(
        transactions=[
            *(bought(customer, "2024-01-05", "tea") for customer in (1, 2)),
            *(bought(customer, "2024-01-05", "fuel") for customer in (1, 2)),
            *(bought(customer, "2024-01-05", "it's") for customer in (1, 2)),
            *(bought(customer, "2024-01-05", None) for customer in (1, 2)),
            bought(1, "2024-03-03 00:00", "jam"),  # exactly 90 days ago: may be offered again
            bought(2, "2024-03-03 00:00:00.000001", "jam"),
            bought(1, "2024-01-05", "pans"),  # one buyer is too few
            bought(2, "2024-06-02", "pans"),
            bought(1, "2024-06-29 00:00", "tea"),  # exactly at the end: bought
            bought(2, "2024-06-29 00:00:00.000001", "tea"),
            bought(3, "2024-06-02", "tea"),  # nobody knows him yet
            bought(1, "2024-06-02", "jam", known_at=at("2025-01-01")),  # a target, whenever it came to be known
        ]
    )
    expected = {(1, "tea"): 1, (2, "tea"): 0, (1, "jam"): 1}
    assert outcomes(engine, task, made, at("2024-06-01")) == expected


def test_next_offer_against_brute_force(engine: DuckDBEngine) -> None:
    task = declare("next_offer", NextOfferConfig(min_buyers=4, horizon=14, not_bought_within=30))
    random, first = Random(3), datetime(2024, 1, 1)
    rows = []
    for _ in range(900):
        when = first + timedelta(hours=random.randrange(24 * 150))
        known = when + timedelta(days=30) if random.random() < 0.1 else None
        category = random.choice(["a", "b", "c", "d", "e", None]) if random.random() < 0.97 else "rare"
        rows.append(bought(random.randrange(30), when.isoformat(), category, known_at=known))
    cutoffs = [datetime(2024, 2, 1), datetime(2024, 4, 15)]
    expected = {}
    for cutoff in cutoffs:
        seen = [row for row in rows if max(row["at"], row["known_at"] or row["at"]) <= cutoff]
        buyers = defaultdict(set)
        for row in seen:
            buyers[row["category"]].add(row["customer_id"])
        lately = {(r["customer_id"], r["category"]) for r in seen if r["at"] > cutoff - timedelta(days=30)}
        later = {
            (row["customer_id"], row["category"]) for row in rows if cutoff < row["at"] <= cutoff + timedelta(days=14)
        }
        for customer in {row["customer_id"] for row in seen}:
            for category in (name for name, who in buyers.items() if name and len(who) >= 4):
                if (customer, category) not in lately:
                    expected[customer, category, cutoff] = int((customer, category) in later)
    found = outcomes(engine, task, company(transactions=rows), *cutoffs)
    assert found == expected
    assert 0 < sum(found.values()) < len(found)


# ------------------------------------------------------------------------------------------- all of them
@pytest.mark.parametrize("name", TasksConfig.model_fields)
def test_every_configured_task_is_declared(name: str) -> None:
    assert name in {task.name for task in every_task()}


@pytest.mark.parametrize("task", every_task(), ids=lambda task: f"{task.name} of {task.entity}")
def test_declarations_are_whole(task: Task) -> None:
    """Rules of thumb name features of the task's own blocks; the texts that people read are there."""
    assert task.question.endswith("?")
    assert task.population_text
    assert task.target_text
    assert task.rules or task.traits or task.outcomes or task.behaviour or task.tails
    columns = {
        column.name
        for block in (BLOCKS[name] for name in task.blocks if name in BLOCKS)
        for column in columns_of_block(block)
    }
    assert {column for rule in task.rules for column in rule.columns} <= columns
    assert task.ranks_within is None or task.ranks_within in task.keys


def test_a_target_must_look_ahead() -> None:
    back = Requirement("transactions", ("customer_id",), Count(last=(28,)) == 0)
    with pytest.raises(ValueError, match="must look ahead"):
        replace(CHURN, target=back)


def test_the_evidence_of_a_scorecard_is_declared() -> None:
    known = {column.name for block in BLOCKS.values() for column in columns_of_block(block)}
    wanted = {one.feature for task in every_task() for trait in task.traits for one in trait.evidence}
    wanted |= {one.feature for task in every_task() for one in task.tails}
    assert wanted
    assert wanted <= known
