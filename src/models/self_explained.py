"""What the kinds of models share that are no single booster: they score and explain their own matrices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from ..language.declarations import FeatureColumn
from .base import Floats, json_bytes
from .encoding import Encoder, Profile


class SelfExplained(ABC):
    """A `ScoringModel` without a booster; a kind has an encoder, `score_matrix`, `explain_matrix` and `_to_json`."""

    booster = None
    start = None
    shift = 0.0
    encoder: Encoder

    @property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """The features (p,) that the model reads."""
        return self.encoder.columns

    @property
    def quantiles(self) -> Mapping[str, Profile]:
        """What was seen of each feature when the model was made."""
        return self.encoder.quantiles

    @property
    def content(self) -> bytes:
        """All that decides its scores and words, for checksums."""
        return json_bytes([self.encoder.to_json(), self._to_json()])

    def encode(self, table: pa.Table) -> Floats:
        """The matrix (n, p) of a snapshot."""
        return self.encoder.encode(table)

    def raw_score(self, table: pa.Table) -> Floats:
        """Raw scores (n,) of a snapshot."""
        return self.score_matrix(self.encode(table))

    def outputs(self, table: pa.Table) -> dict[str, pa.Array]:
        """Further columns (n,) beside the score, by name; none unless a kind has some."""
        return {}

    @abstractmethod
    def score_matrix(self, matrix: Floats) -> Floats:
        """Raw scores (n,) of a matrix (n, p)."""

    @abstractmethod
    def explain_matrix(self, matrix: Floats) -> Floats:
        """Contributions (n, p + 1) to the raw score; the last column is the bias, rows add up."""

    @abstractmethod
    def _to_json(self) -> dict[str, Any]:
        """What `model.json` holds."""
