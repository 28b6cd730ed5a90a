"""Maximum likelihood over a few positive parameters: estimates, standard errors, and whether the search ended well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from ..errors import ModelError

Floats = npt.NDArray[np.float64]
# log-likelihood of each distinct row (m,), and its gradient by parameter (m, k), at positive parameters (k,)
Likelihood = Callable[[Floats], tuple[Floats, Floats]]

_FARTHEST = 12.0
_ENOUGH = 1e-5


@dataclass(frozen=True)
class Estimate:
    """Estimates by name, their standard errors (nan at the border of what was searched), and the log-likelihood."""

    values: dict[str, float]
    errors: dict[str, float]
    log_likelihood: float
    rows: float

    def scaled(self, scale: float, names: tuple[str, ...], dimensions: float) -> Estimate:
        """The estimate in a unit that is `scale` times finer, for the parameters that are in that unit.

        `dimensions`: the power of 1 / unit in the density of all rows together.
        """
        units = {name: scale if name in names else 1.0 for name in self.values}
        return Estimate(
            values={name: value * units[name] for name, value in self.values.items()},
            errors={name: error * units[name] for name, error in self.errors.items()},
            log_likelihood=self.log_likelihood - dimensions * float(np.log(scale)),
            rows=self.rows,
        )


def maximise(
    likelihood: Likelihood, weight: Floats, start: dict[str, float], *, iterations: int, what: str
) -> Estimate:
    """Maximise the weighted sum of log-likelihoods over positive parameters, searched as their logarithms.

    `weight` (m,) says how many rows each distinct one stands for. L-BFGS-B from `start`, with the analytic gradient,
    then Newton steps; standard errors from the observed information (delta method). Logarithms are searched up to 12
    away from 0: time and amounts should be scaled to about 1. ModelError where the search does not settle.
    """
    names, size = tuple(start), float(weight.sum())

    def downhill(logs: Floats) -> tuple[float, Floats]:
        values = np.exp(logs)
        rows, gradient = likelihood(values)
        return -float(weight @ rows) / size, -(weight @ gradient) * values / size

    origin = np.log(np.array(list(start.values())))
    bounds = [(-_FARTHEST, _FARTHEST)] * len(names)
    options = {"maxiter": iterations, "ftol": 1e-13, "gtol": 1e-8}
    logs = np.asarray(minimize(downhill, origin, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x)
    inside = np.abs(logs) < _FARTHEST - 1e-6
    for _ in range(4):
        step = _newton_step(downhill, logs, inside)
        nearer = np.clip(logs - step, -_FARTHEST, _FARTHEST)
        if downhill(nearer)[0] > downhill(logs)[0]:
            break
        logs = nearer
    value, gradient = downhill(logs)
    if not np.isfinite(value) or float(np.abs(gradient[inside]).max(initial=0.0)) > _ENOUGH:
        raise ModelError(
            f"{what}: the likelihood of {size:.0f} rows has no maximum that could be found; there may be too few rows, "
            "or too few with repeat purchases"
        )
    errors = np.full(len(names), np.nan)
    information = _hessian(downhill, logs)[np.ix_(inside, inside)] * size
    if inside.any() and float(np.linalg.eigvalsh(information).min()) > 0:
        errors[inside] = np.exp(logs[inside]) * np.sqrt(np.diag(np.linalg.inv(information)))
    return Estimate(
        values=dict(zip(names, np.exp(logs).tolist(), strict=True)),
        errors=dict(zip(names, errors.tolist(), strict=True)),
        log_likelihood=-float(value) * size,
        rows=size,
    )


def distinct_rows(*columns: Floats) -> tuple[tuple[Floats, ...], Floats]:
    """The distinct combinations of some columns (n,), (m,) each, and how often each occurs (m,)."""
    order = np.lexsort(columns)
    ordered = [column[order] for column in columns]
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.any([column[1:] != column[:-1] for column in ordered], axis=0)
    starts = np.flatnonzero(new)
    return tuple(column[starts] for column in ordered), np.diff(np.append(starts, len(order))).astype(np.float64)


def _hessian(downhill: Callable[[Floats], tuple[float, Floats]], logs: Floats, step: float = 1e-4) -> Floats:
    """Second derivatives (k, k) by central differences of the gradient."""
    rows = []
    for k in range(len(logs)):
        shift = np.zeros(len(logs))
        shift[k] = step
        rows.append((downhill(logs + shift)[1] - downhill(logs - shift)[1]) / (2 * step))
    hessian = np.array(rows)
    return np.asarray((hessian + hessian.T) / 2)


def _newton_step(
    downhill: Callable[[Floats], tuple[float, Floats]], logs: Floats, inside: npt.NDArray[np.bool_]
) -> Floats:
    """The step to the minimum of the local parabola, zero for parameters at the border or where it has none."""
    step = np.zeros(len(logs))
    hessian = _hessian(downhill, logs)[np.ix_(inside, inside)]
    if inside.any() and float(np.linalg.eigvalsh(hessian).min()) > 0:
        step[inside] = np.linalg.solve(hessian, downhill(logs)[1][inside])
    return step
