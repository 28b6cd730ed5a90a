"""The manifest of a result: what it is, its parts with rows and checksums, and a digest of itself.

It is the last file that a job writes; a folder without one is no result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..errors import OutputError
from ..models.base import json_bytes
from .job import Job
from .parts import Part, fault_of, write_content

MANIFEST = "_manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """What a finished job published.

    `columns` are (name, Arrow type) in order, `scored_at` the job's start (UTC), `profile` the file that describes the
    population.
    """

    job: Job
    scored_at: datetime
    columns: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    profile: Part

    @property
    def rows(self) -> int:
        """Number of rows of all parts."""
        return sum(part.rows for part in self.parts)

    def write(self, folder: Path) -> None:
        """Write the manifest into the folder: aside, synced, renamed."""
        content = {
            "format": FORMAT,
            "job": self.job.as_json(),
            "scored_at": self.scored_at.astimezone(UTC).isoformat(),
            "rows": self.rows,
            "columns": [{"name": name, "type": kind} for name, kind in self.columns],
            "parts": [part.as_json() for part in self.parts],
            "profile": self.profile.as_json(),
        }
        write_content(json_bytes(content | {"digest": _digest(content)}), folder, MANIFEST)

    def faults(self, folder: Path) -> list[str]:
        """What is wrong with the parts in the folder, in words; empty where all is as it was written."""
        found = [fault for part in (*self.parts, self.profile) if (fault := fault_of(folder, part)) is not None]
        listed = {part.file for part in self.parts}
        strangers = sorted(file.name for file in folder.glob("*.parquet") if file.name not in listed)
        return found + [f"{name} is not in the manifest" for name in strangers]


def columns_of(schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    """Names and types of a schema, as the manifest has them."""
    return tuple((field.name, str(field.type)) for field in schema)


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None where there is none. OutputError where it was changed or is no manifest."""
    try:
        raw = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise OutputError(f"{folder} is a file, not a folder of scores; give another folder with --out") from error
    try:
        content = json.loads(raw)
        digest = content.pop("digest")
        if content["format"] != FORMAT:
            raise OutputError(f"{folder} has a manifest of format {content['format']}; this version reads {FORMAT}")
        if digest != _digest(content) or raw != json_bytes(content | {"digest": digest}):
            raise ValueError("its digest does not fit")
        return Manifest(
            Job.from_json(content["job"]),
            datetime.fromisoformat(content["scored_at"]),
            tuple((column["name"], column["type"]) for column in content["columns"]),
            tuple(Part(**part) for part in _sequence(content["parts"])),
            Part(**content["profile"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError(
            f"{MANIFEST} in {folder} was changed since it was written ({error}); score again with --force"
        ) from error


def _sequence(parts: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(parts, list):
        raise TypeError("its parts are no list")
    return parts


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json_bytes(content)).hexdigest()
