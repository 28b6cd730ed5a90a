"""The bundle: a model as a folder of text and JSON that can be carried anywhere and verified.

Files: model.txt (LightGBM), linear_start.json (if boosting has one), model.json (kind, hyperparameters), features.json
(columns, vocabulary, training quantiles), calibration.json, scores.json (distribution of the raw scores in the
calibration window), config.json (the project, resolved), task.json (free metadata: task, keys, horizon, run) and
manifest.json (a checksum of each); a task with a worth has the folder worth/ besides. Kinds without trees have
model.json and features.json alone. No pickle, no code. Inside an MLflow model folder the bundle lies under
`data/bundle`; `load_bundle` takes either folder, and needs no MLflow. `mlflow.pyfunc.load_model` calls `_load_pyfunc`
here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from ..errors import ModelError
from ..language.declarations import FeatureColumn
from .base import Floats, read_json, without_credentials, write_json
from .encoding import LEVELS
from .kinds import load_model
from .manifest import MANIFEST, verify_manifest, write_manifest
from .scoring_model import ScoringModel
from .worth import WorthModel

if TYPE_CHECKING:
    import pandas as pd

INNER = Path("data") / "bundle"
"""Where the bundle lies inside an MLflow model folder."""

CONFIG, TASK, SCORES, WORTH = "config.json", "task.json", "scores.json", "worth"
_SCORE_QUANTILES = 1_001

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bundle:
    """A verified model with what is known about it.

    `metadata` is the content of task.json, `config` the project that it was trained with. `version` is known where
    the model comes from the registry or from an export. `distribution` has 1,001 quantiles of the raw scores in the
    calibration window, or None. `worth` foretells money, for tasks that have a worth.
    """

    model: ScoringModel
    metadata: Mapping[str, Any]
    config: Mapping[str, Any]
    distribution: Floats | None = None
    worth: WorthModel | None = None
    name: str | None = None
    version: str | None = None
    run_id: str | None = None

    @property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """The features that the model reads."""
        return self.model.columns

    def predict(self, table: pa.Table) -> pa.Table:
        """One row a row of the snapshot: score (probability), raw_score (log-odds), percentile (0 to 100), and worth.

        The percentile is the rank of the raw score among those of the calibration window; it is absent where the
        bundle has no distribution, as the columns of the expected worth are where it has none. ModelError where a
        feature is missing or of a wrong type.
        """
        raw = self.model.raw_score(table)
        score = self.model.calibrator.apply(raw)
        outputs = {"score": score, "raw_score": raw}
        if self.distribution is not None:
            outputs["percentile"] = percentiles(raw, self.distribution)
        outputs |= self.model.outputs(table)
        if self.worth is not None:
            outputs |= self.worth.foretell(table, score).columns()
        return pa.table(outputs)

    def frame(self, table: pa.Table) -> pd.DataFrame:
        """The features of a snapshot as the pandas frame that `mlflow.pyfunc` takes: every number a double.

        MLflow refuses a column of 64-bit integers where the signature says double, before the model is asked.
        """
        kinds = {"number": pa.float64(), "category": pa.string()}
        schema = pa.schema([(column.name, kinds[column.kind]) for column in self.columns])
        frame: pd.DataFrame = table.select(schema.names).cast(schema, safe=False).to_pandas()
        return frame

    def example(self) -> pa.Table:
        """Three made-up rows, from the quartiles and most frequent values of each feature: nobody's data."""
        encoder, columns = self.model.encoder, {}
        for column in encoder.columns:
            profile = encoder.quantiles[column.name]
            if isinstance(profile, Mapping):
                values = list(profile)[:3]
                picked = [values[i % len(values)] for i in range(3)] if values else [None] * 3
                columns[column.name] = pa.array(picked, pa.string())
            else:
                quartiles = [profile[LEVELS.index(level)] for level in (0.25, 0.5, 0.75)]
                columns[column.name] = pa.array(quartiles, pa.float64(), from_pandas=True)
        return pa.table(columns)


def percentiles(raw: Floats, distribution: Floats) -> Floats:
    """Rank (n,) of raw scores in a sorted distribution, 0 to 100; ties in the distribution count by half."""
    below = np.searchsorted(distribution, raw, side="left")
    up_to = np.searchsorted(distribution, raw, side="right")
    return np.asarray(50.0 * (below + up_to) / len(distribution))


def save_bundle(
    model: ScoringModel,
    folder: Path,
    metadata: Mapping[str, Any],
    config: Mapping[str, Any],
    *,
    raw_scores: ArrayLike | None = None,
    worth: WorthModel | None = None,
) -> None:
    """Write a bundle into a new or empty folder.

    `metadata` and `config` are plain JSON values (`Config.resolved()`); passwords in addresses are left out.
    `raw_scores` (m,) are those of the calibration window, for percentiles. ModelError where the folder is not empty, or
    the metadata hold something that JSON does not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ModelError(f"{folder} is not empty; give a new folder for the model")
    model.save(folder)
    if worth is not None:
        worth.save(folder / WORTH)
    try:
        write_json(folder / CONFIG, without_credentials(config))
        write_json(folder / TASK, dict(metadata))
    except (TypeError, ValueError) as error:
        raise ModelError(f"metadata and configuration of a model must be plain JSON values: {error}") from error
    if raw_scores is not None:
        grid = np.linspace(0, 1, _SCORE_QUANTILES)
        # 'lower' picks scores that occurred: a row of the window ranks exactly where it stood.
        quantiles = np.quantile(np.asarray(raw_scores, dtype=np.float64), grid, method="lower")
        write_json(folder / SCORES, {"raw_score_quantiles": quantiles.tolist()})
    write_manifest(folder)


def load_bundle(folder: str | Path, *, threads: int | None = None) -> Bundle:
    """Read a bundle after verifying every checksum; takes the bundle itself or the MLflow model folder around it.

    Raises ModelError naming the file that was changed, is missing, or does not belong there.
    """
    folder = Path(folder)
    about: dict[str, Any] = {}
    inner = folder
    if (folder / INNER).is_dir():
        inner = folder / INNER
        if (folder / MANIFEST).exists():
            about = verify_manifest(folder)
    if not (inner / MANIFEST).is_file():
        raise ModelError(f"{folder} holds no model of Rapport; give the folder that `rapport export` wrote")
    verify_manifest(inner)
    metadata = read_json(inner / TASK)
    scores = read_json(inner / SCORES)["raw_score_quantiles"] if (inner / SCORES).exists() else None
    return Bundle(
        model=load_model(inner, threads=threads),
        metadata=metadata,
        config=read_json(inner / CONFIG),
        distribution=None if scores is None else np.asarray(scores, dtype=np.float64),
        worth=WorthModel.load(inner / WORTH, threads=threads) if (inner / WORTH).is_dir() else None,
        name=about.get("model_name", metadata.get("model_name")),
        version=about.get("model_version"),
        run_id=about.get("run_id", metadata.get("run_id")),
    )


# ------------------------------------------------------------------------------------------- for mlflow.pyfunc
class _Pyfunc:
    """What MLflow calls: a pandas frame in, a pandas frame out."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, data: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Score, raw_score and percentile of each row, under the index of the input."""
        outputs: pd.DataFrame = self.bundle.predict(_to_arrow(data, self.bundle.columns)).to_pandas()
        return outputs.set_axis(data.index)


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> _Pyfunc:
    """Called by `mlflow.pyfunc.load_model` with the bundle's folder."""
    return _Pyfunc(load_bundle(path))


def _to_arrow(frame: pd.DataFrame, columns: tuple[FeatureColumn, ...]) -> pa.Table:
    """The features of a pandas frame; one that the frame lacks is taken as missing in every row, and said to be."""
    absent = [column.name for column in columns if column.name not in frame.columns]
    if len(absent) == len(columns):
        raise ModelError(f"the data have none of the {len(columns)} features of the model, such as '{absent[0]}'")
    if absent:
        logger.warning("%d features are not in the data and are read as missing: %s", len(absent), ", ".join(absent))
    arrays = {}
    for column in columns:
        if column.name in absent or frame[column.name].isna().all():
            arrays[column.name] = pa.nulls(len(frame))
            continue
        try:
            arrays[column.name] = pa.Array.from_pandas(frame[column.name])
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ModelError(f"feature '{column.name}' holds values of several kinds: {error}") from error
    return pa.table(arrays)
