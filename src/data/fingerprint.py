"""What the data are, as one number that is the same on every machine: sha256 of contents and mapping.

Neither paths nor times of change count. Reading whole files for that is done once: their sums are remembered with
size and time of change, in `files.json` of the cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from sqlglot import exp

from ..config import Config
from .convert import sql
from .engine import DuckDBEngine
from .files import write_aside
from .locations import Location, view_name
from .sources import open_source

Memory = dict[str, list[int | str]]


def fingerprint(config: Config, contents: dict[str, str], forgotten: str = "") -> str:
    """Sum over the contents of the sources that are used and everything that decides how they are read.

    `forgotten` stands for the customers who are left out.
    """
    tables = {name: mapping.model_dump(mode="json") for name, mapping in sorted(config.tables.items())}
    until = config.observed_until.isoformat() if config.observed_until is not None else None
    parts = [contents, tables, config.time_zone, config.strict, until, *([forgotten] if forgotten else [])]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def cache_key(data: str) -> str:
    """Name of what ingest writes: the fingerprint of the data and the code that converts them."""
    total = hashlib.sha256(data.encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        total.update(file.read_bytes())
    return total.hexdigest()[:16]


def contents_of(engine: DuckDBEngine, locations: Iterable[Location], cache: Path, config: Config) -> dict[str, str]:
    """The sum of each source: of its files' bytes, or of its rows (in any order) for a database."""
    memory_file = cache / "files.json"
    memory: Memory = json.loads(memory_file.read_text()) if memory_file.is_file() else {}
    before = json.dumps(memory)
    sums = {location.name: _content(engine, location, memory, config) for location in locations}
    if json.dumps(memory) != before:
        write_aside(memory_file, json.dumps(memory, indent=1))
    return sums


def _content(engine: DuckDBEngine, location: Location, memory: Memory, config: Config) -> str:
    if location.kind in ("parquet", "csv"):
        sums = sorted(_remembered(file, str(file), memory, partial(_sum_of_file, file)) for file in location.files)
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()
    if location.kind == "duckdb":
        file = location.files[0]
        key = f"{file}#{location.schema}.{location.table}"
        if not Path(f"{file}.wal").exists():  # what lies in it is not yet in the file
            return _remembered(file, key, memory, partial(_sum_of_rows, engine, location, config))
    return _sum_of_rows(engine, location, config)


def _remembered(file: Path, key: str, memory: Memory, compute: Callable[[], str]) -> str:
    state = file.stat()
    known = memory.get(key)
    if known is None or known[:2] != [state.st_size, state.st_mtime_ns]:
        memory[key] = known = [state.st_size, state.st_mtime_ns, compute()]
    return str(known[2])


def _sum_of_file(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sum_of_rows(engine: DuckDBEngine, location: Location, config: Config) -> str:
    open_source(engine, location, config)
    view = view_name(location.name)
    total = sql("sum(md5_number_lower(CAST(r AS TEXT)))", r=exp.column("r"))
    tree = exp.select(sql("count(*)"), exp.cast(total, "text")).from_(exp.table_(view, quoted=True, alias="r"))
    row = list(engine.arrow(tree).to_pylist()[0].values())
    return hashlib.sha256(json.dumps([engine.columns(view), row]).encode()).hexdigest()
