"""Small sqlglot expressions that the compiler and the population share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, reduce

from sqlglot import exp

from .declarations import Conjunction, Predicate

COMPARISONS = {"==": exp.EQ, "!=": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE}
MICROSECONDS_A_DAY = "8.64e10"
_MOST = "999999999999"  # what a decimal of 18 digits with six places holds
ZERO, ONE = exp.Literal.number(0), exp.Literal.number(1)


def predicates(where: Predicate | Conjunction | None) -> tuple[Predicate, ...]:
    """The single predicates of a condition on events, which may be none."""
    if where is None:
        return ()
    return where.parts if isinstance(where, Conjunction) else (where,)


def conditions(where: Predicate | Conjunction | None) -> list[exp.Expression]:
    """The predicates as SQL."""
    tests: list[exp.Expression] = []
    for predicate in predicates(where):
        column = exp.column(predicate.column)
        if predicate.operator == "in":
            assert isinstance(predicate.value, tuple)
            tests.append(exp.In(this=column, expressions=[exp.convert(value) for value in predicate.value]))
        else:
            tests.append(COMPARISONS[predicate.operator](this=column, expression=exp.convert(predicate.value)))
    return tests


def case_when(test: exp.Expression, value: exp.Expression) -> exp.Expression:
    """The value where the test holds, else missing."""
    return exp.Case(ifs=[exp.If(this=test, true=value)])


def equal(left: exp.Expression, right: exp.Expression) -> exp.Expression:
    """Left = right."""
    return exp.EQ(this=left, expression=right)


def filtered(aggregate: exp.Expression, tests: Sequence[exp.Expression]) -> exp.Expression:
    """An aggregate over the rows that meet all conditions."""
    if not tests:
        return aggregate
    return exp.Filter(this=aggregate, expression=exp.Where(this=exp.and_(*tests)))


def of_somebody(keys: Sequence[str]) -> list[exp.Expression]:
    """Rows without a key belong to nobody: a contact with a prospect has no customer."""
    return [exp.Not(this=exp.Is(this=exp.column(key), expression=exp.Null())) for key in keys]


def known(value: exp.Expression) -> exp.Expression:
    """That a value is not missing."""
    return exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))


def total(column: str, type_name: str) -> exp.Expression:
    """The sum of a column; that of floating-point numbers runs over decimals of six places, so that it is exact."""
    value = exp.column(column)
    if type_name not in ("DOUBLE", "FLOAT"):
        return exp.Sum(this=value)
    least, most = exp.Neg(this=exp.Literal.number(_MOST)), exp.Literal.number(_MOST)
    bounded = exp.Greatest(this=exp.Least(this=value, expressions=[most]), expressions=[least])
    return exp.Sum(this=typed(bounded, "decimal(18, 6)"))


@cache
def _type(name: str) -> exp.DataType:
    return exp.DataType.build(name)


def typed(value: exp.Expression, name: str) -> exp.Expression:
    """A copy of a value, cast to a type; `exp.cast` reads the type's name anew each time."""
    return exp.Cast(this=value.copy(), to=_type(name).copy())


def number(value: exp.Expression) -> exp.Expression:
    """As a double."""
    return typed(value, "double")


def wide(value: exp.Expression) -> exp.Expression:
    """As an integer of 128 bits: squares of seconds outgrow 64 bits after a century."""
    return typed(value, "int128")


def is_number(type_name: str) -> bool:
    """True for the engine's names of integers, decimals and floats, false for what only contains such a name."""
    return (
        re.match(r"(U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|DECIMAL|NUMERIC|FLOAT|DOUBLE|REAL)(\(.*\))?$", type_name)
        is not None
    )


def is_time(type_name: str) -> bool:
    """True for the engine's names of dates and timestamps."""
    return type_name.startswith(("DATE", "TIMESTAMP"))


def plain(value: exp.Expression, type_name: str) -> exp.Expression:
    """A value of a type that is kept (text, BIGINT, DOUBLE), or as the number or text that stands for it."""
    if type_name in ("VARCHAR", "BIGINT", "DOUBLE"):
        return value
    return typed(value, "double" if is_number(type_name) else "text")


def div(left: exp.Expression, right: exp.Expression) -> exp.Expression:
    """Left / right."""
    return exp.Div(this=left, expression=right)


def ratio(numerator: exp.Expression, denominator: exp.Expression) -> exp.Expression:
    """A division of doubles that is missing where the divisor is zero."""
    return div(number(numerator), exp.Nullif(this=number(denominator), expression=ZERO.copy()))


def micros(value: exp.Expression) -> exp.Expression:
    """Microseconds since 1970."""
    return exp.Anonymous(this="EPOCH_US", expressions=[value])


def days(earlier: exp.Expression, later: exp.Expression) -> exp.Expression:
    """Days between two timestamps, with fractions."""
    difference = exp.paren(exp.Sub(this=micros(later), expression=micros(earlier)))
    return div(difference, exp.Literal.number(MICROSECONDS_A_DAY))


def seconds(earlier: exp.Expression, later: exp.Expression) -> exp.Expression:
    """Whole seconds between two timestamps, as an integer: their sums are exact."""
    difference = exp.paren(exp.Sub(this=micros(later), expression=micros(earlier)))
    return exp.IntDiv(this=difference, expression=exp.Literal.number(1_000_000))


def missing_share(values: Sequence[exp.Expression]) -> exp.Expression:
    """The share of the values that are missing."""
    absent = [
        exp.Case(ifs=[exp.If(this=exp.Is(this=value, expression=exp.Null()), true=ONE.copy())], default=ZERO.copy())
        for value in values
    ]
    return ratio(exp.paren(reduce(lambda a, b: exp.Add(this=a, expression=b), absent)), exp.Literal.number(len(values)))
