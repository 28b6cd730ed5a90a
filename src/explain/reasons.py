"""The top reasons of many rows, as arrays and as columns of the scores file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..models.base import Floats

Positions = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Reasons:
    """The k strongest groups of n rows, in falling order of their absolute contribution.

    `group` and `feature` (n, k) are positions in `groups` and `features`, -1 where a row has fewer reasons; the feature
    is the one of the group that moves the score furthest in the group's direction. `values` has k arrays of n strings:
    that feature's value as it stands in the snapshot.
    """

    raw_score: Floats  # (n,)
    group: NDArray[np.int32]
    group_contribution: Floats  # (n, k)
    feature: NDArray[np.int32]
    feature_contribution: Floats  # (n, k)
    values: list[pa.StringArray]
    groups: tuple[str, ...]
    features: tuple[str, ...]

    def columns(self, words: Sequence[pa.Array] | None = None) -> dict[str, pa.Array]:
        """The columns `reason_k...` of the scores file; `words` are those of `ReasonWriter.write_batch`."""
        columns: dict[str, pa.Array] = {}
        for j, values in enumerate(self.values):
            name = f"reason_{j + 1}"
            absent = self.group[:, j] < 0
            if words is not None:
                columns[name] = words[j]
            columns[f"{name}_group"] = _named(self.group[:, j], self.groups)
            columns[f"{name}_feature"] = _named(self.feature[:, j], self.features)
            columns[f"{name}_value"] = values
            columns[f"{name}_contribution"] = pa.array(self.group_contribution[:, j], mask=absent)
        return columns


def text_by_feature(feature: Positions, write: Callable[[int, pa.Array], pa.Array]) -> list[pa.StringArray]:
    """A text for every cell of feature (n, k), which holds positions of features and -1 for none (missing).

    `write(position, rows)` writes a feature's texts for all of its rows at once. Returns k arrays of n strings.
    """
    k = feature.shape[1]
    flat = feature.ravel()
    order = np.argsort(flat, kind="stable")
    present, start = np.unique(flat[order], return_index=True)
    parts = [pa.array([], pa.string())]
    for position, first, end in zip(present, start, np.append(start[1:], len(flat)), strict=False):
        rows = pa.array(order[first:end] // k)
        parts.append(pa.nulls(len(rows), pa.string()) if position < 0 else write(int(position), rows))
    texts = pa.concat_arrays(parts)
    place = np.empty(len(flat), np.int64)
    place[order] = np.arange(len(flat))
    return [texts.take(pa.array(place[j::k])) for j in range(k)]


def values_as_text(table: pa.Table, feature: Positions, names: Sequence[str]) -> list[pa.StringArray]:
    """The value of each cell's feature as it stands in the snapshot; k arrays of n strings."""
    return text_by_feature(feature, lambda position, rows: take(table, names[position], rows).cast(pa.string()))


def take(table: pa.Table, name: str, rows: pa.Array) -> pa.Array:
    """Some rows of a column, as one array."""
    column = table.column(name).take(rows)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _named(position: Positions, names: tuple[str, ...]) -> pa.Array:
    """Names by position, missing for -1."""
    return pa.array(names, pa.string()).take(pa.array(position, mask=position < 0))
