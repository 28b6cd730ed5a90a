"""How well a score puts the positives first: areas under curves, lift and gains, also inside groups.

Functions named like a metric take arrays and return one number; those ending in `_of` take `Counts` and return one
number for each replicate, shape (r,). Tied scores count as half won (AUC) or as one block (the rest: the expected
value over all orders of the tied rows, except average precision, where the block is one step of the curve).
A metric that is not defined (no positives, no negatives, no pairs) is nan.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .counts import Counts, FloatArray, as_floats, as_outcomes, encode, sort_blocks


def divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Quotient of two arrays, nan where the denominator is zero."""
    out = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def roc_auc_of(counts: Counts) -> FloatArray:
    """Area under the ROC curve of each replicate, (r,)."""
    above = np.cumsum(counts.negatives, axis=1)
    below = above[:, -1:] - above
    won = np.einsum("ij,ij->i", counts.positives, below + counts.negatives / 2)
    return divide(won, counts.total_positives * above[:, -1])


def roc_auc(target: Any, score: Any, weight: Any = None) -> float:
    """Area under the ROC curve: the chance that a random positive scores above a random negative, ties half.

    AUC = sum over positives i and negatives j of [s_i > s_j] + [s_i = s_j] / 2, over their pairs (Hanley & McNeil
    1982). `target` (n,) of 0 and 1, `weight` (n,) how often each row counts. nan without positives or negatives; .5
    for a constant score.
    """
    return float(roc_auc_of(_count(target, score, weight))[0])


def average_precision_of(counts: Counts) -> FloatArray:
    """Average precision of each replicate, (r,)."""
    precision = np.zeros_like(counts.rows)
    np.divide(counts.positives_above, counts.rows_above, out=precision, where=counts.rows_above > 0)
    return divide(np.einsum("ij,ij->i", counts.positives, precision), counts.total_positives)


def average_precision(target: Any, score: Any, weight: Any = None) -> float:
    """Average precision: precision at each score, weighted by the recall gained there.

    AP = sum over distinct scores t, highest first, of (recall_t - recall_before) * precision_t, without
    interpolation (Davis & Goadrich 2006; the definition of scikit-learn). A constant score gives the share of
    positives. nan without positives.
    """
    return float(average_precision_of(_count(target, score, weight))[0])


def gain_of(counts: Counts, share: float) -> FloatArray:
    """Share of all positives (or of the total amount) among the top `share` of rows, for each replicate, (r,)."""
    wanted = share * counts.total
    replicate = np.arange(len(counts.rows))
    block = np.minimum((counts.rows_above < wanted[:, None] * (1 - 1e-12)).sum(axis=1), counts.rows.shape[1] - 1)
    rows, positives = counts.rows[replicate, block], counts.positives[replicate, block]
    before = counts.rows_above[replicate, block] - rows
    part = np.divide(wanted - before, rows, out=np.zeros_like(rows), where=rows > 0)
    caught = counts.positives_above[replicate, block] - positives + part * positives
    return divide(caught, counts.total_positives)


def cumulative_gain(target: Any, score: Any, share: float, weight: Any = None) -> float:
    """Share of all positives that stand among the top `share` of rows by score.

    gain(q) = sum of the targets of the top q * n rows / sum of all targets. Where the border runs through a block
    of tied scores (or through a row), the block counts in proportion. `target` may hold amounts instead of 0 and
    1: the share of the total amount. nan where the total is zero.
    """
    _check_share(share)
    return float(gain_of(_count(target, score, weight, outcomes=False), share)[0])


def lift(target: Any, score: Any, share: float, weight: Any = None) -> float:
    """How many times more positives the top `share` holds than the same number of random rows.

    lift(q) = gain(q) / q; 1 for a constant score. nan without positives.
    """
    return cumulative_gain(target, score, share, weight) / share


def auc_within_of(counts: Counts, *, by_pairs: bool) -> FloatArray:
    """AUC inside the groups of the counts, for each replicate, (r,)."""
    ends = np.append(counts.starts[1:], counts.rows.shape[1]) - 1
    group = np.repeat(np.arange(len(counts.starts)), np.diff(np.append(counts.starts, counts.rows.shape[1])))
    above = np.cumsum(counts.negatives, axis=1)
    below = above[:, ends][:, group] - above
    won = np.add.reduceat(counts.positives * (below + counts.negatives / 2), counts.starts, axis=1)
    positives = np.add.reduceat(counts.positives, counts.starts, axis=1)
    pairs = positives * np.add.reduceat(counts.negatives, counts.starts, axis=1)
    if by_pairs:
        return divide(won.sum(axis=1), pairs.sum(axis=1))
    each = divide(won, pairs)
    defined = np.isfinite(each)
    return divide(np.where(defined, each, 0.0).sum(axis=1), defined.sum(axis=1).astype(np.float64))


def auc_within(target: Any, score: Any, groups: Any, *, by_pairs: bool = True, weight: Any = None) -> float:
    """AUC among rows of the same group (a campaign, say): what remains when differences between groups do not count.

    By pairs: all pairs of a positive and a negative of the same group, each counted once. Else: the mean of the
    groups' AUCs, each group once. Groups without positives or without negatives have no pairs and are left out;
    nan where that leaves none.
    """
    return float(auc_within_of(_count(target, score, weight, groups), by_pairs=by_pairs)[0])


def _count(target: Any, score: Any, weight: Any, groups: Any = None, *, outcomes: bool = True) -> Counts:
    values = as_outcomes(target) if outcomes else as_floats(target, "target")
    codes = None if groups is None else encode(groups)[0]
    blocks = sort_blocks(values, as_floats(score, "score"), codes)
    return blocks.count(None if weight is None else as_floats(weight, "weight"))


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"share: a part of the rows lies in (0, 1]; this is {share:g}")
