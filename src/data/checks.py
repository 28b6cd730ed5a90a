"""The data against the contract: every fault in one go, found by the engine, with counts, examples and remedies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import duckdb
from sqlglot import exp

from ..config import Config
from ..errors import DataError
from .clock import local_to_utc, utc_to_local
from .contract import EVENT_TABLES, TABLES, task_needs
from .engine import DuckDBEngine
from .findings import CheckedTable, as_faults, broken_rules, keep_good_rows
from .lake import forget_copies
from .locations import locate, near
from .mapping import map_table, sources_of
from .report import Fault, Report
from .schema import Severity
from .sources import first_line, open_source
from .typed import id_types, type_table

_SILENCE = timedelta(days=7)


def check(config: Config, engine: DuckDBEngine | None = None, *, now: datetime | None = None) -> Report:
    """Hold the configured data against the contract; never raises for what is wrong with them.

    `now` is naive UTC (default: the machine's clock). Nothing is written but a simulated world that is not there yet.
    """
    write_missing_world(config, lambda _: None)
    own = engine or DuckDBEngine(memory_limit=config.memory_limit, threads=config.threads)
    try:
        tables, report = examine(config, own, now=now)
        columns = {name: table.columns for name, table in tables.items()}
        return with_needs(config, report, columns)
    finally:
        forget_sources(own, config)
        if engine is None:
            own.close()


def write_missing_world(config: Config, say: Callable[[str], None]) -> None:
    """Write the simulated world of a configuration that has one, unless it is there; ConfigError for another one."""
    if config.world is not None:
        from .world.project import project_world  # compiles: only who simulates waits for that

        project_world(config, say)


def examine(
    config: Config, engine: DuckDBEngine, *, now: datetime | None = None, quarantine: Path | None = None
) -> tuple[dict[str, CheckedTable], Report]:
    """Open the sources, map, convert and check every table; define the views `checked.<table>` of the good rows.

    With `strict: false`, rows with an error are left out of those views, written to `quarantine` where that is given,
    and reported as warnings. What the tasks need is not looked at here (see `with_needs`).
    """
    now = now or datetime.now(UTC).replace(tzinfo=None)
    until = local_to_utc(config.observed_until, config.zone) if config.observed_until is not None else None
    opened, faults = _open_sources(config, engine)
    mapped, notes, rows = {}, list[str](), dict[str, int]()
    for name in config.tables:
        if name not in TABLES:
            remedy = f"use one of: {', '.join(TABLES)}{near(name, TABLES)}"
            faults.append(Fault("error", name, None, "the contract has no such table", remedy))
    for name in TABLES:
        mapping = config.tables.get(name)
        if mapping is None or any(source in config.sources and source not in opened for source in sources_of(mapping)):
            continue
        table, found = map_table(engine, name, mapping, config.sources)
        faults += found
        if table is not None:
            mapped[name] = table
    integers, id_notes = id_types(mapped)
    notes += id_notes
    checked = dict[str, CheckedTable]()
    for name, table in mapped.items():
        try:
            typed, found = type_table(engine, table, config, integers)
            faults += found
            notes += typed.notes
            parents = {parent: done.view for parent, done in checked.items()}
            rows[name], rules = broken_rules(engine, typed, parents, _end_of_today(now, config), until)
            faults += as_faults(engine, typed, rules, config.strict)
            checked[name] = keep_good_rows(engine, typed, rules, config.strict, quarantine)
        except duckdb.Error as error:
            remedy = f"correct `tables.{name}` or its source"
            faults.append(Fault("error", name, None, f"cannot be read: {first_line(error)}", remedy))
    faults += _structure(config, checked)
    faults += _observation(engine, checked, until, now)
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
            severity: Severity = "error" if table in needed else "warning"
            faults.append(Fault(severity, table, None, "the table is empty", "look at its source"))
    return Report(report.config, tuple(faults), report.rows, report.notes)


def forget_sources(engine: DuckDBEngine, config: Config) -> None:
    """Drop the views and copies that checks and ingest made on the way, and close the databases they read."""
    forget_copies(config)
    engine.forget("source", "query", "mapped", "typed", "marked", "checked", "rich", "file")


# ------------------------------------------------------------------------------------------- steps
def _open_sources(config: Config, engine: DuckDBEngine) -> tuple[list[str], list[Fault]]:
    """The names of the sources that could be opened; those that no table uses are not."""
    users: dict[str, list[str]] = {name: [] for name in config.sources}
    for table, mapping in config.tables.items():
        for source in sources_of(mapping) & users.keys():
            users[source].append(table)
    opened, faults = list[str](), list[Fault]()
    for name, tables in users.items():
        remedy = f"correct `sources.{name}` in the configuration"
        if not tables:
            what = f"no table uses the source '{name}'"
            faults.append(Fault("warning", "sources", name, what, "map a table to it, or take it out"))
            continue
        try:
            open_source(engine, locate(name, config.sources[name], config.folder), config)
            opened.append(name)
        except DataError as error:
            faults.append(Fault("error", ", ".join(sorted(tables)), None, str(error), remedy))
    return opened, faults


def _end_of_today(now: datetime, config: Config) -> datetime:
    """An event of today, known by its date alone, lies at the end of the day: not yet in the future."""
    tomorrow = datetime.combine(utc_to_local(now, config.zone).date() + timedelta(days=1), time())
    return local_to_utc(tomorrow, config.zone)


def _structure(config: Config, checked: Mapping[str, CheckedTable]) -> Iterator[Fault]:
    """Tables that cannot be used without another one."""
    if "responses" in checked and "contacts" not in config.tables:
        what = "nobody knows whose the responses are, because contacts are not mapped"
        yield Fault("error", "responses", "contact_id", what, "map `contacts` too, or leave responses out")
    if "contacts" in checked and "at" not in checked["contacts"].columns and "campaigns" not in config.tables:
        what = "the column is not mapped, and there are no campaigns whose start could stand for it"
        yield Fault("error", "contacts", "at", what, "map `at`, or the table `campaigns`")


def _observation(
    engine: DuckDBEngine, checked: Mapping[str, CheckedTable], until: datetime | None, now: datetime
) -> Iterator[Fault]:
    """A configured end of the world that the data do not reach makes everybody look as if he had left."""
    if until is None:
        return
    last = datetime.min
    for name in EVENT_TABLES:
        if name in checked and "at" in checked[name].columns:
            tree = exp.select("max(at) AS last").from_(exp.table_(checked[name].view, quoted=True))
            last = max(last, engine.arrow(tree).to_pylist()[0]["last"] or last)
    remedy = "set `observed_until` to the time up to which the data are complete, or leave it out"
    if until > now:
        yield Fault("error", "observed_until", None, "it lies in the future", remedy)
    elif last > datetime.min and until - last > _SILENCE:
        what = f"it lies {(until - last).days} days after the last event ({last:%Y-%m-%d %H:%M} UTC)"
        yield Fault("warning", "observed_until", None, what, remedy)
