"""The nightly job: everybody of a task scored as of a day, with reasons, published whole or not at all.

A job works in a hidden folder beside its place, one part for each bucket of customers, and publishes by renaming that
folder. Killed at any moment and started again, it makes only the parts that are missing, and its bytes are those of
an undisturbed run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from ..data.dataset import Dataset
from ..errors import DataError, OutputError, RapportError
from ..models.bundle import Bundle
from ..tasks import declare
from ..tasks.base import Task
from .durable import publish, recover, writing_to
from .findings import Finding, stop_at
from .guards import check_after, check_before
from .job import Job, define_job
from .joblog import JobLog
from .lock import only_writer
from .manifest import MANIFEST, Manifest, read_manifest
from .parts import Part
from .population import Population
from .profile import Profile
from .results import last_before, last_profile, scores_folder
from .rows import Scorer
from .sinks import Sink, open_sinks
from .spark import population_of
from .workspace import JOURNAL, Tally, Workspace, sweep

Say = Callable[[str], None]
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class ScoreReport:
    """What a job did. `made` counts the parts that were computed now; 0 where the result was complete already.

    `findings` is what the guards warned of.
    """

    job: Job
    folder: Path
    rows: int
    parts: tuple[Part, ...]
    made: int
    dry_run: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def text(self) -> str:
        """One line for a log or a terminal."""
        if self.dry_run:
            return f"dry run: {self.rows:,} rows would be scored as of {self.job.as_of} into {self.folder}"
        if not self.made:
            return f"the scores as of {self.job.as_of} were complete already: {self.rows:,} rows in {self.folder}"
        return f"{self.rows:,} rows scored as of {self.job.as_of} into {self.folder}"


@dataclass(frozen=True)
class _Run:
    """One run of a job: where it publishes, and whom it tells what it does."""

    data: Dataset
    population: Population
    place: Path
    say: Say
    clock: Clock
    log: JobLog
    sinks: tuple[Sink, ...] = ()
    findings: list[Finding] = field(default_factory=list)

    @property
    def job(self) -> Job:
        return self.population.job

    def found(self, findings: list[Finding]) -> None:
        """Tell what the guards found; GateError where one of them says stop."""
        for finding in findings:
            self.log.write("guard", **finding.as_json())
            self.say(f"warning: {finding.text}")
        self.findings.extend(findings)
        stop_at(findings, self.job.task)

    def deliver(self, manifest: Manifest) -> None:
        """Bring a published result to the sinks that do not have it."""
        for sink in self.sinks:
            if not sink.holds(manifest):
                self.say(f"writing to {sink.shown}")
                sink.put(self.place, manifest)
                self.log.write("sink", sink=sink.shown, rows=manifest.rows)

    def report(self, manifest: Manifest, made: int) -> ScoreReport:
        self.deliver(manifest)
        self.log.write("done", folder=str(self.place), rows=manifest.rows, parts=len(manifest.parts), made=made)
        return ScoreReport(self.job, self.place, manifest.rows, manifest.parts, made, findings=tuple(self.findings))


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

    The result is `<out>/as_of=YYYY-MM-DD/` with `part-*.parquet`, `_profile.json` and `_manifest.json`; `out` defaults
    to `<home>/scores/<config>/<task>`. A result of the same job is completed or left as it is; one of another job
    (other data, another model) is replaced with `force` only, in one step. With `dry_run`, nothing is written.

    Raises DataError for a day before the data and for an empty population, ModelError where the model does not fit the
    task or the data, GateError where a guard says stop, OutputError where the place cannot be written or is not ours.
    """
    settings = data.config.task(task_name)
    task = declare(task_name, settings)
    job = define_job(data, task, settings, bundle, as_of)
    place = (out or scores_folder(data.config, task_name)) / f"as_of={job.as_of.isoformat()}"
    log = JobLog(data.config, task_name, clock)
    log.write("begin", job=job.as_json(), folder=str(place), force=force, dry_run=dry_run)
    try:
        with population_of(data, task, bundle, job) as population:
            run = _Run(data, population, place, say, clock, log, open_sinks(data.config))
            previous = last_before(place.parent, job.as_of)
            run.found(population.findings + check_before(data, job, data.config.scoring.limits, previous, clock()))
            if dry_run:
                rows = population.count()
                _refuse_empty(task, job, rows)
                return ScoreReport(job, place, rows, (), 0, dry_run=True, findings=tuple(run.findings))
            with writing_to(place.parent), _folder(place.parent), only_writer(place.with_name(f".{place.name}.lock")):
                recover(place)
                sweep(place.parent, place, clock())
                return _scored(run, previous, force=force)
    except RapportError as error:
        log.write("failed", error=type(error).__name__, text=str(error))
        raise


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


def _scored(run: _Run, previous: Manifest | None, *, force: bool) -> ScoreReport:
    """Resume, repair or begin the job, and publish what came of it."""
    place, hidden = run.place, run.place.with_name(f".{run.place.name}.new")
    published = _published(place, run.job, force=force)
    if published is None:
        work = Workspace.open(hidden, run.job, run.clock())
    else:
        faults = published.faults(place)
        if not faults:
            (place / JOURNAL).unlink(missing_ok=True)
            shutil.rmtree(hidden, ignore_errors=True)  # of a forced job that was killed
            return run.report(published, 0)
        for fault in faults:
            run.log.write("damage", text=fault)
            run.say(f"{fault}: it will be made again")
        work = Workspace.repair(hidden, place, published)
    missing = work.missing()
    empty = run.population.empty
    _make(run, work, missing, empty)
    if work.rows == 0:
        work.discard()
        _refuse_empty(run.population.task, run.job, 0)
    profile = work.profile(empty)
    try:
        earlier = last_profile(place.parent, previous)
        run.found(check_after(profile, work.rows, run.data.config.scoring.limits, run.job.as_of, previous, earlier))
    except RapportError:
        work.discard()
        raise
    manifest = work.finish(profile)
    publish(work.folder, place)
    (place / JOURNAL).unlink(missing_ok=True)
    return run.report(manifest, len(missing))


def _make(run: _Run, work: Workspace, missing: list[int], empty: Profile) -> None:
    """Make the missing parts."""
    if not missing:
        return
    run.say("preparing the model")
    scorer = run.population.scorer()
    for number, bucket in enumerate(missing):
        run.say(f"scoring part {number + 1} of {len(missing)}")
        tally = Tally()
        part = work.add(bucket, _rows(run, work, scorer, bucket, empty, tally), tally)
        run.log.write("part", file=part.file, rows=part.rows, bytes=part.bytes)


def _rows(run: _Run, work: Workspace, scorer: Scorer, bucket: int, empty: Profile, tally: Tally) -> Iterator[pa.Table]:
    """The rows of a part piece by piece; what they look like is tallied on the way."""
    for rows, found in run.population.scored(scorer, bucket, work.scored_at, empty):
        tally.add(found.counts, found.rows)
        yield rows


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
