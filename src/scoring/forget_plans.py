"""One customer (or prospect) out of published plans: his row, and his lines in the lists of the channels.

The summary stays as it is: it counts and adds up what was planned, and names nobody. The page is drawn again.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..config import Config
from ..data.forgotten import Kind
from ..errors import OutputError
from ..models.base import json_bytes
from .durable import publish, recover
from .lock import only_writer
from .parts import Part, checked, fault_of, write_content, write_part
from .plan_files import MANIFEST, PAGE, PLAN, SUMMARY, spreadsheet_safe, write_page
from .results import results
from .retention import RETENTION


def plans_folder(config: Config) -> Path:
    """Where the plans of a project lie by default, one folder a day."""
    return config.home / PLAN / config.name


def groups_folder(config: Config) -> Path:
    """Where the retention groups of a project lie, which are kept like plans."""
    return config.home / RETENTION / config.name


def is_plan(place: Path) -> bool:
    """True for the folder of a plan, False for one of scores."""
    return (place / SUMMARY).is_file()


def forget_in_plans(base: Path, kind: Kind, identity: str) -> int:
    """Remove him from the plans of all days, each in one step; the number of rows, those of the lists not counted.

    What a job left half done goes with him. Raises OutputError for a plan that was changed since it was written.
    """
    total = 0
    for place in results(base).values():
        with only_writer(place.with_name(f".{place.name}.lock")):
            recover(place)
            if is_plan(place):
                shutil.rmtree(place.with_name(f".{place.name}.new"), ignore_errors=True)
                total += _from_plan(place, kind, identity)
    for half in base.glob(".as_of=*.new"):
        with only_writer(half.with_suffix(".lock")):
            shutil.rmtree(half, ignore_errors=True)
    return total


def _from_plan(place: Path, kind: Kind, identity: str) -> int:
    """Write the plan anew beside it, without him, and let the two change places."""
    manifest = _manifest(place)
    (part,) = (Part(**content) for content in manifest["parts"])
    fault = fault_of(place, part)
    if fault is not None:
        raise OutputError(f"{place}: {fault}; make that day's plan again, or remove it, and forget again")
    rows = pq.read_table(place / part.file, partitioning=None)
    kept = rows.filter(pc.invert(_his(rows, kind, identity)))
    if kept.num_rows == rows.num_rows:
        return 0
    hidden = place.with_name(f".{place.name}.new")
    hidden.mkdir()
    files = []
    for file in sorted(place.iterdir()):
        if file.suffix == ".csv":
            files.append(_copy_without(file, hidden / file.name, kind, identity))
        elif file.name == PAGE:
            files.append(write_page(hidden, kept, json.loads((place / SUMMARY).read_bytes())))
        elif file.name not in (part.file, MANIFEST):
            os.link(file, hidden / file.name)
            files.append(checked(hidden / file.name, 0))
    manifest["files"] = [file.as_json() for file in files]
    manifest |= {"rows": kept.num_rows, "parts": [write_part([kept], hidden, 0).as_json()]}
    write_content(json_bytes(manifest), hidden, MANIFEST)
    publish(hidden, place)
    return int(rows.num_rows - kept.num_rows)


def _manifest(place: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((place / MANIFEST).read_bytes())
    except (ValueError, FileNotFoundError) as error:
        raise OutputError(f"{place} has no readable {MANIFEST}; make that day's plan again, or remove it") from error
    return content


def _his(rows: pa.Table, kind: Kind, identity: str) -> pa.ChunkedArray:
    """Which rows are his; without a column `kind` they are all of customers."""
    if "kind" not in rows.column_names:
        return pc.and_(pc.equal(rows["entity_id"], identity), pa.scalar(kind == "customer"))
    return pc.and_(pc.equal(rows["entity_id"], identity), pc.equal(rows["kind"], kind))


def _copy_without(source: Path, target: Path, kind: Kind, identity: str) -> Part:
    """Copy the list of a channel less his lines."""
    shown = spreadsheet_safe(identity)
    with source.open(encoding="utf-8", newline="") as lines, target.open("w", encoding="utf-8", newline="") as out:
        reader = csv.DictReader(lines)
        writer = csv.DictWriter(out, reader.fieldnames or ())
        writer.writeheader()
        kept = [row for row in reader if row["entity_id"] != shown or row.get("kind", "customer") != kind]
        writer.writerows(kept)
    return checked(target, len(kept))
