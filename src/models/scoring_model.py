"""What scoring and explaining ask of a model, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
from numpy.typing import ArrayLike

from ..language.declarations import FeatureColumn
from .base import Floats
from .encoding import Encoder, Profile
from .linear_start import LinearStart

if TYPE_CHECKING:
    import lightgbm as lgb


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
