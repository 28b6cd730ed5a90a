"""The parts of a result: Parquet files that are whole or not there, each with its checksum."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import ExitStack
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


def write_part(pieces: Iterable[pa.Table], folder: Path, bucket: int) -> Part:
    """Write a bucket's rows as Parquet (zstd), piece by piece: under a name of its own, synced, then renamed.

    There is at least one piece, which may be empty.
    """
    file = folder / part_name(bucket)
    aside = folder / f".{file.name}.{os.getpid()}"
    try:
        rows = _write(pieces, aside)
        part = Part(file.name, rows, aside.stat().st_size, _sum(aside))
        rename_synced(aside, file)
    finally:
        aside.unlink(missing_ok=True)
    return part


def write_content(content: bytes, folder: Path, name: str) -> Part:
    """Write a small file aside, synced and renamed."""
    aside = folder / f".{name}.{os.getpid()}"
    try:
        aside.write_bytes(content)
        rename_synced(aside, folder / name)
    finally:
        aside.unlink(missing_ok=True)
    return Part(name, 0, len(content), hashlib.sha256(content).hexdigest())


def checked(file: Path, rows: int) -> Part:
    """A file that lies there already, with its size and checksum."""
    return Part(file.name, rows, file.stat().st_size, _sum(file))


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


def _write(pieces: Iterable[pa.Table], file: Path) -> int:
    """Write row groups of about the same size, however long the pieces are; the number of rows."""
    total, waiting = 0, list[pa.Table]()
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for piece in pieces:
            writer = writer or stack.enter_context(pq.ParquetWriter(file, piece.schema, compression="zstd"))
            waiting.append(piece)
            total += piece.num_rows
            if sum(table.num_rows for table in waiting) >= ROWS_A_GROUP:
                writer.write_table(pa.concat_tables(waiting), ROWS_A_GROUP)
                waiting = []
        if writer is not None and waiting:
            writer.write_table(pa.concat_tables(waiting), ROWS_A_GROUP)
    return total


def _sum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
