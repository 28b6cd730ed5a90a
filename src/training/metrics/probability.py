"""How far predicted probabilities can be taken at their word: log loss, Brier score, calibration.

Functions ending in `_of` take `Counts` over probabilities and return one number for each replicate, shape (r,).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .counts import Counts, FloatArray, IntArray, as_outcomes, as_probabilities, sort_blocks
from .ranking import divide

BINS = 10
_TINY = 1e-15


def log_losses(target: FloatArray, score: FloatArray) -> FloatArray:
    """Log loss of each row, (n,)."""
    return -np.log(np.maximum(np.where(target == 1, score, 1 - score), _TINY))


def log_loss(target: Any, score: Any) -> float:
    """Mean of -log of the probability given to what happened (natural logarithm; Good 1952).

    Probabilities are kept at least 1e-15 away from 0, so that one impossible event costs 34.5 and not infinity.
    """
    return float(log_losses(as_outcomes(target), as_probabilities(score)).mean())


def squared_errors(target: FloatArray, score: FloatArray) -> FloatArray:
    """Squared distance of probability and outcome of each row, (n,)."""
    return (target - score) ** 2


def brier(target: Any, score: Any) -> float:
    """Brier score: the mean of (p - y)^2 (Brier 1950)."""
    return float(squared_errors(as_outcomes(target), as_probabilities(score)).mean())


@dataclass(frozen=True)
class BrierParts:
    """The Brier score taken apart: brier = reliability - resolution + uncertainty + within_bins."""

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float


def brier_parts(target: Any, score: Any, bins: int = BINS) -> BrierParts:
    """Murphy's (1973) decomposition over equal-mass bins, exact by the within-bin terms of Stephenson et al. (2008).

    With n_k rows, mean probability p_k and rate of positives o_k in bin k, and overall rate o:
    reliability = sum n_k (p_k - o_k)^2 / n (0 is best), resolution = sum n_k (o_k - o)^2 / n (more is better),
    uncertainty = o (1 - o), within_bins = what differing probabilities inside a bin add (their variance less twice
    their covariance with the outcome).
    """
    outcome, probability = as_outcomes(target), as_probabilities(score)
    counts = sort_blocks(outcome, probability).count()
    bin_of, size = _bin_of(counts, bins), bins
    rows = np.bincount(bin_of[0], counts.rows[0], size)
    expected = np.bincount(bin_of[0], counts.rows[0] * counts.score, size)
    happened = np.bincount(bin_of[0], counts.positives[0], size)
    filled = rows > 0
    rows, expected, happened = rows[filled], expected[filled], happened[filled]
    rate, total = outcome.mean(), rows.sum()
    reliability = float(np.sum((expected - happened) ** 2 / rows) / total)
    resolution = float(np.sum(rows * (happened / rows - rate) ** 2) / total)
    uncertainty = float(rate * (1 - rate))
    score_ = float(squared_errors(outcome, probability).mean())
    return BrierParts(score_, reliability, resolution, uncertainty, score_ - reliability + resolution - uncertainty)


def equal_mass_bins(score: Any, bins: int = BINS) -> IntArray:
    """The bin (0.. from the highest scores) of each row, (n,): equal masses, tied scores never torn apart.

    A block of tied scores goes whole into the bin of its middle rank, so that bins differ in size, and some stay
    empty, where many rows share one score.
    """
    values = as_probabilities(score)
    blocks = sort_blocks(np.zeros(len(values)), values)
    bin_of: IntArray = _bin_of(blocks.count(), bins)[0]
    return bin_of[blocks.of_row]


def ece_of(counts: Counts, bins: int = BINS) -> FloatArray:
    """Expected calibration error of each replicate, (r,)."""
    flat = _bin_of(counts, bins) + bins * np.arange(len(counts.rows))[:, None]
    gap = (counts.rows * counts.score - counts.positives).ravel()
    gaps = np.bincount(flat.ravel(), gap, bins * len(counts.rows)).reshape(-1, bins)
    return divide(np.abs(gaps).sum(axis=1), counts.total)


def ece(target: Any, score: Any, bins: int = BINS) -> float:
    """Expected calibration error over equal-mass bins (Naeini et al. 2015; equal mass: Nixon et al. 2019).

    ECE = sum over bins of n_k / n * |p_k - o_k|, with mean probability p_k and rate of positives o_k. For ties see
    `equal_mass_bins`. A constant score has one bin: the distance of that score from the overall rate.
    """
    return float(ece_of(sort_blocks(as_outcomes(target), as_probabilities(score)).count(), bins)[0])


def accuracy_of(counts: Counts) -> FloatArray:
    """Accuracy at one half of each replicate, (r,)."""
    right = np.where(counts.score >= 0.5, counts.positives, counts.negatives)
    return divide(right.sum(axis=1), counts.total)


def accuracy(target: Any, score: Any) -> float:
    """Share of rows whose outcome is the more probable one (probability .5 says yes)."""
    return float(accuracy_of(sort_blocks(as_outcomes(target), as_probabilities(score)).count())[0])


@dataclass(frozen=True)
class CalibrationLine:
    """Logistic recalibration: logit(rate) = intercept + slope * logit(p), and the intercept alone at slope 1."""

    slope: float
    intercept: float
    in_the_large: float


def calibration_line(target: Any, score: Any) -> CalibrationLine:
    """Slope and intercept of outcomes on the logit of the probability (Cox 1958; Van Calster et al. 2019).

    Slope 1 and intercept 0 are perfect; a slope below 1 says that the probabilities are too extreme (overfitted).
    `in_the_large` is the intercept with the slope held at 1: above 0 the probabilities are too low on the whole.
    Both fits by maximum likelihood (Newton). nan where it does not exist: one outcome only, a constant score (slope
    and intercept; the intercept in the large still exists), or outcomes that the score separates completely.
    """
    counts = sort_blocks(as_outcomes(target), as_probabilities(score)).count()
    line = recalibration_of(counts)
    return CalibrationLine(*(float(part[0]) for part in (*line, recalibration_of(counts, slope=False)[1])))


def recalibration_of(counts: Counts, *, slope: bool = True) -> tuple[FloatArray, FloatArray]:
    """Slope and intercept of each replicate, (r,) each; with `slope=False` the slope is held at 1."""
    clipped = np.clip(counts.score, 1e-12, 1 - 1e-12)
    logit = np.log(clipped) - np.log1p(-clipped)
    replicates = len(counts.rows)
    steep, shift = np.ones(replicates), np.zeros(replicates)
    done = np.zeros(replicates, dtype=bool)
    for _ in range(60):
        # one Newton step of the two-parameter logistic regression, all replicates at once
        chance = 1 / (1 + np.exp(-np.clip(shift[:, None] + steep[:, None] * logit, -500, 500)))
        gap = counts.positives - counts.rows * chance
        curve = counts.rows * chance * (1 - chance)
        gradient_shift, h_shift = gap.sum(axis=1), curve.sum(axis=1)
        if slope:
            gradient_slope, h_both, h_slope = gap @ logit, curve @ logit, curve @ logit**2
            determinant = h_shift * h_slope - h_both**2
            determinant = np.where(determinant > 1e-12 * h_shift * h_slope, determinant, 0.0)
            step_shift = divide(h_slope * gradient_shift - h_both * gradient_slope, determinant)
            step_slope = divide(h_shift * gradient_slope - h_both * gradient_shift, determinant)
        else:
            step_shift, step_slope = divide(gradient_shift, h_shift), np.zeros(replicates)
        shift, steep = shift + np.clip(step_shift, -3, 3), steep + np.clip(step_slope, -3, 3)
        done = (np.abs(step_shift) < 1e-9) & (np.abs(step_slope) < 1e-9)
        if bool(np.all(done | ~np.isfinite(shift))):
            break
    found = done & (np.abs(shift) < 30) & (np.abs(steep) < 100)
    return np.where(found, steep, np.nan), np.where(found, shift, np.nan)


def _bin_of(counts: Counts, bins: int) -> IntArray:
    """The bin of each block in each replicate, (r, b)."""
    middle = counts.rows_above - counts.rows / 2
    share = divide(middle, counts.total[:, None])
    return np.minimum(np.nan_to_num(share) * bins, bins - 1).astype(np.int64)
