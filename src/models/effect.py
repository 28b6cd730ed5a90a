"""The effect of a contact as a model that scores: trees whose weighted sum is the difference that it makes.

The score is tau(x) = P(outcome | x, contacted) - P(outcome | x, held back), from -1 to 1, by an X- or a DR-learner
(`uplift`). Contributions are exact: path-dependent SHAP values of each part's trees, weighted like the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np

from ..config import LearnerConfig
from ..errors import ModelError
from . import boosting
from .base import Floats, json_bytes, read_json, write_json
from .encoding import Encoder
from .scorecard import AsItIs
from .self_explained import SelfExplained

FEATURES, MODEL = "features.json", "model.json"


class Trees:
    """LightGBM as scikit-learn would have it, on encoded matrices: a classifier or a regressor with so many rounds."""

    def __init__(
        self, encoder: Encoder, learner: LearnerConfig, *, of_amounts: bool, seed: int = 0, threads: int | None = None
    ) -> None:
        self.encoder, self.learner, self.of_amounts = encoder, learner, of_amounts
        self.seed, self.threads = seed, threads

    def fit(self, X: Floats, y: Floats) -> Self:
        """Fit to an encoded matrix (n, p) and targets (n,)."""
        threads = boosting.threads_for(X.size, self.threads)
        settings = boosting.parameters(self.learner, seed=self.seed, threads=threads)
        if self.of_amounts:
            settings |= {"objective": "regression", "metric": "l2"}
            data = boosting.amounts(self.encoder, X, y)
        else:
            data = boosting.dataset(self.encoder, X, y)
        self.text_ = boosting.train(settings, data, rounds=self.learner.n_estimators)
        self.booster_ = boosting.from_text(self.text_)
        return self

    def predict(self, X: Floats) -> Floats:
        """Expected amounts, or probabilities, (n,)."""
        return np.asarray(self.booster_.predict(X, num_threads=self.threads or 0))

    def predict_proba(self, X: Floats) -> Floats:
        """Probabilities (n, 2) of 0 and 1."""
        chance = self.predict(X)
        return np.column_stack([1 - chance, chance])


class EffectModel(SelfExplained):
    """A fitted effect; `parts` are the share and the trees' text of each of the regressions that it is the sum of."""

    kind = "effect"

    def __init__(
        self, learner: str, encoder: Encoder, parts: Sequence[tuple[float, str]], *, threads: int | None = None
    ) -> None:
        self.learner, self.encoder, self.parts, self.threads = learner, encoder, tuple(parts), threads
        self.calibrator = AsItIs()
        self._boosters: list[tuple[float, lgb.Booster]] = [
            (share, boosting.from_text(text)) for share, text in self.parts
        ]

    @property
    def content(self) -> bytes:
        """All that decides its scores, for checksums."""
        return json_bytes([self.learner, self.encoder.to_json(), [list(part) for part in self.parts]])

    def score_matrix(self, matrix: Floats) -> Floats:
        """Effects (n,) of a matrix (n, p)."""
        parts = [
            share * np.asarray(trees.predict(matrix, num_threads=self.threads or 0)) for share, trees in self._boosters
        ]
        return np.asarray(np.sum(parts, axis=0))

    def explain_matrix(self, matrix: Floats) -> Floats:
        """Contributions (n, p + 1) to the effect; the last column is the bias, rows add up."""
        parts = [
            share * np.asarray(trees.predict(matrix, pred_contrib=True, num_threads=self.threads or 0))
            for share, trees in self._boosters
        ]
        return np.asarray(np.sum(parts, axis=0))

    def save(self, folder: Path) -> None:
        """Write model.json, features.json and the trees of each part into an existing folder."""
        write_json(folder / FEATURES, self.encoder.to_json())
        write_json(folder / MODEL, self._to_json())
        for number, (_, text) in enumerate(self.parts):
            (folder / _trees(number)).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> EffectModel:
        """Read what `save` wrote; ModelError naming the file that is absent or unreadable. No code is run."""
        content: Any = read_json(folder / MODEL)
        encoder = Encoder.from_json(read_json(folder / FEATURES))
        try:
            shares = [float(share) for share in content["shares"]]
            texts = [(folder / _trees(number)).read_text(encoding="utf-8") for number in range(len(shares))]
            return cls(str(content["learner"]), encoder, list(zip(shares, texts, strict=True)), threads=threads)
        except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the effect of the model is not readable: {error}; export or train it again") from error

    def _to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "learner": self.learner, "shares": [share for share, _ in self.parts]}


def _trees(number: int) -> str:
    return f"effect_{number}.txt"
