"""The battery itself: a good block of one's own passes with one line, each kind of fault is named, values travel."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from small_project import good_tables, write_project

from rapport.data.ingest import open_dataset
from rapport.features.battery import (
    assert_defined,
    assert_point_in_time,
    assert_same_everywhere,
    battery,
    engine,
    every_task,
    train,
)
from rapport.features.battery_data import ENRICHED, PRODUCTS, made_up_company
from rapport.features.battery_spoil import LATER, WAYS, known_since, spoil, spoil_outside
from rapport.features.battery_words import assert_described
from rapport.features.blocks import BLOCKS
from rapport.language.declarations import (
    Block,
    Column,
    Count,
    DaysSinceLast,
    Feature,
    Fitted,
    Group,
    Latest,
    Ratio,
    Visible,
)

CUSTOMER = ("customer_id",)
CHURN, _, PROSPECTS, *_ = every_task()
COMPLAINTS = Feature(
    "own_complaints_{window}",
    Count(last=(90, None), where=Column("kind") == "complaint"),
    definition="complaints in {period}",
    unit="count",
    family="complaints",
    words="complained {value} times in {period}; typically {typical}",
)
SINCE = Feature(
    "own_days_since_visit_by_channel",
    DaysSinceLast(where=Column("channel") == "web"),
    definition="days since the last purchase on the web",
    unit="days",
    family="where he buys",
    words="last bought on the web {value} ago",
)
RATE = Feature(
    "own_complaints_a_contact",
    Ratio("own_complaints_life", "contacts_life"),
    definition="complaints over contacts",
    unit="share",
    family="complaints",
    words="complained {own_complaints_life} times after {contacts_life} contacts",
)
OWN = Block("own", (Group("interactions", CUSTOMER, (COMPLAINTS,)), Group("transactions", CUSTOMER, (SINCE,))), (RATE,))

test_a_block_of_ones_own_passes = battery(OWN)


def counted(table: str, key: str) -> Group:
    """The number of events of a table by key."""
    feature = replace(COMPLAINTS, name=f"own_{table}_{{window}}", what=Count(last=(90, None)), definition=table)
    return Group(table, (key,), (feature,))


def test_dates_of_tables_are_events_like_others() -> None:
    dates = ("acquisitions", "referrals", "subscription_starts", "subscription_ends")
    block = Block("own", (*(counted(table, "customer_id") for table in dates), counted("arrivals", "prospect_id")))
    for task in (CHURN, PROSPECTS):
        assert_point_in_time(task, [block], ways=("deleted",))


# ------------------------------------------------------------------------------------------- faults are named
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "Own Complaints {window}"}, "small letters"),
        ({"name": "visits_{window}"}, "features of the same name: visits_90d, visits_life"),
        ({"definition": ""}, "no definition"),
        ({"definition": "complaints in {periode}"}, "still holds a field"),
        ({"words": ""}, "no words"),
        ({"words": "complained often"}, "name no value"),
        (
            {"words": "{value} of {visit_90d}"},
            "name visit_90d, which is no feature",
        ),
        ({"family": "how_often"}, "not plain words"),
        ({"kind": "category"}, "a category has no unit"),
    ],
)
def test_what_a_reader_would_miss_is_named(change: dict[str, Any], complaint: str) -> None:
    block = Block("own", (Group("interactions", CUSTOMER, (replace(COMPLAINTS, **change),)),))
    with pytest.raises(AssertionError, match=complaint):
        assert_described([block])


def test_a_block_that_no_task_can_use_is_named() -> None:
    block = Block("own", (Group("products", ("product_id",), (replace(COMPLAINTS, name="own_{window}"),)),))
    with pytest.raises(AssertionError, match="no task has the keys of own"):
        battery(block)()


def test_a_wrong_kind_is_named() -> None:
    latest = Feature("own_latest", Latest(column="channel"), "latest", words="{value}", family="latest")
    with pytest.raises(AssertionError, match="own_latest of block own is a number and came as string"):
        assert_defined(CHURN, [Block("own", (Group("transactions", CUSTOMER, (latest,)),))])


def test_an_infinite_value_is_named() -> None:
    fitted = Feature("own_fitted", None, "fitted", words="{value}", family="fitted")

    def compute(visible: Visible, spine: pa.Table) -> list[Any]:
        return [np.full(spine.num_rows, np.inf)]

    with pytest.raises(AssertionError, match="own_fitted of block own is inf"):
        assert_defined(CHURN, [Block("own", fitted=(Fitted(CUSTOMER, (fitted,), (), compute),))])


def test_a_value_that_depends_on_the_order_of_rows_is_named() -> None:
    fitted = Feature("own_fitted", None, "fitted", words="{value}", family="fitted")

    def compute(visible: Visible, spine: pa.Table) -> list[Any]:
        first = visible.engine.connection.sql("SELECT customer_id FROM transactions LIMIT 1").fetchall()  # type: ignore[attr-defined]
        return [np.full(spine.num_rows, float(first[0][0] or 0))]

    with pytest.raises(AssertionError, match=r"shuffled rows.*own_fitted \(block own\)"):
        assert_same_everywhere(CHURN, [Block("own", fitted=(Fitted(CUSTOMER, (fitted,), (), compute),))])


# ------------------------------------------------------------------------------------------- the made-up company
def test_the_company_is_the_same_each_time_and_hard_on_features() -> None:
    company, tick = made_up_company(), timedelta(microseconds=1)
    assert {
        name: table.equals(made_up_company().tables[name]) for name, table in company.tables.items()
    } == dict.fromkeys(company.tables, True)
    rows = {name: table.to_pylist() for name, table in company.tables.items()}
    purchases = rows["transactions"]
    times = [row["at"] for row in purchases]
    assert any(at in company.cutoffs for at in times)
    assert any(at - tick in company.cutoffs for at in times)
    assert len(set(times)) < len(times)  # ties
    assert any(row["known_at"] and row["at"] <= company.cutoffs[0] < row["known_at"] for row in purchases)
    assert any(row["known_at"] and row["known_at"] <= company.cutoffs[0] < row["at"] for row in purchases)
    for column in ("customer_id", "order_id", "product_id", "category", "amount", "channel"):
        missing = [row for row in purchases if row[column] is None]
        assert bool(missing) == (column != "amount")
    assert any(row["known_at"] <= company.cutoffs[0] < row["at"] for row in rows["contacts"])
    assert any(row["starts_at"] < row["known_at"] for row in rows["contacts"])
    known = {row["category"] for row in purchases if row["at"] <= company.cutoffs[0]}
    assert {row["category"] for row in purchases} - known == {"new"}
    assert PRODUCTS > 6


def test_every_column_is_that_of_ingested_data(tmp_path: Path) -> None:
    """What ingest adds to a table is there, and types are those that ingest writes."""
    tables = good_tables()
    tables["products"] |= {"line": ["food", "food"], "tier": ["dear", "plain"], "price": [1.0, 2.0]}
    tables["contacts"]["contact_id"], tables["responses"]["contact_id"] = [1, 2, 3], [1, 3]
    times = tables["transactions"]["at"][:1]
    tables["interactions"] = {"customer_id": [1], "at": times, "kind": ["survey"], "score": [0.5]}
    with engine() as opened, engine() as ours:
        ingested = open_dataset(write_project(tmp_path, tables), opened).columns
        made_up = made_up_company().dataset(ours).columns
    for name, columns in ingested.items():
        types = {column: kind for column, kind in columns.items() if column != "region"}  # an attribute
        assert types.items() <= made_up[name].items()
        assert set(types) >= set(ENRICHED.get(name, {})) - {"prospect_id", "offer_id", "channel"}


@pytest.mark.parametrize("way", WAYS)
def test_spoiling_keeps_what_is_known_and_hides_the_rest(way: str) -> None:
    company = made_up_company()
    cutoff = company.cutoffs[0]
    spoilt = spoil(company.tables, cutoff, way)  # type: ignore[arg-type]
    changed = 0
    for name, table in company.tables.items():
        late = {column for _, columns in LATER.get(name, ()) for column in columns}

        def known(table: pa.Table, name: str = name, late: set[str] = late) -> list[str]:
            rows = [row for row in table.to_pylist() if known_since(name, row) <= cutoff]
            return sorted(str({key: cell for key, cell in row.items() if key not in late}) for row in rows)

        assert known(table) == known(spoilt[name])
        changed += not table.sort_by(table.column_names[0]).equals(spoilt[name].sort_by(table.column_names[0]))
    assert changed >= 8


@pytest.mark.parametrize("way", WAYS)
def test_spoiling_outside_keeps_what_happened_inside(way: str) -> None:
    company = made_up_company()
    cutoff, end = company.cutoffs
    spoilt = spoil_outside(company.tables, cutoff, end, way)  # type: ignore[arg-type]
    for name in ("transactions", "responses"):
        before, after = (
            sorted(str(row) for row in tables[name].to_pylist() if cutoff < row["at"] <= end)
            for tables in (company.tables, spoilt)
        )
        assert before == after
        assert not company.tables[name].equals(spoilt[name])


# ------------------------------------------------------------------------------------------- other machines
SCRIPT = """
import sys
from rapport.features.battery import every_task, train
from rapport.features.battery_data import made_up_company
from rapport.features.blocks import BLOCKS
import hashlib, datetime
company = made_up_company(sys.argv[1])
for task in every_task()[:1]:
    table = train(task, list(BLOCKS.values()), company).table
    print(task.name, table.num_rows, hashlib.sha256(repr(table.to_pydict()).encode()).hexdigest())
print(datetime.datetime(2024, 1, 1).astimezone().utcoffset())
"""


def test_the_machines_time_zone_does_not_matter() -> None:
    """Other processes on machines in New York and Shanghai: the same features, of a business in Sydney."""
    answers = {}
    for zone in ("America/New_York", "Asia/Shanghai"):
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT, "Australia/Sydney"],
            env={**os.environ, "TZ": zone, "PYTHONHASHSEED": str(len(zone))},
            capture_output=True,
            text=True,
            check=True,
        )
        *features, offset = run.stdout.splitlines()
        answers[offset] = features
    assert set(answers) == {"-1 day, 19:00:00", "8:00:00"}
    first, second = answers.values()
    assert first == second
    assert len(first) == 1


def test_a_session_in_another_zone_does_not_matter() -> None:
    """Timestamps have no zone, so that a session's zone cannot shift them."""

    def elsewhere(**settings: int) -> Any:
        opened = engine(**settings)
        opened.connection.execute("SET TimeZone = 'America/New_York'")
        return opened

    company, blocks = made_up_company("Asia/Shanghai"), list(BLOCKS.values())
    assert train(CHURN, blocks, company, elsewhere).table.equals(train(CHURN, blocks, company).table)
