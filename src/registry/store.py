"""Where MLflow keeps runs and models, and how it is opened without its noise.

The default is a SQLite database and a folder of artifacts below the home of the project; MLFLOW_TRACKING_URI names
another store. MLflow is imported here and nowhere above; importing it takes seconds, so it waits until it is needed.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from ..config import Config

if TYPE_CHECKING:
    from mlflow import MlflowClient

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # no call home from a company's nightly job
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",  # would copy the lock file of the current folder into the model
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


def store_uri(config: Config) -> str:
    """Address of the tracking store, for `mlflow.set_tracking_uri` or `mlflow ui --backend-store-uri`."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{config.home.resolve() / 'mlruns' / 'mlflow.db'}"


def connect(config: Config) -> MlflowClient:
    """A client of the store, which is created if there is none. MLflow's global settings stay as they are."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        (config.home / "mlruns").mkdir(parents=True, exist_ok=True)
    uri = store_uri(config)
    return MlflowClient(uri, registry_uri=os.environ.get("MLFLOW_REGISTRY_URI") or uri)


def is_empty(config: Config) -> bool:
    """True where the default store was never written to: asking it would create it, which takes seconds."""
    return not os.environ.get("MLFLOW_TRACKING_URI") and not (config.home / "mlruns" / "mlflow.db").is_file()


def experiment_id(client: MlflowClient, config: Config, task: str) -> str:
    """The experiment `rapport.<config>.<task>`, created or restored where need be."""
    from mlflow.exceptions import MlflowException

    name = f"rapport.{config.name}.{task}"
    found = client.get_experiment_by_name(name)
    if found is None:
        is_default = not os.environ.get("MLFLOW_TRACKING_URI")
        location = (config.home.resolve() / "mlruns" / "artifacts" / name).as_uri() if is_default else None
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException:
            # Another process may have been quicker; if not, the fault is a real one.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)
