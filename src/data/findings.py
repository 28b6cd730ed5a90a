"""Which rules a table breaks, shown as faults with counts and examples; and the rows that keep them all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlglot import exp

from .convert import sql
from .engine import DuckDBEngine
from .report import Fault
from .rules import Rule, absurd_rule, duplicate_rule, reference_rule, row_rules
from .typed import TypedTable

_EXAMPLES = 3


@dataclass(frozen=True)
class CheckedTable:
    """A table whose rows keep the contract: the engine's view of them, its columns and its attributes."""

    view: str
    columns: tuple[str, ...]
    attributes: tuple[str, ...]


def broken_rules(
    engine: DuckDBEngine,
    typed: TypedTable,
    checked: Mapping[str, str],
    now: datetime,
    until: datetime | None,
) -> tuple[int, list[tuple[Rule, int]]]:
    """Number of rows, and each rule that some rows break with how many of them do.

    `checked` maps the tables that were checked before to their views; `now` and `until` as in `row_rules`.
    """
    rules = list(row_rules(typed, now, until))
    parents = {**checked, typed.table.name: typed.view}
    for name in typed.columns:
        column = typed.table[name]
        if column.references is not None:
            rule = reference_rule(typed, column, parents)
            rules += [] if rule is None else [rule]
    view = exp.table_(typed.view, quoted=True)
    medians = [name for name in typed.columns if name == "amount"]
    selected = [sql("count(*)")] + [sql("count_if(t)", t=rule.test) for rule in rules]
    usual = "approx_quantile(CASE WHEN x > 0 AND NOT isinf(x) THEN x END, 0.5)"
    selected += [sql(usual, x=exp.column(name, quoted=True)) for name in medians]
    aliased = [exp.alias_(tree, f"c{number}") for number, tree in enumerate(selected)]
    row = list(engine.arrow(exp.select(*aliased).from_(view)).to_pylist()[0].values())
    rows, counts, middle = row[0], row[1 : 1 + len(rules)], row[1 + len(rules) :]
    broken = [(rule, int(count)) for rule, count in zip(rules, counts, strict=True) if count]
    for name, median in zip(medians, middle, strict=True):
        if median:
            rule = absurd_rule(name, median)
            count = engine.arrow(exp.select(sql("count(*)")).from_(view).where(rule.test)).column(0)[0].as_py()
            broken += [(rule, count)] if count else []
    key = tuple(name for name in typed.table.key if name in typed.columns)
    if key:
        count = _duplicates(engine, typed, key)
        others = [rule.test for rule, _ in broken if rule.severity == "error"]
        parts = (sql("coalesce(b, false)", b=exp.or_(*others)),) if others else ()
        broken += [(duplicate_rule(typed, key, parts), count)] if count else []
    return rows, broken


def _duplicates(engine: DuckDBEngine, typed: TypedTable, key: tuple[str, ...]) -> int:
    """Number of rows that share their key with another one (rows without a key are another fault)."""
    columns = [exp.column(name, quoted=True) for name in key]
    groups = (
        exp.select(exp.alias_(sql("count(*)"), "n"))
        .from_(exp.table_(typed.view, quoted=True))
        .where(sql("x IS NOT NULL", x=columns[0]))
        .group_by(*columns)
        .having(sql("count(*) > 1"))
    )
    count = engine.arrow(exp.select(sql("coalesce(sum(n), 0)")).from_(groups.subquery("g"))).column(0)[0].as_py()
    return int(count)


def as_faults(engine: DuckDBEngine, typed: TypedTable, broken: Iterable[tuple[Rule, int]], strict: bool) -> list[Fault]:
    """The broken rules as faults; where rows with errors are set aside, their faults are warnings."""
    faults = list[Fault]()
    for rule, count in broken:
        severity, what = rule.severity, rule.what
        if rule.alone and rule.column:
            what += f": {_distinct(engine, typed, rule):,} of them"
        if severity == "error" and not strict:
            severity, what = "warning", f"{what} (set aside, as `strict: false` says)"
        examples = _examples(engine, typed, rule)
        faults.append(Fault(severity, typed.table.name, rule.column, what, rule.remedy, count, examples))
    return faults


def _distinct(engine: DuckDBEngine, typed: TypedTable, rule: Rule) -> int:
    count = sql("count(DISTINCT x)", x=exp.column(rule.column, quoted=True))
    tree = exp.select(count).from_(exp.table_(typed.view, quoted=True)).where(rule.test.copy())
    return int(engine.arrow(tree).column(0)[0].as_py())


def _examples(engine: DuckDBEngine, typed: TypedTable, rule: Rule) -> tuple[Mapping[str, str | None], ...]:
    """Up to three rows that break a rule, as text: what identifies them, and what is wrong."""
    table = typed.table
    telling = dict.fromkeys(
        (*table.key, *table.entity, table.event, rule.column or "") if not rule.alone else (rule.column,)
    )
    names = [name for name in telling if name in typed.columns and f"raw {name}" not in rule.shown]
    shown = [*names, *(name for name in rule.shown if name not in names)]
    columns = [_as_text(typed, name) for name in shown]
    aliased = [
        exp.alias_(column, name.removeprefix("raw "), quoted=True) for name, column in zip(shown, columns, strict=True)
    ]
    found = exp.select("*", exp.alias_(rule.test.copy(), "is broken", quoted=True)).from_(
        exp.table_(typed.view, quoted=True)
    )
    tree = exp.select(*aliased).distinct().from_(found.subquery("f")).where(exp.column("is broken", quoted=True))
    tree = tree.order_by(*(exp.Literal.number(i + 1) for i in range(len(shown)))).limit(_EXAMPLES)
    return tuple(engine.arrow(tree).to_pylist())


def _as_text(typed: TypedTable, name: str) -> exp.Expression:
    text = exp.cast(exp.column(name, quoted=True), "text")
    is_time = name in typed.columns and typed.table[name].type == "timestamp"
    return exp.DPipe(this=text, expression=exp.Literal.string(" UTC")) if is_time else text


def keep_good_rows(
    engine: DuckDBEngine,
    typed: TypedTable,
    broken: Iterable[tuple[Rule, int]],
    strict: bool,
    quarantine: Path | None,
) -> CheckedTable:
    """Define `checked.<table>`: the canonical columns of the rows without an error."""
    name, view = typed.table.name, f"checked.{typed.table.name}"
    errors = [rule for rule, _ in broken if rule.severity == "error"]
    kept = exp.select(*(exp.column(column, quoted=True) for column in (*typed.columns, *typed.attributes)))
    if strict or not errors:
        engine.define(view, kept.from_(exp.table_(typed.view, quoted=True)))
        return CheckedTable(view, typed.columns, typed.attributes)
    reason = exp.Case()
    for rule in errors:
        reason = reason.when(rule.test.copy(), exp.Literal.string(f"{rule.column or name}: {rule.what}"))
    marked = exp.select("*", exp.alias_(reason, "reason", quoted=True)).from_(exp.table_(typed.view, quoted=True))
    engine.define(f"marked.{name}", marked)
    source = exp.table_(f"marked.{name}", quoted=True)
    engine.define(view, kept.from_(source).where(sql("reason IS NULL")))
    if quarantine is not None:
        quarantine.mkdir(parents=True, exist_ok=True)
        engine.write(exp.select("*").from_(source).where(sql("reason IS NOT NULL")), quarantine / f"{name}.parquet")
    return CheckedTable(view, typed.columns, typed.attributes)
