"""A world as files: one Parquet file a table, and the folder `truth` beside them.

Blocks are lived in order, their rows cut into row groups of a fixed size: the bytes depend on customers, seed and
parameters alone. Everything is written into a hidden folder beside the target, which takes its place at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import ConfigError, OutputError
from .blocks import World, chosen, lived_blocks
from .market import campaign_tables
from .parameters import WorldConfig, world_config
from .products import affinities, product_table
from .records import market_table, people_table, turns_table
from .rows import Ids, Numbers
from .tables import block_tables

#: raised whenever the step changes, so that a truth is never read with another step than wrote it
STEP_VERSION = 3
ROW_GROUP = 262_144
Progress = Callable[[float, str], None]


def write_world(
    folder: str | Path,
    *,
    customers: int,
    seed: int,
    parameters: WorldConfig | dict[str, Any] | None = None,
    progress: Progress | None = None,
    threads: int = 2,
) -> Path:
    """Write a world of exactly so many customers into an empty or new folder; returns the folder.

    `progress(share, words)` is called now and then. Raises ConfigError, before anything is written, for impossible
    parameters, fewer customers than segments, or a folder that holds something; OutputError where it cannot be written.
    """
    config = world_config(parameters)
    target = Path(folder)
    _refuse(target, config, customers, seed, threads)
    world = World.of(config, customers, seed)
    blocks = lived_blocks(world, threads)
    try:
        if progress:
            progress(0.0, "living the first families; the first time on a machine, the step is compiled")
        first = next(blocks)
        if not first.customers.any():
            raise ConfigError("with these parameters nobody becomes a customer; raise prospecting or founders")
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            with Writers(hidden) as writers:
                _write_all(world, first, blocks, writers, progress)
            _write_constants(world, hidden)
            hidden.chmod(0o755)
            if target.exists():
                target.rmdir()
            os.replace(hidden, target)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
    except OSError as error:
        raise OutputError(f"the world cannot be written to {target}: {error.strerror or error}") from error
    finally:
        blocks.close()  # type: ignore[attr-defined]
    return target


def _refuse(target: Path, config: WorldConfig, customers: int, seed: int, threads: int) -> None:
    faults = []
    if customers < 1:
        faults.append(f"customers is {customers}; ask for at least one")
    elif config.segments > customers:
        faults.append(f"{config.segments} segments are more than {customers} customers; lower segments")
    if seed < 0:
        faults.append(f"the seed is {seed}; it must not be negative")
    if threads < 1:
        faults.append(f"threads is {threads}; it must be at least one")
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        faults.append(f"{target} is not an empty folder; name a new one")
    if faults:
        raise ConfigError("no world was written: " + "; ".join(faults))


def _write_all(world: World, first: Any, blocks: Any, writers: Writers, progress: Progress | None) -> None:
    numbers, block = Numbers(), first
    while True:
        kept = chosen(block, world.customers - numbers.customers)
        ids = Ids(block, kept, numbers)
        writers.add("truth/people", people_table(world, block, ids))
        writers.add("truth/turns", turns_table(world, block, ids))
        for name, table in block_tables(world, block, kept, numbers).items():
            writers.add(name, table)
        if progress:
            progress(numbers.customers / world.customers, f"{numbers.customers:,} customers")
        if numbers.customers >= world.customers:
            return
        block = next(blocks)


def _write_constants(world: World, folder: Path) -> None:
    campaigns, offers = campaign_tables(world.config, world.market, world.campaigns)
    tables = {"products": product_table(), "campaigns": campaigns, "offers": offers}
    tables |= {"truth/affinities": affinities(world.config.buying.extras), "truth/market": market_table(world)}
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", store_schema=False)
    described = {
        "step_version": STEP_VERSION,
        "customers": world.customers,
        "seed": world.seed,
        "parameters": world.config.model_dump(mode="json"),
    }
    (folder / "truth" / "world.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


class Writers:
    """Parquet files that grow by row groups of a fixed size, whatever the size of what is added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, pq.ParquetWriter] = {}
        self._waiting: dict[str, list[pa.Table]] = {}

    def __enter__(self) -> Writers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            for name in self._waiting:
                self._write(name, last=True)
        for writer in self._open.values():
            writer.close()

    def add(self, name: str, table: pa.Table) -> None:
        """Add rows to a table."""
        self._waiting.setdefault(name, []).append(_plain(table))
        if sum(len(part) for part in self._waiting[name]) >= ROW_GROUP:
            self._write(name)

    def _write(self, name: str, *, last: bool = False) -> None:
        table = pa.concat_tables(self._waiting[name])
        writer = self._open.get(name)
        if writer is None:
            path = self.folder / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = self._open[name] = pq.ParquetWriter(path, table.schema, store_schema=False)
        whole = len(table) if last else len(table) // ROW_GROUP * ROW_GROUP
        for start in range(0, whole, ROW_GROUP):
            part = table.slice(start, min(ROW_GROUP, whole - start)).combine_chunks()
            writer.write_table(part, row_group_size=ROW_GROUP)
        self._waiting[name] = [table.slice(whole)]


def _plain(table: pa.Table) -> pa.Table:
    """Dictionaries as strings: their codes must not depend on which block came first."""
    fields = [pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in table.schema]
    return table.cast(pa.schema(fields))
