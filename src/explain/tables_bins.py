"""Rows in the model's own bins: one byte a row says on which side of every threshold it lies.

A *column* is one byte a row. A numeric column holds how many of its thresholds (at most 254) lie below the value, so
that `value <= threshold[k]` is `bin <= k`; a categorical column holds the code less the first code of its range. 255
stands for a missing value, or for a code outside of the range. A feature with more thresholds, higher codes, or several
missing types (as continued training makes them) has several columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .trees import MISSING_NAN, MISSING_NONE, MISSING_ZERO, Forest, Tree

MAX_THRESHOLDS = 254
CODES = 255
_ZERO = float(np.float32(1e-35))  # what LightGBM takes for zero
_TILE = 256  # rows that are searched together, so that the compiler can use vector instructions


class Columns(NamedTuple):
    """The columns of a forest, for the kernel; c of them, in the order of their features."""

    feature: NDArray[np.int64]  # (c,)
    categorical: NDArray[np.bool_]  # (c,)
    missing_type: NDArray[np.int64]  # (c,)
    first_code: NDArray[np.int64]  # (c,) of a categorical column
    offset: NDArray[np.int64]  # (c + 1,) into `threshold`
    threshold: NDArray[np.float64]  # thresholds of all columns, ascending within a column


class Binning:
    """The columns that a forest needs, and where each of its splits finds its own."""

    def __init__(self, forest: Forest) -> None:
        thresholds: dict[tuple[int, int], set[float]] = {}
        ranges: set[tuple[int, int]] = set()
        for tree in forest.trees:
            for split in range(tree.splits):
                feature = int(tree.split_feature[split])
                if tree.categorical[split]:
                    ranges.update((feature, part) for part in _parts(tree, split))
                else:
                    key = feature, int(tree.missing_type[split])
                    thresholds.setdefault(key, set()).add(float(tree.threshold[split]))
        self._sorted = {key: np.sort(np.array(list(values))) for key, values in thresholds.items()}
        # (feature, categorical, missing type, part), where a part is a range of codes or of thresholds
        keys = [(feature, True, MISSING_NAN, part) for feature, part in ranges]
        for (feature, missing), values in self._sorted.items():
            keys += [(feature, False, missing, part) for part in range(-(-len(values) // MAX_THRESHOLDS))]
        keys.sort()
        self._column = {key: column for column, key in enumerate(keys)}
        own = [self._thresholds(*key) for key in keys]
        self.columns = Columns(
            feature=np.array([key[0] for key in keys], np.int64),
            categorical=np.array([key[1] for key in keys], np.bool_),
            missing_type=np.array([key[2] for key in keys], np.int64),
            first_code=np.array([CODES * key[3] for key in keys], np.int64),
            offset=np.cumsum([0, *map(len, own)], dtype=np.int64),
            threshold=np.concatenate([*own, np.zeros(1)]),
        )

    def _thresholds(self, feature: int, categorical: bool, missing: int, part: int) -> NDArray[np.float64]:
        if categorical:
            return np.zeros(0)
        return self._sorted[feature, missing][part * MAX_THRESHOLDS : (part + 1) * MAX_THRESHOLDS]

    def numeric(self, tree: Tree, split: int) -> tuple[int, int]:
        """Column and k of a numeric split: a row whose value is there goes left where bin <= k."""
        feature, missing = int(tree.split_feature[split]), int(tree.missing_type[split])
        part, k = divmod(int(np.searchsorted(self._sorted[feature, missing], tree.threshold[split])), MAX_THRESHOLDS)
        return self._column[feature, False, missing, part], k

    def categorical(self, tree: Tree, split: int) -> list[tuple[int, NDArray[np.uint8]]]:
        """Columns of a categorical split with 256 flags each: a row goes left where one of them flags its byte."""
        found = []
        for part in _parts(tree, split):
            codes = tree.categories[split] - part * CODES
            flags = np.zeros(256, np.uint8)
            flags[codes[(codes >= 0) & (codes < CODES)]] = 1
            found.append((self._column[int(tree.split_feature[split]), True, MISSING_NAN, part], flags))
        return found


def _parts(tree: Tree, split: int) -> list[int]:
    """The ranges of 255 codes in which the split's categories lie; the first if it has none."""
    return np.unique(tree.categories[split] // CODES).tolist() or [0]


@njit(cache=True, nogil=True)
def bin_rows(X, first, rows, columns, bins):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Write the bins of `rows` rows of X (n, p) from row `first` on to bins (c, rows).

    The thresholds are searched by halving, all rows of a tile in step: no branch depends on a value.
    """
    value = np.empty(_TILE)
    place = np.empty(_TILE, np.uint32)
    for start in range(0, rows, _TILE):
        n = min(rows - start, _TILE)
        for column in range(columns.feature.shape[0]):
            feature = columns.feature[column]
            out = bins[column]
            for r in range(n):
                value[r] = X[first + start + r, feature]
            if columns.categorical[column]:
                low = columns.first_code[column]
                high = low + CODES
                for r in range(n):
                    v = value[r]  # LightGBM cuts a fraction off; -0.5 is the code 0
                    inside = v < high and v >= low if low > 0 else v < high and v > -1.0
                    out[start + r] = np.uint8(np.int64(v) - low) if inside else np.uint8(255)
                continue
            threshold = columns.threshold[columns.offset[column] : columns.offset[column + 1]]
            if columns.missing_type[column] == MISSING_NONE:
                for r in range(n):
                    value[r] = 0.0 if value[r] != value[r] else value[r]
            elif columns.missing_type[column] == MISSING_ZERO:
                for r in range(n):
                    value[r] = np.nan if abs(value[r]) <= _ZERO else value[r]
            for r in range(n):
                place[r] = 0
            length = threshold.shape[0]
            while length > 1:
                half = length >> 1
                step, probe = np.uint32(half), np.uint32(half - 1)
                for r in range(n):
                    place[r] += step * np.uint32(threshold[place[r] + probe] < value[r])
                length -= half
            for r in range(n):
                found = place[r] + np.uint32(threshold[place[r]] < value[r])
                out[start + r] = np.uint8(255) if value[r] != value[r] else np.uint8(found)
