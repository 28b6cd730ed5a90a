"""Snapshots as Parquet files, a bucket and a cutoff at a time, so that memory does not grow with the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from ..language.moments import to_local
from .snapshot import Snapshots

HELD_BYTES = 256_000_000
"""Of a snapshot that may be on its way to the file while the next one is computed: memory is for one large one."""


def write_snapshots(
    snapshots: Snapshots, cutoffs: Sequence[datetime], folder: Path, *, with_target: bool = False
) -> list[Path]:
    """Write one file for each cutoff, `<folder>/cutoff=<local date>.parquet`; returns them in order of time.

    Where no feature needs everybody's events, one bucket of the data is at work at a time; rows are sorted by key
    within a bucket. Files have another name until they are whole, so that a killed run leaves none that is half.
    """
    data, ordered = snapshots.data, sorted(set(cutoffs))
    alone = snapshots.task.keys == (snapshots.task.entity,) and not snapshots.plan.fitted
    buckets: list[int | None] = [*range(data.buckets)] if alone and data.buckets > 1 else [None]
    files = [folder / f"{snapshot_name(cutoff, snapshots.zone)}.parquet" for cutoff in ordered]
    try:
        with _whole(files) as asides, ExitStack() as stack, ThreadPoolExecutor(1) as beside:
            writers: dict[Path, pq.ParquetWriter] = {}
            written: Future[None] | None = None  # while the next cutoff is computed
            for bucket in buckets:
                if bucket is not None:
                    data.register(bucket)
                population = snapshots.population(ordered, with_target=with_target)
                for aside, table in zip(asides, snapshots.by_cutoff(population, ordered), strict=True):
                    if aside not in writers:
                        writers[aside] = stack.enter_context(_writer(aside, table.schema))
                    if written is not None:
                        written.result()
                    written = beside.submit(writers[aside].write_table, table)
                    if table.nbytes > HELD_BYTES:
                        written.result()
            if written is not None:
                written.result()
    finally:
        if buckets != [None]:
            data.register()
    return files


def write_tables(tables: Mapping[str, pa.Table], folder: Path) -> list[Path]:
    """Write each table as `<folder>/<name>.parquet`; returns the files. None is there until all are whole."""
    files = [folder / f"{name}.parquet" for name in tables]
    with _whole(files) as asides:
        for aside, table in zip(asides, tables.values(), strict=True):
            pq.write_table(table, aside, compression="zstd")
    return files


def _writer(file: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Measurements hardly repeat: a dictionary of them takes a third longer to write, and more room."""
    repeated = [column.name for column in schema if not pa.types.is_floating(column.type)]
    return pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=repeated)


@contextmanager
def _whole(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Names to write under, beside the files; at the end they are renamed to the files."""
    asides = [file.with_name(f".{file.stem}.part") for file in files]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
    yield asides
    for aside, file in zip(asides, files, strict=True):
        aside.rename(file)


def snapshot_name(cutoff: datetime, zone: ZoneInfo) -> str:
    """The name of a cutoff's file."""
    return f"cutoff={to_local(cutoff, zone).date()}"
