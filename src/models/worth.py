"""What comes of a row in money: the amount if its target comes true, and the expected amount with an interval.

The expectation is that of a two-part model (Cragg, "Some statistical models for limited dependent variables", 1971):

    E[worth | x] = exp(b) (p(x) m(x))^a

with the calibrated probability p of the target, the mean m of the worth of rows whose target came true (LightGBM trees
under a Tweedie loss with a log link, which takes amounts of zero), and a, b fitted on the calibration rows, so that
what is foretold adds up to what comes. The interval holds 80 % of what came of calibration rows with a like
expectation: from their first to their ninth decile, or, where more than a tenth of them came to nothing, from zero to
the eighth. Amounts below zero count as zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from ..config import LearnerConfig
from ..errors import ModelError
from ..language.declarations import FeatureColumn
from . import boosting
from .base import Floats, json_bytes, read_json, write_json
from .calibration import entity_folds
from .encoding import Encoder

TREES, FEATURES, SCALE = "model.txt", "features.json", "worth.json"
COVERED = 0.8
"""The share of rows that an interval holds."""
_BINS, _FEWEST = 40, 50  # bins of the interval at the most, and rows of each at the least
_LEAST = 1e-6  # of money: what rounding leaves of nothing between two knots
_TINY = 1e-9


@dataclass(frozen=True)
class Foretold:
    """Expected worth of n rows with an interval, (n,) each, in the currency of the data.

    `nothing` is the share of rows of a like expectation of which nothing came.
    """

    expected: Floats
    low: Floats
    high: Floats
    nothing: Floats

    def columns(self) -> dict[str, pa.Array]:
        """The columns of the scores file."""
        return {
            "expected_worth": pa.array(self.expected),
            "expected_worth_low": pa.array(self.low),
            "expected_worth_high": pa.array(self.high),
        }


@dataclass(frozen=True)
class AmountScale:
    """From p m to the expected worth and its interval; make it by `AmountScale.fit`.

    `slope` a and `intercept` b as above; `at` (k,) are rising expectations, `low` and `high` (k,) the quantiles of what
    came of rows around each, and `nothing` (k,) the share of those of which nothing came.
    """

    slope: float
    intercept: float
    at: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    nothing: tuple[float, ...]

    @classmethod
    def fit(cls, product: Floats, worth: Floats) -> AmountScale:
        """Fit to calibration rows: p m (n,) and what came (n,), amounts below zero as zero.

        a and b by Poisson's quasi-likelihood, under which the expectations of the rows add up to what came of them
        (Gourieroux, Monfort and Trognon, "Pseudo maximum likelihood methods", 1984).
        """
        from scipy.optimize import minimize

        log, came = np.log(np.maximum(product, _TINY)), np.maximum(worth, 0.0)
        if not came.sum() > 0:
            raise ModelError("the calibration rows came to nothing; there is no worth to foretell")
        unit = came.mean()

        def loss(weights: Floats) -> tuple[float, Floats]:
            rate = np.exp(np.clip(weights[0] * log + weights[1], -50, 50))
            error = rate - came / unit
            value = float(np.mean(rate - came / unit * (weights[0] * log + weights[1])))
            return value, np.array([np.mean(error * log), np.mean(error)])

        start = np.array([1.0, -np.log(np.maximum(np.exp(log).mean(), _TINY))])
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.05, 5.0), (None, None)])
        slope, intercept = float(found.x[0]), float(found.x[1] + np.log(unit))
        expected = np.exp(slope * log + intercept)
        return cls(slope, intercept, *_bands(expected, came))

    def apply(self, product: Floats) -> Foretold:
        """Expected worth with its interval of rows with p m (n,)."""
        expected = np.exp(self.slope * np.log(np.maximum(product, _TINY)) + self.intercept)
        low, high, nothing = (np.interp(expected, self.at, knots) for knots in (self.low, self.high, self.nothing))
        high = np.where(high < _LEAST, 0.0, high)
        beyond = np.maximum(expected / self.at[-1], 1.0)  # past the last knot the interval grows with the expectation
        return Foretold(expected, low * beyond, high * beyond, nothing)


class WorthModel:
    """The mean worth of rows whose target comes true, and the scale of the expectation."""

    def __init__(self, encoder: Encoder, text: str, scale: AmountScale, *, threads: int | None = None) -> None:
        self.encoder, self.scale, self.threads = encoder, scale, threads
        self._text = text
        self.booster: lgb.Booster = boosting.from_text(text)

    def given(self, table: pa.Table) -> Floats:
        """Mean worth (n,) of the rows of a snapshot, given that the target comes true."""
        return _predict(self.booster, self.encoder, table, self.threads)

    def foretell(self, table: pa.Table, probability: Floats) -> Foretold:
        """Expected worth of the rows of a snapshot with these calibrated probabilities (n,)."""
        return self.scale.apply(self.given(table) * probability)

    @property
    def content(self) -> bytes:
        """What decides what is foretold, for checksums."""
        return self._text.encode() + json_bytes([self.encoder.to_json(), vars(self.scale)])

    def save(self, folder: Path) -> None:
        """Write model.txt, features.json and worth.json into a new folder."""
        folder.mkdir(parents=True)
        (folder / TREES).write_text(self._text, encoding="utf-8")
        write_json(folder / FEATURES, self.encoder.to_json())
        write_json(folder / SCALE, vars(self.scale))

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> WorthModel:
        """Read what `save` wrote; ModelError naming the file that is absent or unreadable. No code is run."""
        content = read_json(folder / SCALE)
        try:
            text = (folder / TREES).read_text(encoding="utf-8")
            return cls(Encoder.from_json(read_json(folder / FEATURES)), text, _scale_of(content), threads=threads)
        except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the worth of the model is not readable: {error}; export or train it again") from error


@dataclass(frozen=True)
class GivenWorth:
    """Fitted trees of the worth given the target, whose scale is not known yet."""

    encoder: Encoder
    text: str
    threads: int | None

    @classmethod
    def fit(
        cls,
        learner: LearnerConfig,
        columns: Sequence[FeatureColumn],
        table: pa.Table,
        worth: Floats,
        entities: pa.ChunkedArray,
        *,
        seed: int = 0,
        threads: int | None = None,
    ) -> GivenWorth:
        """Fit to rows (n) whose target came true, and their worth (n,); early stopping is on a fifth of the entities.

        The number of trees that is best there is trained on all rows. ModelError where all rows came to nothing.
        """
        came = np.maximum(worth, 0.0)
        if not came.sum() > 0:
            raise ModelError("the training rows came to nothing; there is no worth to learn: check its column")
        encoder = Encoder.fit(columns, table)
        matrix = encoder.encode(table)
        threads = boosting.threads_for(matrix.size, threads)
        settings = boosting.parameters(learner, seed=seed, threads=threads)
        settings |= {"objective": "tweedie", "metric": "tweedie", "tweedie_variance_power": 1.5}
        rest, fold = next(iter(entity_folds(entities.to_numpy(zero_copy_only=False), seed=seed)))
        training = boosting.amounts(encoder, matrix[rest], came[rest])
        held_out = boosting.amounts(encoder, matrix[fold], came[fold], reference=training)
        stopped = boosting.from_text(
            boosting.train(
                settings,
                training,
                rounds=learner.n_estimators,
                validation=held_out,
                patience=learner.early_stopping_rounds,
            )
        )
        everything = boosting.amounts(encoder, matrix, came)
        text = boosting.train(settings, everything, rounds=max(int(stopped.num_trees()), 10))
        return cls(encoder, text, threads)

    def of(self, table: pa.Table) -> Floats:
        """Mean worth (n,) given that the target comes true."""
        return _predict(boosting.from_text(self.text), self.encoder, table, self.threads)

    def scaled(self, given: Floats, probability: Floats, worth: Floats) -> WorthModel:
        """The whole model, its scale fitted to calibration rows: their mean worth given the target, p, and worth."""
        return WorthModel(self.encoder, self.text, AmountScale.fit(given * probability, worth), threads=self.threads)


def _predict(booster: lgb.Booster, encoder: Encoder, table: pa.Table, threads: int | None) -> Floats:
    given = np.empty(table.num_rows)
    for start in range(0, table.num_rows, boosting.CHUNK):
        part = table.slice(start, boosting.CHUNK)
        given[start : start + part.num_rows] = booster.predict(encoder.encode(part), num_threads=threads or 0)
    return given


def _bands(expected: Floats, came: Floats) -> tuple[tuple[float, ...], ...]:
    """Quantiles of what came in bins of equal size by expectation, rising in it: (at, low, high, nothing), (k,) each.

    Rows of equal expectation stay in one bin.
    """
    bins = max(min(_BINS, len(expected) // _FEWEST), 1)
    _, of_row, counts = np.unique(expected, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    bin_of = (middle / len(expected) * bins).astype(np.int64)[of_row]
    chosen = [bin_of == number for number in np.unique(bin_of)]
    ends = np.array([_ends(came[rows]) for rows in chosen])
    low, high = np.maximum.accumulate(ends, axis=0).T.tolist()
    at = tuple(float(expected[rows].mean()) for rows in chosen)
    return at, tuple(low), tuple(high), tuple(float(np.mean(came[rows] == 0)) for rows in chosen)


def _ends(came: Floats) -> Floats:
    """The interval that holds COVERED of what came (n,)."""
    tail = (1 - COVERED) / 2
    first = 0.0 if np.mean(came == 0) > tail else tail
    return np.asarray(np.quantile(came, (first, first + COVERED)))


def _scale_of(content: Mapping[str, Any]) -> AmountScale:
    knots = [tuple(float(value) for value in content[name]) for name in ("at", "low", "high", "nothing")]
    if not 0 < len(knots[0]) == min(map(len, knots)) == max(map(len, knots)):
        raise ValueError("the interval's knots differ in number")
    return AmountScale(float(content["slope"]), float(content["intercept"]), *knots)
