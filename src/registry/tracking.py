"""One training as an MLflow run: parameters, metrics, texts and pictures, and where it all came from.

A run is always closed: finished, or failed where its block raises. One whose process was killed is marked
failed when the next run of the same task starts on the same machine.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Config
from ..errors import ModelError
from ..models.base import without_credentials
from .store import connect, experiment_id

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

_PARAMS_AT_ONCE, _METRICS_AT_ONCE, _LONGEST_PARAM = 100, 1_000, 6_000
_PART_OF_NAME = re.compile(r"[\w. -]+")
_PROCESS = "rapport.process"
CONFIG_FILE = "config.yaml"
"""Artifact of a training with its resolved configuration."""


class Run:
    """An open run; made by `start_run` and `child`."""

    def __init__(self, client: MlflowClient, experiment: str, run_id: str) -> None:
        self.client = client
        self.experiment = experiment
        self.id = run_id

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Parameters, nested mappings joined by dots, without passwords; in few transactions, for each is slow.

        A mapping with keys that cannot be part of a name (a person's words, say) is one parameter as a whole.
        """
        from mlflow.entities import Param

        items = [Param(key, _short(value)) for key, value in _flat(without_credentials(params)).items()]
        for start in range(0, len(items), _PARAMS_AT_ONCE):
            self.client.log_batch(self.id, params=items[start : start + _PARAMS_AT_ONCE])

    def log_metrics(self, metrics: Mapping[str, float | None], *, step: int = 0) -> None:
        """Metrics by name, such as `test.roc_auc`; None is left out."""
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        items = [Metric(key, float(value), now, step) for key, value in metrics.items() if value is not None]
        for start in range(0, len(items), _METRICS_AT_ONCE):
            self.client.log_batch(self.id, metrics=items[start : start + _METRICS_AT_ONCE])

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Tags of the run."""
        from mlflow.entities import RunTag

        self.client.log_batch(self.id, tags=[RunTag(key, str(value)) for key, value in tags.items()])

    def log_text(self, text: str, file: str) -> None:
        """A text as an artifact, such as the model card."""
        self.client.log_text(self.id, text, file)

    def log_dict(self, content: Mapping[str, Any], file: str) -> None:
        """Plain values as a JSON or YAML artifact, as the name of the file says; without passwords."""
        self.client.log_dict(self.id, without_credentials(content), file)

    def log_figure(self, figure: Figure, file: str) -> None:
        """A matplotlib figure as an artifact."""
        self.client.log_figure(self.id, figure, file)

    def log_artifacts(self, path: Path, folder: str | None = None) -> None:
        """A file, or all files of a folder."""
        if path.is_dir():
            self.client.log_artifacts(self.id, str(path), folder)
        else:
            self.client.log_artifact(self.id, str(path), folder)

    @contextmanager
    def child(self, name: str) -> Iterator[Run]:
        """A run below this one, such as a trial."""
        from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

        with _open(self.client, self.experiment, name, {MLFLOW_PARENT_RUN_ID: self.id}) as run:
            yield run


def reopen(config: Config, run_id: str) -> Run:
    """A run that has ended, to log more to it."""
    client = connect(config)
    return Run(client, str(client.get_run(run_id).info.experiment_id), run_id)


@dataclass(frozen=True)
class RunFacts:
    """Where a run came from: its id and start (UTC), the version of Rapport, the git revision, its configuration."""

    id: str
    started_at: datetime
    rapport: str
    revision: str
    dirty: bool
    config_file: str


def run_facts(config: Config, run_id: str) -> RunFacts:
    """What the store knows of a run; ModelError where there is no such run."""
    from mlflow.exceptions import MlflowException

    client = connect(config)
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise ModelError(f"there is no run {run_id} in the tracking store; see `mlflow ui`") from error
    tags = run.data.tags
    return RunFacts(
        id=run_id,
        started_at=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        rapport=tags.get("rapport.version", "unknown"),
        revision=tags.get("rapport.git_revision", ""),
        dirty=tags.get("rapport.git_dirty") == "true",
        config_file=f"{run.info.artifact_uri}/{CONFIG_FILE}",
    )


def artifact_text(run: Run, file: str) -> str:
    """A text artifact of a run; ModelError where the run has none of that name."""
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            return Path(run.client.download_artifacts(run.id, file, folder)).read_text(encoding="utf-8")
        except (MlflowException, OSError) as error:
            raise ModelError(f"run {run.id} has no artifact '{file}'; train the task again") from error


@contextmanager
def start_run(config: Config, task: str, *, name: str | None = None, fingerprint: str | None = None) -> Iterator[Run]:
    """A run of the experiment `rapport.<config>.<task>`, closed when the block ends, whatever happens in it.

    Tagged with the version of Rapport, the revision of the current folder where it is a git checkout, and the
    `fingerprint` of the data.
    """
    client = connect(config)
    experiment = experiment_id(client, config, task)
    _close_abandoned(client, experiment)
    tags = {"rapport.task": task, "rapport.config": config.name, "rapport.version": _version(), **git_tags(Path.cwd())}
    if fingerprint is not None:
        tags["rapport.data_fingerprint"] = fingerprint
    with _open(client, experiment, name or task, tags) as run:
        yield run


@contextmanager
def _open(client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[Run]:
    created = client.create_run(experiment, run_name=name, tags={**tags, _PROCESS: process_name(os.getpid())})
    run = Run(client, experiment, created.info.run_id)
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    finally:
        client.set_terminated(run.id, status)


def git_tags(folder: Path) -> dict[str, str]:
    """Revision of a git checkout, and whether files differ from it; empty where the folder is none."""
    revision = _git(folder, "rev-parse", "HEAD")
    if not revision:
        return {}
    dirty = bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    return {
        "mlflow.source.git.commit": revision,
        "rapport.git_revision": revision,
        "rapport.git_dirty": str(dirty).lower(),
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _version() -> str:
    try:
        return importlib.metadata.version("rapport")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def process_name(pid: int) -> str:
    """Machine, number and start of a process: numbers are used again, and starts tell them apart (on Linux)."""
    try:
        # The name of the program stands in brackets and may hold blanks; the start is the 20th field behind it.
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        started = "?"
    return f"{socket.gethostname()}/{pid}/{started}"


def _close_abandoned(client: MlflowClient, experiment: str) -> None:
    """Mark the runs failed that are open and whose process on this machine is gone."""
    for run in client.search_runs([experiment], "attributes.status = 'RUNNING'", max_results=1_000):
        host, _, rest = run.data.tags.get(_PROCESS, "").partition("/")
        number = rest.partition("/")[0]
        if host == socket.gethostname() and number.isdigit() and run.data.tags[_PROCESS] != process_name(int(number)):
            client.set_terminated(run.info.run_id, "FAILED")


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in params.items():
        if isinstance(value, Mapping) and all(_PART_OF_NAME.fullmatch(str(inner)) for inner in value):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_PARAM else text[: _LONGEST_PARAM - 1] + "…"
