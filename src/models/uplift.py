"""Meta-learners: from ordinary learners to the effect of a treatment that was given at random.

With Y the outcome, T the treatment (0 or 1), e = P(T = 1), m_t(x) = E[Y | x, T = t], the effect is tau(x) = m_1 - m_0:

    T-learner    tau = m_1 - m_0, each arm fitted by itself
    X-learner    tau = e tau_0 + (1 - e) tau_1, tau_1 fitted to Y - m_0 of the treated, tau_0 to m_1 - Y of the others
                 (Kuenzel et al., "Metalearners for estimating heterogeneous treatment effects", PNAS 2019)
    DR-learner   tau fitted to m_1 - m_0 + (T - e) / (e (1 - e)) (Y - m_T)
                 (Kennedy, "Towards optimal doubly robust estimation of heterogeneous causal effects", 2023)

X- and DR-learner are cross-fitted: m_t of a row comes from learners that have not seen the row's own group (entity).
The estimators follow scikit-learn: `fit(X, y, treated, groups)`, then `predict(X)` gives tau (n,).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ModelError
from .base import Floats
from .calibration import entity_folds

Make = Callable[[], Any]
"""Makes an unfitted scikit-learn estimator: a classifier with `predict_proba`, or a regressor with `predict`."""
FEWEST = 50  # rows of each arm, below which nothing is learned of an effect


class TwoModels:
    """T-learner: the difference of two classifiers, one an arm."""

    def __init__(self, classifier: Make) -> None:
        self.classifier = classifier

    def fit(self, X: Floats, y: ArrayLike, treated: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Fit to rows X (n, p), outcomes y and treatment (n,) of 0 and 1; `groups` (n,) are not looked at."""
        outcome, arm = _checked(X, y, treated)
        self.arms_ = tuple(_of_arm(self.classifier, X, outcome, arm == side) for side in (0, 1))
        return self

    def predict(self, X: Floats) -> Floats:
        """The effect of rows X (n, p), (n,)."""
        return _chance(self.arms_[1], X) - _chance(self.arms_[0], X)


class _TwoStages(ABC):
    """Both arms' means first, cross-fitted; then regressors on effects, added up: `parts_` are (share, regressor)."""

    parts_: tuple[tuple[float, Any], ...]

    def __init__(self, classifier: Make, regressor: Make, *, folds: int = 3, seed: int = 0) -> None:
        self.classifier, self.regressor, self.folds, self.seed = classifier, regressor, folds, seed

    def fit(self, X: Floats, y: ArrayLike, treated: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Fit to rows X (n, p), outcomes y and treatment (n,) of 0 and 1; rows of one of the `groups` stay together."""
        outcome, arm = _checked(X, y, treated)
        means = cross_fitted(self.classifier, X, outcome, arm, groups, folds=self.folds, seed=self.seed)
        return self.fit_effects(X, outcome, arm, means)

    @abstractmethod
    def fit_effects(self, X: Floats, y: Floats, treated: Floats, means: Floats) -> Self:
        """The second stage alone, with cross-fitted means (n, 2) of both arms."""

    def predict(self, X: Floats) -> Floats:
        """The effect of rows X (n, p), (n,)."""
        return np.asarray(sum(share * regressor.predict(X) for share, regressor in self.parts_))


class XLearner(_TwoStages):
    """X-learner; `parts_` are the share and the fitted regressor of each of its two effects."""

    def fit_effects(self, X: Floats, y: Floats, treated: Floats, means: Floats) -> Self:
        """The second stage alone, with cross-fitted means (n, 2) of both arms."""
        share, on = float(treated.mean()), treated == 1
        self.parts_ = (
            (1 - share, self.regressor().fit(X[on], (y - means[:, 0])[on])),
            (share, self.regressor().fit(X[~on], (means[:, 1] - y)[~on])),
        )
        return self


class DRLearner(_TwoStages):
    """DR-learner; `parts_` holds its one fitted regressor, with the share 1."""

    def fit_effects(self, X: Floats, y: Floats, treated: Floats, means: Floats) -> Self:
        """The second stage alone, with cross-fitted means (n, 2) of both arms."""
        self.parts_ = ((1.0, self.regressor().fit(X, doubly_robust(y, treated, means))),)
        return self


def doubly_robust(y: Floats, treated: Floats, means: Floats) -> Floats:
    """A value (n,) for each row whose mean given x is the effect, from cross-fitted means (n, 2) of both arms."""
    share = float(treated.mean())
    own = np.where(treated == 1, means[:, 1], means[:, 0])
    return np.asarray(means[:, 1] - means[:, 0] + (treated - share) / (share * (1 - share)) * (y - own))


def cross_fitted(
    classifier: Make,
    X: Floats,
    y: Floats,
    treated: Floats,
    groups: ArrayLike | None,
    *,
    folds: int,
    seed: int,
) -> Floats:
    """m_0 and m_1 (n, 2) of rows, each by classifiers that have not seen the row's group."""
    names = np.arange(len(y)) if groups is None else np.asarray(groups)
    means = np.empty((len(y), 2))
    for rest, fold in entity_folds(names, seed=seed, folds=folds):
        for side in (0, 1):
            of_arm = _of_arm(classifier, X[rest], y[rest], treated[rest] == side)
            means[fold, side] = _chance(of_arm, X[fold])
    return means


def _of_arm(classifier: Make, X: Floats, y: Floats, rows: Any) -> Any:
    """The classifier of one arm, or its share of positives where that arm has one outcome alone."""
    known = y[rows]
    return float(known.mean()) if len(np.unique(known)) < 2 else classifier().fit(X[rows], known)


def _chance(fitted: Any, X: Floats) -> Floats:
    return np.full(len(X), fitted) if isinstance(fitted, float) else np.asarray(fitted.predict_proba(X)[:, 1])


def _checked(X: Floats, y: ArrayLike, treated: ArrayLike) -> tuple[Floats, Floats]:
    """Outcome and arm as floats; ModelError where an effect cannot be learned from them."""
    outcome, arm = np.asarray(y, np.float64), np.asarray(treated, np.float64)
    if not len(X) == len(outcome) == len(arm):
        raise ModelError(f"rows, outcomes and treatment differ in number: {len(X)}, {len(outcome)}, {len(arm)}")
    for what, values in (("outcomes", outcome), ("the treatment", arm)):
        if not set(np.unique(values).tolist()) <= {0.0, 1.0}:
            raise ModelError(f"{what} must be 0 or 1, without missing values")
    fewest = int(min(arm.sum(), len(arm) - arm.sum()))
    if fewest < FEWEST:
        raise ModelError(
            f"not enough data: the smaller arm of the experiment has {fewest} rows, and {FEWEST} are needed; contact "
            "some at random and hold some back"
        )
    return outcome, arm
