"""How long until it happens: a discrete-time hazard model, boosted trees over rows and periods.

Time is cut into K periods of `every` days from the cutoff on. With the raw score f_k(x) of trees that read the features
x and the number k of the period, and a slope a > 0 and an intercept b of calibration,

    h_k = 1 / (1 + exp(-(a f_k + b)))       P(leaves in period k | still there at its beginning)
    S_k = (1 - h_1) ... (1 - h_k)           P(still there at its end), which never rises

fitted to a row for each period in which somebody was still observed (Singer and Willett, "It's about time: using
discrete-time survival analysis", Journal of Educational Statistics 1993); who is censored gives rows up to then.

The raw score is the logarithm of the cumulative hazard L = -log S_K = sum over k of log(1 + exp(a f_k + b)), the score
P(leaves within the K periods) = 1 - exp(-L). Contributions put SHAP values phi_kj of the trees through the gradient of
log L, averaged on the way from where no feature speaks to x (Aumann and Shapley 1974): sum over k of (integral of
dlog L / df_k) a phi_kj. What the number of the period says belongs to the bias. They add up exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numpy.typing import ArrayLike

from ..config import LearnerConfig
from ..errors import ModelError
from ..language.declarations import FeatureColumn
from . import boosting
from .base import Floats, json_bytes, read_json, write_json
from .calibration import entity_folds
from .calibration_fits import increasing_logistic, sigmoid
from .encoding import Encoder
from .self_explained import SelfExplained

Ints = npt.NDArray[np.int64]
TREES, FEATURES, MODEL = "model.txt", "features.json", "model.json"
PERIOD = FeatureColumn("period_ahead", "", family="time", definition="number of the period ahead of the cutoff")
_NODES = 32  # of Gauss-Legendre, on the way from the bias to the scores
_ROWS = 10_000  # that are explained at once


class Cumulative:
    """From the logarithm of a cumulative hazard to a probability: 1 - exp(-exp(raw))."""

    def apply(self, raw: ArrayLike) -> Floats:
        """Probabilities (n,) of raw scores (n,)."""
        return np.asarray(-np.expm1(-np.exp(np.clip(np.asarray(raw, np.float64), -700, 700))))


@dataclass(frozen=True)
class Periods:
    """Rows (n) as rows and periods (m): `row` says whose each is, `period` which (from 1), `left` if he left.

    `time` (n,) is the period in which somebody left (where `event`), or the last one through which he was observed.
    """

    row: Ints
    period: Ints
    left: Floats

    @classmethod
    def of(cls, time: Ints, event: npt.NDArray[np.bool_]) -> Periods:
        """Everybody's periods up to his time; who was not observed through one has none."""
        row = np.repeat(np.arange(len(time)), time)
        begins = np.cumsum(time) - time
        period = np.arange(len(row)) - begins[row] + 1
        return cls(row, period, (event[row] & (period == time[row])).astype(np.float64))

    def take(self, chosen: npt.NDArray[Any]) -> Periods:
        """Some of them, by number or by true and false."""
        return Periods(self.row[chosen], self.period[chosen], self.left[chosen])


class HazardModel(SelfExplained):
    """The trees with their calibration; make it by `fit_trees` and `calibrated`.

    `horizons` are the days at which the curve is put out, each a multiple of `every`; the last one is K periods ahead.
    """

    kind = "hazard"

    def __init__(
        self,
        encoder: Encoder,
        text: str,
        every: int,
        horizons: Sequence[int],
        slope: float = 1.0,
        intercept: float = 0.0,
        *,
        threads: int | None = None,
    ) -> None:
        if not horizons or any(days % every for days in horizons) or list(horizons) != sorted(set(horizons)):
            raise ModelError(f"horizons must rise, each a multiple of the {every} days of a period: {list(horizons)}")
        self.encoder, self.every, self.horizons = encoder, every, tuple(horizons)
        self.slope, self.intercept, self.threads = slope, intercept, threads
        self.periods = self.horizons[-1] // every
        self.calibrator = Cumulative()
        self._text, self._trees = text, boosting.from_text(text)

    @property
    def content(self) -> bytes:
        """All that decides its scores, for checksums."""
        return self._text.encode() + json_bytes([self.encoder.to_json(), self._to_json()])

    @property
    def rounds(self) -> int:
        """Number of trees."""
        return int(self._trees.num_trees())

    def calibrated(self, raw: Floats, left: Floats) -> HazardModel:
        """The same trees, slope and intercept fitted to raw scores (m,) of rows and periods that they have not seen."""
        slope, intercept = increasing_logistic(raw[:, None], left).tolist()
        return HazardModel(self.encoder, self._text, self.every, self.horizons, slope, intercept, threads=self.threads)

    # -------------------------------------------------------------------------------- scoring
    def raw_hazards(self, matrix: Floats, periods: Periods | None = None) -> Floats:
        """Raw scores f of the trees: (n, K) of an encoded matrix, or (m,) of some of its rows and periods."""
        if periods is not None:
            return self._predict(np.column_stack([matrix[periods.row], periods.period]))
        return np.column_stack([self._predict(self._ahead(matrix, k)) for k in range(1, self.periods + 1)])

    def curves(self, table: pa.Table) -> Floats:
        """P(still there at the end of each period) of the rows of a snapshot, (n, K), falling."""
        return np.asarray(np.exp(-np.cumsum(self._hazards(self.encode(table)), axis=1)))

    def score_matrix(self, matrix: Floats) -> Floats:
        """Logarithm (n,) of the cumulative hazard of an encoded matrix."""
        return np.asarray(np.log(self._hazards(matrix).sum(axis=1)))

    def explain_matrix(self, matrix: Floats) -> Floats:
        """Contributions (n, p + 1) to the raw score; the last column is the bias, which is a row's own."""
        parts = [self._explain(matrix[start : start + _ROWS]) for start in range(0, len(matrix), _ROWS)]
        return np.concatenate(parts) if parts else np.empty((0, matrix.shape[1] + 1))

    def outputs(self, table: pa.Table) -> dict[str, pa.Array]:
        """`leaves_within_<h>d` for each horizon, `median_days`, `expected_days` within the last horizon.

        The median is null where it lies beyond the last horizon. Between the ends of periods curves are straight.
        """
        s = self.curves(table)
        found = {f"leaves_within_{days}d": pa.array(1 - s[:, days // self.every - 1]) for days in self.horizons}
        whole = np.column_stack([np.ones(len(s)), s])
        after = (whole > 0.5).sum(axis=1)  # the first end of a period at which it is at most one half
        known = after <= self.periods
        place, rows = np.minimum(after, self.periods), np.arange(len(s))
        high, low = whole[rows, np.maximum(place - 1, 0)], whole[rows, place]
        with np.errstate(divide="ignore", invalid="ignore"):
            median = self.every * (place - 1 + (high - 0.5) / (high - low))
        found["median_days"] = pa.array(np.where(known, median, 0.0), mask=~known)
        return found | {"expected_days": pa.array(self.every * (whole[:, :-1] + whole[:, 1:]).sum(axis=1) / 2)}

    def _hazards(self, matrix: Floats) -> Floats:
        """-log(1 - h_k), (n, K)."""
        return np.asarray(np.logaddexp(0, self.slope * self.raw_hazards(matrix) + self.intercept))

    def _explain(self, matrix: Floats) -> Floats:
        n, p = matrix.shape
        parts = np.empty((n, self.periods, p + 2))
        for k in range(1, self.periods + 1):
            parts[:, k - 1] = self._trees.predict(
                self._ahead(matrix, k), pred_contrib=True, num_threads=self.threads or 0
            )
        parts *= self.slope
        bias = parts[:, :, -1] + parts[:, :, -2] + self.intercept
        way = parts[:, :, :p].sum(axis=2)
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        steep: Floats = np.zeros((n, self.periods))
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            at = bias + node * way
            steep += weight * sigmoid(at) / np.logaddexp(0, at).sum(axis=1, keepdims=True)
        values = np.empty((n, p + 1))
        values[:, :p] = np.einsum("nk,nkp->np", steep, parts[:, :, :p])
        values[:, p] = np.log(np.logaddexp(0, bias).sum(axis=1))
        return values

    def _ahead(self, matrix: Floats, k: int) -> Floats:
        return np.column_stack([matrix, np.full(len(matrix), float(k))])

    def _predict(self, matrix: Floats) -> Floats:
        return np.asarray(self._trees.predict(matrix, raw_score=True, num_threads=self.threads or 0))

    # -------------------------------------------------------------------------------- on disk
    def save(self, folder: Path) -> None:
        """Write model.txt, features.json and model.json into an existing folder."""
        (folder / TREES).write_text(self._text, encoding="utf-8")
        write_json(folder / FEATURES, self.encoder.to_json())
        write_json(folder / MODEL, self._to_json())

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> HazardModel:
        """Read what `save` wrote; ModelError naming the file that is absent or unreadable. No code is run."""
        content, encoder = read_json(folder / MODEL), Encoder.from_json(read_json(folder / FEATURES))
        try:
            text = (folder / TREES).read_text(encoding="utf-8")
            horizons = [int(days) for days in content["horizons"]]
            slope, intercept = float(content["slope"]), float(content["intercept"])
            return cls(encoder, text, int(content["every"]), horizons, slope, intercept, threads=threads)
        except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the hazard model is not readable: {error}; export or train it again") from error

    def _to_json(self) -> dict[str, Any]:
        known = {"kind": self.kind, "every": self.every, "horizons": list(self.horizons)}
        return known | {"slope": self.slope, "intercept": self.intercept}


def fit_trees(
    learner: LearnerConfig,
    encoder: Encoder,
    matrix: Floats,
    periods: Periods,
    entities: npt.NDArray[Any],
    *,
    seed: int = 0,
    threads: int | None = None,
    rounds: int | None = None,
) -> str:
    """Trees fitted to rows and periods (m) of an encoded matrix (n, p), as text; `entities` (n,) own the rows.

    Without `rounds`, their number is what is best on a fifth of the entities; all rows are trained on then. ModelError
    where nobody leaves, or everybody does at once.
    """
    everything = np.column_stack([matrix[periods.row], periods.period])
    with_period = Encoder((*encoder.columns, PERIOD), encoder.vocabulary, {}, {}, 0)
    threads = boosting.threads_for(everything.size, threads)
    settings = boosting.parameters(learner, seed=seed, threads=threads)

    def data(chosen: npt.NDArray[Any], reference: lgb.Dataset | None = None) -> lgb.Dataset:
        return boosting.dataset(with_period, everything[chosen], periods.left[chosen], reference=reference)

    if rounds is None:
        rest, fold = next(iter(entity_folds(entities[periods.row], seed=seed)))
        training = data(rest)
        stopped = boosting.train(
            settings,
            training,
            rounds=learner.n_estimators,
            validation=data(fold, training),
            patience=learner.early_stopping_rounds,
        )
        rounds = max(int(boosting.from_text(stopped).num_trees()), 10)
    return boosting.train(settings, data(np.arange(len(everything))), rounds=rounds)
