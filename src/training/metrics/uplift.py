"""How well a score finds those whom a treatment moves: Qini, AUUC, uplift at k. Treatment must have been random.

Several definitions go by the same names. These are: curves over all rows by descending score, both arms together;
areas between curve and the straight line of random targeting, divided by the same area of a perfect curve (the
convention of scikit-uplift, with negative effects allowed). 0 is random targeting, 1 cannot be reached in practice.
Tied scores are one step of the curve. All are nan without rows in both arms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .counts import FloatArray, as_floats, as_outcomes, sort_blocks
from .ranking import cumulative_gain


@dataclass(frozen=True)
class UpliftCurves:
    """Both curves at every distinct score, from nobody to everybody, (b + 1,) each.

    With N_t, N_c rows and Y_t, Y_c positives of the arms among the first `rows`: `qini` = Y_t - Y_c N_t / N_c (extra
    positives among the treated; Radcliffe 2007), `gain` = (Y_t / N_t - Y_c / N_c) (N_t + N_c) (uplift curve: extra
    positives if all of them were treated; Jaskowski & Jaroszewicz 2012). A rate of an empty arm counts as 0.
    """

    rows: FloatArray
    qini: FloatArray
    gain: FloatArray


def uplift_curves(target: Any, score: Any, treated: Any) -> UpliftCurves:
    """Qini and uplift curve; `target` and `treated` (n,) of 0 and 1, `score` (n,) the predicted effect."""
    outcome, arm = as_outcomes(target), as_outcomes(treated)
    values = as_floats(score, "score")
    treated_counts = sort_blocks(outcome, values).count(arm)
    control_counts = sort_blocks(outcome, values).count(1 - arm)
    n_t, y_t = treated_counts.rows_above[0], treated_counts.positives_above[0]
    n_c, y_c = control_counts.rows_above[0], control_counts.positives_above[0]
    rate_t, rate_c = _rate(y_t, n_t), _rate(y_c, n_c)
    start = [0.0]
    return UpliftCurves(
        rows=np.concatenate([start, n_t + n_c]),
        qini=np.concatenate([start, y_t - rate_c * n_t]),
        gain=np.concatenate([start, (rate_t - rate_c) * (n_t + n_c)]),
    )


def qini(target: Any, score: Any, treated: Any) -> float:
    """Qini coefficient: area between Qini curve and random line, divided by that of the perfect curve.

    The perfect curve takes treated positives first and untreated positives last.
    """
    outcome, arm = as_outcomes(target), as_outcomes(treated)
    found, best = uplift_curves(outcome, score, arm), uplift_curves(outcome, outcome * (2 * arm - 1), arm)
    return _share(_area(found.rows, found.qini), _area(best.rows, best.qini), arm)


def auuc(target: Any, score: Any, treated: Any) -> float:
    """Area between uplift curve and random line, divided by that of the perfect curve.

    The perfect curve takes treated positives and untreated negatives first; of both halves, the smaller of treated
    negatives and untreated positives decides which comes first.
    """
    outcome, arm = as_outcomes(target), as_outcomes(treated)
    untreated_positives, treated_negatives = float(outcome @ (1 - arm)), float((1 - outcome) @ arm)
    order = 2 * (outcome == arm) + (outcome if untreated_positives > treated_negatives else arm)
    found, best = uplift_curves(outcome, score, arm), uplift_curves(outcome, order, arm)
    return _share(_area(found.rows, found.gain), _area(best.rows, best.gain), arm)


def uplift_at(target: Any, score: Any, treated: Any, share: float = 0.3, *, by_arm: bool = False) -> float:
    """Difference of the rates of positives between treated and untreated among the top `share` of rows.

    The top is taken over both arms together, or `by_arm`: in each arm its own. Ties at the border count in proportion.
    """
    outcome, arm = as_outcomes(target), as_outcomes(treated)
    values = as_floats(score, "score")
    if not 0 < arm.sum() < len(arm):
        return float("nan")
    rates = []
    for side in (arm, 1 - arm):
        if by_arm:
            inside = side == 1
            own, top = outcome[inside], values[inside]
            caught, among = cumulative_gain(own, top, share) * own.sum() if own.any() else 0.0, share * inside.sum()
        else:
            both = side * outcome
            caught = cumulative_gain(both, values, share) * both.sum() if both.any() else 0.0
            among = cumulative_gain(side, values, share) * side.sum()
        rates.append(caught / among if among else float("nan"))
    return float(rates[0] - rates[1])


def _rate(positives: FloatArray, rows: FloatArray) -> FloatArray:
    return np.divide(positives, rows, out=np.zeros_like(rows), where=rows > 0)


def _area(rows: FloatArray, curve: FloatArray) -> float:
    """Area between a curve and the straight line from nobody to everybody."""
    return float(np.sum(np.diff(rows) * (curve[1:] + curve[:-1]) / 2) - rows[-1] * curve[-1] / 2)


def _share(found: float, best: float, arm: FloatArray) -> float:
    both_arms = 0 < arm.sum() < len(arm)
    return found / best if both_arms and best != 0 else float("nan")
