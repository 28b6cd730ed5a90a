"""`rapport features`: the dictionary of a task's features, and snapshots as Parquet with a profile of each column."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.table import Table
from rich.text import Text

from ..config import Config
from ..data.dataset import Dataset
from ..data.ingest import open_dataset
from ..errors import DataError
from ..features.explain import explain_snapshots
from ..features.write import snapshot_name, write_snapshots, write_tables
from ..language.declarations import FeatureColumn
from ..language.moments import midnight, to_local
from ..scoring.profile import stability
from ..training.material import Material
from .console import Console


def dictionary(
    config: Config, name: str, console: Console
) -> tuple[tuple[FeatureColumn, ...], tuple[str, ...], tuple[str, ...]]:
    """The features that the task has on these data, what is left out, a line each, and that in short."""
    data = open_dataset(config, progress=console.say)
    material = Material(data, name, config.task(name), seed=config.seed)
    left_out = material.snapshots.plan.left_out
    return material.snapshots.columns, left_out, _in_short(left_out, data.columns)


def _in_short(left_out: Sequence[str], tables: Container[str]) -> tuple[str, ...]:
    """What is left out, in at most three lines: for want of tables, of columns, and for other reasons."""
    absent: dict[str, None] = {}
    lacking: dict[str, dict[str, None]] = {}
    others = 0
    for text in left_out:
        _, _, why = text.partition(": ")
        table, has_no, column = why.partition(" has no ")
        table = table.removeprefix("no table ")
        if why.startswith("no table ") or (has_no and table not in tables):
            absent[table] = None
        elif has_no:
            lacking.setdefault(table, {})[column] = None
        else:
            others += 1
    lines = []
    if absent:
        lines.append(f"some features need tables that are not mapped: {', '.join(absent)}")
    if lacking:
        columns = (f"{table}.{column}" for table, found in lacking.items() for column in found)
        lines.append(f"some need columns that are not mapped: {', '.join(columns)}")
    if others:
        lines.append(f"{others} more for want of those, of values to learn, or of a name; `--json` tells each")
    return tuple(lines)


def write(
    config: Config, name: str, cutoffs: Sequence[date], out: Path | None, console: Console
) -> tuple[list[dict[str, Any]], Path]:
    """Write one Parquet file a cutoff (or window) and return the profile of each feature, and the folder."""
    folder = out or config.home / "features" / config.name / name
    with console.step("features"):
        data = open_dataset(config, progress=console.say)
        material = Material(data, name, config.task(name), seed=config.seed)
        if cutoffs:
            _check_begun(data, name, min(cutoffs))
            files = _write_cutoffs(material, [midnight(day, config.zone) for day in sorted(cutoffs)], folder)
        else:
            files = write_tables({window: material.table(window) for window in material.spines}, folder)
    first, last = (pq.read_table(file, partitioning=None) for file in (files[0], files[-1]))
    columns = material.snapshots.columns
    drift = stability(columns, first, last)
    return [_profile(column, first, last) | {"drift": round(drift[column.name], 4)} for column in columns], folder


def _check_begun(data: Dataset, name: str, first: date) -> None:
    """DataError for a cutoff at which nothing had happened yet."""
    if midnight(first, data.config.zone) <= data.first_event:
        begun = to_local(data.first_event, data.config.zone)
        raise DataError(
            f"{name}: the cutoff {first} lies before the data begin ({begun:%Y-%m-%d %H:%M}); give a later --cutoffs"
        )


def _write_cutoffs(material: Material, cutoffs: Sequence[datetime], folder: Path) -> list[Path]:
    """Small data by way of the project's cache; of large ones no more than a bucket is held at a time."""
    snapshots = material.snapshots
    if snapshots.data.buckets > 1:
        return write_snapshots(snapshots, cutoffs, folder)
    tables = {
        snapshot_name(cutoff, snapshots.zone): snapshots.stored(snapshots.population([cutoff], with_target=False))
        for cutoff in cutoffs
    }
    return write_tables(tables, folder)


def explain(config: Config, name: str, cutoffs: Sequence[date], console: Console) -> list[dict[str, Any]]:
    """How the compiler computes the features at some cutoffs: a row for each part, with its queries."""
    data = open_dataset(config, progress=console.say)
    material = Material(data, name, config.task(name), seed=config.seed)
    moments = sorted(midnight(day, config.zone) for day in cutoffs)
    if not moments:  # those of the window that has most, which is what training builds at once
        windows = [sorted(pc.unique(spine["cutoff"]).to_pylist()) for spine in material.spines.values()]
        moments = max(windows, key=lambda cutoffs: len(list(cutoffs)))
    return explain_snapshots(material.snapshots, moments)


def _profile(column: FeatureColumn, first: pa.Table, last: pa.Table) -> dict[str, Any]:
    before, after = first[column.name], last[column.name]
    profile: dict[str, Any] = {
        "feature": column.name,
        "block": column.block,
        "missing": _missing(after),
        "missing_first": _missing(before),
        "distinct": pc.count_distinct(after).as_py(),
    }
    if column.kind == "number":
        profile |= {"median": _median(after), "median_first": _median(before)}
    return profile


def _missing(values: pa.ChunkedArray) -> float:
    return float(pc.mean(pc.is_null(values, nan_is_null=True).cast(pa.int8())).as_py() or 0.0)


def _median(values: pa.ChunkedArray) -> float | None:
    found = pc.quantile(values.cast(pa.float64()), 0.5)[0].as_py()
    return None if found is None else float(found)


def as_dictionary_text(columns: Sequence[FeatureColumn]) -> Table:
    """The dictionary as a table: a feature, what it is, and the template of its words."""
    table = Table(title=f"{len(columns)} features", title_justify="left")
    for head in ("feature", "block", "family", "unit", "definition", "words"):
        table.add_column(head, overflow="fold")
    for column in columns:
        unit = column.unit or column.kind
        cells = (column.name, column.block, column.family, unit, column.definition, column.words)
        table.add_row(*map(Text, cells))  # as it is: an attribute's name may look like markup
    return table


def as_plan_text(plan: Sequence[dict[str, Any]], with_sql: bool) -> Table | str:
    """The plan as a table with a line a part, or its queries as they are sent to the engine."""
    if with_sql:
        return "\n\n".join(f"-- {row['part']}: {row['formulation']}\n{query};" for row in plan for query in row["sql"])
    table = Table(title=f"{len(plan)} parts", title_justify="left")
    for head in ("part", "reads", "columns", "formulation", "why"):
        table.add_column(head, justify="right" if head == "columns" else "left", overflow="fold")
    for row in plan:
        table.add_row(row["part"], ", ".join(row["reads"]), str(len(row["columns"])), row["formulation"], row["why"])
    return table


def as_profile_table(profile: Sequence[dict[str, Any]]) -> Table:
    """The profile as a table: the last window, and beside it the first, to see what drifts."""
    title = "last window (first window); drift is the population stability index between the two: above 0.25 is much"
    table = Table(title=title, title_justify="left")
    for head in ("feature", "missing", "distinct", "median", "drift"):
        table.add_column(head, justify="left" if head == "feature" else "right")
    for row in profile:
        median = "" if row.get("median") is None else f"{row['median']:.4g} ({_shown(row.get('median_first'))})"
        missing = f"{row['missing']:.0%} ({row['missing_first']:.0%})"
        table.add_row(Text(row["feature"]), missing, f"{row['distinct']:,}", median, f"{row['drift']:.3f}")
    return table


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
