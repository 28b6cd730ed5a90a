"""What every model of Rapport has in common: its interface, and how its parts are written as JSON.

Three numbers are never confused: the *raw score* (log-odds, unbounded), the *probability* (calibrated) and the
*percentile* (rank among the scores of the calibration window, 0 to 100).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import ModelError
from ..language.declarations import FeatureColumn

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Calibrator(Protocol):
    """A non-decreasing map from raw scores to probabilities."""

    @property
    def kind(self) -> str:
        """Its name: identity, sigmoid, beta or isotonic."""
        ...

    def apply(self, raw: Floats) -> Floats:
        """Probabilities (n,) of raw scores (n,), strictly between 0 and 1."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, from which the same calibrator can be made."""
        ...


class Classifier(Protocol):
    """A fitted binary model: what scoring and explaining ask of it. Tables are snapshots in Arrow."""

    @property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """The features, in the order of the encoded matrix."""
        ...

    def encode(self, table: pa.Table) -> Floats:
        """Features (n, p), C-contiguous."""
        ...

    def raw_score(self, table: pa.Table) -> Floats:
        """Log-odds (n,)."""
        ...

    def predict(self, table: pa.Table) -> Floats:
        """Calibrated probabilities (n,)."""
        ...

    def contributions(self, table: pa.Table) -> Floats:
        """SHAP values (n, p + 1) that add up to the raw score; the last column is the bias."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model as text and JSON files into an existing folder."""
        ...


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted keys, so that equal content gives equal bytes. Infinities and NaN are refused."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON; ModelError naming the file where it is absent or no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"the model has no file {path.name}; export or train it again") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise ModelError(f"{path.name} of the model is not readable JSON: {error}; export or train it again") from error
