"""The data against the contract: every fault in one go, found by the engine, with counts, examples and remedies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from sqlglot import exp

from ..config import Config
from ..errors import DataError
from .clock import local_to_utc
from .contract import TABLES, task_needs
from .convert import sql
from .engine import DuckDBEngine
from .locations import locate, near
from .mapping import map_table
from .report import Fault, Report
from .rules import Rule, absurd_rule, duplicate_rule, reference_rule, row_rules
from .sources import first_line, open_source
from .typed import TypedTable, id_types, type_table

_EXAMPLES = 3


@dataclass(frozen=True)
class CheckedTable:
    """A table whose rows keep the contract: the engine's view of them, its columns and its attributes."""

    view: str
    columns: tuple[str, ...]
    attributes: tuple[str, ...]


def check(config: Config, engine: DuckDBEngine | None = None, *, now: datetime | None = None) -> Report:
    """Hold the configured data against the contract; never raises for what is wrong with them.

    `now` is naive UTC (default: the machine's clock). Nothing is written.
    """
    own = engine or DuckDBEngine(memory_limit=config.memory_limit, threads=config.threads)
    try:
        tables, report = examine(config, own, now=now)
        columns = {name: table.columns for name, table in tables.items()}
        return with_needs(config, report, columns)
    finally:
        forget_sources(own)
        if engine is None:
            own.close()


def examine(
    config: Config, engine: DuckDBEngine, *, now: datetime | None = None, quarantine: Path | None = None
) -> tuple[dict[str, CheckedTable], Report]:
    """Open the sources, map, convert and check every table; define the views `checked.<table>` of the good rows.

    With `strict: false`, rows with an error are left out of those views, written to `quarantine` where that is given,
    and reported as warnings. What the tasks need is not looked at here (see `with_needs`).
    """
    now = now or datetime.now(UTC).replace(tzinfo=None)
    opened, faults = _open_sources(config, engine)
    mapped, notes, rows = {}, list[str](), dict[str, int]()
    for name in config.tables:
        if name not in TABLES:
            remedy = f"use one of: {', '.join(TABLES)}{near(name, TABLES)}"
            faults.append(Fault("error", name, None, "the contract has no such table", remedy))
    for name in TABLES:
        mapping = config.tables.get(name)
        if mapping is None or (mapping.source is not None and mapping.source in config.sources.keys() - opened):
            continue
        table, found = map_table(engine, name, mapping, opened)
        faults += found
        if table is not None:
            mapped[name] = table
    integers, id_notes = id_types(mapped)
    notes += id_notes
    checked = dict[str, CheckedTable]()
    until = local_to_utc(config.observed_until, config.zone) if config.observed_until is not None else None
    for name, table in mapped.items():
        try:
            typed, found = type_table(engine, table, config, integers)
            faults += found
            notes += typed.notes
            rows[name], rules = _broken_rules(engine, typed, checked, now, until)
            faults += _as_faults(engine, typed, rules, config.strict)
            checked[name] = _keep(engine, typed, rules, config.strict, quarantine)
        except duckdb.Error as error:
            remedy = f"correct `tables.{name}` or its source"
            faults.append(Fault("error", name, None, f"cannot be read: {first_line(error)}", remedy))
    return checked, Report(config.name, tuple(faults), rows, tuple(notes))


def with_needs(config: Config, report: Report, columns: Mapping[str, Iterable[str]]) -> Report:
    """The report with what the configured tasks miss: tables, columns, rows."""
    faults, rows = list(report.faults), report.rows or {}
    tried = {fault.table for fault in report.errors}
    needed = set[str]()
    for task, needs in task_needs(config).items():
        for need in needs:
            needed.add(need.table)
            if need.table not in columns:
                if need.table not in config.tables:
                    what = f"the task {task} needs this table, and it is not mapped"
                    remedy = f"map it under `tables`, or leave {task} out of `tasks`{near(need.table, config.tables)}"
                    faults.append(Fault("error", need.table, None, what, remedy))
                continue
            for column in need.columns:
                if column not in columns[need.table] and need.table not in tried:
                    what = f"the task {task} needs this column, and it is not mapped"
                    remedy = f"map it under `tables.{need.table}.columns`, or leave {task} out of `tasks`"
                    faults.append(Fault("error", need.table, column, what, remedy))
    for table, count in rows.items():
        if count == 0:
            severity = "error" if table in needed else "warning"
            faults.append(Fault(severity, table, None, "the table is empty", "look at its source", 0))  # type: ignore[arg-type]
    return Report(report.config, tuple(faults), report.rows, report.notes)


def forget_sources(engine: DuckDBEngine) -> None:
    """Drop the views and copies that checks and ingest made on the way, and close the databases they read."""
    engine.forget("source", "query", "mapped", "typed", "marked", "checked", "rich", "file")


# ------------------------------------------------------------------------------------------- steps
def _open_sources(config: Config, engine: DuckDBEngine) -> tuple[list[str], list[Fault]]:
    opened, faults = list[str](), list[Fault]()
    for name, text in config.sources.items():
        try:
            open_source(engine, locate(name, text, config.folder))
            opened.append(name)
        except DataError as error:
            used = [table for table, mapping in config.tables.items() if mapping.source == name]
            remedy = f"correct `sources.{name}` in the configuration"
            faults.append(Fault("error", ", ".join(used) or "(no table)", None, str(error), remedy))
    return opened, faults


def _broken_rules(
    engine: DuckDBEngine,
    typed: TypedTable,
    checked: Mapping[str, CheckedTable],
    now: datetime,
    until: datetime | None,
) -> tuple[int, list[tuple[Rule, int]]]:
    """Number of rows, and each rule that some rows break with how many of them do."""
    rules = list(row_rules(typed, now, until))
    parents = {name: table.view for name, table in checked.items()} | {typed.table.name: typed.view}
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


def _as_faults(
    engine: DuckDBEngine, typed: TypedTable, broken: Iterable[tuple[Rule, int]], strict: bool
) -> list[Fault]:
    faults = list[Fault]()
    for rule, count in broken:
        severity, what = rule.severity, rule.what
        if severity == "error" and not strict:
            severity, what = "warning", f"{rule.what} (set aside, as `strict: false` says)"
        examples = _examples(engine, typed, rule)
        faults.append(Fault(severity, typed.table.name, rule.column, what, rule.remedy, count, examples))
    return faults


def _examples(engine: DuckDBEngine, typed: TypedTable, rule: Rule) -> tuple[Mapping[str, str | None], ...]:
    """Up to three rows that break a rule, as text: what identifies them, and what is wrong."""
    table = typed.table
    telling = dict.fromkeys((*table.key, *table.entity, table.event, rule.column or ""))
    names = [name for name in telling if name in typed.columns and f"raw {name}" not in rule.shown]
    shown = [*names, *(name for name in rule.shown if name not in names)]
    columns = [exp.cast(exp.column(name, quoted=True), "text") for name in shown]
    aliased = [
        exp.alias_(column, name.removeprefix("raw "), quoted=True) for name, column in zip(shown, columns, strict=True)
    ]
    found = exp.select("*", exp.alias_(rule.test.copy(), "is broken", quoted=True)).from_(
        exp.table_(typed.view, quoted=True)
    )
    tree = exp.select(*aliased).from_(found.subquery("f")).where(exp.column("is broken", quoted=True))
    tree = tree.order_by(*(exp.Literal.number(i + 1) for i in range(len(shown)))).limit(_EXAMPLES)
    return tuple(engine.arrow(tree).to_pylist())


def _keep(
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
