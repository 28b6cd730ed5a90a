"""The boosted classifier or ranker: LightGBM trees, a calibrated probability, exact contributions.

A model is fitted once. What is evaluated, registered, exported and scored with is the same trees, to the bit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from pydantic import ValidationError

from ..config import LearnerConfig
from ..errors import ModelError
from ..language.declarations import FeatureColumn
from . import boosting
from .base import Floats, json_bytes, read_json, write_json
from .calibration import FOLDS, Calibrator, entity_folds
from .encoding import Encoder, Profile
from .linear_start import LinearStart

TREES, FEATURES, CALIBRATION, MODEL = "model.txt", "features.json", "calibration.json", "model.json"
START = "linear_start.json"


class BoostedClassifier:
    """LightGBM for a target of 0 and 1, with calibration.

    `negative_share` is the share of negatives that the training rows were sampled to (1: none left out). Sampling at
    share q multiplies the odds by 1 / q (King and Zeng, "Logistic regression in rare events data", 2001), so log(q) is
    added to every raw score, and to the bias of the contributions. Rows of validation, calibration and test are never
    sampled.

    With `linear_penalty` in its config boosting starts from a logistic regression (`linear_start`), and the raw score
    is the sum of both.

    With the objective lambdarank it is a ranker: trees learn the order inside lists, and the raw score is no log-odds
    but a number that orders the rows of a list. Nothing is added to it for sampled negatives; it becomes a probability
    by a calibrator that was fitted to rows of which none were left out, and has none before.
    """

    kind = "boosted_classifier"

    def __init__(
        self,
        config: LearnerConfig,
        columns: Sequence[FeatureColumn],
        *,
        seed: int = 0,
        threads: int | None = None,
        negative_share: float = 1.0,
    ) -> None:
        if not 0 < negative_share <= 1:
            raise ModelError(f"negative_share is a share above 0, at most 1, and is {negative_share}")
        self.config = config
        self.columns = tuple(columns)
        self.seed = seed
        self.threads = threads
        self.negative_share = negative_share
        self.calibrator = Calibrator("identity")
        self._encoder: Encoder | None = None
        self._text: str | None = None
        self._booster: lgb.Booster | None = None
        self.start: LinearStart | None = None

    # -------------------------------------------------------------------------------- fitting
    def fit(
        self,
        table: pa.Table,
        target: ArrayLike,
        *,
        validation: tuple[pa.Table, ArrayLike] | None = None,
        sampled_validation: bool = False,
        weight: ArrayLike | None = None,
        callbacks: Sequence[Callable[..., Any]] = (),
        lists: boosting.Lists | None = None,
    ) -> BoostedClassifier:
        """Fit to a snapshot (n rows) and its target (n,), and return the model itself.

        With `validation` training stops early on its log loss (a ranker on its mean average precision at the top) and
        the best round is kept; without, all `n_estimators` rounds are trained. `sampled_validation` says that its
        negatives were sampled to the same share as those of training. `callbacks` are LightGBM's. `lists` are for a
        ranker, which cannot do without. ModelError where the target has one class only, a feature is missing or of a
        wrong type, or a ranker has no lists.
        """
        encoder = Encoder.fit(self.columns, table, self._stands_for(_vector(target)))
        matrix = encoder.encode(table)
        threads = boosting.threads_for(matrix.size, self.threads)
        top, list_of, look_list_of = (None, None, None) if lists is None else (lists.top, lists.fit, lists.look)
        settings = boosting.parameters(self.config, seed=self.seed, threads=threads, top=top)
        weights = None if weight is None else _vector(weight)
        start = linear_start(self.config, encoder, matrix, _vector(target), weights)
        begin = 0.0 if start is None else start.raw_score(matrix)
        training = boosting.dataset(encoder, matrix, _vector(target), weight=weights, start=begin, list_of=list_of)
        held_out = None
        if validation is not None:
            looked = encoder.encode(validation[0])
            begin = 0.0 if start is None else start.raw_score(looked)
            if not sampled_validation:
                begin = begin + self.shift
            looked_target = _vector(validation[1])
            held_out = boosting.dataset(
                encoder, looked, looked_target, reference=training, start=begin, list_of=look_list_of
            )
        text = boosting.train(
            settings,
            training,
            rounds=self.config.n_estimators,
            validation=held_out,
            patience=self.config.early_stopping_rounds,
            callbacks=callbacks,
        )
        self._become(encoder, text, start)
        return self

    def _stands_for(self, target: Floats) -> Floats:
        """For how many rows of the population each row stands (n,): negatives were sampled."""
        return np.where(target == 1, 1.0, 1.0 / self.negative_share)

    def with_calibrator(self, calibrator: Calibrator) -> BoostedClassifier:
        """The same trees with another map to probabilities; this model stays as it is."""
        other = copy.copy(self)
        other.calibrator = calibrator
        return other

    def _become(self, encoder: Encoder, text: str, start: LinearStart | None) -> None:
        self._encoder, self._text, self._booster, self.start = encoder, text, boosting.from_text(text), start

    # -------------------------------------------------------------------------------- what it is
    @property
    def encoder(self) -> Encoder:
        """The fitted encoder; ModelError before `fit`."""
        if self._encoder is None:
            raise ModelError("the model is not fitted yet")
        return self._encoder

    @property
    def booster(self) -> lgb.Booster:
        """The trees; their raw score lacks `start` and `shift`. ModelError before `fit`."""
        if self._booster is None:
            raise ModelError("the model is not fitted yet")
        return self._booster

    @property
    def shift(self) -> float:
        """What corrects raw scores for sampled negatives: log(negative_share), and nothing for a ranker."""
        return 0.0 if self.config.ranks else float(np.log(self.negative_share))

    @property
    def quantiles(self) -> Mapping[str, Profile]:
        """Training quantiles of each number at `encoding.LEVELS`, counts of the values of each category."""
        return self.encoder.quantiles

    @property
    def rounds(self) -> int:
        """Number of trees."""
        return int(self.booster.num_trees())

    # -------------------------------------------------------------------------------- scoring
    def encode(self, table: pa.Table) -> Floats:
        """Features (n, p), float64, C-contiguous; see `Encoder.encode`."""
        return self.encoder.encode(table)

    def raw_score(self, table: pa.Table) -> Floats:
        """Log-odds (n,), corrected for sampled negatives; of a ranker a number that orders lists."""
        scores = np.empty(table.num_rows)
        for rows, matrix in self._chunks(table):
            scores[rows] = self.score_matrix(matrix)
        return np.asarray(scores + self.shift)

    def predict(self, table: pa.Table) -> Floats:
        """Calibrated probabilities (n,)."""
        return self.calibrator.apply(self.raw_score(table))

    def contributions(self, table: pa.Table) -> Floats:
        """Exact SHAP values (n, p + 1) on the raw score; the last column is the bias, rows add up.

        Path-dependent ones of the trees, to which the terms of a linear start are added.
        """
        values = np.empty((table.num_rows, len(self.columns) + 1))
        for rows, matrix in self._chunks(table):
            values[rows] = self.explain_matrix(matrix)
        values[:, -1] += self.shift
        return values

    def _chunks(self, table: pa.Table) -> Iterator[tuple[slice, Floats]]:
        for start in range(0, table.num_rows, boosting.CHUNK):
            part = table.slice(start, boosting.CHUNK)
            yield slice(start, start + part.num_rows), self.encode(part)

    def score_matrix(self, matrix: Floats) -> Floats:
        """Raw scores (n,) of an encoded matrix, without the shift."""
        scores = np.asarray(self.booster.predict(matrix, raw_score=True, num_threads=self.threads or 0))
        return scores if self.start is None else np.asarray(scores + self.start.raw_score(matrix))

    def explain_matrix(self, matrix: Floats) -> Floats:
        """Contributions (n, p + 1) of an encoded matrix, without the shift."""
        values = np.asarray(self.booster.predict(matrix, pred_contrib=True, num_threads=self.threads or 0))
        if self.start is not None:
            values[:, :-1] += self.start.contributions(matrix)
            values[:, -1] += self.start.intercept
        return values

    def outputs(self, table: pa.Table) -> dict[str, pa.Array]:
        """Nothing beside the score."""
        return {}

    @property
    def content(self) -> bytes:
        """All that decides its scores, for checksums."""
        start = None if self.start is None else self.start.to_json()
        parts = [start, self.encoder.to_json(), self.calibrator.to_json(), self.negative_share]
        return str(self.booster.model_to_string()).encode() + json_bytes(parts)

    # -------------------------------------------------------------------------------- on disk
    def save(self, folder: Path) -> None:
        """Write model.txt, features.json, calibration.json, model.json and a linear start into an existing folder."""
        encoder = self.encoder
        (folder / TREES).write_text(str(self._text), encoding="utf-8")
        write_json(folder / FEATURES, encoder.to_json())
        write_json(folder / CALIBRATION, self.calibrator.to_json())
        if self.start is not None:
            write_json(folder / START, self.start.to_json())
        content = {
            "kind": self.kind,
            "learner": self.config.model_dump(mode="json"),
            "seed": self.seed,
            "negative_share": self.negative_share,
        }
        write_json(folder / MODEL, content)

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> BoostedClassifier:
        """Read what `save` wrote; ModelError naming the file that is absent or unreadable. No code is run."""
        content = read_json(folder / MODEL)
        encoder = Encoder.from_json(read_json(folder / FEATURES))
        try:
            if content["kind"] != cls.kind:
                raise ModelError(f"the folder holds a model of kind '{content['kind']}', not {cls.kind}")
            config = LearnerConfig.model_validate(content["learner"])
            share = float(content["negative_share"])
            model = cls(config, encoder.columns, seed=int(content["seed"]), threads=threads, negative_share=share)
            start = None
            if config.linear_penalty is not None:
                start = LinearStart.from_json(read_json(folder / START))
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise ModelError(f"{MODEL} or {START} was written by another version of Rapport: {error}") from error
        model.calibrator = Calibrator.from_json(read_json(folder / CALIBRATION))
        try:
            text = (folder / TREES).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{TREES} of the model is not readable: {error}; export or train it again") from error
        model._become(encoder, text, start)
        return model


def linear_start(
    config: LearnerConfig, encoder: Encoder, matrix: Floats, target: Floats, weight: Floats | None = None
) -> LinearStart | None:
    """The logistic regression that boosting starts from, fitted to an encoded matrix (n, p); None without a penalty."""
    if config.linear_penalty is None or len(np.unique(target)) < 2:  # of one class only: boosting says what is wrong
        return None
    categories = {p: len(encoder.vocabulary[encoder.names[p]]) for p in encoder.categories}
    return LinearStart.fit(matrix, target, categories=categories, penalty=config.linear_penalty, weight=weight)


def out_of_fold_scores(
    model: BoostedClassifier, table: pa.Table, target: ArrayLike, groups: ArrayLike, *, folds: int = FOLDS
) -> Floats:
    """Raw scores (n,) of each row from a model of the same settings that was fitted without the row's own entity.

    For calibration where no later window can be spared: `choose_calibrator` on these scores. `model` gives the
    settings, its number of rounds is used if it is fitted, and it is not changed.
    """
    labels = _vector(target)
    rounds = model.rounds if model._booster is not None else model.config.n_estimators
    config = model.config.model_copy(update={"n_estimators": rounds})
    scores = np.full(len(labels), np.nan)
    for rest, fold in entity_folds(groups, seed=model.seed, folds=folds):
        part = BoostedClassifier(
            config, model.columns, seed=model.seed, threads=model.threads, negative_share=model.negative_share
        )
        part.fit(table.take(pa.array(rest)), labels[rest])
        scores[fold] = part.raw_score(table.take(pa.array(fold)))
    return scores


def _vector(values: ArrayLike) -> Floats:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        values = values.to_numpy()
    return np.ascontiguousarray(values, dtype=np.float64)
