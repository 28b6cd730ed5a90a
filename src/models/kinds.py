"""The kinds of models that a bundle may hold, by the name that its model.json states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import ModelError
from .base import read_json
from .classifier import MODEL, BoostedClassifier
from .clusters import Clusters
from .effect import EffectModel
from .hazard import HazardModel
from .one_of_several import OneOfSeveral
from .scorecard import Scorecard
from .scoring_model import ScoringModel
from .tails import Tails

LOADERS: dict[str, Callable[..., ScoringModel]] = {
    BoostedClassifier.kind: BoostedClassifier.load,
    Scorecard.kind: Scorecard.load,
    OneOfSeveral.kind: OneOfSeveral.load,
    Clusters.kind: Clusters.load,
    HazardModel.kind: HazardModel.load,
    Tails.kind: Tails.load,
    EffectModel.kind: EffectModel.load,
}


def load_model(folder: Path, *, threads: int | None = None) -> ScoringModel:
    """The model of a folder, of whatever kind; ModelError for a kind that this version does not know."""
    content = read_json(folder / MODEL)
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind not in LOADERS:
        raise ModelError(f"{MODEL} names a model of kind '{kind}', which this version does not know; train it again")
    return LOADERS[kind](folder, threads=threads)
