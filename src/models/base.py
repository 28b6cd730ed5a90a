"""What every model of Rapport has in common: its words, and how its parts are written as JSON.

Three numbers are never confused: the *raw score* (log-odds, unbounded), the *probability* (calibrated) and the
*percentile* (rank among the scores of the calibration window, 0 to 100).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError
from ..language.declarations import FeatureColumn

if TYPE_CHECKING:
    import lightgbm as lgb

    from .encoding import Encoder, Profile
    from .linear_start import LinearStart

Floats = NDArray[np.float64]

_CREDENTIALS = re.compile(r"(://[^:@/\s]*:)(?!\$\{)[^@\s]*(?=@)|(\bpassword\s*=\s*)(?:'[^']*'|(?!\$\{)[^\s;&']+)", re.I)


class ScoreMap(Protocol):
    """From raw scores (n,) to what is put out (n,), never falling."""

    def apply(self, raw: ArrayLike) -> Floats:
        """Scores of raw scores."""
        ...


class ScoringModel(Protocol):
    """What scoring and explaining ask of a model, whatever its kind; `models.kinds` lists the kinds.

    `booster` is the LightGBM model whose raw score, plus that of `start` and `shift`, is the model's; a kind without
    trees has None there and explains itself by `score_matrix` and `explain_matrix`.
    """

    @property
    def kind(self) -> str:
        """The name under which `models.kinds` knows it."""
        ...

    @property
    def calibrator(self) -> ScoreMap:
        """From raw scores to scores."""
        ...

    @property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """The features (p,) that the model reads."""
        ...

    @property
    def encoder(self) -> Encoder:
        """From a snapshot to a matrix, with what was seen of each feature in training."""
        ...

    @property
    def quantiles(self) -> Mapping[str, Profile]:
        """What was seen of each feature in training."""
        ...

    @property
    def booster(self) -> lgb.Booster | None:
        """The trees, or None for a kind that has none."""
        ...

    @property
    def start(self) -> LinearStart | None:
        """The logistic regression that boosting started from, if any."""
        ...

    @property
    def shift(self) -> float:
        """What is added to the raw score of the matrix."""
        ...

    @property
    def content(self) -> bytes:
        """All that decides its scores, for checksums."""
        ...

    def encode(self, table: pa.Table) -> Floats:
        """The matrix (n, p) of a snapshot."""
        ...

    def raw_score(self, table: pa.Table) -> Floats:
        """Raw scores (n,) of a snapshot."""
        ...

    def score_matrix(self, matrix: Floats) -> Floats:
        """Raw scores (n,) of an encoded matrix (n, p), without the shift."""
        ...

    def explain_matrix(self, matrix: Floats) -> Floats:
        """Contributions (n, p + 1) to `score_matrix`; the last column is the bias, rows add up."""
        ...

    def outputs(self, table: pa.Table) -> dict[str, pa.Array]:
        """What the kind puts out beside the score, (n,) by column name."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model's files into an existing folder."""
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


def without_nan(content: Any) -> Any:
    """The same values with every number that is not finite replaced by None, as JSON has no word for it."""
    if isinstance(content, float | np.floating):
        return float(content) if np.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [without_nan(value) for value in content]
    return content


def without_credentials(content: Any) -> Any:
    """The same JSON values with passwords taken out of addresses and connection strings; `${VARIABLE}` may stay."""
    if isinstance(content, str):
        return _CREDENTIALS.sub(lambda match: f"{match[1] or match[2]}***", content)
    if isinstance(content, Mapping):
        return {key: without_credentials(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [without_credentials(value) for value in content]
    return content
