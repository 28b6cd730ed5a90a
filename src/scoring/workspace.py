"""Where a job works before it publishes: a hidden folder beside the result, with a journal of what is done.

The journal's first line is the job and its start, each further line a finished part with the counts of its rows (see
`profile`). A process that dies leaves the folder behind, and the next one with the same job goes on from there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import OutputError
from ..models.base import json_bytes
from .job import Job
from .lock import only_writer
from .manifest import Manifest, columns_of
from .parts import Part, fault_of, part_name, write_content, write_part
from .profile import Profile

JOURNAL, PROFILE = "_journal.jsonl", "_profile.json"
ABANDONED = timedelta(days=7)


@dataclass
class Tally:
    """Counts of the rows of a part by column, added up while the part is written."""

    rows: int = 0
    counts: dict[str, list[int]] = field(default_factory=dict)

    def add(self, counts: Mapping[str, Sequence[int]], rows: int) -> None:
        """Add the counts of more rows."""
        self.rows += rows
        for name, found in counts.items():
            before = self.counts.get(name, [0] * len(found))
            self.counts[name] = [a + b for a, b in zip(before, found, strict=True)]


@dataclass
class Workspace:
    """A job's folder in the making; `done` has the finished parts by name, with their tallies."""

    folder: Path
    job: Job
    scored_at: datetime
    done: dict[str, tuple[Part, Tally]] = field(default_factory=dict)
    described: Part | None = None

    @classmethod
    def open(cls, folder: Path, job: Job, now: datetime) -> Workspace:
        """The folder as an earlier process of the same job left it, else an empty one."""
        return _resume(folder, job) or _fresh(folder, job, now.astimezone(UTC))

    @classmethod
    def repair(cls, folder: Path, place: Path, manifest: Manifest) -> Workspace:
        """A folder with the sound parts of a published result, to make the damaged ones again.

        Where the description of its rows is damaged, all of them are made again.
        """
        work = _fresh(folder, manifest.job, manifest.scored_at)
        if fault_of(place, manifest.profile) is None:
            os.link(place / PROFILE, folder / PROFILE)
            work.described = manifest.profile
            for part in manifest.parts:
                if fault_of(place, part) is None:
                    os.link(place / part.file, folder / part.file)
                    work._note(part, Tally())
        return work

    def missing(self) -> list[int]:
        """The buckets whose parts are not finished."""
        return [bucket for bucket in range(self.job.parts) if part_name(bucket) not in self.done]

    def add(self, bucket: int, pieces: Iterable[pa.Table], tally: Tally) -> Part:
        """Write the part of a bucket and note it in the journal; `tally` is complete when the pieces are."""
        part = write_part(pieces, self.folder, bucket)
        self._note(part, tally)
        return part

    @property
    def parts(self) -> tuple[Part, ...]:
        """The finished parts, by name."""
        return tuple(self.done[name][0] for name in sorted(self.done))

    @property
    def rows(self) -> int:
        """Number of rows of the finished parts."""
        return sum(part.rows for part in self.parts)

    def profile(self, empty: Profile) -> Profile:
        """What the rows of all parts look like: as it was described before, or all tallies together."""
        if self.described is not None:
            return Profile.from_json(json.loads((self.folder / PROFILE).read_bytes()))
        for _, tally in self.done.values():
            if tally.rows:
                empty = empty.plus(tally.counts, tally.rows)
        return empty

    def finish(self, profile: Profile) -> Manifest:
        """Write the profile and, last, the manifest."""
        described = self.described or write_content(json_bytes(profile.as_json()), self.folder, PROFILE)
        schema = pq.read_schema(self.folder / self.parts[0].file)
        manifest = Manifest(self.job, self.scored_at, columns_of(schema), self.parts, described)
        manifest.write(self.folder)
        return manifest

    def discard(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def begin(self) -> None:
        """Write the journal anew, in one step."""
        lines = [{"job": self.job.as_json(), "scored_at": self.scored_at.isoformat()}]
        lines += [_line(part, tally) for part, tally in self.done.values()]
        write_content(b"".join(map(_json_line, lines)), self.folder, JOURNAL)

    def _note(self, part: Part, tally: Tally) -> None:
        self.done[part.file] = (part, tally)
        with (self.folder / JOURNAL).open("ab") as stream:
            stream.write(_json_line(_line(part, tally)))
            stream.flush()
            os.fsync(stream.fileno())


def sweep(base: Path, but: Path, now: datetime) -> None:
    """Remove what jobs of other days left half done and nobody has taken up for a week."""
    for folder in base.glob(".as_of=*.new"):
        day = folder.name.removeprefix(".").removesuffix(".new")
        old = now - datetime.fromtimestamp(folder.stat().st_mtime, UTC) > ABANDONED
        if day != but.name and old:
            with suppress(OutputError), only_writer(folder.with_name(f".{day}.lock")):
                shutil.rmtree(folder)


def _line(part: Part, tally: Tally) -> dict[str, Any]:
    return {"part": part.as_json(), "tally": vars(tally)}


def _json_line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode() + b"\n"


def _fresh(folder: Path, job: Job, scored_at: datetime) -> Workspace:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    work = Workspace(folder, job, scored_at)
    work.begin()
    return work


def _resume(folder: Path, job: Job) -> Workspace | None:
    """What an earlier process of the same job left, less whatever is not sound; None where there is nothing of use."""
    try:
        lines = (folder / JOURNAL).read_bytes().split(b"\n")
        head = json.loads(lines[0])
        if Job.from_json(head["job"]) != job:
            return None
        work = Workspace(folder, job, datetime.fromisoformat(head["scored_at"]))
        noted = [json.loads(line) for line in lines[1:-1]]  # behind the last line end stands what was cut off
        found = [(Part(**line["part"]), Tally(**line["tally"])) for line in noted]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    sound = {part.file: (part, tally) for part, tally in found if tally.counts and fault_of(folder, part) is None}
    for file in folder.iterdir():
        if file.name not in sound and file.name != JOURNAL:
            file.unlink()
    work.done = dict(sound)
    work.begin()
    return work
