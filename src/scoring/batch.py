"""The nightly job: everybody of a task scored as of a day, with reasons, published whole or not at all.

A job works in a hidden folder beside its place, one part for each bucket of customers, and publishes by renaming that
folder. Killed at any moment and started again, it makes only the parts that are missing, and its bytes are those of
an undisturbed run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..data.dataset import Dataset
from ..errors import DataError, ModelError, OutputError
from ..features.stream import SnapshotStream
from ..models.bundle import Bundle
from ..tasks import declare
from ..tasks.base import Task
from .durable import publish, recover, writing_to
from .job import Job, define_job
from .lock import only_writer
from .manifest import MANIFEST, Manifest, columns_of, read_manifest
from .parts import Part
from .rows import Scorer
from .workspace import JOURNAL, Workspace

Say = Callable[[str], None]
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class ScoreReport:
    """What a job did. `made` counts the parts that were computed now; 0 where the result was complete already."""

    job: Job
    folder: Path
    rows: int
    parts: tuple[Part, ...]
    made: int
    dry_run: bool = False

    @property
    def text(self) -> str:
        """One line for a log or a terminal."""
        if self.dry_run:
            return f"dry run: {self.rows:,} rows would be scored as of {self.job.as_of} into {self.folder}"
        if not self.made:
            return f"the scores as of {self.job.as_of} were complete already: {self.rows:,} rows in {self.folder}"
        return f"{self.rows:,} rows scored as of {self.job.as_of} into {self.folder}"


def scores_folder(data: Dataset, task: str) -> Path:
    """Where the scores of a task lie by default, one folder a day."""
    return data.config.home / "scores" / data.config.name / task


def score(
    data: Dataset,
    task_name: str,
    bundle: Bundle,
    *,
    as_of: date | None = None,
    out: Path | None = None,
    force: bool = False,
    dry_run: bool = False,
    say: Say = lambda text: None,
    clock: Clock = lambda: datetime.now(UTC),
) -> ScoreReport:
    """Score the population of a task as of a local day's first moment (default: the end of the data).

    The result is `<out>/as_of=YYYY-MM-DD/` with `part-*.parquet` and `_manifest.json`; `out` defaults to
    `<home>/scores/<config>/<task>`. A result of the same job is completed or left as it is; one of another job (other
    data, another model) is replaced with `force` only, in one step. With `dry_run`, nothing is written.

    Raises DataError for a day before the data and for an empty population, ModelError where the model does not fit the
    task or the data, OutputError where the place cannot be written or is not ours to write.
    """
    settings = data.config.task(task_name)
    task = declare(task_name, settings)
    job = define_job(data, task, settings, bundle, as_of)
    place = (out or scores_folder(data, task_name)) / f"as_of={job.as_of.isoformat()}"
    with _Population(data, task, bundle, job) as population:
        if dry_run:
            rows = population.count()
            _refuse_empty(task, job, rows)
            return ScoreReport(job, place, rows, (), 0, dry_run=True)
        with writing_to(place.parent), _folder(place.parent), only_writer(place.with_name(f".{place.name}.lock")):
            recover(place)
            return _scored(population, place, force=force, say=say, clock=clock)


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make a folder, and take back what was made of its path where nothing was written into it."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for one in new:
            if any(one.iterdir()):
                break
            one.rmdir()


def _scored(population: _Population, place: Path, *, force: bool, say: Say, clock: Clock) -> ScoreReport:
    job = population.job
    hidden = place.with_name(f".{place.name}.new")
    published = _published(place, job, force=force)
    if published is not None:
        faults = published.faults(place)
        if not faults:
            (place / JOURNAL).unlink(missing_ok=True)
            return ScoreReport(job, place, published.rows, published.parts, 0)
        for fault in faults:
            say(f"{fault}: it will be made again")
        work = Workspace.repair(hidden, place, published)
    else:
        work = Workspace.open(hidden, job, clock())
    missing = [bucket for bucket in range(job.parts) if not work.has(bucket)]
    schema = _make(population, work, missing, say=say)
    rows = sum(part.rows for part in work.parts())
    if rows == 0:
        work.discard()
        _refuse_empty(population.task, job, rows)
    manifest = Manifest(job, work.scored_at, columns_of(schema), work.parts())
    manifest.write(work.folder)
    publish(work.folder, place)
    (place / JOURNAL).unlink(missing_ok=True)
    return ScoreReport(job, place, rows, manifest.parts, len(missing))


def _make(population: _Population, work: Workspace, missing: list[int], *, say: Say) -> pa.Schema:
    """Make the missing parts; the schema of all."""
    if missing:
        say("preparing the model")
        scorer = population.scorer()
    for number, bucket in enumerate(missing):
        say(f"scoring part {number + 1} of {len(missing)}")
        pieces = population.pieces(bucket)
        work.add(bucket, (scorer.rows(piece, work.job, work.scored_at) for piece in pieces))
    return pq.read_schema(work.folder / work.parts()[0].file)


def _published(place: Path, job: Job, *, force: bool) -> Manifest | None:
    """The manifest of what stands in the place, where it is the job's own and may stay."""
    if force:
        return None
    manifest = read_manifest(place)
    if manifest is None:
        if place.exists():
            raise OutputError(f"{place} holds no {MANIFEST} and is no result of Rapport; remove it, or use --force")
        return None
    if manifest.job != job:
        raise OutputError(
            f"{place} holds scores of {job.difference(manifest.job)}; use --force to put new ones in their place"
        )
    return manifest


def _refuse_empty(task: Task, job: Job, rows: int) -> None:
    if rows == 0:
        raise DataError(
            f"{task.name}: nobody is to be scored as of {job.as_of} ({task.population_text}); "
            "check the date, the population in the config and the data"
        )


class _Population:
    """Who is scored, and what is known of them, bucket by bucket."""

    def __init__(self, data: Dataset, task: Task, bundle: Bundle, job: Job) -> None:
        self.data, self.task, self.bundle, self.job = data, task, bundle, job
        trained = bundle.config.get("tasks", {}).get(task.name) or {}
        learned = {name: tuple(values) for name, values in bundle.metadata.get("learned", {}).items()}
        self.stream = SnapshotStream(data, task, blocks=trained.get("blocks"), learned=learned)
        self._check_features()

    def __enter__(self) -> _Population:
        return self

    def __exit__(self, *fault: object) -> None:
        self.stream.close()

    def scorer(self) -> Scorer:
        """The model, made ready."""
        config = self.data.config
        return Scorer.of(self.task, self.bundle, currency=config.currency, threads=config.threads)

    def count(self) -> int:
        """Number of rows that would be scored (before any cut to the top ranks)."""
        return sum(self.stream.count(self.job.cutoff, bucket) for bucket in range(self.job.parts))

    def pieces(self, bucket: int) -> Iterator[pa.Table]:
        """The rows of a bucket with their features."""
        return self.stream.pieces(self.job.cutoff, bucket)

    def _check_features(self) -> None:
        here = {column.name: column for column in self.stream.columns}
        absent = [column.name for column in self.bundle.columns if column.name not in here]
        if absent:
            why = "; ".join(self.stream.plan.left_out[:3])
            raise ModelError(
                f"{self.task.name}: the data give {len(absent)} of the model's {len(self.bundle.columns)} features no "
                f"more, such as '{absent[0]}'" + (f" ({why})" if why else "") + "; map the tables as in training, "
                "or train again"
            )
