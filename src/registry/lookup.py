"""The single steps on MLflow's registry: log a model folder, find a version, bring its files to this machine."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Config
from ..errors import ModelError
from .envelope import wrap
from .tracking import Run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

ARTIFACT = "bundle"
"""Name of the model within its run."""


@dataclass(frozen=True)
class Resolved:
    """A model that was found: its folder on this machine, and where it comes from as far as is known."""

    folder: Path
    name: str | None
    version: str | None
    run_id: str | None


def log_model(run: Run, folder: Path) -> tuple[str, str]:
    """Upload the MLflow model folder of a bundle; its location and id."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    client = run.client
    logged = client.create_logged_model(run.experiment, name=ARTIFACT, source_run_id=run.id, model_type="classifier")
    status = LoggedModelStatus.FAILED
    try:
        with tempfile.TemporaryDirectory() as aside:
            outer = Path(aside) / "model"
            wrap(folder, outer, run_id=run.id, model_id=logged.model_id)
            client.log_model_artifacts(logged.model_id, str(outer))
        client.log_outputs(run.id, [LoggedModelOutput(logged.model_id, step=0)])
        status = LoggedModelStatus.READY
    finally:
        client.finalize_logged_model(logged.model_id, status)
    return str(logged.artifact_location), str(logged.model_id)


def ensure_registered(client: MlflowClient, name: str) -> None:
    """Create the registered model of this name if there is none."""
    from mlflow.exceptions import MlflowException

    if registered(client, name) is None:
        try:
            client.create_registered_model(name)
        except MlflowException:
            # Another process may have been quicker; if not, the fault is a real one.
            if registered(client, name) is None:
                raise


def registered(client: MlflowClient, name: str) -> RegisteredModel | None:
    """The registered model of this name, or None."""
    from mlflow.exceptions import MlflowException

    try:
        found: RegisteredModel = client.get_registered_model(name)
        return found
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def find_version(client: MlflowClient, name: str, which: str) -> ModelVersion:
    """The version with this number or alias; ModelError where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        if which.isdigit():
            return client.get_model_version(name, which)
        return client.get_model_version_by_alias(name, which)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise ModelError(f"{name} has no version '{which}'; run `rapport run` or `rapport train` first") from error


def localise(config: Config, client: MlflowClient, found: ModelVersion) -> Resolved:
    """The folder of a version: in place where the store is on this machine, else downloaded once."""
    from mlflow.artifacts import download_artifacts
    from mlflow.utils.file_utils import local_file_uri_to_path
    from mlflow.utils.uri import is_local_uri

    name, version = str(found.name), str(found.version)
    source = client.get_model_version_download_uri(name, version)
    if is_local_uri(source, is_tracking_or_registry_uri=False):
        return Resolved(Path(local_file_uri_to_path(source)), name, version, found.run_id)
    # The run is in the name because another store may have the same model and version.
    folder = config.home / "mlruns" / "downloads" / name / f"{version}-{found.run_id}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{version}.", dir=folder.parent))
        try:
            got = download_artifacts(artifact_uri=source, dst_path=str(aside), tracking_uri=client.tracking_uri)
            Path(got).rename(folder)
        except OSError:
            # Another process may have been quicker; if not, the fault is a real one.
            if not folder.is_dir():
                raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return Resolved(folder, name, version, found.run_id)
