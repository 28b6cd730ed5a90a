"""Exact contributions (TreeSHAP) and raw scores of LightGBM models, by tables instead of walks through trees.

>>> tables = TreeTables.from_booster(booster)  # doctest: +SKIP
>>> tables.contributions(X)  # doctest: +SKIP

A row's contribution from a leaf depends only on which of the path's conditions it meets. So the sums over the leaves of
small sub-trees are tabulated when the model is read, and a row costs a few look-ups a tree. Method and sources:
`tables_kernels`. Rows go through in chunks, on several threads; memory does not grow with their number.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError
from ..models.linear_start import LinearStart
from .tables_bins import Binning, bin_rows
from .tables_build import ProgramBuilder
from .tables_cut import table_cells
from .tables_kernels import TILE, run
from .tables_program import Steps, Workspace
from .tables_results import Members, TopGroups, write_matrix, write_top
from .trees import Forest, TablesDoNotApply, parse_forest

if TYPE_CHECKING:
    from lightgbm import Booster

Floats = NDArray[np.float64]
CHUNK = 16_384  # rows that are looked up in a table before the next table is fetched into the cache
CHUNK_BYTES = 32e6  # of memory for a chunk at most: wide models have shorter ones
START_ROWS = 4_096  # of a linear start at once, so that they stay in the cache
BITS = 10  # of the longest key with a table of its own, memory permitting
TOLERANCE = 1e-8  # of additivity, relative

__all__ = ["TablesDoNotApply", "TopGroups", "TreeTables"]


class TreeTables:
    """The tables of one model. X is float64 (n, p), NaN where missing, categories as codes.

    `threads` may be set at any time; results do not depend on it.
    """

    def __init__(self, forest: Forest, *, memory_limit_mb: int = 512, threads: int | None = None) -> None:
        """Build the tables: as large as pays off, and no larger than the limit."""
        self.threads = threads or available_cpus()
        self.num_features = forest.num_features
        self.bias = forest.expected_value
        self.bits = _affordable_bits(forest, memory_limit_mb)
        self.leaves = sum(len(tree.leaf_value) for tree in forest.trees)
        binning = Binning(forest)
        builder = ProgramBuilder(forest, binning, self.bits)
        self._columns = binning.columns
        self._used = builder.used
        self._sizes = builder.sizes
        self._program = builder.program()
        self._score_steps = builder.steps(contributions=False)
        self._all_steps = builder.steps(contributions=True)
        longest = int(CHUNK_BYTES / self._sizes.bytes_a_row)
        self._chunk = CHUNK if longest >= CHUNK else max(longest // TILE * TILE, TILE)

    @classmethod
    def from_booster(cls, model: Booster | str, *, memory_limit_mb: int = 512) -> TreeTables:
        """Read a booster (its best iteration, as Booster.predict does) or a model text.

        Raises TablesDoNotApply where the model must be explained otherwise (see `trees.parse_forest`), and for paths
        of more than 32 different features or 400 levels.
        """
        text = model if isinstance(model, str) else model.model_to_string()
        return cls(parse_forest(text), memory_limit_mb=memory_limit_mb)

    @property
    def memory_mb(self) -> float:
        """Size of the tables in MB."""
        return (self._program.tables.nbytes + self._all_steps.operation.nbytes) / 1e6

    def raw_score(self, X: ArrayLike) -> Floats:
        """Raw scores (n,): those of Booster.predict(raw_score=True), to the bit."""
        matrix = self._matrix(X)
        out = np.empty(len(matrix))

        def work(first: int, rows: int, w: Workspace) -> None:
            out[first : first + rows] = w.total[-1, :rows]

        self._run(matrix, self._score_steps, work)
        return out

    def contributions(self, X: ArrayLike) -> Floats:
        """Contributions of all features to the raw score, (n, p + 1); the last column is the bias.

        Raises ModelError if a row's contributions do not add up to its raw score.
        """
        matrix = self._matrix(X)
        out = np.empty((len(matrix), self.num_features + 1))

        def work(first: int, rows: int, w: Workspace) -> None:
            _check(write_matrix(w.total[:-1], w.total[-1], self._used, self.bias, first, rows, out))

        self._run(matrix, self._all_steps, work)
        return out

    def top_groups(self, X: ArrayLike, groups: ArrayLike, k: int, start: LinearStart | None = None) -> TopGroups:
        """The k strongest groups of each row and the raw score, without the full matrix.

        `groups` (p,) gives each feature's group id; `start` is the sum below the trees, where they have one. Raises
        ModelError if contributions do not add up to the raw score.
        """
        matrix = self._matrix(X)
        ids = np.asarray(groups)
        if ids.shape != (self.num_features,):
            raise ModelError(f"the model has {self.num_features} features; groups are given for {ids.shape}")
        members = Members.of(ids, self._used if start is None else np.arange(self.num_features))
        top = TopGroups.empty(len(matrix), k)

        def work(first: int, rows: int, w: Workspace) -> None:
            if start is None:
                _check(write_top(w.total[:-1], w.total[-1], self.bias, members, first, rows, top))
                return
            for low in range(0, rows, START_ROWS):
                n = min(START_ROWS, rows - low)
                terms = start.contributions(matrix[first + low : first + low + n])
                score = w.total[-1, low : low + n] + (terms.sum(axis=1) + start.intercept)
                total = np.ascontiguousarray(terms.T)
                for row, feature in enumerate(self._used):
                    total[feature] += w.total[row, low : low + n]
                _check(write_top(total, score, self.bias + start.intercept, members, first + low, n, top))

        self._run(matrix, self._all_steps, work)
        return top

    def _matrix(self, X: ArrayLike) -> Floats:
        matrix = np.ascontiguousarray(X, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[1] != self.num_features:
            raise ModelError(f"the model has {self.num_features} features; the matrix has the shape {matrix.shape}")
        return matrix

    def _run(self, X: Floats, steps: Steps, work: Callable[[int, int, Workspace], None]) -> None:
        """Take the rows through the steps, chunk by chunk, on as many threads as there are and as pay off."""
        rows = len(X)
        threads = max(1, min(self.threads, rows // TILE))
        size = max(1, min(self._chunk, -(-rows // threads)))
        spare: SimpleQueue[Workspace] = SimpleQueue()
        for _ in range(threads):
            spare.put(Workspace.allocate(self._sizes, size))

        def chunk(first: int) -> None:
            w = spare.get()
            try:
                n = min(size, rows - first)
                bin_rows(X, first, n, self._columns, w.bins)
                run(steps, self._program, n, w)
                work(first, n, w)
            finally:
                spare.put(w)

        if threads == 1:
            for first in range(0, rows, size):
                chunk(first)
            return
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(chunk, range(0, rows, size)):
                pass


def available_cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check(gap: float) -> None:
    """Contributions and bias must add up to the score, which has tables of its own."""
    if not gap <= TOLERANCE:
        raise ModelError(
            f"contributions do not add up to the raw score (off by {gap:.1e}, where {TOLERANCE:.0e} is allowed): do "
            "not use these reasons, and report the model with a row that shows it"
        )


def _affordable_bits(forest: Forest, memory_limit_mb: int) -> int:
    """The longest key whose tables fit into the memory limit."""
    for bits in range(BITS, 0, -1):
        if table_cells(forest, bits) * 8 <= memory_limit_mb * 1e6:
            return bits
    return 0
