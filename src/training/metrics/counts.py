"""What a metric of order or calibration needs to know: how many rows and positives stand at each distinct score.

Sorting happens once for a score (`sort_blocks`); a bootstrap replicate is then a cheap recount of the same blocks
under other weights. Rows with equal scores stay together in one block, so that no metric depends on the order in
which tied rows happen to lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def as_floats(values: Any, what: str) -> FloatArray:
    """Values as a float array of shape (n,); ValueError where some are missing or infinite, naming how many."""
    array = np.asarray(values, dtype=np.float64).ravel()
    if array.size == 0:
        raise ValueError(f"{what}: no rows to measure on")
    faults = int(array.size - np.isfinite(array).sum())
    if faults:
        raise ValueError(f"{what}: {faults} of {array.size} values are missing or infinite")
    return array


def as_outcomes(values: Any) -> FloatArray:
    """Targets of 0 and 1 as floats; ValueError for anything else."""
    target = as_floats(values, "target")
    if not bool(np.all((target == 0) | (target == 1))):
        raise ValueError("target: this metric needs outcomes of 0 and 1")
    return target


def as_probabilities(values: Any) -> FloatArray:
    """Scores in [0, 1]; ValueError where one lies outside."""
    score = as_floats(values, "score")
    if score.min() < 0 or score.max() > 1:
        raise ValueError(f"score: a probability lies in [0, 1]; these run from {score.min():g} to {score.max():g}")
    return score


def encode(values: Any, what: str = "groups") -> tuple[IntArray, int]:
    """Codes 0.. of the distinct values in order of appearance, shape (n,), and their number; none may be missing."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else pa.array(values)
    if array.null_count:
        raise ValueError(f"{what}: {array.null_count} of {len(array)} values are missing")
    encoded = array.dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary)


@dataclass(frozen=True)
class Counts:
    """Rows and positives by block, highest score first; the first axis holds replicates.

    `score` (b,); `rows` and `positives` (r, b), the latter the sum of the targets (counts, or amounts); `starts`
    (g,) the first block of each group, a single 0 where there are no groups.
    """

    score: FloatArray
    rows: FloatArray
    positives: FloatArray
    starts: IntArray

    @cached_property
    def negatives(self) -> FloatArray:
        """Rows that are not positive, (r, b)."""
        return self.rows - self.positives

    @cached_property
    def rows_above(self) -> FloatArray:
        """Rows at this block's score or above, (r, b)."""
        return np.cumsum(self.rows, axis=1)

    @cached_property
    def positives_above(self) -> FloatArray:
        """Positives at this block's score or above, (r, b)."""
        return np.cumsum(self.positives, axis=1)

    @property
    def total(self) -> FloatArray:
        """All rows, (r,)."""
        return self.rows_above[:, -1]

    @property
    def total_positives(self) -> FloatArray:
        """All positives, (r,)."""
        return self.positives_above[:, -1]


@dataclass(frozen=True)
class Blocks:
    """Rows sorted into blocks of equal score (within a group): all that does not change between replicates."""

    score: FloatArray
    starts: IntArray
    of_row: IntArray
    target: FloatArray

    @property
    def size(self) -> int:
        """Number of blocks."""
        return len(self.score)

    def count(self, weight: FloatArray | None = None) -> Counts:
        """The counts of all rows, each taken `weight` (n,) times; one replicate."""
        rows = np.bincount(self.of_row, weight, self.size).astype(np.float64)
        weighted = self.target if weight is None else self.target * weight
        positives = np.bincount(self.of_row, weighted, self.size).astype(np.float64)
        return Counts(self.score, rows[None, :], positives[None, :], self.starts)

    def coarsened(self, limit: int) -> Blocks:
        """Neighbouring blocks merged into at most `limit` of equal mass, with the mean of their scores.

        For replicates over millions of distinct scores; only where there are no groups.
        """
        if self.size <= limit or len(self.starts) > 1:
            return self
        rows = np.bincount(self.of_row, minlength=self.size)
        middle = np.cumsum(rows) - rows / 2
        merged = np.unique((middle / rows.sum() * limit).astype(np.int64), return_inverse=True)[1].astype(np.int64)
        score = np.bincount(merged, self.score * rows) / np.bincount(merged, rows)
        return Blocks(score, self.starts, merged[self.of_row], self.target)

    def by_entity(self, entity: IntArray, entities: int) -> Recounter:
        """Prepared for replicates that draw whole entities; `entity` (n,) are codes below `entities`."""
        shape = (self.size, entities)
        rows = sparse.csr_array((np.ones(len(entity)), (self.of_row, entity)), shape=shape)
        positives = sparse.csr_array((self.target, (self.of_row, entity)), shape=shape)
        positives.eliminate_zeros()
        return Recounter(self, rows, positives)


@dataclass(frozen=True)
class Recounter:
    """Counts of a block for each entity, so that a replicate is one sparse product."""

    blocks: Blocks
    rows: sparse.csr_array
    positives: sparse.csr_array

    def count(self, drawn: FloatArray) -> Counts:
        """Counts of replicates; `drawn` (r, entities) says how often each entity was drawn."""
        often = np.ascontiguousarray(drawn.T)
        rows = np.ascontiguousarray((self.rows @ often).T)
        positives = np.ascontiguousarray((self.positives @ often).T)
        return Counts(self.blocks.score, rows, positives, self.blocks.starts)


def sort_blocks(target: FloatArray, score: FloatArray, groups: IntArray | None = None) -> Blocks:
    """Sort rows by score, highest first (inside groups where codes are given), and gather the ties."""
    if len(target) != len(score):
        raise ValueError(f"target and score differ in length: {len(target)} and {len(score)}")
    order = np.argsort(-score, kind="stable")
    if groups is not None:
        order = order[np.argsort(groups[order], kind="stable")]
    sorted_score = score[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = sorted_score[1:] != sorted_score[:-1]
    starts = np.zeros(1, dtype=np.int64)
    if groups is not None:
        new_group = np.diff(groups[order], prepend=-1) != 0
        first |= new_group
        starts = (np.cumsum(first) - 1)[new_group].astype(np.int64)
    of_row = np.empty(len(order), dtype=np.int64)
    of_row[order] = np.cumsum(first) - 1
    return Blocks(sorted_score[first], starts, of_row, target)
