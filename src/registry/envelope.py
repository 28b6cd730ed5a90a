"""The MLflow model folder around a bundle: MLmodel, requirements, signature and input example, and no code.

Rapport itself is not among the requirements: it is installed beside the model, and a name on a public package index
must never decide what scores a customer.
"""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa

from ..models.bundle import INNER, Bundle, load_bundle

_REQUIRED = ("mlflow", "lightgbm", "numpy", "pandas", "pyarrow", "pydantic", "scipy")


def wrap(bundle_folder: Path, folder: Path, *, run_id: str | None = None, model_id: str | None = None) -> None:
    """Write the MLflow model folder (new) around a copy of the bundle."""
    import mlflow.pyfunc
    from mlflow.models import Model

    bundle = load_bundle(bundle_folder)
    metadata = {"rapport_task": str(bundle.metadata.get("task", "")), "rapport_model": bundle.model.kind}
    with tempfile.TemporaryDirectory() as aside:
        data = Path(aside) / INNER.name
        shutil.copytree(bundle_folder, data)
        mlflow.pyfunc.save_model(
            path=str(folder),
            loader_module="rapport.models.bundle",
            data_path=str(data),
            # No artifact_path: it would carry the location of the store into every copy of the folder.
            mlflow_model=Model(run_id=run_id, model_id=model_id, metadata=metadata),
            signature=_signature(bundle),
            input_example=bundle.example().to_pandas(),
            conda_env=_environment(),
        )


def _signature(bundle: Bundle) -> object:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    kinds = {"number": "double", "category": "string"}
    inputs = Schema([ColSpec(kinds[column.kind], column.name, required=False) for column in bundle.columns])
    scored: pa.Table = bundle.predict(bundle.example())
    return ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double", name) for name in scored.column_names]))


def _environment() -> dict[str, object]:
    pins = [f"{name}=={importlib.metadata.version(name)}" for name in _REQUIRED]
    dependencies = [f"python={platform.python_version()}", "pip", {"pip": pins}]
    return {"name": "mlflow-env", "channels": ["conda-forge"], "dependencies": dependencies}
