"""What the features and scores of a population look like, counted in the bins of training, and how far they drifted.

The population stability index of a column is the sum over its bins of (a - e) ln(a / e), with the share a found now
and the share e expected from training. Missing values are a bin, and so are categories that training never saw.
Below about 0.1 nothing happened, above 0.25 a lot did (Siddiqi, Credit Risk Scorecards, 2006).

Some columns cannot be held against training (see `comparable`): they are counted all the same, and marked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from ..language.declarations import FeatureColumn
from ..models.base import Floats
from ..models.bundle import Bundle
from ..models.encoding import Encoder, numbers

Counts = npt.NDArray[np.int64]
SCORE = "score"
SAMPLE = 20_000  # rows of a piece that are counted, evenly spread
_LEAST = 1e-4  # a share of zero would make the index infinite
_SCORE_BINS = 10


@dataclass(frozen=True)
class ColumnProfile:
    """One column in bins. `bins` names them, `expected` are their shares in training, `counts` what was found.

    The last bin holds missing values; before it a category has the bin of values never seen. `grows` marks a feature
    whose values differ from those of training because the data reach further back now.
    """

    name: str
    kind: str
    bins: tuple[float, ...] | tuple[str, ...]
    expected: tuple[float, ...]
    counts: tuple[int, ...]
    grows: bool = False

    @property
    def found(self) -> Floats:
        """The share of each bin; zeros where nothing was counted."""
        counts = np.asarray(self.counts, np.float64)
        return np.asarray(counts / max(counts.sum(), 1.0))

    @property
    def psi(self) -> float:
        """The population stability index."""
        return _index(self.found, self.expected) if sum(self.counts) else 0.0

    def jump(self, earlier: ColumnProfile) -> float:
        """The index against what an earlier job found; 0 where that one had other bins."""
        same = self.bins == earlier.bins and min(sum(self.counts), sum(earlier.counts)) > 0
        return _index(self.found, earlier.found) if same else 0.0

    @property
    def missing_rise(self) -> float:
        """By how much the share of missing values lies above that of training."""
        return float(self.found[-1] - self.expected[-1])

    @property
    def unseen(self) -> float:
        """The share of values that training never saw; 0 for a number."""
        return float(self.found[-2]) if self.kind == "category" else 0.0


@dataclass(frozen=True)
class Profile:
    """The columns of a population, `counted` of its rows; `trained_on` rows gave the expectations.

    `plans` is the number of campaigns that were scored, None for a task without.
    """

    counted: int
    trained_on: int
    columns: tuple[ColumnProfile, ...]
    plans: int | None = None

    def plus(self, other: Mapping[str, Sequence[int]], rows: int) -> Profile:
        """With the counts of more rows, by column."""
        added = tuple(
            replace(column, counts=tuple(a + b for a, b in zip(column.counts, other[column.name], strict=True)))
            for column in self.columns
        )
        return replace(self, counted=self.counted + rows, columns=added)

    def counts(self) -> dict[str, tuple[int, ...]]:
        """The counts alone, by column."""
        return {column.name: column.counts for column in self.columns}

    def column(self, name: str) -> ColumnProfile:
        """A column by name."""
        return next(column for column in self.columns if column.name == name)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        columns = [vars(column) | {"psi": round(column.psi, 6)} for column in self.columns]
        facts = {"counted": self.counted, "trained_on": self.trained_on, "plans": self.plans}
        return facts | {"columns": columns}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Profile:
        """What `as_json` wrote; KeyError or TypeError for anything else."""
        columns = tuple(
            ColumnProfile(
                raw["name"],
                raw["kind"],
                tuple(raw["bins"]),
                tuple(raw["expected"]),
                tuple(raw["counts"]),
                bool(raw.get("grows", False)),
            )
            for raw in content["columns"]
        )
        return cls(int(content["counted"]), int(content["trained_on"]), columns, content.get("plans"))


def noise(profile: Profile, column: ColumnProfile, against: int | None = None) -> float:
    """An index that chance alone exceeds once in a hundred times: chi-squared, over the numbers of rows.

    `against` is the number of rows on the other side; default: those of training.
    """
    from scipy.stats import chi2

    rows = 1 / max(profile.counted, 1) + 1 / max(profile.trained_on if against is None else against, 1)
    return float(chi2.ppf(0.99, max(len(column.expected) - 1, 1))) * rows


def _index(found: ArrayLike, expected: ArrayLike) -> float:
    a, e = np.maximum(found, _LEAST), np.maximum(expected, _LEAST)
    return float(((a - e) * np.log(a / e)).sum())


# ------------------------------------------------------------------------------------------- counting
def empty_profile(bundle: Bundle, grows: Collection[str] = (), plans: int | None = None) -> Profile:
    """The bins of a model's features and scores, with nothing counted; `grows` names the features to be marked."""
    encoder = bundle.model.encoder
    columns = [
        _of_category(encoder, column.name) if column.kind == "category" else _of_number(encoder, column.name)
        for column in encoder.columns
    ]
    columns = [replace(column, grows=column.name in grows) for column in columns]
    if bundle.distribution is not None:
        columns.append(_of_scores(bundle.distribution))
    return Profile(0, encoder.rows, tuple(columns), plans)


def count_rows(profile: Profile, snapshot: pa.Table, raw: Floats) -> tuple[dict[str, list[int]], int]:
    """Counts of each column of the profile in (a sample of) a snapshot, and the number of rows that were counted."""
    step = max(-(-snapshot.num_rows // SAMPLE), 1)
    chosen = np.arange(0, snapshot.num_rows, step)
    sample, found = snapshot.take(pa.array(chosen)), {}
    for column in profile.columns:
        if column.name == SCORE and column.kind == SCORE:
            counts = _count_numbers(column.bins, raw[chosen])
        elif column.kind == "category":
            counts = _count_categories(column.bins, sample[column.name])
        else:
            counts = _count_numbers(column.bins, numbers(sample, column.name))
        found[column.name] = [int(count) for count in counts]
    return found, len(chosen)


def stability(columns: Sequence[FeatureColumn], first: pa.Table, last: pa.Table) -> dict[str, float]:
    """The population stability index of each feature between two snapshots, in the bins of the first."""
    encoder, found = Encoder.fit(columns, first), {}
    for column in columns:
        if column.kind == "category":
            profile = _of_category(encoder, column.name)
            counts = _count_categories(profile.bins, last[column.name])
        else:
            profile = _of_number(encoder, column.name)
            counts = _count_numbers(profile.bins, numbers(last, column.name))
        found[column.name] = replace(profile, counts=tuple(int(count) for count in counts)).psi
    return found


def _of_number(encoder: Encoder, name: str) -> ColumnProfile:
    quantiles = np.asarray(encoder.quantiles[name], np.float64)
    missing = encoder.missing[name]
    if np.isnan(quantiles[0]):
        return ColumnProfile(name, "number", (), (0.0, 1.0), (0, 0))
    # Of equal quantiles the last one counts: `at_most` is the same for all of them, a level is not.
    edges, last = np.unique(quantiles[:-1][::-1], return_index=True)
    up_to = np.asarray(encoder.at_most[name])[:-1][::-1][last]
    shares = np.diff(up_to, prepend=0.0, append=1.0) * (1 - missing)
    return _empty(name, "number", tuple(edges.tolist()), [*shares, missing])


def _of_category(encoder: Encoder, name: str) -> ColumnProfile:
    counts, missing = encoder.quantiles[name], encoder.missing[name]
    assert isinstance(counts, Mapping)
    total = max(sum(counts.values()), 1)
    values = encoder.vocabulary[name]
    return _empty(
        name, "category", values, [*(counts[value] / total * (1 - missing) for value in values), 0.0, missing]
    )


def _of_scores(distribution: Floats) -> ColumnProfile:
    levels = np.arange(1, _SCORE_BINS) / _SCORE_BINS
    edges = np.unique(np.quantile(distribution, levels, method="lower"))
    up_to = np.searchsorted(distribution, edges, side="right") / len(distribution)
    return _empty(SCORE, SCORE, tuple(edges.tolist()), [*np.diff(up_to, prepend=0.0, append=1.0), 0.0])


def _empty(name: str, kind: str, bins: tuple[Any, ...], expected: Sequence[float]) -> ColumnProfile:
    return ColumnProfile(name, kind, bins, tuple(round(float(share), 9) for share in expected), (0,) * len(expected))


def _count_numbers(edges: Sequence[Any], values: Floats) -> Counts:
    """Values up to each edge and above the last, and the missing ones at the end."""
    missing = np.isnan(values)
    bins = np.searchsorted(np.asarray(edges, np.float64), values[~missing], side="left")
    return np.append(np.bincount(bins, minlength=len(edges) + 1), missing.sum()).astype(np.int64)


def _count_categories(values: Sequence[Any], found: pa.ChunkedArray) -> Counts:
    """Each known value, the values that are not known, and the missing ones."""
    codes = pc.index_in(found.cast(pa.string()), value_set=pa.array(values, pa.string()), skip_nulls=True)
    known = codes.drop_null().to_numpy()
    counts = np.bincount(known, minlength=len(values))
    return np.append(counts, [len(found) - found.null_count - len(known), found.null_count]).astype(np.int64)
