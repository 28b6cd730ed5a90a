"""Who is in a universe as of a moment, which plans are known, and which rows meet requirements and target."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa
import pytest
from language.bench import TIME, UTC, day, events

from rapport.data.engine import DuckDBEngine
from rapport.language.declarations import (
    Column,
    Condition,
    Count,
    Distinct,
    GapMean,
    Over,
    Pairs,
    Planned,
    Requirement,
    Seen,
    Sum,
    Together,
)
from rapport.language.moments import SPINE, Moment, PerRow, Shared, with_edges
from rapport.language.population import compile_plans, compile_spine, compile_universe

TICK = timedelta(microseconds=1)
NOW = Shared(day(100), UTC)
CUSTOMER, PRODUCT = ("customer_id",), ("product",)
PLANS = Planned("plans", ("customer_id", "campaign_id"), at="starts_at", until="ends_at", carry=("kind",))


def universe(engine: DuckDBEngine, table: pa.Table, what: Seen | Pairs) -> list[tuple[object, ...]]:
    engine.add_table("events", table)
    tree = compile_universe(what, NOW, {"events": engine.columns("events")})
    rows = engine.arrow(tree).to_pylist()
    assert all(row.pop("cutoff") == day(100) for row in rows)
    return sorted(tuple(row.values()) for row in rows)


def test_seen_are_those_with_a_visible_event(engine: DuckDBEngine) -> None:
    table = events(
        {"customer_id": 1, "at": day(1)},
        {"customer_id": 1, "at": day(2)},
        {"customer_id": 2, "at": day(100)},
        {"customer_id": 3, "at": day(100) + TICK},
        {"customer_id": 4, "at": day(50), "known_at": day(101)},
        {"customer_id": None, "at": day(50)},
    )
    assert universe(engine, table, Seen("events", CUSTOMER)) == [(1,), (2,)]


def test_pairs_are_all_combinations(engine: DuckDBEngine) -> None:
    table = events(
        {"customer_id": 1, "at": day(1), "product": "tea"},
        {"customer_id": 2, "at": day(1), "product": "jam"},
        {"customer_id": 2, "at": day(1), "product": None},
        {"customer_id": 3, "at": day(101), "product": "pan"},
    )
    both = Pairs(Seen("events", CUSTOMER), Seen("events", PRODUCT))
    assert universe(engine, table, both) == [(1, "jam"), (1, "tea"), (2, "jam"), (2, "tea")]


# ------------------------------------------------------------------------------------------- plans
def plans(*rows: tuple[int | None, int, datetime, datetime]) -> pa.Table:
    """(customer, campaign, starts_at, known_at); each runs for 20 days."""
    fields = {"customer_id": pa.int64(), "campaign_id": pa.int64(), "starts_at": TIME, "known_at": TIME}
    table = pa.Table.from_pylist([dict(zip(fields, row, strict=True)) for row in rows], pa.schema(list(fields.items())))
    ends = pa.array([row[2] + timedelta(days=20) for row in rows], TIME)
    return table.append_column("ends_at", ends).append_column("kind", pa.array(["spring"] * len(rows)))


def planned(
    engine: DuckDBEngine, table: pa.Table, first: datetime, last: datetime, as_of: datetime | None
) -> list[tuple[object, ...]]:
    engine.add_table("plans", table)
    rows = engine.arrow(compile_plans(PLANS, first, last, as_of)).to_pylist()
    assert all(row["window_end"] == row["ends_at"] == row["starts_at"] + timedelta(days=20) for row in rows)
    return sorted((row["customer_id"], row["campaign_id"], row["cutoff"]) for row in rows)


def test_plans_to_learn_from_are_those_known_at_their_own_beginning(engine: DuckDBEngine) -> None:
    table = plans(
        (1, 7, day(10), day(5)),
        (2, 7, day(10), day(10)),
        (3, 7, day(10), day(10) + TICK),  # known too late
        (1, 8, day(30), day(5)),
        (1, 9, day(60), day(5)),  # begins after the last
        (1, 6, day(9), day(5)),  # begins before the first
        (None, 7, day(10), day(5)),  # a contact with a prospect
        (1, 7, day(10), day(6)),  # a second contact of the same campaign is no second row
    )
    found = planned(engine, table, day(10), day(30), None)
    assert found == [(1, 7, day(10)), (1, 8, day(30)), (2, 7, day(10))]


def test_plans_to_score_are_those_known_and_not_yet_begun(engine: DuckDBEngine) -> None:
    table = plans(
        (1, 7, day(100), day(50)),
        (1, 8, day(120), day(100)),
        (2, 8, day(120), day(100) + TICK),  # not known yet
        (1, 6, day(100) - TICK, day(50)),  # has begun
    )
    found = planned(engine, table, day(100), datetime(9999, 1, 1), day(100))
    assert found == [(1, 7, day(100)), (1, 8, day(100))]


def test_plans_are_chosen_by_what_was_planned(engine: DuckDBEngine) -> None:
    table = plans((1, 7, day(100), day(50)), (1, 8, day(100), day(50)))
    kinds = pa.array(["letter" if n == 7 else "call" for n in table["campaign_id"].to_pylist()])
    engine.add_table("plans", table.set_column(table.column_names.index("kind"), "kind", kinds))
    chosen = replace(PLANS, where=Column("kind").is_in("letter", "visit"))
    found = engine.arrow(compile_plans(chosen, day(1), day(200), None))
    assert found["campaign_id"].to_pylist() == [7]


# ------------------------------------------------------------------------------------------- requirements and target
def spine(
    engine: DuckDBEngine,
    moment: Moment,
    rows: dict[str, list[object]],
    requirements: list[Condition],
    target: Condition | None = None,
) -> list[dict[str, object]]:
    cutoffs = pa.array([day(100)] * len(rows["customer_id"]), TIME)
    offsets = [-w for c in requirements for w in c.measure.last if w] + ([target.measure.ahead or 0] if target else [])
    table = pa.table({"customer_id": pa.array(rows["customer_id"], pa.int64()), "cutoff": cutoffs})
    if "window_end" in rows:
        table = table.append_column("window_end", pa.array(rows["window_end"], TIME))
    engine.add_table(SPINE, with_edges(table, [offset for offset in offsets if offset], UTC))
    wanted = [Requirement("events", CUSTOMER, condition) for condition in requirements]
    goal = Requirement("events", CUSTOMER, target) if target is not None else None
    found = engine.arrow(compile_spine(wanted, goal, moment, {"events": engine.columns("events")}))
    return sorted(found.to_pylist(), key=lambda row: row["customer_id"])


LIVES = events(
    {"customer_id": 1, "at": day(10)},
    {"customer_id": 1, "at": day(99), "amount": 5},
    {"customer_id": 1, "at": day(110)},
    {"customer_id": 2, "at": day(44), "amount": 5},
    {"customer_id": 2, "at": day(128)},
    {"customer_id": 3, "at": day(44) + TICK, "amount": 0},
    {"customer_id": 3, "at": day(128) + TICK},
)


@pytest.mark.parametrize("moment", [NOW, PerRow()], ids=["shared", "per row"])
@pytest.mark.parametrize(
    ("requirements", "kept"),
    [
        ([], [1, 2, 3, 4]),
        ([Count(last=(56,)) > 0], [1, 3]),  # customer 2's last event lies exactly at the edge
        ([Count(last=(56,)) == 0], [2, 4]),
        ([Count() != 1], [1, 4]),
        ([Count(last=(56,)) > 0, Count() >= 2], [1]),
        ([Sum(column="amount") <= 0], [3, 4]),  # without events a sum is zero
        ([GapMean() > 1], [1]),  # without visits a gap is missing, and passes no test
        ([GapMean() <= 1], []),
        ([Distinct(column="product") == 0], [1, 2, 3, 4]),
    ],
    ids=str,
)
def test_requirements(engine: DuckDBEngine, moment: Moment, requirements: list[Condition], kept: list[int]) -> None:
    engine.add_table("events", LIVES)
    found = spine(engine, moment, {"customer_id": [1, 2, 3, 4]}, requirements)
    assert [row["customer_id"] for row in found] == kept


@pytest.mark.parametrize("moment", [NOW, PerRow()], ids=["shared", "per row"])
@pytest.mark.parametrize(
    ("target", "outcomes"),
    [(Count(ahead=28) == 0, [0, 0, 1, 1]), (Count(ahead=28) > 0, [1, 1, 0, 0]), (Count(ahead=9) > 0, [0, 0, 0, 0])],
    ids=str,
)
def test_targets(engine: DuckDBEngine, moment: Moment, target: Condition, outcomes: list[int]) -> None:
    engine.add_table("events", LIVES)
    found = spine(engine, moment, {"customer_id": [1, 2, 3, 4]}, [], target)
    assert [row["target"] for row in found] == outcomes


def test_a_target_until_each_rows_own_end(engine: DuckDBEngine) -> None:
    engine.add_table("events", LIVES)
    ends: list[object] = [day(110), day(128) - TICK, day(128) + TICK]
    rows: dict[str, list[object]] = {"customer_id": [1, 2, 3], "window_end": ends}
    found = spine(engine, PerRow(), rows, [], Count(until="window_end") > 0)
    assert [row["target"] for row in found] == [1, 0, 1]


def test_an_empty_spine(engine: DuckDBEngine) -> None:
    engine.add_table("events", LIVES)
    assert spine(engine, PerRow(), {"customer_id": []}, [Count(last=(56,)) > 0], Count(ahead=28) == 0) == []


@pytest.mark.parametrize("moment", [NOW, PerRow()], ids=["shared", "per row"])
def test_a_target_as_a_share_of_another_sum(engine: DuckDBEngine, moment: Moment) -> None:
    engine.add_table("events", events(*({"customer_id": who, "at": day(110), "amount": 10} for who in (1, 2, 3))))
    back = ((1, 110, 4), (2, 110, 3), (2, 128, 1), (2, 129, 50), (4, 110, 9))  # 4 bought nothing; 129 is too late
    rows = [{"customer_id": who, "at": day(when), "amount": amount} for who, when, amount in back]
    engine.add_table("returns", events(*rows))
    share = Requirement(
        "returns",
        CUSTOMER,
        Sum(column="amount", ahead=28) >= 0.4,
        over=Over("events", Sum(column="amount", ahead=28)),
    )
    assert goals(engine, moment, share, (28,)) == [1, 1, 0, 0]
    often = Requirement("returns", CUSTOMER, Count(ahead=28) > 1)
    assert goals(engine, moment, Together((share, often), at_least=2), (28,)) == [0, 1, 0, 0]
    assert goals(engine, moment, Together((share, often), at_least=1), (28,)) == [1, 1, 0, 0]
    anything = Requirement("returns", CUSTOMER, Count(ahead=28) > 0)
    nested = Together((Together((share, often), at_least=2), anything), at_least=1)
    assert goals(engine, moment, nested, (28,)) == [1, 1, 0, 1]


def goals(
    engine: DuckDBEngine, moment: Moment, target: Requirement | Together, offsets: tuple[int, ...]
) -> list[object]:
    table = pa.table({"customer_id": pa.array([1, 2, 3, 4]), "cutoff": pa.array([day(100)] * 4, TIME)})
    engine.add_table(SPINE, with_edges(table, offsets, UTC))
    columns = {name: engine.columns(name) for name in ("events", "returns")}
    found = engine.arrow(compile_spine((), target, moment, columns)).sort_by("customer_id")
    return list(found["target"].to_pylist())


def test_what_cannot_be_taken_together() -> None:
    none = Requirement("events", CUSTOMER, Count(ahead=28) == 0)
    some = Requirement("events", CUSTOMER, Count(ahead=28) > 0)
    other = Requirement("events", PRODUCT, Count(ahead=28) > 0)
    for parts, at_least, said in (((none, some), 1, "holds without any"), ((some, other), 1, "one and the same key")):
        with pytest.raises(ValueError, match=said):
            Together(parts, at_least)
    with pytest.raises(ValueError, match="cannot hold"):
        Together((some,), 2)
