"""Snapshots that were built before: kept as Parquet, found again by what they were built from.

The key of a snapshot is the sha256 of the data's fingerprint, the code of the rooms that build it, the business time
zone, the features (own files and learned values among them) and its rows. So nothing is ever used that would come out
otherwise; a data set without a fingerprint is not cached, nor are features that functions of own files compute (what
these import or read may change unseen). The files used longest ago are removed above `MOST_BYTES`.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..data.dataset import Dataset
from .own import checksums
from .plan import FeaturePlan, Learned

MOST_BYTES = 2_000_000_000
GROUP_ROWS = 50_000  # a group of rows is held in memory until it is written
_PACKAGE = __name__.partition(".")[0]
_ROOMS = ("data", "language", "estimation", "features")


class SnapshotCache:
    """The snapshots of one project under `<home>/.cache/<config>/snapshots`."""

    def __init__(self, data: Dataset, plan: FeaturePlan, learned: Learned) -> None:
        config = data.config
        ours = all(
            fitted.compute.__module__.startswith(f"{_PACKAGE}.") for fitted in plan.fitted
        )  # others may change unseen
        self._folder = config.home / ".cache" / config.name / "snapshots" if data.fingerprint and ours else None
        columns = [asdict(column) for column in plan.columns]
        about = [data.fingerprint, _code(), data.engine.dialect, config.time_zone, checksums(config), columns]
        values = {name: list(values) for name, values in learned.items()}
        self._about = json.dumps([*about, repr((plan.groups, plan.derived, plan.attributes)), values]).encode()

    def find(self, spine: pa.Table) -> pa.Table | None:
        """The snapshot of these rows, if it was built before; a damaged file is none."""
        file = self._file(spine)
        if file is None or not file.is_file():
            return None
        try:
            found = pq.read_table(file)
        except (pa.ArrowInvalid, OSError):
            file.unlink(missing_ok=True)
            return None
        os.utime(file)
        return found

    def keep(self, spine: pa.Table, snapshot: pa.Table) -> None:
        """Keep the snapshot of these rows."""
        file = self._file(spine)
        if file is None or spine.num_rows == 0:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=file.parent, prefix=".part-")
        os.close(handle)
        # Writing must cost less than building.
        pq.write_table(snapshot, aside, compression="lz4", use_dictionary=False, row_group_size=GROUP_ROWS)
        os.replace(aside, file)
        self._prune(file.parent)

    def _file(self, spine: pa.Table) -> Path | None:
        if self._folder is None:
            return None
        total = hashlib.sha256(self._about)
        with pa.ipc.new_stream(_Hashing(total), spine.schema) as stream:
            stream.write_table(spine.combine_chunks())
        return self._folder / f"{total.hexdigest()[:32]}.parquet"

    @staticmethod
    def _prune(folder: Path) -> None:
        files = sorted(folder.glob("*.parquet"), key=lambda file: file.stat().st_mtime, reverse=True)
        total = 0
        for file in files:
            total += file.stat().st_size
            if total > MOST_BYTES:
                file.unlink(missing_ok=True)


class _Hashing:
    """A file that only hashes what is written to it."""

    closed = False

    def __init__(self, total: hashlib._Hash) -> None:
        self._total = total

    def write(self, data: bytes) -> int:
        """Add the bytes to the sum."""
        self._total.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""


@lru_cache(maxsize=1)
def _code() -> str:
    """sha256 of the code that decides what a snapshot holds."""
    total = hashlib.sha256()
    for room in _ROOMS:
        for file in sorted((Path(__file__).parent.parent / room).rglob("*.py")):
            total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()
