"""From a snapshot to the matrix that a learner reads: numbers as they are, categories as codes.

The vocabulary of each category column is fixed when the encoder is fitted. A value that is missing, or that was
not seen in training, becomes NaN: the learner has a branch for it, and no row is ever refused for a new value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import ModelError
from ..language.declarations import FeatureColumn
from .base import Floats

LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""The levels of the training quantiles that are kept of each number."""

MOST_CODES = 254
"""The rarest values of a longer vocabulary are read as missing: codes and "missing" then fit into one byte."""

Profile = tuple[float, ...] | Mapping[str, int]


@dataclass(frozen=True)
class Encoder:
    """The features of a model with what was seen of them in training.

    `vocabulary` has the values of each category column in the order of their codes; `quantiles` has for a number
    its training quantiles at `LEVELS` (NaN where every value was missing), for a category the count of each value
    of the vocabulary; `missing` has the share of missing values of each column; `rows` counts the training rows.
    `at_most` has, for each of a number's quantiles, the share of its values up to it: where many values are equal (so
    many customers without a complaint) that is more than the quantile's level.
    """

    columns: tuple[FeatureColumn, ...]
    vocabulary: Mapping[str, tuple[str, ...]]
    quantiles: Mapping[str, Profile]
    missing: Mapping[str, float]
    rows: int
    at_most: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @classmethod
    def fit(cls, columns: Sequence[FeatureColumn], table: pa.Table, weight: Floats | None = None) -> Encoder:
        """Learn the vocabulary and the training quantiles from a snapshot; ModelError as `encode` raises it.

        `weight` (n,) says for how many rows of the population each row stands, where rows were sampled.
        """
        if not columns:
            raise ModelError("a model needs at least one feature; none was left after the exclusions")
        vocabulary: dict[str, tuple[str, ...]] = {}
        quantiles: dict[str, Profile] = {}
        missing: dict[str, float] = {}
        at_most: dict[str, tuple[float, ...]] = {}
        weight = np.ones(table.num_rows) if weight is None else weight
        for column in columns:
            if column.kind == "category":
                values = _texts(table, column.name)
                counts = _counts(values, weight)
                vocabulary[column.name] = tuple(counts)
                quantiles[column.name] = counts
                absent = np.asarray(values.is_null())
            else:
                measured = numbers(table, column.name)
                quantiles[column.name], at_most[column.name] = _quantiles(measured, weight)
                absent = np.isnan(measured)
            missing[column.name] = float(weight[absent].sum() / max(weight.sum(), 1.0))
        return cls(tuple(columns), vocabulary, quantiles, missing, table.num_rows, at_most)

    def encode(self, table: pa.Table) -> Floats:
        """The matrix (n, p), float64 and C-contiguous; missing and unknown values are NaN.

        Other columns of the table, and the order of its columns, do not matter. Raises ModelError where a column is
        missing, stands there twice, or is neither a number nor text where that is needed.
        """
        matrix = np.empty((table.num_rows, len(self.columns)), dtype=np.float64)
        for position, column in enumerate(self.columns):
            if column.kind == "category":
                values = _texts(table, column.name)
                codes = pc.index_in(values, value_set=pa.array(self.vocabulary[column.name], pa.string()))
                matrix[:, position] = codes.cast(pa.float64()).to_numpy(zero_copy_only=False)
            else:
                matrix[:, position] = numbers(table, column.name)
        return matrix

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in the order of the matrix."""
        return tuple(column.name for column in self.columns)

    @property
    def categories(self) -> tuple[int, ...]:
        """Positions of the category columns in the matrix."""
        return tuple(i for i, column in enumerate(self.columns) if column.kind == "category")

    def typical(self, name: str) -> float | str | None:
        """The training median of a number, the most frequent value of a category; None where all were missing."""
        profile = self.quantiles[name]
        if isinstance(profile, Mapping):
            return next(iter(profile), None)
        median = profile[LEVELS.index(0.5)]
        return None if np.isnan(median) else median

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` makes an equal encoder from them."""
        features = []
        for column in self.columns:
            entry = asdict(column) | {"missing": self.missing[column.name]}
            profile = self.quantiles[column.name]
            if isinstance(profile, Mapping):
                # A list, not an object: the order of the values is the order of the codes.
                entry["values"] = [[value, profile[value]] for value in self.vocabulary[column.name]]
            else:
                entry["quantiles"] = [None if np.isnan(value) else value for value in profile]
                entry["at_most"] = list(self.at_most.get(column.name, LEVELS))
            features.append(entry)
        return {"rows": self.rows, "levels": list(LEVELS), "features": features}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Encoder:
        """The encoder that `to_json` wrote; ModelError where the content is of another kind."""
        columns: list[FeatureColumn] = []
        vocabulary: dict[str, tuple[str, ...]] = {}
        quantiles: dict[str, Profile] = {}
        missing: dict[str, float] = {}
        at_most: dict[str, tuple[float, ...]] = {}
        try:
            for entry in content["features"]:
                seen = ("missing", "values", "quantiles", "at_most")
                column = FeatureColumn(**{key: value for key, value in entry.items() if key not in seen})
                columns.append(column)
                missing[column.name] = float(entry["missing"])
                if column.kind == "category":
                    counts = {str(value): int(count) for value, count in entry["values"]}
                    vocabulary[column.name] = tuple(counts)
                    quantiles[column.name] = counts
                else:
                    quantiles[column.name] = tuple(np.nan if q is None else float(q) for q in entry["quantiles"])
                    at_most[column.name] = tuple(float(share) for share in entry.get("at_most", LEVELS))
            return cls(tuple(columns), vocabulary, quantiles, missing, int(content["rows"]), at_most)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"features.json of the model was written by another version of Rapport: {error}"
            ) from error


def _column(table: pa.Table, name: str) -> pa.Array:
    """One column as one array."""
    places = table.schema.get_all_field_indices(name)
    if len(places) != 1:
        found = "is missing" if not places else f"stands there {len(places)} times"
        raise ModelError(f"feature '{name}' {found} in the data to score; build the snapshot with the model's features")
    column = table.column(places[0])
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column


def _texts(table: pa.Table, name: str) -> pa.Array:
    """A category column as an array of strings."""
    column = _column(table, name)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    if not any(test(kind) for test in texts):
        raise ModelError(f"feature '{name}' must be text (a category) and is {column.type}; cast it to text")
    return column.cast(pa.string())


def numbers(table: pa.Table, name: str) -> Floats:
    """A number column of a table as float64 (n,), NaN where missing; ModelError where it is absent or no number."""
    column = _column(table, name)
    kind = column.type
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    if not any(test(kind) for test in tests):
        raise ModelError(f"feature '{name}' must be a number and is {kind}; cast it to a number")
    # safe=False: whole numbers above 2^53 lose their last digits, which no split of a tree can see.
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _counts(values: pa.Array, weight: Floats) -> dict[str, int]:
    """Count of each value, the most frequent first and equal ones by name, cut to the codes that there are."""
    encoded = values.dictionary_encode()
    known = np.asarray(encoded.is_valid())
    codes = np.asarray(encoded.indices.filter(encoded.is_valid()), np.int64)
    sums = np.bincount(codes, weights=weight[known], minlength=len(encoded.dictionary))
    counted = zip(encoded.dictionary.to_pylist(), (int(count) for count in np.rint(sums)), strict=True)
    return dict(sorted(counted, key=lambda pair: (-pair[1], pair[0]))[:MOST_CODES])


def _quantiles(values: Floats, weight: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Quantiles at `LEVELS` of the finite ones, and the share of values up to each.

    By linear interpolation; where weights differ, values that occurred.
    """
    known = np.isfinite(values)
    finite, weight = values[known], weight[known]
    if not finite.size:
        return (float("nan"),) * len(LEVELS), LEVELS
    if (weight == weight[0]).all():
        found = np.quantile(finite, LEVELS)
    else:
        found = np.quantile(finite, LEVELS, weights=weight, method="inverted_cdf")
    order = np.argsort(finite, kind="stable")
    total = np.append(0.0, np.cumsum(weight[order]))
    up_to = total[np.searchsorted(finite[order], found, side="right")] / total[-1]
    return tuple(float(value) for value in found), tuple(float(share) for share in up_to)
