"""The parts of a result: Parquet files that are whole or not there, each with its checksum."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .durable import rename_synced

ROWS_A_GROUP = 100_000


@dataclass(frozen=True)
class Part:
    """One file of a result: name, rows, size in bytes and sha256."""

    file: str
    rows: int
    bytes: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def part_name(bucket: int) -> str:
    """File name of a bucket's part."""
    return f"part-{bucket:03d}.parquet"


def write_part(rows: pa.Table, folder: Path, bucket: int) -> Part:
    """Write a bucket's rows as Parquet (zstd): under a name of its own, synced, then renamed."""
    file = folder / part_name(bucket)
    aside = folder / f".{file.name}.{os.getpid()}"
    try:
        pq.write_table(rows, aside, compression="zstd", row_group_size=ROWS_A_GROUP)
        part = Part(file.name, rows.num_rows, aside.stat().st_size, _sum(aside))
        rename_synced(aside, file)
    finally:
        aside.unlink(missing_ok=True)
    return part


def fault_of(folder: Path, part: Part, schema: pa.Schema | None = None) -> str | None:
    """What is wrong with a part as it lies in the folder, in words; None where it is as it was written.

    With `schema`, the columns and types must be those.
    """
    file = folder / part.file
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        return f"{part.file} is missing"
    if size < part.bytes:
        return f"{part.file} is cut short ({size:,} of {part.bytes:,} bytes)"
    if _sum(file) != part.sha256:
        return f"{part.file} was changed since it was written"
    if schema is not None:
        found = pq.read_schema(file)
        if not found.equals(schema):
            return f"{part.file} has other columns than the manifest says"
    return None


def _sum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
