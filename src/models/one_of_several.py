"""Which of several causes: one boosted classifier for each against the others, put together to probabilities.

With r_c(x) the raw score of the classifier of class c, slopes a_c >= 0 and intercepts b_c,

    s_c = a_c r_c + b_c        P(c | x) = exp(s_c) / sum over k of exp(s_k)

a and b are fitted to out-of-fold scores by multinomial likelihood (vector scaling: Guo, Pleiss, Sun and Weinberger, "On
calibration of modern neural networks", ICML 2017). Where a share w of the answers is known to be wrong, the likelihood
is that of the answers, (1 - w) P(c) + w / (K - 1) (1 - P(c)), so that P is of the true causes (forward correction:
Patrini et al., "Making deep neural networks robust to label noise", CVPR 2017).

The score is the probability of the most likely class m, the raw score its log-odds f(s) = s_m - log sum over k != m of
exp(s_k). Its contributions put SHAP values phi_cj of the classifiers through the gradient of f, averaged on the way
from the biases to s (Aumann and Shapley 1974): sum over c of (integral of df/ds_c) a_c phi_cj. They add up exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..errors import ModelError
from ..language.declarations import FeatureColumn
from .base import Floats, json_bytes, read_json, write_json
from .calibration import Calibrator
from .classifier import FEATURES, MODEL, BoostedClassifier
from .encoding import Encoder, Profile

Ints = npt.NDArray[np.int64]
_NODES = 24  # of Gauss-Legendre: exact to 1e-12 for differences of scores up to about 10
_RIDGE = 1e-2  # pulls slopes towards 1 and intercepts towards 0, as strongly as a hundredth of an answer


@dataclass(frozen=True)
class Scaling:
    """Slopes a (k,) and intercepts b (k,); make it by `Scaling.fit`."""

    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]

    @classmethod
    def fit(cls, raw: Floats, label: Ints, *, wrong: float = 0.0) -> Scaling:
        """Fit to raw scores (n, k) that have not seen their row's answer, and the answers (n,), 0 to k - 1."""
        from scipy.optimize import minimize

        n, k = raw.shape
        said = np.zeros((n, k))
        said[np.arange(n), label] = 1.0
        other = wrong / (k - 1)

        def loss(weights: Floats) -> tuple[float, Floats]:
            slopes, intercepts = weights[:k], weights[k:]
            p = softmax(raw * slopes + intercepts)
            q = other + (1 - wrong - other) * p[np.arange(n), label]
            # d log q / d s_j = (1 - w - w') p_label ([j = label] - p_j) / q
            weight = (1 - wrong - other) * p[np.arange(n), label] / q
            slope = -weight[:, None] * (said - p)
            pull = _RIDGE * np.concatenate([slopes - 1, intercepts])
            value = -np.log(q).sum() + 0.5 * float(pull @ pull) / _RIDGE
            return float(value), np.concatenate([(slope * raw).sum(axis=0), slope.sum(axis=0)]) + pull

        start = np.concatenate([np.ones(k), np.zeros(k)])
        bounds = [(0.01, 10.0)] * k + [(-20.0, 20.0)] * k
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
        return cls(tuple(found.x[:k].tolist()), tuple(found.x[k:].tolist()))

    def apply(self, raw: Floats) -> Floats:
        """Scaled scores (n, k) of raw ones."""
        return np.asarray(raw * np.array(self.slopes) + np.array(self.intercepts))


class OneOfSeveral:
    """The classifiers of k classes, in the order of `classes`, which read the same encoded features."""

    kind = "one_of_several"
    booster = None
    start = None
    shift = 0.0

    def __init__(self, classes: Sequence[str], models: Sequence[BoostedClassifier], scaling: Scaling) -> None:
        if not len(classes) == len(models) == len(scaling.slopes) == len(scaling.intercepts) > 1:
            raise ModelError("a model of one of several needs two classes at least, and a classifier for each")
        self.classes, self.models, self.scaling = tuple(classes), tuple(models), scaling
        self.calibrator = Calibrator("identity")

    @property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """The features (p,) that the classifiers read."""
        return self.models[0].columns

    @property
    def encoder(self) -> Encoder:
        """The encoder of all classifiers."""
        return self.models[0].encoder

    @property
    def quantiles(self) -> Mapping[str, Profile]:
        """What was seen of each feature in training."""
        return self.encoder.quantiles

    @property
    def content(self) -> bytes:
        """All that decides its scores, for checksums."""
        return b"".join(model.content for model in self.models) + json_bytes(self._to_json())

    # -------------------------------------------------------------------------------- scoring
    def encode(self, table: pa.Table) -> Floats:
        """The matrix (n, p) of a snapshot."""
        return self.encoder.encode(table)

    def probabilities(self, table: pa.Table) -> Floats:
        """Probabilities (n, k) that sum to 1."""
        return softmax(self._scaled(self.encode(table)))

    def raw_score(self, table: pa.Table) -> Floats:
        """Log-odds (n,) of the most likely class."""
        return self.score_matrix(self.encode(table))

    def score_matrix(self, matrix: Floats) -> Floats:
        """Log-odds (n,) of the most likely class, of an encoded matrix."""
        return _odds(self._scaled(matrix))

    def explain_matrix(self, matrix: Floats) -> Floats:
        """Contributions (n, p + 1) to the log-odds of the most likely class; the last column is the bias."""
        n, k = len(matrix), len(self.models)
        slopes = np.array(self.scaling.slopes)
        parts = np.stack([model.explain_matrix(matrix) for model in self.models], axis=1) * slopes[None, :, None]
        bias = parts[:, :, -1] + np.array(self.scaling.intercepts)  # (n, k), the same in every row
        scores = self._scaled(matrix)
        chosen = scores.argmax(axis=1)
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        way: Floats = np.zeros((n, k))
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            way += weight * _slope(bias + node * (scores - bias), chosen)
        values: Floats = np.einsum("nk,nkp->np", way, parts)
        values[:, -1] = _odds(bias, chosen)
        return values

    def outputs(self, table: pa.Table) -> dict[str, pa.Array]:
        """`cause`, the most likely class, and `probability_<class>` of each, (n,)."""
        probability = self.probabilities(table)
        names = pa.array(self.classes, pa.string())
        found = {"cause": names.take(pa.array(probability.argmax(axis=1)))}
        return found | {f"probability_{name}": pa.array(probability[:, c]) for c, name in enumerate(self.classes)}

    def _scaled(self, matrix: Floats) -> Floats:
        return self.scaling.apply(np.column_stack([model.score_matrix(matrix) for model in self.models]))

    # -------------------------------------------------------------------------------- on disk
    def save(self, folder: Path) -> None:
        """Write model.json and features.json, and a folder for each class, into an existing folder."""
        write_json(folder / MODEL, self._to_json())
        write_json(folder / FEATURES, self.encoder.to_json())
        for number, model in enumerate(self.models):
            (folder / f"class_{number}").mkdir()
            model.save(folder / f"class_{number}")

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> OneOfSeveral:
        """Read what `save` wrote; ModelError where it is unreadable. No code is run."""
        content = read_json(folder / MODEL)
        try:
            classes = [str(name) for name in content["classes"]]
            slopes, intercepts = (tuple(map(float, content[name])) for name in ("slopes", "intercepts"))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{MODEL} was written by another version of Rapport: {error}") from error
        models = [BoostedClassifier.load(folder / f"class_{n}", threads=threads) for n in range(len(classes))]
        return cls(classes, models, Scaling(slopes, intercepts))

    def _to_json(self) -> dict[str, Any]:
        scaling = {"slopes": list(self.scaling.slopes), "intercepts": list(self.scaling.intercepts)}
        return {"kind": self.kind, "classes": list(self.classes), **scaling}


def softmax(scores: Floats) -> Floats:
    """exp(s_c) / sum of exp(s_k) of scores (n, k), row by row."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _odds(scores: Floats, chosen: Ints | None = None) -> Floats:
    """Log-odds (n,) of the chosen classes (default: the most likely ones)."""
    rows = np.arange(len(scores))
    which = scores.argmax(axis=1) if chosen is None else chosen
    return np.asarray(scores[rows, which] - _log_sum(_without(scores, which)))


def _slope(scores: Floats, chosen: Ints) -> Floats:
    """Derivatives (n, k) of the log-odds of the chosen classes: 1 for each, less a softmax over the others."""
    rows = np.arange(len(scores))
    slope = -softmax(_without(scores, chosen))
    slope[rows, chosen] = 1.0
    return slope


def _without(scores: Floats, chosen: Ints) -> Floats:
    others = scores.copy()
    others[np.arange(len(scores)), chosen] = -np.inf
    return others


def _log_sum(scores: Floats) -> Floats:
    top = scores.max(axis=1)
    return np.asarray(top + np.log(np.exp(scores - top[:, None]).sum(axis=1)))
