"""How good survival curves are: integrated Brier score, concordance, calibration at the horizons, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .evaluate import Interval, Judged
from .metrics.counts import encode
from .metrics.survival import brier_at, calibration_gap, concordance, integrated_brier

Floats = npt.NDArray[np.float64]
MOST_REPLICATES = 200
BRIER, CONCORDANCE = "integrated_brier", "concordance"
RULE, OWN, CEILING = "baseline.test", "test", "ceiling.test"


@dataclass(frozen=True)
class SurvivalJudged(Judged):
    """Metrics by name and their 95 % intervals: test.*, baseline.test.* (Kaplan-Meier), ceiling.test.*, gain.test.*.

    The grade: D where the gain in the integrated Brier score over Kaplan-Meier includes none, C where it lies above
    zero, B where the model also went a quarter of the way to the ceiling (a tenth of the way to a perfect score where
    none is known). `rows` were judged; the ceiling, and the way to it, on those of them for which the truth was asked.
    """


def judge_survival(
    curves: Mapping[str, Floats],
    time: npt.NDArray[np.int64],
    event: npt.NDArray[np.bool_],
    entities: pa.ChunkedArray,
    exact: npt.NDArray[np.intp],
    horizons: Sequence[int],
    every: int,
    *,
    replicates: int,
    seed: int,
) -> SurvivalJudged:
    """Judge curves (n, K) by name of rows (n) that left in a period or were censored; see `metrics.survival`.

    The ceiling's curves are of the rows `exact` only. Intervals are percentiles of a bootstrap over entities.
    """
    code, number = encode(entities, "entities")
    rng = np.random.default_rng(seed)
    draws = [rng.multinomial(number, np.full(number, 1 / number))[code].astype(np.float64)
             for _ in range(min(replicates, MOST_REPLICATES))]  # fmt: skip
    metrics: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    again: dict[str, Floats] = {}
    for prefix, s in curves.items():
        mine = exact if prefix == CEILING else np.arange(len(time))
        found = _measured(time[mine], event[mine], s, horizons, every, None)
        each = [_measured(time[mine], event[mine], s, horizons, every, w[mine]) for w in draws]
        for name, value in found.items():
            if not np.isfinite(value):
                continue
            metrics[f"{prefix}.{name}"] = value
            again[f"{prefix}.{name}"] = np.array([one[name] for one in each])
            intervals[f"{prefix}.{name}"] = _interval(value, again[f"{prefix}.{name}"])
    for days in horizons:
        gap = calibration_gap(time, event, curves[OWN][:, days // every - 1], days // every)
        if np.isfinite(gap):
            metrics[f"test.calibration_error_{days}d"] = gap
    for name, sign in ((BRIER, -1), (CONCORDANCE, 1)):
        own, rule = f"{OWN}.{name}", f"{RULE}.{name}"
        intervals[f"gain.{own}"] = _interval(sign * (metrics[own] - metrics[rule]), sign * (again[own] - again[rule]))
    letter, reason = _grade(curves, time, event, exact, metrics, intervals, horizons, every)
    return SurvivalJudged(letter, (reason,), metrics, intervals, len(time))


def _measured(
    time: npt.NDArray[np.int64],
    event: npt.NDArray[np.bool_],
    s: Floats,
    horizons: Sequence[int],
    every: int,
    weight: Floats | None,
) -> dict[str, float]:
    found = {
        BRIER: integrated_brier(time, event, s, weight),
        CONCORDANCE: concordance(time, event, -s[:, -1], s.shape[1], weight),
    }
    named = {days: days // every for days in horizons}
    return found | {f"brier_{days}d": brier_at(time, event, s[:, k - 1], k, weight) for days, k in named.items()}


def _grade(
    curves: Mapping[str, Floats],
    time: npt.NDArray[np.int64],
    event: npt.NDArray[np.bool_],
    exact: npt.NDArray[np.intp],
    metrics: Mapping[str, float],
    intervals: Mapping[str, Interval],
    horizons: Sequence[int],
    every: int,
) -> tuple[str, str]:
    own, rule, gain = metrics[f"{OWN}.{BRIER}"], metrics[f"{RULE}.{BRIER}"], intervals[f"gain.{OWN}.{BRIER}"]
    words = (
        f"integrated Brier score {own:.4f} against {rule:.4f} of Kaplan-Meier "
        f"(gain {gain.estimate:.4f}, interval {gain.low:.4f} to {gain.high:.4f})"
    )
    if not gain.low > 0:
        return "D", f"{words}: the interval includes no gain; do not use this model"
    if CEILING not in curves:
        return ("B" if own <= 0.9 * rule else "C"), f"{words}: {1 - own / rule:.0%} of the way to a perfect score"
    same = {name: integrated_brier(time[exact], event[exact], curves[name][exact]) for name in (OWN, RULE)}
    goal = metrics[f"{CEILING}.{BRIER}"]
    way = (same[RULE] - same[OWN]) / (same[RULE] - goal) if same[RULE] > goal else 0.0
    return ("B" if way >= 0.25 else "C"), f"{words}: {way:.0%} of the way to the ceiling"


def _interval(value: float, again: Floats) -> Interval:
    low, high = np.nanquantile(again, (0.025, 0.975)).tolist() if np.isfinite(again).any() else (np.nan, np.nan)
    return Interval(value, low, high)
