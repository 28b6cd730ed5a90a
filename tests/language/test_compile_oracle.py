"""Random events, every measure, all formulations: equal to the slow oracle, to the bit where that is promised.

Times crowd around the edges of windows, at the change of the clocks; several lines fall on one time, rows are late,
values and orders are missing.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from language.bench import SCHEMA, measured
from language.oracle import days_before, value

from rapport.data.engine import DuckDBEngine
from rapport.language.declarations import (
    Column,
    Commonest,
    CommonestShare,
    Count,
    DaysSinceFirst,
    DaysSinceLast,
    DaysSinceNthLast,
    DaysUntil,
    Distinct,
    EffectiveNumber,
    FadingVisits,
    GapLargest,
    GapMean,
    GapMedian,
    GapShape,
    GapSpread,
    Largest,
    Latest,
    Mean,
    Measure,
    NewValues,
    Sum,
    TopShare,
    Visits,
)
from rapport.language.moments import midnight

LAST = (7, 30, None)
TEA, DEAR = Column("product") == "tea", Column("amount") > 1
MEASURES: dict[str, Measure] = {
    "count": Count(last=LAST),
    "count_dear": Count(last=LAST, where=DEAR),
    "count_tea": Count(last=(30,), where=TEA & DEAR),
    "visits": Visits(last=LAST),
    "visits_tea": Visits(last=LAST, where=TEA),
    "sum": Sum(column="amount", last=LAST),
    "sum_tea": Sum(column="amount", last=LAST, where=TEA),
    "mean": Mean(column="amount", last=LAST),
    "largest": Largest(column="amount", last=LAST),
    "last": DaysSinceLast(last=LAST),
    "last_tea": DaysSinceLast(where=TEA),
    "first": DaysSinceFirst(last=LAST),
    "until": DaysUntil(column="term", last=LAST),
    "nth": DaysSinceNthLast(nth=2, last=LAST),
    "gap": GapMean(last=LAST),
    "gap_tea": GapMean(last=LAST, where=TEA),
    "median": GapMedian(last=LAST),
    "pause": GapLargest(last=LAST),
    "spread": GapSpread(last=LAST),
    "shape": GapShape(last=LAST),
    "fading": FadingVisits(fade=20, last=LAST),
    "distinct": Distinct(column="product", last=LAST),
    "new": NewValues(column="product", last=LAST),
    "new_dear": NewValues(column="product", last=(30,), where=DEAR),
    "effective": EffectiveNumber(column="product", last=LAST),
    "commonest": Commonest(column="product", last=LAST),
    "commonest_share": CommonestShare(column="product", last=LAST),
    "commonest_amount": Commonest(column="amount", where=TEA),
    "share": TopShare(column="amount", of="product", last=LAST),
    "latest": Latest(column="product", last=LAST),
    "latest_amount": Latest(column="amount", where=TEA),
    "count_jam": Count(last=LAST, where=Column("product") == "jam"),
    "sum_its": Sum(column="amount", last=(30,), where=Column("product") == "it's"),
    "last_jam": DaysSinceLast(last=(30,), where=Column("product") == "jam"),
    "mean_jam": Mean(column="amount", where=(Column("product") == "jam")),
}
SHORT: dict[str, Measure] = {  # without a measure over life, events are cut at the longest window
    "count": Count(last=(7, 30)),
    "visits": Visits(last=(7, 30)),
    "distinct": Distinct(column="product", last=(30,)),
    "new": NewValues(column="product", last=(7, 30)),
    "effective": EffectiveNumber(column="product", last=(7,)),
    "share": TopShare(column="amount", of="product", last=(7,)),
    "nth": DaysSinceNthLast(nth=2, last=(30,)),
    "gap": GapMean(last=(7,), where=TEA),
}
AHEAD = ({"count": Count(ahead=28)}, {"sum": Sum(column="amount", ahead=7, where=TEA)}, {"visits": Visits(ahead=28)})
CLOSE = {"fading": 0, "effective": 1e-5, "shape": 1e-2}  # logs and weights are rounded to millionths

# Mondays after a change of the clocks, and one without
PLACES = [
    ("America/New_York", datetime(2024, 3, 11), datetime(2024, 11, 4)),
    ("Australia/Sydney", datetime(2024, 4, 8), datetime(2024, 10, 7)),
    ("Asia/Shanghai", datetime(2024, 3, 11), datetime(2024, 11, 4)),
]


CUSTOMERS = 60


def world(seed: int, lacks: tuple[str, ...]) -> tuple[ZoneInfo, list[datetime], list[dict[str, Any]]]:
    """A zone, two cutoffs, and up to 16 events of each customer, at few times, so that events share them."""
    random = Random(seed)
    name, *days = random.choice(PLACES)
    zone = ZoneInfo(name)
    cutoffs = [midnight(day.date(), zone) for day in days]
    edges = [days_before(cutoff, window, zone) for cutoff in cutoffs for window in (0, 7, 30, -7, -28)]

    def any_time() -> datetime:
        if random.random() < 0.7:
            return random.choice(edges) + timedelta(microseconds=random.choice([-1, 0, 0, 1, 1_500_000, 10**11]))
        return datetime(2023, 10, 1) + timedelta(microseconds=random.randrange(38 * 10**12))

    rows = []
    for customer in range(CUSTOMERS):
        times = [any_time() for _ in range(random.randint(1, 7))]
        for _ in range(random.randint(0, 16)):
            row = {
                "customer_id": customer if random.random() < 0.98 else None,
                "at": random.choice(times),
                "amount": random.choice([None, Decimal(random.randint(-2000, 5000)) / 100, Decimal("0.1")]),
                "order_id": random.choice([None, "a", "b"]),
                "product": random.choice([None, "tea", "tea", "jam", "it's"]),
                "line": None,
                "term": random.choice([None, *times]),
                "known_at": random.choice([None, None, *times]),
            }
            rows.append({name: cell for name, cell in row.items() if name not in lacks})
    random.shuffle(rows)
    return zone, cutoffs, rows


def table_of(rows: list[dict[str, Any]], lacks: tuple[str, ...]) -> pa.Table:
    return pa.Table.from_pylist(rows, pa.schema([(n, t) for n, t in SCHEMA.items() if n not in lacks]))


@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10**6), lacks=st.sampled_from([(), ("order_id",), ("known_at",), ("order_id", "known_at")]))
def test_all_formulations_equal_the_oracle(engine: DuckDBEngine, seed: int, lacks: tuple[str, ...]) -> None:
    zone, cutoffs, rows = world(seed, lacks)
    of_customer = defaultdict(list)
    for row in rows:
        of_customer[row["customer_id"]].append(row)
    table, keys = table_of(rows, lacks), range(CUSTOMERS + 1)
    for measures in (MEASURES, SHORT, *AHEAD):
        shared = measured(engine, table, measures, cutoffs, zone=zone, keys=keys)
        for how in ("per row", "segments"):
            assert measured(engine, table, measures, cutoffs, zone=zone, keys=keys, how=how) == shared
        for (key, cutoff), found in shared.items():
            for name, measure in measures.items():
                for window in measure.last:
                    column = f"{name}_{'life' if window is None else f'{window}d'}"
                    expected = value(measure, of_customer[key], cutoff, window, zone)
                    if name in CLOSE and expected is not None:
                        expected = pytest.approx(expected, rel=CLOSE[name], abs=1e-6)
                    elif isinstance(expected, Decimal):
                        expected = float(expected)
                    assert found[column] == expected, f"{column} at {cutoff} of {of_customer[key]}"


@pytest.mark.parametrize("threads", [1, 3])
def test_neither_the_order_of_rows_nor_threads_matter(engine: DuckDBEngine, threads: int) -> None:
    zone, cutoffs, rows = world(7, ())
    keys = range(CUSTOMERS)
    first = measured(engine, table_of(rows, ()), MEASURES, cutoffs, zone=zone, keys=keys)
    with DuckDBEngine(memory_limit="500MB", threads=threads) as other:
        shuffled = table_of(Random(1).sample(rows, len(rows)), ())
        assert measured(other, shuffled, MEASURES, cutoffs, zone=zone, keys=keys) == first


def test_sums_over_many_rows_are_equal_to_the_bit_with_any_threads() -> None:
    """Enough rows that several threads share them, and cents that no double holds exactly."""
    rows = 300_000
    table = pa.table(
        {
            "customer_id": pa.array([i * 7 % 3 for i in range(rows)]),
            "at": pa.array([1_700_000_000_000_000 + i * 1_000_003 for i in range(rows)], pa.timestamp("us")),
            "amount": pa.array([i * 7919 % 100_003 / 100 for i in range(rows)]).cast(pa.decimal128(18, 6)),
            "product": pa.array([f"p{i * 31 % 977}" for i in range(rows)]),
        }
    )
    measures = {name: MEASURES[name] for name in ("sum", "mean", "spread", "fading", "share", "distinct")}
    answers = []
    for threads in (1, 4):
        with DuckDBEngine(memory_limit="500MB", threads=threads) as engine:
            some = table if threads == 1 else pa.concat_tables([table.slice(rows // 2), table.slice(0, rows // 2)])
            answers.append(measured(engine, some, measures, [datetime(2023, 11, 17)], keys=(0, 1, 2)))
    assert answers[0] == answers[1]
    assert answers[0][0, datetime(2023, 11, 17)]["sum_life"] > 1e6
