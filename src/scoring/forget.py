"""One customer (or prospect) out of everything that Rapport keeps, with a record, and for good.

The list of the forgotten is written first: from then on nothing reads his rows, whatever happens to the process. Then
his rows go from the caches, the scores, their sinks, the plans and their lists, the stored snapshots and test scores,
and he goes from the pages.
Repeating the command is harmless. What lies outside (the company's own tables, a tracking server elsewhere) stays, and
the report says so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from markupsafe import escape

from ..config import Config
from ..data.forgotten import Kind, read_forgotten, write_forgotten
from ..errors import DataError, OutputError
from ..explain.review import Review
from ..explain.values import LONGEST_VALUE, clean
from ..tasks import declare
from .durable import publish, rename_synced, writing_to
from .forget_plans import forget_in_plans, groups_folder, is_plan, plans_folder
from .joblog import JobLog
from .lock import only_writer
from .manifest import Manifest, read_manifest
from .parts import Part, write_part
from .results import reports_folder, results, scores_folder
from .sinks import open_sinks
from .workspace import JOURNAL

_ID_COLUMNS = {"customer": ("customer_id", "entity_id"), "prospect": ("prospect_id", "entity_id")}


@dataclass
class ForgetReport:
    """What was removed: rows by place, files, and the pages (tasks) that must be written anew with `rapport review`."""

    kind: Kind
    known: bool
    rows: dict[str, int] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """One line for a terminal; it does not name him."""
        rows = sum(self.rows.values())
        pages = f"; write the pages of {', '.join(self.pages)} anew with `rapport review`" if self.pages else ""
        before = " (he was forgotten before)" if self.known else ""
        return (
            f"the {self.kind} is forgotten{before}: {rows:,} rows removed, {len(self.removed)} caches and pages{pages}"
        )

    def add(self, place: str, rows: int) -> None:
        """Count removed rows."""
        if rows:
            self.rows[place] = self.rows.get(place, 0) + rows

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def forget(
    config: Config,
    identity: str,
    *,
    kind: Kind = "customer",
    by: str = "",
    out: Sequence[Path] = (),
    now: datetime | None = None,
) -> ForgetReport:
    """Remove one customer or prospect, and never read or score him again.

    `identity` is his id as text. A customer takes with him the prospect that he once was. `out` are further folders
    that hold scores of any task. Raises DataError for an empty id, OutputError where something cannot be written.
    """
    if not identity:
        raise DataError("whom to forget? give an id")
    now = now or datetime.now(UTC)
    report = ForgetReport(kind, read_forgotten(config).has(kind, identity))
    with writing_to(config.home):
        everybody = [(kind, identity), *(("prospect", one) for one in _prospects_of(config, identity, kind))]
        _record(config, everybody, by, now)
        for his_kind, his_id in everybody:
            _from_folders(config, his_kind, his_id, out, report)
        _caches(config, report)
    if os.environ.get("MLFLOW_TRACKING_URI"):
        report.notes.append(
            "the runs in the tracking server were not searched: remove test_scores and review.json there"
        )
    report.notes.append("the company's own tables are as they were: Rapport reads him no more")
    JobLog(config, "forget", lambda: now).write("forgotten", kind=kind, rows=report.rows, removed=report.removed)
    return report


def without_forgotten(config: Config, task: str, review: Review) -> Review:
    """A review less the customers who asked to be forgotten, wherever it was stored."""
    forgotten = read_forgotten(config)
    if not forgotten.entries:
        return review
    kind: Kind = "customer" if declare(task, config.task(task)).entity == "customer_id" else "prospect"
    kept = tuple(one for one in review.customers if not forgotten.has(kind, one.entity_id))
    return review if len(kept) == len(review.customers) else replace(review, customers=kept)


def _record(config: Config, everybody: Sequence[tuple[Kind, str]], by: str, now: datetime) -> None:
    folder = config.home / "forgotten"
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder / f".{config.name}.lock"):
        forgotten = read_forgotten(config)
        for kind, identity in everybody:
            if not forgotten.has(kind, identity):
                facts = {"at": now.astimezone(UTC).isoformat(timespec="seconds"), "by": by}
                forgotten = forgotten.plus(kind, identity, **facts)
        write_forgotten(config, forgotten)


def _prospects_of(config: Config, identity: str, kind: Kind) -> list[str]:
    """The prospects that a customer once was, as far as the caches know."""
    found: set[str] = set()
    if kind == "customer":
        for file in (config.home / ".cache" / config.name).glob("data-*/prospects/*.parquet"):
            if "customer_id" in pq.read_schema(file).names:
                rows = pq.read_table(file, columns=["prospect_id", "customer_id"], partitioning=None)
                found |= set(
                    rows.filter(_is(rows["customer_id"], identity))["prospect_id"].cast(pa.string()).to_pylist()
                )
    return sorted(found)


def _from_folders(config: Config, kind: Kind, identity: str, out: Sequence[Path], report: ForgetReport) -> None:
    sinks = open_sinks(config)
    for name, settings in config.tasks.named().items():
        own = declare(name, settings).entity == f"{kind}_id"
        for base in (scores_folder(config, name), *out):
            if own:
                report.add("scores", _from_scores(base, name, identity))
        for sink in sinks if own else ():
            report.add(sink.shown, sink.remove(config.name, name, identity))
        _from_page(reports_folder(config) / f"{name}.html", name, identity, report)
    for base in (plans_folder(config), groups_folder(config), *out):
        report.add("plans", forget_in_plans(base, kind, identity))
    for file in sorted(reports_folder(config).rglob("*.html")):
        _from_kept_page(file, config, identity, report)
    for file in sorted((config.home / "features" / config.name).rglob("*.parquet")):
        report.add("features", _from_parquet(file, kind, identity))
    for folder in sorted((config.home / "mlruns" / "artifacts").glob(f"rapport.{config.name}.*")):
        for file in sorted(folder.rglob("test_scores.parquet")):
            report.add("test scores", _from_parquet(file, kind, identity))
        for file in sorted(folder.rglob("review.json")):
            report.add("stored reviews", _from_review(file, identity))


def _caches(config: Config, report: ForgetReport) -> None:
    """All that was copied from the sources goes; the next command reads them anew, without him."""
    for folder in (config.home / ".cache" / config.name, config.home / "quarantine" / config.name):
        if folder.exists():
            shutil.rmtree(folder)
            report.removed.append(str(folder.relative_to(config.home)))


# ------------------------------------------------------------------------------------------- scores
def _from_scores(base: Path, task: str, identity: str) -> int:
    """Remove his rows from all published days, each in one step; what jobs left half done goes with it."""
    total = 0
    for place in results(base).values():
        if is_plan(place):
            continue
        with only_writer(place.with_name(f".{place.name}.lock")):
            shutil.rmtree(place.with_name(f".{place.name}.new"), ignore_errors=True)
            shutil.rmtree(place.with_name(f".{place.name}.old"), ignore_errors=True)
            manifest = read_manifest(place)
            if manifest is not None and manifest.job.task == task:
                total += _from_result(place, manifest, identity)
    for half in base.glob(".as_of=*.new"):
        with only_writer(half.with_suffix(".lock")):
            shutil.rmtree(half, ignore_errors=True)
    return total


def _from_result(place: Path, manifest: Manifest, identity: str) -> int:
    faults = manifest.faults(place)
    if faults:
        raise OutputError(f"{place}: {'; '.join(faults[:3])}; score that day again, or remove it, and forget again")
    counts = {part.file: _rows_of(place / part.file, identity) for part in manifest.parts}
    if not any(counts.values()):
        return 0
    hidden = place.with_name(f".{place.name}.new")
    hidden.mkdir()
    parts = list[Part]()
    for bucket, part in enumerate(manifest.parts):
        if counts[part.file]:
            parts.append(write_part(_without(place / part.file, identity), hidden, bucket))
        else:
            os.link(place / part.file, hidden / part.file)
            parts.append(part)
    os.link(place / manifest.profile.file, hidden / manifest.profile.file)
    replace(manifest, parts=tuple(parts)).write(hidden)
    publish(hidden, place)
    (place / JOURNAL).unlink(missing_ok=True)
    return sum(counts.values())


def _rows_of(file: Path, identity: str) -> int:
    ids = pq.read_table(file, columns=["entity_id"], partitioning=None)["entity_id"]
    return int(pc.sum(_is(ids, identity)).as_py() or 0)


def _without(file: Path, identity: str) -> Iterator[pa.Table]:
    parquet = pq.ParquetFile(file)
    for group in range(max(parquet.num_row_groups, 0)):
        rows = parquet.read_row_group(group)
        yield rows.filter(pc.invert(_is(rows["entity_id"], identity)))


# ------------------------------------------------------------------------------------------- other files
def _from_parquet(file: Path, kind: Kind, identity: str) -> int:
    """Remove his rows from a file, in one step."""
    names = [name for name in _ID_COLUMNS[kind] if name in pq.read_schema(file).names]
    rows = pq.read_table(file, partitioning=None)
    kept = rows
    for name in names:
        kept = kept.filter(pc.invert(pc.fill_null(_is(kept[name], identity), False)))
    if kept.num_rows < rows.num_rows:
        with _aside(file) as aside:
            pq.write_table(kept, aside, compression="zstd")
    return int(rows.num_rows - kept.num_rows)


def _from_review(file: Path, identity: str) -> int:
    """Remove him from the sample of a stored review."""
    review = Review.from_json(file.read_text(encoding="utf-8"))
    kept = tuple(customer for customer in review.customers if customer.entity_id != identity)
    if len(kept) < len(review.customers):
        with _aside(file) as aside:
            aside.write_text(replace(review, customers=kept).to_json(), encoding="utf-8")
    return len(review.customers) - len(kept)


def _from_page(file: Path, task: str, identity: str, report: ForgetReport) -> None:
    """Remove a page that may show him: it is written anew from the stored review, in which he is no more."""
    if file.exists():
        file.unlink()
        if task not in report.pages:
            report.pages.append(task)
            report.removed.append(str(Path("reports") / file.parent.name / file.name))


def _from_kept_page(file: Path, config: Config, identity: str, report: ForgetReport) -> None:
    """Remove a page that was kept as it was (that of a decision) where it shows him: it cannot be written anew."""
    shown = f"<bdi>{escape(clean(identity, LONGEST_VALUE))}</bdi>"
    if shown in file.read_text(encoding="utf-8"):
        file.unlink()
        report.removed.append(str(file.relative_to(config.home)))
        report.notes.append(f"{file.name}, kept of a decision, showed him and is gone; the decision itself stands")


@contextmanager
def _aside(file: Path) -> Iterator[Path]:
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        yield aside
        rename_synced(aside, file)
    finally:
        aside.unlink(missing_ok=True)


def _is(ids: pa.ChunkedArray, identity: str) -> pa.ChunkedArray:
    return pc.equal(ids.cast(pa.string()), identity)
