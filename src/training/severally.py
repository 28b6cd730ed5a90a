"""How good the probabilities of several outcomes are: macro-averaged AUC, log loss and calibration, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..models.one_of_several import OneOfSeveral
from .evaluate import Interval, Judged
from .metrics.probability import ece
from .metrics.ranking import roc_auc

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MACRO = "macro_roc_auc"


@dataclass(frozen=True)
class SeveralJudged(Judged):
    """Metrics by name (test.*, baseline.test.*: the prior, ceiling.test.*: the truth) and their 95 % intervals.

    The grade is C where the macro-averaged AUC is above .5 with its interval, B where it also went a quarter of the way
    from there to the ceiling, or a tenth of the way to 1 where no ceiling is known, else D. `rows` were judged.
    """


def judge_several(
    model: OneOfSeveral,
    rows: pa.Table,
    label: Ints,
    prior: Floats,
    true: Floats | None,
    *,
    entity: str,
    replicates: int,
    seed: int,
) -> SeveralJudged:
    """Judge a model on rows (n) of known outcome (n,), beside the prior (k,) and the true probabilities (n, k)."""
    probability = model.probabilities(rows)
    scores = {"test": probability, "baseline.test": np.tile(prior, (len(label), 1))}
    if true is not None:
        scores["ceiling.test"] = true
    draws = draws_of(rows[entity], replicates, seed)
    metrics: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    for prefix, p in scores.items():
        found = {MACRO: macro_roc_auc(label, p), "log_loss": log_loss(label, p)}
        again = {
            MACRO: [macro_roc_auc(label, p, weight) for weight in draws],
            "log_loss": [log_loss(label, p, weight) for weight in draws],
        }
        for name, value in found.items():
            low, high = np.nanquantile(again[name], (0.025, 0.975)).tolist()
            metrics[f"{prefix}.{name}"] = value
            intervals[f"{prefix}.{name}"] = Interval(value, low, high)
    metrics["test.ece"] = float(np.mean([ece(label == c, probability[:, c]) for c in range(probability.shape[1])]))
    for c, name in enumerate(model.classes):
        metrics[f"test.roc_auc.{name}"] = roc_auc(label == c, probability[:, c])
    own = intervals[f"test.{MACRO}"]
    intervals[f"gain.test.{MACRO}"] = Interval(own.estimate - 0.5, own.low - 0.5, own.high - 0.5)
    letter, reason = _grade(own, metrics.get(f"ceiling.test.{MACRO}"))
    return SeveralJudged(letter, (reason,), _finite(metrics), intervals, len(label))


def draws_of(entities: pa.ChunkedArray, replicates: int, seed: int) -> list[Ints]:
    """How often each row (n,) is in each bootstrap draw of the entities."""
    _, code = np.unique(entities.to_numpy(zero_copy_only=False), return_inverse=True)
    rng = np.random.default_rng(seed)
    number = int(code.max()) + 1
    return [rng.multinomial(number, np.full(number, 1 / number))[code] for _ in range(replicates)]


def macro_roc_auc(label: Ints, probability: Floats, weight: Ints | None = None) -> float:
    """Mean over outcomes of the AUC of one against the rest.

    Outcomes that no row has, or every row, do not count; nan where none is left.
    """
    parts = [roc_auc(label == c, probability[:, c], weight) for c in range(probability.shape[1])]
    known = [part for part in parts if np.isfinite(part)]
    return float(np.mean(known)) if known else float("nan")


def log_loss(label: Ints, probability: Floats, weight: Ints | None = None) -> float:
    """Mean of -log P(what came about)."""
    losses = -np.log(np.maximum(probability[np.arange(len(label)), label], 1e-12))
    return float(np.average(losses, weights=weight))


def _grade(auc: Interval, ceiling: float | None) -> tuple[str, str]:
    words = f"macro AUC {auc.estimate:.3f} (interval {auc.low:.3f} to {auc.high:.3f})"
    if not auc.low > 0.5:
        return "D", f"{words}: the interval includes no skill; not enough data, do not use this model"
    goal, needed, name = (1.0, 0.1, "a perfect score") if ceiling is None else (ceiling, 0.25, "the ceiling")
    way = (auc.estimate - 0.5) / (goal - 0.5) if goal > 0.5 else 0.0
    return ("B" if way >= needed else "C"), f"{words}: {way:.0%} of the way from the prior to {name}"


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if np.isfinite(value)}
