"""From the sources to a `Dataset`: checked, converted, enriched, written as Parquet once, and used from there.

The canonical tables lie under `<home>/.cache/<config>/data-<key>/<table>/bucket-<k>.parquet`, where the key stands
for the data, their mapping and the code that converts them; the newest few of these folders are kept. Tables whose rows
belong to a customer or prospect are split into buckets by a hash of the id, which bounds the memory of later steps and
is the unit of their restart; the others are one file.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from sqlglot import exp

from ..config import Config
from ..errors import DataError
from .buckets import bucket_count, owner_of, write_table
from .checks import examine, forget_sources, with_needs, write_missing_world
from .contract import TABLES
from .dataset import Dataset, is_complete, load_dataset, observed_span
from .engine import DuckDBEngine, Engine, open_engine
from .enrich import enrich
from .files import folder_aside, write_aside
from .findings import CheckedTable
from .fingerprint import cache_key, contents_of, fingerprint
from .forgotten import Forgotten, read_forgotten, without_forgotten
from .locations import locate
from .mapping import sources_of
from .report import Report
from .sources import first_line

_KEPT = 4
Progress = Callable[[str], None]


def open_dataset(config: Config, engine: Engine | None = None, progress: Progress | None = None) -> Dataset:
    """The canonical tables of a configuration, known to the engine under their names.

    Whatever the engine, DuckDB checks and writes the tables. What was written before is used again if sources, mapping
    and code are the same; a killed run leaves nothing half.

    Raises DataError with every error that was found in the data.
    """
    say = progress or (lambda _: None)
    write_missing_world(config, say)
    own = engine or open_engine(config)
    try:
        with _for_ingest(config, own) as duckdb_engine:
            folder = _ingested(config, duckdb_engine, say)
        dataset = load_dataset(config, own, folder)
        _stop_at_errors(with_needs(config, dataset.report, dataset.columns))
    except BaseException:
        if engine is None:
            own.close()
        raise
    return dataset


@contextmanager
def _for_ingest(config: Config, engine: Engine) -> Iterator[DuckDBEngine]:
    """The engine itself where it can do it, else one for the time of the ingest."""
    if isinstance(engine, DuckDBEngine):
        yield engine
        return
    with DuckDBEngine(memory_limit=config.memory_limit, threads=config.threads) as own:
        yield own


def _ingested(config: Config, engine: DuckDBEngine, say: Progress) -> Path:
    """The folder of the canonical tables: as it was written before, or written now."""
    cache = config.home / ".cache" / config.name
    try:
        say("reading the sources")
        forgotten = read_forgotten(config)
        sums = _sums(config, engine, cache, forgotten)
        folder = cache / f"data-{cache_key(sums)}" if sums is not None else None
        if folder is None or not is_complete(folder):
            say("checking the data")
            quarantine = config.home / "quarantine" / config.name
            shutil.rmtree(quarantine, ignore_errors=True)
            tables, report = examine(config, engine, quarantine=quarantine)
            columns = {name: table.columns for name, table in tables.items()}
            _stop_at_errors(with_needs(config, report, columns))
            if sums is None or folder is None:  # a source came to light between the two looks at it
                raise DataError("a source was not there at first; run the command again")
            say("writing the tables")
            shutil.rmtree(folder, ignore_errors=True)
            _write(engine, config, tables, report, sums, folder, forgotten)
    except duckdb.Error as error:
        raise DataError(f"the data of {config.name} cannot be read: {first_line(error)}") from error
    finally:
        forget_sources(engine, config)
    os.utime(folder)
    _prune(cache)
    return folder


def _sums(config: Config, engine: DuckDBEngine, cache: Path, forgotten: Forgotten) -> str | None:
    """The fingerprint; None where a source cannot be opened (the checks will say so, with all else)."""
    used = set[str]().union(*(sources_of(mapping) for mapping in config.tables.values()))
    try:
        locations = [locate(name, text, config.folder) for name, text in config.sources.items() if name in used]
        return fingerprint(config, contents_of(engine, locations, cache, config), forgotten.digest)
    except (DataError, duckdb.Error, OSError):
        return None


def _prune(cache: Path) -> None:
    """Remove the data folders that were used longest ago, so that a job on growing data does not fill the disk."""
    folders = sorted(cache.glob("data-*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in folders[_KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)


def _stop_at_errors(report: Report) -> None:
    if report.errors:
        faults = "\n".join(fault.text() for fault in report.errors)
        raise DataError(f"{report.summary()}\n{faults}")


def _write(
    engine: DuckDBEngine,
    config: Config,
    tables: dict[str, CheckedTable],
    report: Report,
    sums: str,
    folder: Path,
    forgotten: Forgotten,
) -> None:
    rich = {name: enrich(engine, name, tables, config) for name in TABLES if name in tables}
    rich = without_forgotten(engine, rich, forgotten)
    buckets = bucket_count((report.rows or {}).get("transactions", 0))
    with folder_aside(folder) as aside:
        files = {
            name: write_table(engine, view, owner_of(engine, name, view), buckets, aside / name)
            for name, view in rich.items()
        }
        first, last = observed_span(
            engine, config, {name: exp.table_(view, quoted=True) for name, view in rich.items()}
        )
        manifest = {
            "fingerprint": sums,
            "buckets": buckets,
            "tables": {
                name: {
                    "columns": engine.columns(view),
                    "attributes": list(tables[name].attributes),
                    "files": [file.name for file in files[name]],
                }
                for name, view in rich.items()
            },
            "first_event": first.isoformat(),
            "observed_until": last.isoformat(),
            "report": report.as_json(),
        }
        write_aside(aside / "dataset.json", json.dumps(manifest, indent=1))
