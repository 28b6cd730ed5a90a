"""What can be declared, and what is refused before it could do harm."""

from __future__ import annotations

import pytest
from language.bench import day, events, one

from rapport.data.engine import DuckDBEngine
from rapport.language.declarations import (
    Column,
    Condition,
    Conjunction,
    Count,
    Population,
    Predicate,
    Requirement,
    Seen,
    Sum,
    Visits,
)

CUSTOMER = ("customer_id",)


def test_one_window_or_several() -> None:
    assert Count(last=30).last == (30,)  # type: ignore[arg-type]
    assert Count(last=(7, None)).last == (7, None)
    assert Count().last == (None,)


@pytest.mark.parametrize(
    ("windows", "complaint"),
    [
        ({"last": (0,)}, "positive"),
        ({"last": (-7,)}, "positive"),
        ({"last": ()}, "at least one window"),
        ({"ahead": 0}, "positive"),
        ({"ahead": 28, "until": "ends_at"}, "not both"),
        ({"ahead": 28, "last": (7,)}, "ahead or back"),
        ({"until": "ends_at", "last": (7,)}, "ahead or back"),
    ],
)
def test_windows_that_cannot_be(windows: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Count(**windows)  # type: ignore[arg-type]


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
def test_every_comparison_of_a_measure_is_a_condition(operator: str) -> None:
    condition = eval(f"Count(last=(56,)) {operator} 3")
    assert isinstance(condition, Condition)
    assert (condition.measure.last, condition.operator, condition.value) == ((56,), operator, 3)


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
def test_every_comparison_of_a_column_is_a_predicate(operator: str) -> None:
    assert eval(f"Column('a') {operator} 3") == Predicate("a", operator, 3)  # type: ignore[arg-type]


def test_predicates_join() -> None:
    a, b, c = Column("a") == 1, Column("b") == 2, Column("c") == 3
    assert a & b & c == Conjunction((a, b, c)) == a & (b & c)


def test_predicates_refuse_what_python_would_lose() -> None:
    """`a and b` would quietly be b; `1 < column < 3` would quietly be its second half."""
    a, b = Column("a") == 1, Column("b") == 2
    with pytest.raises(TypeError, match="joined with `&`"):
        bool(a and b)
    with pytest.raises(TypeError, match="joined with `&`"):
        assert not a
    with pytest.raises(TypeError, match="joined with `&`"):
        (a & b) or b
    with pytest.raises(TypeError, match="joined with `&`"):
        1 < Column("a") < 3  # noqa: B015


def test_eligibility_cannot_look_ahead() -> None:
    with pytest.raises(ValueError, match="cannot look ahead"):
        Population(Seen("transactions", CUSTOMER), (Requirement("transactions", CUSTOMER, Count(ahead=28) > 0),))


@pytest.mark.parametrize("value", ["it's", 'a "b"', "{value}", "%", "a;--", "\\", "Nürnberg", ""])
def test_values_are_compared_as_they_stand(engine: DuckDBEngine, value: str) -> None:
    table = events({"at": day(1), "product": value}, {"at": day(2), "product": "other"}, {"at": day(3)})
    assert one(engine, table, Count(where=Column("product") == value), day(9)) == 1
    assert one(engine, table, Count(where=Column("product").is_in(value, "x")), day(9)) == 1


@pytest.mark.parametrize("name", ["select", "order", "user", "end", "Group", "a b", 'a"b'])
def test_columns_may_have_any_name(engine: DuckDBEngine, name: str) -> None:
    table = events({"at": day(1), "amount": 2, "product": "tea"}, {"at": day(2), "amount": 3})
    table = table.rename_columns([name if column == "product" else column for column in table.column_names])
    assert one(engine, table, Count(where=Column(name) == "tea"), day(9)) == 1
    assert one(engine, table, Visits(where=Column(name) == "tea"), day(9)) == 1
    assert one(engine, table, Sum(column="amount", where=Column(name) == "tea"), day(9)) == 2.0
