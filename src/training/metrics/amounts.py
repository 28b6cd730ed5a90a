"""How far predicted amounts (numbers of purchases, sales, margin) lie from what came."""

from __future__ import annotations

from typing import Any

import numpy as np

from .counts import FloatArray, as_floats


def mean_absolute_error(amount: Any, predicted: Any) -> float:
    """Mean of |predicted - amount|; where most amounts are 0, always predicting 0 nearly wins: read RMSE beside it."""
    return float(np.abs(_errors(amount, predicted)).mean())


def root_mean_squared_error(amount: Any, predicted: Any) -> float:
    """Square root of the mean of (predicted - amount)^2."""
    return float(np.sqrt((_errors(amount, predicted) ** 2).mean()))


def bias(amount: Any, predicted: Any) -> float:
    """Mean of predicted - amount: above 0 the predictions are too high on the whole."""
    return float(_errors(amount, predicted).mean())


def correlation(amount: Any, predicted: Any) -> float:
    """Pearson's correlation of prediction and amount; nan where either is constant."""
    error = _errors(amount, predicted)
    truth = as_floats(amount, "amount")
    guess = truth + error
    spread = float(truth.std() * guess.std())
    if spread == 0:
        return float("nan")
    return float(((truth - truth.mean()) * (guess - guess.mean())).mean() / spread)


def _errors(amount: Any, predicted: Any) -> FloatArray:
    return as_floats(predicted, "predicted") - as_floats(amount, "amount")
