"""Every measure on a handful of rows, with values that a reader computes by hand."""

from __future__ import annotations

import math
from typing import get_args

import pyarrow as pa
import pytest
from language.bench import How, day, events, measured, moment, one

from rapport.data.engine import DuckDBEngine
from rapport.language.declarations import (
    Column,
    Count,
    DaysSinceFirst,
    DaysSinceLast,
    DaysSinceNthLast,
    Distinct,
    FadingVisits,
    GapLargest,
    GapMean,
    GapMedian,
    GapSpread,
    Largest,
    Latest,
    Mean,
    Measure,
    Sum,
    TopShare,
    Visits,
)

NOW = day(100)

# Three visits: day 70 (two lines), day 80, day 95.5 (two lines at different seconds of one order).
ROWS = events(
    {"at": day(70), "amount": "1.10", "order_id": "a", "product": "tea", "line": "food"},
    {"at": day(70), "amount": "2.20", "order_id": "a", "product": "jam", "line": "food"},
    {"at": day(80), "amount": "6.00", "order_id": "b", "product": "tea", "line": "food"},
    {"at": day(95), "amount": None, "order_id": "c", "product": "pan", "line": "home"},
    {"at": day(95.5), "amount": "3.30", "order_id": "c", "product": None, "line": "home"},
)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Count(), 5),
        (Count(last=(5, 20, 21)), [1, 2, 3]),  # an event exactly at the edge is out
        (Count(where=Column("product") == "tea"), 2),
        (Count(where=Column("product") != "tea"), 2),  # a missing product is not known to be another
        (Count(where=(Column("line") == "food") & (Column("amount") > 2)), 2),
        (Count(where=Column("product").is_in("jam", "pan")), 2),
        (Visits(), 3),
        (Visits(last=(5, 20, 21)), [1, 1, 2]),
        (Visits(where=Column("product") == "tea"), 2),
        (Sum(column="amount"), 12.6),
        (Sum(column="amount", last=(4,)), 0.0),
        (Sum(column="amount", last=(6,), where=Column("product") == "pan"), 0.0),
        (Mean(column="amount"), 12.6 / 4),  # of the four with an amount
        (Mean(column="amount", last=(4,)), None),
        (Largest(column="amount"), 6.0),
        (Largest(column="amount", last=(20,)), 3.3),
        (DaysSinceLast(), 4.5),
        (DaysSinceLast(where=Column("product") == "tea"), 20.0),
        (DaysSinceFirst(), 30.0),
        (DaysSinceFirst(last=(21,)), 20.0),
        (DaysSinceNthLast(nth=1), 4.5),
        (DaysSinceNthLast(nth=2), 20.0),
        (DaysSinceNthLast(nth=3), 30.0),
        (DaysSinceNthLast(nth=4), None),
        (GapMean(), 12.75),  # 10 and 15.5 days
        (GapMean(last=(5,)), 15.5),  # the gap belongs to its later visit
        (GapMean(last=(4,)), None),
        (GapMedian(), 12.75),
        (GapLargest(), 15.5),
        (GapSpread(), math.sqrt(15.125)),  # each lies 2.75 from the mean: 2 * 2.75**2 / 1
        (GapSpread(last=(5,)), None),
        (Distinct(column="product"), 3),
        (Distinct(column="product", last=(20, 21)), [1, 2]),
        (TopShare(column="amount", of="line"), 9.3 / 12.6),
        (TopShare(column="amount", of="product"), 7.1 / 12.6),  # tea; what has no product counts in the total only
        (TopShare(column="amount", of="line", last=(4,)), None),
        (Latest(column="product"), "pan"),  # the last one that is known
        (Latest(column="line", last=(4,)), None),
        (Latest(column="amount"), 3.3),
    ],
    ids=str,
)
def test_by_hand(engine: DuckDBEngine, measure: Measure, expected: object) -> None:
    assert one(engine, ROWS, measure, NOW) == expected


def test_fading_visits(engine: DuckDBEngine) -> None:
    weights = (math.exp(-4.5 / 10), math.exp(-20 / 10), math.exp(-30 / 10))
    assert one(engine, ROWS, FadingVisits(fade=10), NOW) == pytest.approx(sum(weights), abs=2e-6)


def test_latest_of_equal_times_is_the_largest(engine: DuckDBEngine) -> None:
    rows = [{"at": day(9), "product": name} for name in ("b", "c", "a")]
    assert one(engine, events(*rows), Latest(column="product"), NOW) == "c"


# ------------------------------------------------------------------------------------------- what is a visit
def test_without_orders_a_visit_is_a_timestamp(engine: DuckDBEngine) -> None:
    table = events({"at": day(1)}, {"at": day(1)}, {"at": day(3)}, without=["order_id"])
    assert one(engine, table, Visits(), NOW) == 2
    assert one(engine, table, GapMean(), NOW) == 2.0


def test_rows_without_an_order_are_visits_by_their_timestamps(engine: DuckDBEngine) -> None:
    rows = [{"at": day(1), "order_id": "a"}, {"at": day(1)}, {"at": day(1)}, {"at": day(5)}]
    assert one(engine, events(*rows), Visits(), NOW) == 3
    assert one(engine, events(*rows), GapMean(), NOW) == 2.0  # no gap, and one of four days


def test_lines_at_one_time_of_two_orders_are_two_visits(engine: DuckDBEngine) -> None:
    table = events({"at": day(1), "order_id": "a"}, {"at": day(1), "order_id": "b"})
    assert one(engine, table, Visits(), NOW) == 2
    assert one(engine, table, GapMean(), NOW) == 0.0


def test_an_order_across_the_edge_counts_in_the_window_whatever_else_is_measured(engine: DuckDBEngine) -> None:
    """Its last line lies in the window, its first does not; other windows of the same group must not matter."""
    table = events({"at": day(89), "order_id": "a"}, {"at": day(91), "order_id": "a"})
    assert one(engine, table, Visits(last=(10,)), NOW) == 1
    assert one(engine, table, Visits(last=(10, None)), NOW) == [1, 1]
    together = {"visits": Visits(last=(10,)), "gap": GapMean(), "life": Visits()}
    for row in measured(engine, table, together, [NOW]).values():
        assert row["visits_10d"] == 1


def test_an_order_across_the_cutoff_ends_with_its_last_visible_line(engine: DuckDBEngine) -> None:
    table = events({"at": day(99), "order_id": "a"}, {"at": day(101), "order_id": "a"})
    assert one(engine, table, DaysSinceNthLast(nth=1), NOW) == one(engine, table, DaysSinceLast(), NOW) == 1.0


# ------------------------------------------------------------------------------------------- how small, how large
def test_gaps_of_a_second_and_of_a_century(engine: DuckDBEngine) -> None:
    rows = [{"at": moment("1900-01-01")}, {"at": moment("2020-01-01")}, {"at": moment("2020-01-01 00:00:01.9")}]
    century, second = 43829 * 86400, 1  # gaps are whole seconds
    assert one(engine, events(*rows), GapMean(), NOW) == (century + second) / 2 / 86400
    assert one(engine, events(*rows), GapSpread(), NOW) == (century - second) / math.sqrt(2) / 86400


def test_regular_gaps_have_no_spread_at_all(engine: DuckDBEngine) -> None:
    rows = [{"at": day(n * 7 + 0.1)} for n in range(13)]
    assert one(engine, events(*rows), GapSpread(), NOW) == 0.0


def test_times_below_a_second(engine: DuckDBEngine) -> None:
    table = events({"at": moment("2024-04-09 23:59:59.999999")}, {"at": moment("2024-04-10 00:00:00.000001")})
    assert one(engine, table, DaysSinceLast(), moment("2024-04-10")) == 1 / 8.64e10
    assert one(engine, table, Count(), moment("2024-04-10")) == 1


def test_tenths_add_up_exactly(engine: DuckDBEngine) -> None:
    table = events(*({"at": day(n), "amount": "0.1"} for n in range(30)))
    assert one(engine, table, Sum(column="amount"), NOW) == 3.0
    assert one(engine, table, Mean(column="amount"), NOW) == 0.1


def test_floating_numbers_are_summed_exactly_too(engine: DuckDBEngine) -> None:
    """In whatever order the rows come; what is beyond a million millions, or infinite, is held at that bound."""
    table = events(*({"at": day(n)} for n in range(40)))
    scores = [0.1, 0.2, 1e9, 0.7] * 10
    for order in (scores, sorted(scores), sorted(scores, reverse=True)):
        scored = table.append_column("score", pa.array(order))
        assert one(engine, scored, Sum(column="score"), NOW) == 10000000010.0
        assert one(engine, scored, Mean(column="score"), NOW) == 250000000.25
    beyond = table.slice(0, 2).append_column("score", pa.array([math.inf, -1e300]))
    assert one(engine, beyond, Sum(column="score"), NOW) == 0.0
    assert one(engine, beyond, Largest(column="score"), NOW) == math.inf


def test_a_share_needs_a_positive_total(engine: DuckDBEngine) -> None:
    back = events({"at": day(1), "amount": 5, "line": "food"}, {"at": day(2), "amount": -5, "line": "home"})
    assert one(engine, back, TopShare(column="amount", of="line"), NOW) is None


# ------------------------------------------------------------------------------------------- no history, one event
EVERY = {
    "count": Count(),
    "visits": Visits(),
    "sum": Sum(column="amount"),
    "distinct": Distinct(column="product"),
    "fading": FadingVisits(fade=30),
    "mean": Mean(column="amount"),
    "largest": Largest(column="amount"),
    "last": DaysSinceLast(),
    "first": DaysSinceFirst(),
    "nth": DaysSinceNthLast(nth=1),
    "gap": GapMean(),
    "median": GapMedian(),
    "pause": GapLargest(),
    "spread": GapSpread(),
    "share": TopShare(column="amount", of="line"),
    "latest": Latest(column="product"),
}
ZERO = {"count", "visits", "sum", "distinct", "fading"}


@pytest.mark.parametrize("how", get_args(How))
def test_without_events_counts_are_zero_and_all_else_is_missing(engine: DuckDBEngine, how: How) -> None:
    later = events({"at": day(101), "amount": 1})
    for table in (later, later.slice(0, 0)):
        (row,) = measured(engine, table, EVERY, [NOW], how=how).values()
        assert row == {f"{name}_life": 0 if name in ZERO else None for name in EVERY}


@pytest.mark.parametrize("how", get_args(How))
def test_one_event(engine: DuckDBEngine, how: How) -> None:
    table = events({"at": day(90), "amount": "2.5", "order_id": "a", "product": "tea", "line": "food"})
    (row,) = measured(engine, table, EVERY, [NOW], how=how).values()
    told = {"count": 1, "visits": 1, "sum": 2.5, "distinct": 1, "fading": round(math.exp(-1 / 3), 6), "mean": 2.5}
    told |= {"largest": 2.5, "last": 10.0, "first": 10.0, "nth": 10.0, "share": 1.0, "latest": "tea"}
    assert row == {f"{name}_life": told.get(name) for name in EVERY}


@pytest.mark.parametrize("how", get_args(How))
def test_events_without_an_owner_belong_to_nobody(engine: DuckDBEngine, how: How) -> None:
    table = events({"at": day(90), "customer_id": None}, {"at": day(91)})
    (row,) = measured(engine, table, {"n": Count(), "v": Visits()}, [NOW], how=how).values()
    assert row == {"n_life": 1, "v_life": 1}


def test_an_empty_spine_gives_no_row(engine: DuckDBEngine) -> None:
    assert measured(engine, ROWS, EVERY, [], how="per row") == {}
