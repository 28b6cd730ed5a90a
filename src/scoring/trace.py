"""Lineage: from one customer's score back to the model, its run, the data, the configuration and the commit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..config import Config
from ..errors import DataError, ModelError, OutputError
from ..models.bundle import Bundle
from ..registry.tracking import RunFacts, run_facts
from ..registry.versions import aliases, load, version_tags
from .job import Job, model_digest
from .manifest import Manifest
from .parts import fault_of
from .results import open_result, results, scores_folder

MOST_ROWS = 10


@dataclass(frozen=True)
class Origin:
    """The registered version that a score came from; `same_model` says whether it is byte for byte what scored."""

    role: str
    review: str
    reviewed_by: str
    grade: str
    trained_on: str
    same_model: bool
    run: RunFacts


@dataclass(frozen=True)
class Trace:
    """Where a score came from. `rows` are the entity's rows (keys, score, raw_score), best first, at most ten.

    `origin` is None where the registry does not know the version, which `missing` explains.
    """

    entity: str
    file: Path
    sha256: str
    rows: tuple[dict[str, Any], ...]
    scored_at: datetime
    job: Job
    origin: Origin | None
    missing: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        found: dict[str, Any] = {
            "entity_id": self.entity,
            "file": str(self.file),
            "sha256": self.sha256,
            "rows": list(self.rows),
        }
        origin = None if self.origin is None else asdict(self.origin)
        found |= {"scored_at": self.scored_at.isoformat(), "job": self.job.as_json(), "origin": origin}
        return found | ({"missing": self.missing} if self.missing else {})

    @property
    def text(self) -> str:
        """The way back, a line a step."""
        job, origin = self.job, self.origin
        lines = [f"{job.task} of {self.entity} as of {job.as_of}"]
        for row in self.rows:
            keys = ", ".join(
                str(value) for name, value in row.items() if name not in ("entity_id", "score", "raw_score")
            )
            lines.append(
                f"  score     {row['score']:.6f} (raw {row['raw_score']:+.6f}){f' for {keys}' if keys else ''}"
            )
        lines.append(f"  file      {self.file} (sha256 {self.sha256[:12]}, as its manifest says)")
        lines.append(
            f"  scored    {self.scored_at:%Y-%m-%d %H:%M:%S} UTC by rapport {job.code}, settings {job.settings[:12]}"
        )
        lines.append(f"  data      fingerprint {job.data[:12]}, seen up to {job.cutoff.isoformat(sep=' ')} UTC")
        lines.append(f"  model     {job.model_name or 'not registered'} version {job.model_version or '?'}")
        if origin is None:
            return "\n".join([*lines, f"  registry  {self.missing}"])
        said = f"{origin.review}{f' by {origin.reviewed_by}' if origin.reviewed_by else ''}"
        same = "the very model that scored" if origin.same_model else "NOT the model that scored: it was changed since"
        run = origin.run
        commit = f"{run.revision}{' with changes that were not committed' if run.dirty else ''}" if run.revision else ""
        lines += [
            f"  registry  {origin.role or 'no alias'}, {said}, grade {origin.grade or '?'}: {same}",
            f"  trained   {run.started_at:%Y-%m-%d %H:%M:%S} UTC in run {run.id} by rapport {run.rapport}",
            f"  learned   from data of fingerprint {origin.trained_on[:12]}"
            + (", the same that were scored" if origin.trained_on == job.data else ""),
            f"  config    {run.config_file}",
            f"  commit    {commit or 'not known: training ran outside a git checkout'}",
        ]
        return "\n".join(lines)


def trace(config: Config, task: str, entity: str, *, as_of: date | None = None, folder: Path | None = None) -> Trace:
    """Follow the newest score of an entity (or that of a day) back to where it came from.

    `folder` holds the days of scores (default: scores/<config>/<task>). Raises DataError where the entity was not
    scored, OutputError where there are no scores, or they were changed since they were written.
    """
    days = results(folder or scores_folder(config, task))
    if as_of is not None:
        days = {day: place for day, place in days.items() if day == as_of}
    if not days:
        raise OutputError(f"{task} has no scores{f' as of {as_of}' if as_of else ''}; run `rapport score` first")
    for place in reversed(days.values()):
        manifest = open_result(place)
        found = _find(place, manifest, entity)
        if found is not None:
            file, digest, rows = found
            origin, missing = _origin(config, task, manifest.job)
            return Trace(entity, file, digest, rows, manifest.scored_at, manifest.job, origin, missing)
    when = f"as of {as_of}" if as_of else f"on any of {len(days)} days"
    raise DataError(f"{task}: '{entity}' was not scored {when}; `rapport explain` says who is")


def _find(place: Path, manifest: Manifest, entity: str) -> tuple[Path, str, tuple[dict[str, Any], ...]] | None:
    """The part that holds the entity, its checksum, and the entity's rows; None where it is in none."""
    named = {name for name, _ in manifest.columns}
    columns = ["entity_id", *(c for c in ("campaign_id", "rank", "offer_id") if c in named), "score", "raw_score"]
    for part in manifest.parts:
        try:
            table = pq.read_table(place / part.file, columns=columns, partitioning=None)
        except (pa.ArrowException, OSError) as error:
            damage = fault_of(place, part) or f"{part.file} is not readable: {error}"
            raise OutputError(f"{place}: {damage}; nothing can be traced there: score that day again") from error
        mine = table.filter(pc.equal(table["entity_id"].cast(pa.string()), entity))
        if mine.num_rows:
            fault = fault_of(place, part)
            if fault is not None:
                raise OutputError(f"{place}: {fault}; its scores cannot be traced: score that day again")
            best = mine.sort_by([("score", "descending")]).slice(0, MOST_ROWS)
            return place / part.file, part.sha256, tuple(best.to_pylist())
    return None


def _origin(config: Config, task: str, job: Job) -> tuple[Origin | None, str]:
    """What the registry knows of the model of a job; None and the reason where it knows nothing."""
    if job.model_version is None or job.run_id is None:
        return None, "the model came from a folder that names no registered version"
    try:
        bundle: Bundle = load(config, task, job.model_version, threads=config.threads)
        if bundle.run_id != job.run_id:
            raise ModelError(f"version {job.model_version} here comes from another run: another registry trained it")
        run, tags = run_facts(config, job.run_id), version_tags(config, task, job.model_version)
    except ModelError as error:
        return None, str(error)
    held = [alias for alias, version in aliases(config, task).items() if version == job.model_version]
    return Origin(
        role=" and ".join(held),
        review=tags.get("review", "unreviewed"),
        reviewed_by=tags.get("review.by", ""),
        grade=tags.get("grade", ""),
        trained_on=str(bundle.metadata["data_fingerprint"]),
        same_model=model_digest(bundle) == job.model,
        run=run,
    ), ""
