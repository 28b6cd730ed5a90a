"""Clusters: groups of rows that are alike, by the centroids of k-means on ranks.

Each feature is scaled by its ranks among the rows that the groups were drawn up from (0 to 1; a missing value stands
in the middle), so that no unit and no tail rules the distance. With z the scaled row, c1 its nearest centroid and c2
the second nearest, the score is how clearly it belongs to c1, and each feature's contribution to it is exact:

    score = |z - c2|^2 - |z - c1|^2 = sum over j of (z_j - c2_j)^2 - (z_j - c1_j)^2  >= 0

Segments have numbers that stay theirs: `numbers_like` gives new centroids the numbers of those that they continue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..errors import ModelError
from ..language.declarations import FeatureColumn
from .base import Floats, read_json, write_json
from .encoding import Encoder, numbers
from .scorecard import FEATURES, MODEL, AsItIs
from .self_explained import SelfExplained

Ints = npt.NDArray[np.int64]
_RANKS = 201
_CHUNK = 65_536
REACH = 0.99
"""The share of a segment's rows that lie within its reach."""


@dataclass(frozen=True)
class RankScale:
    """Ranks of features (p,) among reference rows: for each, `_RANKS` quantiles (none where nothing was known)."""

    names: tuple[str, ...]
    quantiles: tuple[Floats, ...]

    @classmethod
    def fit(cls, names: Sequence[str], table: pa.Table) -> RankScale:
        """The scale of a snapshot's rows."""
        found = []
        for name in names:
            values = numbers(table, name)
            values = values[~np.isnan(values)]
            found.append(np.quantile(values, np.linspace(0, 1, _RANKS)) if len(values) else np.empty(0))
        return cls(tuple(names), tuple(found))

    def apply(self, matrix: Floats) -> Floats:
        """Ranks (n, p) from 0 to 1; 1/2 where a value is missing."""
        ranks = np.full(matrix.shape, 0.5)
        for place, quantiles in enumerate(self.quantiles):
            there = ~np.isnan(matrix[:, place])
            if len(quantiles):
                values = matrix[there, place]
                below = np.searchsorted(quantiles, values, side="left")
                up_to = np.searchsorted(quantiles, values, side="right")
                ranks[there, place] = (below + up_to) / (2 * len(quantiles))
        return ranks


class Clusters(SelfExplained):
    """The segments (k); make them by `Clusters.fit`.

    `numbers` (k,) are their names, `reach` (k,) the distance within which `REACH` of their rows lie, `shares` (k,)
    their sizes among the `rows` that they were drawn up from, `words` (k,) what they are like.
    """

    kind = "clusters"

    def __init__(
        self,
        encoder: Encoder,
        scale: RankScale,
        centroids: Floats,
        reach: Floats,
        shares: Floats,
        rows: int,
        numbers: Sequence[int],
        words: Sequence[str],
        last_number: int | None = None,
    ) -> None:
        if not len(centroids) == len(reach) == len(shares) == len(numbers) == len(words) > 1:
            raise ModelError("segments need two centroids at least, and a number, a size and words for each")
        self.encoder, self.scale, self.centroids = encoder, scale, np.asarray(centroids, np.float64)
        self.reach, self.shares, self.rows = np.asarray(reach, np.float64), np.asarray(shares, np.float64), rows
        self.numbers, self.words = tuple(numbers), tuple(words)
        self.last_number = max(self.numbers) if last_number is None else last_number
        self.calibrator = AsItIs()

    @classmethod
    def fit(cls, columns: Sequence[FeatureColumn], table: pa.Table, k: int, *, seed: int = 0) -> Clusters:
        """So many segments of a snapshot (n rows) by its numbers among the columns, numbered from 1, the largest first.

        ModelError where there are fewer different rows than segments.
        """
        encoder = Encoder.fit(columns, table)
        scale = RankScale.fit(encoder.names, table)
        scaled = scale.apply(encoder.encode(table))
        if len(np.unique(scaled, axis=0)) < k:
            raise ModelError(f"{k} segments need as many different customers at least, and there are fewer")
        centroids, nearest = k_means(scaled, k, seed=seed)
        sizes = np.bincount(nearest, minlength=k)
        order = np.argsort(-sizes, kind="stable")
        distance = np.sqrt(((scaled - centroids[nearest]) ** 2).sum(axis=1))
        reach = np.array([np.quantile(distance[nearest == c], REACH) for c in order])
        return cls(
            encoder, scale, centroids[order], reach, sizes[order] / len(scaled), len(scaled), range(1, k + 1), [""] * k
        )

    def with_names(self, numbers: Sequence[int], words: Sequence[str], last_number: int) -> Clusters:
        """The same segments under other numbers, with words; no later segment gets a number up to `last_number`."""
        parts = self.encoder, self.scale, self.centroids, self.reach, self.shares, self.rows
        return Clusters(*parts, numbers, words, last_number)

    def numbers_like(self, before: Clusters, table: pa.Table) -> tuple[tuple[int, ...], int]:
        """Numbers (k,) of these segments, those of `before` where they continue one, and the last number given so far.

        The means of the rows (n) of each segment on the scale of `before` are matched to its centroids by the
        Hungarian method (Kuhn 1955), the sum of distances being least. A pair further apart than half the distance
        from that centroid to its nearest neighbour is none: then the segment is new, and gets a number of its own.
        """
        from scipy.optimize import linear_sum_assignment

        mine = self.assign(table)
        there = before.scale.apply(before.encoder.encode(table))
        means = np.array([there[mine == c].mean(axis=0) if (mine == c).any() else self.centroids[c] * np.nan
                          for c in range(len(self.centroids))])  # fmt: skip
        gaps = np.sqrt(((means[:, None, :] - before.centroids[None]) ** 2).sum(axis=2))
        between = np.sqrt(((before.centroids[:, None] - before.centroids[None]) ** 2).sum(axis=2))
        np.fill_diagonal(between, np.inf)
        gaps = np.nan_to_num(gaps, nan=1e6)
        found: dict[int, int] = {}
        for new, old in zip(*linear_sum_assignment(gaps), strict=True):
            if gaps[new, old] <= between[old].min() / 2:
                found[int(new)] = before.numbers[old]
        last = before.last_number
        for new in range(len(self.centroids)):
            if new not in found:
                last += 1
                found[new] = last
        return tuple(found[new] for new in range(len(self.centroids))), last

    # -------------------------------------------------------------------------------- who belongs where
    def assign(self, table: pa.Table) -> Ints:
        """The place (n,) of each row's segment among the centroids."""
        return self._nearest(self.encode(table))[0]

    def beyond(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """Which rows (n,) lie out of reach of their segment."""
        place, _, distance = self._nearest(self.encode(table))
        return np.asarray(distance > self.reach[place])

    def score_matrix(self, matrix: Floats) -> Floats:
        """As `raw_score`, of a matrix (n, p)."""
        return np.asarray(self.explain_matrix(matrix).sum(axis=1))

    def explain_matrix(self, matrix: Floats) -> Floats:
        """Contributions (n, p + 1) to the score; the last column is 0, rows add up."""
        first, second, _ = self._nearest(matrix)
        scaled = self.scale.apply(matrix)
        found = np.zeros((len(matrix), matrix.shape[1] + 1))
        found[:, :-1] = (scaled - self.centroids[second]) ** 2 - (scaled - self.centroids[first]) ** 2
        return found

    def outputs(self, table: pa.Table) -> dict[str, pa.Array]:
        """`segment` (its number), `segment_words`, and the `distance` (n,) to its centroid."""
        place, _, distance = self._nearest(self.encode(table))
        return {
            "segment": pa.array(np.array(self.numbers)[place], pa.int64()),
            "segment_words": pa.array(self.words, pa.string()).take(pa.array(place)),
            "distance": pa.array(distance, pa.float64()),
        }

    def _nearest(self, matrix: Floats) -> tuple[Ints, Ints, Floats]:
        """Places (n,) of the nearest and the second nearest centroid, and the distance (n,) to the nearest."""
        parts = []
        for start in range(0, len(matrix), _CHUNK):
            scaled = self.scale.apply(matrix[start : start + _CHUNK])
            squares = np.stack([((scaled - centroid) ** 2).sum(axis=1) for centroid in self.centroids], axis=1)
            order = np.argsort(squares, axis=1, kind="stable")[:, :2]
            parts.append((order, np.sqrt(np.take_along_axis(squares, order[:, :1], axis=1)[:, 0])))
        order = np.concatenate([part[0] for part in parts]) if parts else np.empty((0, 2), np.int64)
        distance = np.concatenate([part[1] for part in parts]) if parts else np.empty(0)
        return order[:, 0], order[:, 1], distance

    # -------------------------------------------------------------------------------- on disk
    def save(self, folder: Path) -> None:
        """Write model.json and features.json into an existing folder."""
        write_json(folder / FEATURES, self.encoder.to_json())
        write_json(folder / MODEL, self._to_json())

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> Clusters:
        """Read what `save` wrote; ModelError where it is unreadable. No code is run."""
        content, encoder = read_json(folder / MODEL), Encoder.from_json(read_json(folder / FEATURES))
        try:
            scale = RankScale(encoder.names, tuple(np.asarray(one, np.float64) for one in content["ranks"]))
            centroids, reach, shares = (np.asarray(content[name], np.float64) for name in _ARRAYS)
            given = [int(number) for number in content["numbers"]]
            words = [str(text) for text in content["words"]]
            if centroids.ndim != 2 or not centroids.shape[1] == len(scale.quantiles) == len(encoder.names):
                raise ValueError("centroids and features differ in number")
            rows, last = int(content["rows"]), int(content["last_number"])
            return cls(encoder, scale, centroids, reach, shares, rows, given, words, last)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{MODEL} was written by another version of Rapport: {error}") from error

    def _to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "ranks": [one.tolist() for one in self.scale.quantiles],
            **{name: getattr(self, name).tolist() for name in _ARRAYS},
            "rows": self.rows,
            "numbers": list(self.numbers),
            "last_number": self.last_number,
            "words": list(self.words),
        }


_ARRAYS = ("centroids", "reach", "shares")


def k_means(scaled: Floats, k: int, *, seed: int = 0, starts: int = 5) -> tuple[Floats, Ints]:
    """Centroids (k, p) of scaled rows (n, p), and the nearest one of each (n,): the best of several starts."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):  # the work is small, and sums come in the same order on every machine
        fitted = KMeans(k, n_init=starts, random_state=seed).fit(scaled)
    return np.asarray(fitted.cluster_centers_, np.float64), np.asarray(fitted.labels_, np.int64)
