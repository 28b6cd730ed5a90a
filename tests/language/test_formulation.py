"""Which formulation the compiler picks: segments where the loop would read the same events again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pytest
from language.bench import UTC, day, events, measured

from rapport.data.engine import DuckDBEngine
from rapport.language.declarations import Column, Count, Distinct, Feature, GapMean, Group, Measure, Sum
from rapport.language.formulation import PlannedPart, plan_group

COLUMNS = {"events": {"customer_id": "BIGINT", "at": "TIMESTAMP", "amount": "DECIMAL(18,6)", "product": "VARCHAR"}}
MONTHLY = [day(400 + 30 * month) for month in range(6)]


def planned(what: Measure, cutoffs: Sequence[datetime], group: Group | None = None) -> PlannedPart:
    group = group or Group("events", ("customer_id",), ())
    group = replace(group, features=(Feature("f_{window}", what, definition=""),))
    (part,) = plan_group(group, cutoffs, UTC, COLUMNS, first_event=day(0))
    return part


@pytest.mark.parametrize("what", [Count(), Sum(column="amount"), Distinct(column="product"), GapMean(last=(365,))])
def test_many_cutoffs_over_the_same_events_make_segments(what: Measure) -> None:
    assert planned(what, MONTHLY).formulation == "segments"
    assert "times" in planned(what, MONTHLY).why


@pytest.mark.parametrize("cutoffs", [MONTHLY[:1], MONTHLY])
def test_events_that_are_read_once_anyhow_are_looped_over(cutoffs: list[datetime]) -> None:
    assert planned(Count(last=(30,)), cutoffs).formulation == "loop"
    assert planned(Count(), MONTHLY[:1]).formulation == "loop"


def test_what_looks_ahead_or_at_plans_is_looped_over() -> None:
    assert planned(Count(ahead=30), MONTHLY).formulation == "loop"
    assert planned(Count(), MONTHLY, Group("events", ("customer_id",), (), planned=True)).formulation == "loop"


def test_single_values_of_one_column_share_a_reduction() -> None:
    wanted = [Feature(f"n_{k}", Count(where=Column("product") == k), definition="") for k in ("tea", "jam", "rye")]
    for count, plan in ((2, "direct"), (3, "values")):
        group = Group("events", ("customer_id",), tuple(wanted[:count]))
        (part,) = plan_group(group, MONTHLY, UTC, COLUMNS, first_event=day(0))
        assert (part.kind.plan, len(part.members)) == (plan, count)


def test_more_pieces_than_a_number_has_bits(engine: DuckDBEngine) -> None:
    rows = [{"at": day(number * 1.5), "product": f"p{number % 7}"} for number in range(90)]
    table: pa.Table = events(*rows)
    cutoffs = [day(20 + number) for number in range(70)]
    what = {"distinct": Distinct(column="product", last=(3, 10, None))}
    assert measured(engine, table, what, cutoffs, how="segments") == measured(engine, table, what, cutoffs)


def test_a_row_known_late_and_a_visit_across_a_cutoff_change_the_gaps(engine: DuckDBEngine) -> None:
    """At the first cutoff the visit of day 5 is not known and the order b has its first line only."""
    rows = events(
        {"at": day(1), "order_id": "a"},
        {"at": day(5), "order_id": "late", "known_at": day(15)},
        {"at": day(9), "order_id": "b"},
        {"at": day(13), "order_id": "b"},
    )
    found = measured(engine, rows, {"gap": GapMean()}, [day(10), day(20)], how="segments")
    assert [row["gap_life"] for row in found.values()] == [8.0, 6.0]
