"""Published results: which there are, and their rows, held against their manifest before anybody uses them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..config import Config
from ..errors import OutputError
from .manifest import Manifest, read_manifest
from .parts import fault_of
from .profile import Profile


def scores_folder(config: Config, task: str) -> Path:
    """Where the scores of a task lie by default, one folder a day."""
    return config.home / "scores" / config.name / task


def reports_folder(config: Config) -> Path:
    """Where the pages and pictures of a project lie."""
    return config.home / "reports" / config.name


def results(base: Path) -> dict[date, Path]:
    """The folders of scores below a folder, by their day, in order."""
    found = {}
    for folder in sorted(base.glob("as_of=*")):
        try:
            found[date.fromisoformat(folder.name.removeprefix("as_of="))] = folder
        except ValueError:
            continue
    return found


def last_before(base: Path, day: date) -> Manifest | None:
    """The manifest of the last result before a day; None where there is none that can be read."""
    for earlier, folder in reversed(results(base).items()):
        if earlier < day:
            try:
                manifest = read_manifest(folder)
            except OutputError:
                continue
            if manifest is not None:
                return manifest
    return None


def last_profile(base: Path, previous: Manifest | None) -> Profile | None:
    """The profile beside a manifest of `last_before`; None where it cannot be read."""
    if previous is None:
        return None
    try:
        return read_profile(base / f"as_of={previous.job.as_of.isoformat()}")
    except OutputError:
        return None


def open_result(folder: Path) -> Manifest:
    """The manifest of a result; OutputError where there is none, or it was changed."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise OutputError(f"{folder} holds no finished scores; run `rapport score`")
    return manifest


def read_rows(folder: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a result, in the order of its parts; OutputError naming what is damaged."""
    manifest = open_result(folder)
    faults = [fault for part in manifest.parts if (fault := fault_of(folder, part)) is not None]
    if faults:
        raise OutputError(f"{folder}: {'; '.join(faults[:3])}; run the job again, and it is mended")
    names = None if columns is None else list(columns)
    files = [folder / part.file for part in manifest.parts]
    return pa.concat_tables([pq.read_table(file, columns=names, partitioning=None) for file in files])


def read_profile(folder: Path) -> Profile:
    """The profile of a result's population; OutputError where it is damaged."""
    manifest = open_result(folder)
    fault = fault_of(folder, manifest.profile)
    if fault is not None:
        raise OutputError(f"{folder}: {fault}; run the job again, and it is mended")
    return Profile.from_json(json.loads((folder / manifest.profile.file).read_bytes()))
