"""From a search to the model: the best learners of the search are fitted to all rows, and the better one is kept.

A search on a sample ranks learners by what they learn from fewer rows than the model will have: which of two good ones
is the better on all rows is not settled by it, nor how many trees they need there. So its best few are fitted in full,
at half the learning rate and with trees as needed (slower boosting is seldom worse, and too dear only for a search),
and the one with the lowest log loss on the validation window is the model. Of rankers, whose search was one of log
loss, the best alone is fitted so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..config import LearnerConfig
from ..language.declarations import FeatureColumn
from ..models.base import Floats
from ..models.boosting import Lists
from ..models.classifier import BoostedClassifier
from .folds import Fold
from .ranker import as_ranker, fit_to
from .tune import Found

FINALISTS = 2
SLOWER = 0.5  # learning rate of the full fit, by that of the search


def fit_finalists(
    found: Found,
    fold: Fold,
    columns: Sequence[FeatureColumn],
    own: LearnerConfig,
    *,
    seed: int,
    threads: int | None = None,
    negative_share: float = 1.0,
    lists: Lists | None = None,
) -> BoostedClassifier:
    """The best of the finalists, fitted to `fold.fit` with early stopping on `fold.look`; its config has its trees.

    `own` is the configured learner, whose n_estimators is the most trees at the learning rates of the search. Negatives
    of both parts were sampled to `negative_share`. With the `lists` of the fold's rows it is a ranker.
    """
    ranked = sorted((trial for trial in found.trials if not trial.given_up), key=lambda trial: trial.log_loss)
    fitted: list[tuple[float, BoostedClassifier]] = []
    for trial in ranked[: FINALISTS if lists is None else 1]:
        slow = {
            "learning_rate": trial.learner.learning_rate * SLOWER,
            "n_estimators": int(own.n_estimators / SLOWER),
            "early_stopping_rounds": int(own.early_stopping_rounds / SLOWER),
        }
        learner = (trial.learner if lists is None else as_ranker(trial.learner)).model_copy(update=slow)
        model = fit_to(fold, learner, columns, seed=seed, threads=threads, negative_share=negative_share, lists=lists)
        model.config = model.config.model_copy(
            update={"n_estimators": model.rounds, "early_stopping_rounds": own.early_stopping_rounds}
        )
        fitted.append((_log_loss(model.raw_score(fold.look) - model.shift, fold.look_target), model))
    return min(fitted, key=lambda pair: pair[0])[1]


def _log_loss(raw: Floats, target: Floats) -> float:
    """Mean log loss of log-odds (n,)."""
    return float(np.mean(np.logaddexp(0, raw) - target * raw))
