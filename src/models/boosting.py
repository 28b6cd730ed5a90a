"""LightGBM as Rapport uses it: deterministic, on encoded matrices, the model as text.

The booster that is evaluated is the one that is saved: training ends by writing the text, and what scores is read
from that text, so that a model in memory and the same model from a folder agree to the bit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from ..config import LearnerConfig
from ..errors import ModelError
from .base import Floats
from .encoding import Encoder

Integers = NDArray[np.int64]

CHUNK = 50_000
"""Rows that are encoded and scored at once: a bound on memory."""


SMALL = 10_000_000
"""Cells of a training matrix below which one thread trains as fast as several, and is not slowed by a busy machine."""


def threads_for(cells: int, threads: int | None) -> int:
    """Threads to train with on a matrix of so many cells: as configured, else one for a small one, else all (0)."""
    return threads or (1 if cells < SMALL else 0)


@dataclass(frozen=True)
class Lists:
    """What a ranker learns from beside rows: the list of each row, as a code, and how many places at its top count.

    `fit` (n,) is of the training rows, `look` (m,) of the validation rows, if there are any.
    """

    fit: Integers
    look: Integers | None
    top: int


BELOW_TOP = 3
"""Places below the top from which a row is still lifted into it, as LightGBM's pages advise for a metric at `top`."""


def parameters(
    config: LearnerConfig, *, seed: int = 0, threads: int | None = None, top: int | None = None
) -> dict[str, Any]:
    """LightGBM's parameters of a classifier or, where its config says so, of a ranker, under LightGBM's first names.

    A ranker is stopped early by the mean average precision of the first `top` places of each list.
    """
    objective: dict[str, Any] = {"objective": "binary", "metric": "binary_logloss"}
    if config.ranks:
        if top is None:
            raise ModelError("a ranker learns the order of lists: give the list of each row, and how long its top is")
        objective = {
            "objective": "lambdarank",
            "metric": "map",
            "eval_at": [top],
            "lambdarank_truncation_level": top + BELOW_TOP,
        }
    return {
        **objective,
        "num_leaves": config.num_leaves,
        "max_depth": config.max_depth,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.min_child_samples,
        "feature_fraction": config.colsample_bytree,
        "bagging_fraction": config.subsample,
        "bagging_freq": 1 if config.subsample < 1 else 0,
        "lambda_l2": config.reg_lambda,
        "cat_smooth": config.cat_smooth,
        "cat_l2": config.cat_l2,
        "min_data_per_group": config.min_data_per_group,
        "max_cat_threshold": config.max_cat_threshold,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "feature_pre_filter": False,
        "num_threads": threads or 0,
        "verbosity": -1,
    }


def dataset(
    encoder: Encoder,
    matrix: Floats,
    target: Floats,
    *,
    weight: Floats | None = None,
    reference: lgb.Dataset | None = None,
    start: Floats | float = 0.0,
    max_bin: int = 255,
    list_of: Integers | None = None,
) -> lgb.Dataset:
    """A LightGBM dataset of an encoded matrix (n, p) and a target (n,) of 0 and 1.

    `reference` is the training dataset of which this is the validation. `start` are raw scores, one or (n,), to which
    those of the trees are added (see `BoostedClassifier`: a linear start, sampled negatives); the model does not hold
    them. `max_bin` is the number of steps that a number is cut into. `list_of` (n,) has the list of each row, for a
    ranker: LightGBM wants rows list by list, and gets them so.
    """
    values = np.unique(target)
    if not set(values.tolist()) <= {0.0, 1.0}:
        raise ModelError(f"a target holds 0 and 1 only, and this one holds {values[:5].tolist()}")
    if reference is None and len(values) < 2:
        raise ModelError(
            "the target has no positives or no negatives in the training rows; check the horizon and split"
        )
    begun = np.broadcast_to(start, len(target)).copy() if np.any(start) else None
    more: dict[str, Any] = {"weight": weight, "init_score": begun}
    if list_of is not None:
        order = np.argsort(list_of, kind="stable")
        matrix, target = matrix[order], target[order]
        more = {name: None if values is None else values[order] for name, values in more.items()}
        more["group"] = np.unique(list_of, return_counts=True)[1]
    return _dataset(encoder, matrix, target, reference=reference, max_bin=max_bin, **more)


def amounts(encoder: Encoder, matrix: Floats, amount: Floats, *, reference: lgb.Dataset | None = None) -> lgb.Dataset:
    """A LightGBM dataset of an encoded matrix (n, p) and amounts (n,)."""
    return _dataset(encoder, matrix, amount, reference=reference)


def _dataset(encoder: Encoder, matrix: Floats, label: Floats, *, max_bin: int = 255, **more: Any) -> lgb.Dataset:
    return lgb.Dataset(
        matrix,
        label=label,
        feature_name=_safe_names(encoder.names),
        categorical_feature=list(encoder.categories),
        params={"feature_pre_filter": False, "max_bin": max_bin, "verbosity": -1},
        **more,
    )


def train(
    settings: dict[str, Any],
    training: lgb.Dataset,
    *,
    rounds: int,
    validation: lgb.Dataset | None = None,
    patience: int = 50,
    callbacks: Sequence[Callable[..., Any]] = (),
) -> str:
    """Train and return the model as text, cut at the best round where there is a validation dataset."""
    hooks = list(callbacks)
    if validation is not None:
        hooks.append(lgb.early_stopping(patience, first_metric_only=True, verbose=False))
    booster = lgb.train(
        settings,
        training,
        num_boost_round=rounds,
        valid_sets=None if validation is None else [validation],
        valid_names=None if validation is None else ["validation"],
        callbacks=hooks,
    )
    best = (
        booster.best_iteration if validation is not None and booster.best_iteration > 0 else booster.current_iteration()
    )
    return str(booster.model_to_string(num_iteration=best))


def validation_losses(
    settings: dict[str, Any],
    training: lgb.Dataset,
    validation: lgb.Dataset,
    *,
    rounds: int,
    patience: int,
    callbacks: Sequence[Callable[..., Any]] = (),
) -> list[float]:
    """The validation loss after each round, until none was better for `patience` rounds; the trees are let go."""
    recorded: dict[str, dict[str, list[float]]] = {}
    hooks = [lgb.record_evaluation(recorded), *callbacks, lgb.early_stopping(patience, verbose=False)]
    lgb.train(
        settings, training, num_boost_round=rounds, valid_sets=[validation], valid_names=["validation"], callbacks=hooks
    )
    (losses,) = recorded["validation"].values()
    return losses


def from_text(text: str) -> lgb.Booster:
    """The booster of a model text; ModelError where it is none."""
    try:
        return lgb.Booster(model_str=text)
    except lgb.basic.LightGBMError as error:
        raise ModelError(f"the trees of the model are not readable: {error}; export or train it again") from error


def _safe_names(names: Sequence[str]) -> list[str]:
    """Names that LightGBM accepts: it refuses the marks of JSON and cuts at blanks. Unique, in the same order."""
    safe = [re.sub(r'[\s",:\[\]{}]', "_", name) for name in names]
    return [name if safe.count(name) == 1 else f"{name}__{i}" for i, name in enumerate(safe)]
