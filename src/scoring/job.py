"""What a scoring job is: which model scores whom, as of when, from which data, by which code.

Two jobs with the same identity write the same bytes, but for the time at which they were started.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..config import Config, TaskConfig
from ..data.dataset import Dataset
from ..errors import DataError, ModelError
from ..features.own import checksums
from ..language.moments import midnight, to_local
from ..models.base import json_bytes
from ..models.bundle import Bundle
from ..tasks.base import Task
from .never import never_digest

LAST_YEAR = 9000


@dataclass(frozen=True)
class Job:
    """The identity of a job; `cutoff` is naive UTC, `as_of` the local day that names its output.

    `model` is the checksum of the model's content, `code` that of the package, `data` the fingerprint of the tables,
    `settings` that of the task's part of the configuration.
    """

    config: str
    task: str
    as_of: date
    cutoff: datetime
    model: str
    model_name: str | None
    model_version: str | None
    run_id: str | None
    data: str
    settings: str
    code: str
    parts: int

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"as_of": self.as_of.isoformat(), "cutoff": self.cutoff.isoformat()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Job:
        """What `as_json` wrote; KeyError, TypeError or ValueError for anything else."""
        moments = {"as_of": date.fromisoformat(content["as_of"]), "cutoff": datetime.fromisoformat(content["cutoff"])}
        return cls(**{**content, **moments})

    def difference(self, other: Job) -> str:
        """In words, what tells the other job from this one; empty where they are the same."""
        words = {
            "model": f"another model ({other.model_name or 'unnamed'} version {other.model_version or '?'})",
            "data": "other data",
            "cutoff": f"another moment ({other.cutoff.isoformat(sep=' ')} UTC)",
            "settings": "another configuration of the task (or list of ids never scored, or results of other tasks)",
            "code": "another version of Rapport",
        }
        named = [text for name, text in words.items() if getattr(self, name) != getattr(other, name)]
        return ", ".join(named) if named or self == other else "another job"


def define_job(data: Dataset, task: Task, settings: TaskConfig, bundle: Bundle, as_of: date | None) -> Job:
    """The job for a day (default: that of the configuration, else the end of the data).

    Raises DataError where the day lies before the data, ModelError where the model answers another question.
    """
    _check_model(task, bundle)
    day, cutoff = moment_of(data, settings, as_of)
    if cutoff <= data.first_event:
        first = to_local(data.first_event, data.config.zone)
        raise DataError(
            f"{task.name}: the score date {day} lies before the data begin ({first:%Y-%m-%d %H:%M}); "
            "give a later date with --as-of, or score_as_of in the config"
        )
    return Job(
        config=data.config.name,
        task=task.name,
        as_of=day,
        cutoff=cutoff,
        model=model_digest(bundle),
        model_name=bundle.name,
        model_version=bundle.version,
        run_id=bundle.run_id,
        data=data.fingerprint,
        settings=settings_digest(data.config, task.name) + _other_results(data.config, task.name, day),
        code=code_version(),
        parts=data.buckets,
    )


def moment_of(data: Dataset, settings: TaskConfig, as_of: date | None) -> tuple[date, datetime]:
    """The local day and the cutoff: the first moment of a day that is named, else the very end of the data."""
    day = as_of or settings.score_as_of
    if day is not None:
        if not 1 < day.year < LAST_YEAR:  # with its windows, it must have a place in the calendar
            raise DataError(f"the score date {day} is beyond the calendar; give another with --as-of")
        return day, midnight(day, data.config.zone)
    return to_local(data.observed_until, data.config.zone).date(), data.observed_until


def _check_model(task: Task, bundle: Bundle) -> None:
    about = bundle.metadata
    trained = about.get("task")
    if trained != task.name:
        raise ModelError(f"the model was trained for the task '{trained}', not for '{task.name}'; give another --model")
    for name, here in (("keys", list(task.keys)), ("horizon", task.horizon)):
        there = about.get(name, here)
        if there != here:
            raise ModelError(
                f"the model of {task.name} was trained with {name} {there}, the config has {here}; "
                "train it again, or mend the config"
            )


def model_digest(bundle: Bundle) -> str:
    """sha256 of what decides a model's scores and words: trees, encoding, calibration, distribution of scores."""
    total = hashlib.sha256(bundle.model.content)
    if bundle.distribution is not None:
        total.update(bundle.distribution.tobytes())
    if bundle.worth is not None:
        total.update(bundle.worth.content)
    return total.hexdigest()


def settings_digest(config: Config, task: str) -> str:
    """sha256 of what the configuration says of the task and of how it is written out."""
    raw = config.resolved()
    content = [raw["tasks"][task], raw["currency"], raw["time_zone"], never_digest(config)]
    content += [checksums(config)] if config.features else []
    return hashlib.sha256(json_bytes(content)).hexdigest()


def _other_results(config: Config, task: str, day: date) -> str:
    """The checksum of the results of other tasks up to the day that this one reads, if any.

    A win-back list reads the causes of leaving that were foretold, a conversion of prospects the newest segments and
    values of customers.
    """
    base, known = config.home / "scores" / config.name, []
    for other in {"winback": ("defection",), "conversion": ("segments", "value")}.get(task, ()):
        if other in config.tasks.named():
            files = sorted((base / other).glob("as_of=*/_manifest.json"))
            until = [file for file in files if file.parent.name <= f"as_of={day.isoformat()}"]
            known += until if task == "winback" else until[-1:]
    total = hashlib.sha256(b"".join(file.read_bytes() for file in known))
    return f"+{total.hexdigest()}" if known else ""


@lru_cache(maxsize=1)
def code_version() -> str:
    """Version of the package and the first digits of the sha256 of its code, such as 0.1.0+3f2a..."""
    package = Path(__file__).parent.parent
    total = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        total.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes())
    try:
        version = importlib.metadata.version("rapport")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    return f"{version}+{total.hexdigest()[:12]}"
