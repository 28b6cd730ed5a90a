"""Where a job works before it publishes: a hidden folder beside the result, with a journal of what is done.

The journal's first line is the job and its start, each further line a finished part. A process that dies leaves it
behind, and the next one with the same job goes on from there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from .durable import sync
from .job import Job
from .manifest import Manifest
from .parts import Part, fault_of, part_name, write_part

JOURNAL = "_journal.jsonl"


@dataclass
class Workspace:
    """A job's folder in the making; `done` has the finished parts by name."""

    folder: Path
    job: Job
    scored_at: datetime
    done: dict[str, Part] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, job: Job, now: datetime) -> Workspace:
        """The folder as an earlier process of the same job left it, else an empty one."""
        found = _resume(folder, job)
        if found is not None:
            return found
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fresh = cls(folder, job, now.astimezone(UTC))
        fresh._begin()
        return fresh

    @classmethod
    def repair(cls, folder: Path, place: Path, manifest: Manifest) -> Workspace:
        """A folder with the sound parts of a published result, to make the damaged ones again."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fresh = cls(folder, manifest.job, manifest.scored_at)
        fresh._begin()
        for part in manifest.parts:
            if fault_of(place, part) is None:
                os.link(place / part.file, folder / part.file)
                fresh._note(part)
        return fresh

    def has(self, bucket: int) -> bool:
        """True if the bucket's part is finished."""
        return part_name(bucket) in self.done

    def add(self, bucket: int, pieces: Iterable[pa.Table]) -> Part:
        """Write the part of a bucket and note it in the journal."""
        part = write_part(pieces, self.folder, bucket)
        self._note(part)
        return part

    def parts(self) -> tuple[Part, ...]:
        """The finished parts, by name."""
        return tuple(self.done[name] for name in sorted(self.done))

    def discard(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self) -> None:
        self._append({"job": self.job.as_json(), "scored_at": self.scored_at.isoformat()})
        sync(self.folder)

    def _note(self, part: Part) -> None:
        self.done[part.file] = part
        self._append(part.as_json())

    def _append(self, line: object) -> None:
        with (self.folder / JOURNAL).open("ab") as stream:
            stream.write(json.dumps(line, sort_keys=True).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())


def _resume(folder: Path, job: Job) -> Workspace | None:
    """What an earlier process of the same job left, less whatever is not sound; None where there is nothing of use."""
    try:
        lines = (folder / JOURNAL).read_bytes().split(b"\n")
        head = json.loads(lines[0])
        if Job.from_json(head["job"]) != job:
            return None
        work = Workspace(folder, job, datetime.fromisoformat(head["scored_at"]))
        noted = [Part(**json.loads(line)) for line in lines[1:-1]]  # behind the last line end stands what was cut off
    except (OSError, ValueError, KeyError, TypeError):
        return None
    sound = [part for part in noted if fault_of(folder, part) is None]
    for file in folder.iterdir():
        if file.name not in {part.file for part in sound}:
            file.unlink()
    work._begin()
    for part in sound:
        work._note(part)
    return work
