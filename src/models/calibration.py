"""Calibration: from raw scores (log-odds) to probabilities that mean what they say.

Four maps are known, all of them increasing, so that the order of the raw scores survives: identity, sigmoid
(Platt), beta (Kull et al.) and isotonic. `choose_calibrator` takes the one with the least log loss, cross-fitted over
entities: no row is ever judged by a map that has seen its own entity.

Every map keeps clear of 0 and 1. From n rows nobody can know a probability below about `1 / (n + 2)` (Laplace's rule
of succession for an event that never came), so that is the floor: probabilities below twice the floor are squeezed
linearly into (floor, 2 floor), and likewise at 1; between, nothing is moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError
from .base import Floats
from .calibration_fits import FAR, centred_isotonic, increasing_logistic, sigmoid

Kind = Literal["identity", "sigmoid", "beta", "isotonic"]

FOLDS = 5
ISOTONIC_POSITIVES = 1_000
"""Below so many positives (or negatives) a step function follows the noise, and isotonic is no candidate."""


@dataclass(frozen=True)
class Calibrator:
    """One calibration map; make it by `fit_calibrator` or `choose_calibrator`.

    `parameters` by kind, with s = 1 / (1 + exp(-raw)):
      identity: none;                    p = s
      sigmoid:  slope a, intercept c;    logit p = a raw + c
      beta:     a, b, c;                 logit p = a ln s - b ln(1 - s) + c
      isotonic: knots x, y;              p = y(raw), linear between the knots and constant outside
    `rows` is the sample size that sets the floor. `losses` has the cross-fitted log loss of each candidate.
    """

    kind: Kind
    parameters: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    rows: int = 0
    losses: Mapping[str, float] = field(default_factory=dict)

    @property
    def floor(self) -> float:
        """The least probability this map can give; 1 - floor is the greatest."""
        return 1.0 / (self.rows + 2) if self.rows else 1e-9

    def apply(self, raw: ArrayLike) -> Floats:
        """Probabilities (n,) of raw scores (n,): non-decreasing, inside [floor, 1 - floor]."""
        scores = np.clip(np.ascontiguousarray(raw, dtype=np.float64), -FAR, FAR)
        if self.kind == "isotonic":
            steps = _between(scores, np.array(self.parameters["x"]), np.array(self.parameters["y"]))
            # A trace of the sigmoid orders the rows inside a level and outside the knots.
            probability = (1 - self.floor) * steps + self.floor * sigmoid(scores)
        elif self.kind == "identity":
            probability = sigmoid(scores)
        else:
            # Summed term by term: a matrix product may round a row by its place in the batch.
            *slopes, intercept = (self.parameters[name][0] for name in _PARAMETERS[self.kind])
            terms = [slope * column for slope, column in zip(slopes, _columns(self.kind, scores), strict=True)]
            probability = sigmoid(sum(terms, np.full(len(scores), intercept)))
        return _squeeze(probability, self.floor)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` makes an equal calibrator from them."""
        parameters = {name: list(values) for name, values in self.parameters.items()}
        return {"kind": self.kind, "parameters": parameters, "rows": self.rows, "losses": dict(self.losses)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Calibrator:
        """The calibrator that `to_json` wrote; ModelError where the content is of another kind."""
        try:
            kind = content["kind"]
            if kind not in get_args(Kind):
                raise ModelError(f"calibration.json of the model names '{kind}', which this version does not know")
            parameters = {str(k): tuple(float(v) for v in values) for k, values in content["parameters"].items()}
            if set(parameters) != set(_PARAMETERS[kind]):
                raise ModelError(f"calibration.json of the model lacks parameters of '{kind}'; export the model again")
            losses = {str(name): float(loss) for name, loss in content["losses"].items()}
            return cls(kind, parameters, int(content["rows"]), losses)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"calibration.json was written by another version of Rapport: {error}") from error


_PARAMETERS: dict[str, tuple[str, ...]] = {
    "identity": (),
    "sigmoid": ("slope", "intercept"),
    "beta": ("a", "b", "c"),
    "isotonic": ("x", "y"),
}


def fit_calibrator(kind: Kind, raw: ArrayLike, target: ArrayLike) -> Calibrator:
    """Fit one map to raw scores (n,) and outcomes (n,) of 0 and 1.

    sigmoid: Platt, "Probabilistic outputs for support vector machines" (1999), with his smoothed targets
    (N+ + 1) / (N+ + 2) and 1 / (N- + 2), which keep the fit finite where the classes separate.
    beta: Kull, Silva Filho, Flach, "Beta calibration" (AISTATS 2017), with the same targets; a coefficient that comes
    out negative is set to zero and the others are fitted again, as in the paper.
    isotonic: pool adjacent violators, each level set at the mean raw score of its rows and joined linearly (centred
    isotonic regression, Oron and Flournoy 2017), which does not tie the rows of a level.
    """
    scores, outcomes = _checked(raw, target)
    if kind == "identity":
        return Calibrator("identity", rows=len(scores))
    if kind == "isotonic":
        x, y = centred_isotonic(scores, outcomes)
        return Calibrator("isotonic", {"x": tuple(x.tolist()), "y": tuple(y.tolist())}, len(scores))
    positives = outcomes.sum()
    smoothed = np.where(outcomes == 1, (positives + 1) / (positives + 2), 1 / (len(outcomes) - positives + 2))
    weights = increasing_logistic(np.column_stack(_columns(kind, scores)), smoothed)
    names = _PARAMETERS[kind]
    return Calibrator(kind, {name: (float(w),) for name, w in zip(names, weights, strict=True)}, len(scores))


def choose_calibrator(
    raw: ArrayLike, target: ArrayLike, groups: ArrayLike, *, seed: int = 0, kinds: Sequence[Kind] | None = None
) -> Calibrator:
    """The map with the least log loss, cross-fitted over entities, fitted to all rows.

    `raw` (n,) must come from a model that did not train on these rows (a later window, or out of fold), `groups` (n,)
    names the entity of each row. `kinds` limits the candidates; of equal ones the simpler is taken. The losses of all
    candidates stand in the result. ModelError where the rows hold one class only.
    """
    scores, outcomes = _checked(raw, target)
    positives = int(outcomes.sum())
    if positives in (0, len(outcomes)):
        raise ModelError("the calibration rows hold no positives or no negatives; give that window more time")
    few = min(positives, len(outcomes) - positives) < ISOTONIC_POSITIVES
    candidates = [kind for kind in kinds or get_args(Kind) if not (few and kind == "isotonic")]
    folds = list(entity_folds(groups, seed=seed))
    losses = {kind: _log_loss(_out_of_fold(kind, scores, outcomes, folds), outcomes) for kind in candidates}
    best = min(candidates, key=lambda kind: losses[kind])
    return replace(fit_calibrator(best, scores, outcomes), losses=losses)


def cross_fitted(raw: ArrayLike, target: ArrayLike, groups: ArrayLike, *, kind: Kind, seed: int = 0) -> Floats:
    """Probabilities (n,) of each row from a map that was fitted without the row's own entity."""
    scores, outcomes = _checked(raw, target)
    folds = list(entity_folds(groups, seed=seed))
    return _out_of_fold(kind, scores, outcomes, folds)


def entity_folds(
    groups: ArrayLike, *, seed: int = 0, folds: int = FOLDS
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Row numbers (rest, fold), all rows of one entity in the same fold; ModelError below two entities."""
    from sklearn.model_selection import GroupKFold

    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        raise ModelError("cross-fitting over entities needs at least two entities, and the rows hold fewer")
    splitter = GroupKFold(min(folds, len(names)), shuffle=True, random_state=seed)
    yield from splitter.split(np.empty((len(codes), 1)), groups=codes.ravel())


# ------------------------------------------------------------------------------------------- the maps
def _squeeze(probability: Floats, floor: float) -> Floats:
    """Keep probabilities inside [floor, 1 - floor] without tying any: linear below 2 floor and above 1 - 2 floor."""
    low = np.where(probability < 2 * floor, floor + probability / 2, probability)
    return np.asarray(np.where(low > 1 - 2 * floor, 1 - floor - (1 - low) / 2, low))


def _columns(kind: str, scores: Floats) -> list[Floats]:
    """What the logistic map of this kind weighs, each increasing in the raw score; the intercept comes behind."""
    if kind == "sigmoid":
        return [scores]
    # ln s and -ln(1 - s), from the raw score: no rounding where s is 0 or 1.
    return [-np.logaddexp(0, -scores), np.logaddexp(0, scores)]


def _between(scores: Floats, x: Floats, y: Floats) -> Floats:
    """Linear between knots, constant outside; never decreasing, not even by rounding as numpy.interp may."""
    if len(x) == 1:
        return np.full(len(scores), y[0])
    right = np.clip(np.searchsorted(x, scores, side="right"), 1, len(x) - 1)
    left = right - 1
    share = np.clip((scores - x[left]) / (x[right] - x[left]), 0, 1)
    return np.asarray(np.minimum(y[left] + share * (y[right] - y[left]), y[right]))


# ------------------------------------------------------------------------------------------- cross-fitting
def _checked(raw: ArrayLike, target: ArrayLike) -> tuple[Floats, Floats]:
    scores = np.ascontiguousarray(raw, dtype=np.float64)
    outcomes = np.ascontiguousarray(target, dtype=np.float64)
    if scores.shape != outcomes.shape or scores.ndim != 1 or not len(scores):
        raise ModelError(f"calibration needs as many outcomes as scores, and got {outcomes.shape} and {scores.shape}")
    if not np.isfinite(scores).all() or not np.isin(outcomes, (0.0, 1.0)).all():
        raise ModelError("calibration needs finite scores and outcomes of 0 and 1")
    return scores, outcomes


def _out_of_fold(
    kind: Kind, scores: Floats, outcomes: Floats, folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]
) -> Floats:
    probability = np.full(len(scores), np.nan)
    for rest, fold in folds:
        probability[fold] = fit_calibrator(kind, scores[rest], outcomes[rest]).apply(scores[fold])
    return probability


def _log_loss(probability: Floats, outcomes: Floats) -> float:
    return float(-np.mean(np.where(outcomes == 1, np.log(probability), np.log1p(-probability))))
