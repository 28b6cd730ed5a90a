"""What every model of Rapport has in common: its interface, and how its parts are written as JSON.

Three numbers are never confused: the *raw score* (log-odds, unbounded), the *probability* (calibrated) and the
*percentile* (rank among the scores of the calibration window, 0 to 100).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import ModelError
from ..language.declarations import FeatureColumn

Floats = NDArray[np.float64]

_CREDENTIALS = re.compile(r"(://)[^/@\s]+(?=@)|(\b(?:user|password)\s*=\s*)(?:'[^']*'|[^\s;&']+)", re.IGNORECASE)


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


def json_bytes(content: Any) -> bytes:
    """JSON with sorted keys, so that equal content gives equal bytes. ValueError or TypeError for what JSON lacks."""
    return (json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def write_json(path: Path, content: Any) -> None:
    """Write `json_bytes` of the content."""
    path.write_bytes(json_bytes(content))


def read_json(path: Path) -> Any:
    """Read JSON; ModelError naming the file where it is absent or no JSON."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"the model has no file {path.name}; export or train it again") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise ModelError(f"{path.name} of the model is not readable JSON: {error}; export or train it again") from error


def without_credentials(content: Any) -> Any:
    """The same JSON values, with user names and passwords taken out of addresses and connection strings."""
    if isinstance(content, str):
        return _CREDENTIALS.sub(lambda match: f"{match[1] or match[2]}***", content)
    if isinstance(content, Mapping):
        return {key: without_credentials(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [without_credentials(value) for value in content]
    return content
