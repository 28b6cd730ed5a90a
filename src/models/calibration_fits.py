"""The numerical fits behind calibration: logistic regression with rising slopes, and isotonic regression."""

from __future__ import annotations

import numpy as np

from .base import Floats

FAR = 700.0
"""exp overflows beyond this; no probability differs there."""

_LEAST_SLOPE = 1e-3  # a map is never flat: the order of the raw scores must survive


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-values)), without overflow."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -FAR, FAR))))


def increasing_logistic(columns: Floats, target: Floats) -> Floats:
    """Slopes (k,) and intercept of a logistic regression on columns (n, k) whose slopes are not negative.

    Slopes that come out negative are set to zero, the worst first, and the rest is fitted again. Where all of them
    are (almost) zero they are set to a small value, so that the order of the scores survives.
    """
    k = columns.shape[1]
    design = np.column_stack([columns, np.ones(len(columns))])
    free = np.ones(k + 1, dtype=bool)
    weights = np.zeros(k + 1)
    while True:
        weights[free] = _logistic(design[:, free], target, np.zeros(len(target)))
        if (weights[:k] >= 0).all():
            break
        worst = int(np.argmin(weights[:k]))
        free[worst], weights[worst] = False, 0.0
    if weights[:k].sum() < _LEAST_SLOPE:
        weights[:k] = _LEAST_SLOPE
        weights[k] = _logistic(design[:, k:], target, columns @ weights[:k])[0]
    return weights


def _logistic(design: Floats, target: Floats, offset: Floats) -> Floats:
    """Minimum of the mean log loss of sigmoid(design @ w + offset), by Newton's method with step halving."""
    rows = len(target)
    weights = np.zeros(design.shape[1])

    def loss(candidate: Floats) -> float:
        odds = design @ candidate + offset
        return float(np.mean(np.logaddexp(0, odds) - target * odds))

    current = loss(weights)
    for _ in range(100):
        probability = sigmoid(design @ weights + offset)
        gradient = design.T @ (probability - target) / rows
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design / rows
        ridge = 1e-10 * (np.trace(curvature) + 1e-12) * np.eye(len(weights))
        step = np.linalg.solve(curvature + ridge, gradient)
        scale = 1.0
        while (after := loss(weights - scale * step)) > current and scale > 1e-8:
            scale /= 2
        if after >= current - 1e-12:
            break
        weights, current = weights - scale * step, after
    return weights


def centred_isotonic(scores: Floats, outcomes: Floats) -> tuple[Floats, Floats]:
    """Knots (x, y) of centred isotonic regression: mean raw score and rate of each level, both rising."""
    from scipy.optimize import isotonic_regression

    unique, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rates = np.bincount(inverse, weights=outcomes) / counts
    result = isotonic_regression(rates, weights=counts.astype(np.float64))
    starts = result.blocks[:-1]
    weight = np.add.reduceat(counts.astype(np.float64), starts)
    x = np.add.reduceat(unique * counts, starts) / weight
    return x, np.asarray(result.x[starts])
