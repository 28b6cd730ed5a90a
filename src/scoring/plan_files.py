"""The files of a plan: its rows, a list for each channel, its page and its summary, published whole or not at all."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import OutputError
from ..explain.plan_page import PlanRow, PlanView, render
from ..models.base import json_bytes
from .durable import publish
from .parts import Part, checked, fault_of, write_content, write_part

PLAN, SUMMARY, PAGE, MANIFEST = "plan", "summary.json", "plan.html", "_manifest.json"
SAMPLE = 60  # rows of the page
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
_LISTED = ("kind", "entity_id", "action", "item", "cost", "expected_value", "why")


def write_plan(place: Path, channels: Iterable[str], table: pa.Table, summary: dict[str, Any]) -> None:
    """Write a plan aside and publish it; the manifest has rows, bytes and sha256 of every file."""
    hidden = place.with_name(f".{place.name}.new")
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir()
    files = [_write_channel(table, channel, hidden) for channel in dict.fromkeys(channels)]
    files += [write_page(hidden, table, summary), write_content(json_bytes(summary), hidden, SUMMARY)]
    columns = [{"name": field.name, "type": str(field.type)} for field in table.schema]
    content = {"as_of": summary["as_of"], "rows": table.num_rows, "columns": columns}
    content |= {"parts": [write_part([table], hidden, 0).as_json()], "files": [file.as_json() for file in files]}
    write_content(json_bytes(content), hidden, MANIFEST)
    publish(hidden, place)


def write_page(folder: Path, table: pa.Table, summary: dict[str, Any]) -> Part:
    """The page of a plan, with a sample of its rows."""
    view = PlanView(summary=summary, rows=tuple(PlanRow(**row) for row in _sample(table)))
    return write_content(render(view).encode("utf-8"), folder, PAGE)


def intact_rows(place: Path) -> pa.Table:
    """The rows of a published plan; OutputError where a part is missing or was changed since it was written."""
    try:
        parts = [Part(**content) for content in json.loads((place / MANIFEST).read_bytes())["parts"]]
    except (ValueError, KeyError, FileNotFoundError) as error:
        raise OutputError(f"{place} has no readable {MANIFEST}; make that day's plan again, or remove it") from error
    for part in parts:
        fault = fault_of(place, part)
        if fault is not None:
            raise OutputError(f"{place}: {fault}; make that day's plan again")
    return pa.concat_tables(pq.read_table(place / part.file, partitioning=None) for part in parts)


def spreadsheet_safe(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front; everything else stays."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


def _sample(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of every action, of nothing and of chance: of each the first, in the order of the plan."""
    names = ["kind", "entity_id", "action", "channel", "cost", "expected_value", "why"]
    kinds = [pc.and_(pc.is_null(table["action"]), table["held_out"])]
    kinds.append(pc.and_(pc.is_null(table["action"]), pc.invert(table["held_out"])))
    kinds += [pc.fill_null(pc.equal(table["action"], name), False) for name in pc.unique(table["action"].drop_null())]
    each = max(1, SAMPLE // len(kinds))
    rows: list[dict[str, Any]] = []
    for flags in reversed(kinds):
        rows += table.select(names).filter(flags).slice(0, each).to_pylist()
    return rows


def _write_channel(table: pa.Table, channel: str, folder: Path) -> Part:
    """The list of a channel, best first, safe to open in a spreadsheet: no text is taken for a formula."""
    rows = table.filter(pc.equal(table["channel"], channel))
    rows = rows.sort_by([("expected_value", "descending"), ("entity_id", "ascending")])
    file = folder / f"{channel}.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(_LISTED)
        for row in rows.select(list(_LISTED)).to_pylist():
            writer.writerow([spreadsheet_safe(row[name]) for name in _LISTED])
    return checked(file, rows.num_rows)
