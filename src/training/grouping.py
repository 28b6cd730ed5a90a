"""Segments of a task with a `behaviour`: how many there are, what they are like, and what became of them since.

How many: for each k, k-means on two bootstrap samples must give all rows the same groups. The mean adjusted Rand index
of the pairs is the stability (Ben-Hur, Elisseeff and Guyon, "A stability based method for discovering structure in
clustered data", 2002); of the k that are stable, the one with the best silhouette is taken.

What became of them: at each later cutoff, a segment has grown where its share lies above what it was by more than
chance allows, and a new one is forming where more rows than before lie out of reach of all segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..errors import DataError
from ..language.declarations import FeatureColumn
from ..models.clusters import REACH, Clusters, RankScale, k_means
from ..models.encoding import Encoder, numbers

Floats = npt.NDArray[np.float64]
STABLE = 0.85
FEWEST = 50  # rows from which groups are drawn up
_PAIRS, _SAMPLE = 5, 1_500
_ALPHA = 1e-3  # of an alert at one cutoff, shared by all segments
_VALUE = "spend_365d"


@dataclass(frozen=True)
class Choice:
    """How many segments, and why: stability and silhouette by number of segments."""

    k: int
    stability: dict[int, float]
    silhouette: dict[int, float]

    @property
    def words(self) -> str:
        """One sentence."""
        how = f"stability {self.stability[self.k]:.2f}, silhouette {self.silhouette[self.k]:.2f}"
        if self.stability[self.k] < STABLE:
            return f"{self.k} segments ({how}): no number of segments is stable under resampling; take them as a sketch"
        return f"{self.k} segments ({how}): the clearest of those that are stable under resampling"


def choose_k(columns: Sequence[FeatureColumn], table: pa.Table, most: int, *, seed: int = 0) -> Choice:
    """The number of segments, from 2 to `most`, of a snapshot (n rows).

    DataError where there are fewer rows than can be told apart.
    """
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    if table.num_rows < FEWEST:
        raise DataError(f"not enough data: segments need {FEWEST} customers at least, and there are {table.num_rows}")
    rng = np.random.default_rng(seed)
    encoder = Encoder.fit(columns, table)
    scaled = RankScale.fit(encoder.names, table).apply(encoder.encode(table))
    if len(scaled) > _SAMPLE:
        scaled = scaled[rng.choice(len(scaled), _SAMPLE, replace=False)]
    different = len(np.unique(scaled, axis=0))
    if different < 3:
        raise DataError("not enough data: all customers behave alike, so there are no segments among them")
    stability, silhouette = {}, {}
    for k in range(2, min(most, different - 1) + 1):
        agreed = []
        for _ in range(_PAIRS):
            one, other = (_labels(scaled, scaled[rng.integers(0, len(scaled), len(scaled))], k, rng) for _ in "ab")
            agreed.append(adjusted_rand_score(one, other))
        stability[k] = float(np.mean(agreed))
        silhouette[k] = float(silhouette_score(scaled, k_means(scaled, k, seed=seed)[1]))
    stable = [k for k, value in stability.items() if value >= STABLE]
    k = max(stable, key=lambda k: silhouette[k]) if stable else max(stability, key=lambda k: stability[k])
    return Choice(k, stability, silhouette)


def _labels(scaled: Floats, sample: Floats, k: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The groups (n,) of all rows by centroids of a sample."""
    centroids, _ = k_means(sample, k, seed=int(rng.integers(2**31)), starts=2)
    return np.asarray(((scaled[:, None] - centroids[None]) ** 2).sum(axis=2).argmin(axis=1))


# ------------------------------------------------------------------------------------------- what they are like
@dataclass(frozen=True)
class Description:
    """Words (k,) for each segment, and the share of rows that the words place as the centroids do."""

    words: tuple[str, ...]
    fidelity: float


def describe(model: Clusters, table: pa.Table) -> Description:
    """Each segment in words: the way to the leaf of a small tree that holds most of it."""
    from sklearn.tree import DecisionTreeClassifier

    matrix, place = model.encode(table), model.assign(table)
    k = len(model.centroids)
    tree = DecisionTreeClassifier(max_leaf_nodes=2 * k, min_samples_leaf=5, random_state=0).fit(matrix, place)
    leaf = tree.apply(matrix)
    words = []
    for segment in range(k):
        mine = leaf[place == segment]
        words.append(_way(tree.tree_, int(np.bincount(mine).argmax()), model.columns) if len(mine) else "nobody now")
    return Description(tuple(words), float(np.mean(tree.predict(matrix) == place)))


def _way(tree: Any, leaf: int, columns: Sequence[FeatureColumn]) -> str:
    """The conditions from the root to a leaf, one for each side of a feature, the tightest."""
    parent = {int(child): (node, side) for node in range(tree.node_count)
              for side, child in (("at most", tree.children_left[node]), ("above", tree.children_right[node]))
              if child >= 0}  # fmt: skip
    bounds: dict[tuple[int, str], float] = {}
    node = leaf
    while node in parent:
        node, side = parent[node]
        key = (int(tree.feature[node]), side)
        bounds.setdefault(key, float(tree.threshold[node]))  # from the leaf upwards the first one is the tightest
    said = [f"{columns[feature].name} {side} {value:.4g}" for (feature, side), value in bounds.items()]
    return ", ".join(reversed(said)) or "all alike"


# ------------------------------------------------------------------------------------------- what became of them
@dataclass(frozen=True)
class SegmentNow:
    """A segment at one cutoff: its size and share of the rows, and what its members spent in a year, if known."""

    number: int
    words: str
    size: int
    share: float
    growth: float
    value: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return vars(self)


@dataclass(frozen=True)
class Watched:
    """The segments at a cutoff, `growth` against the share when they were drawn up, and alerts in words."""

    segments: tuple[SegmentNow, ...]
    alerts: tuple[str, ...]


def watch(model: Clusters, table: pa.Table, when: str = "now") -> Watched:
    """Hold the rows of a later cutoff against the segments.

    Intervals of shares are exact (Clopper and Pearson 1934); an alert needs those of then and now to lie apart at
    1 - 0.001 / k, so chance alone hardly ever raises one.
    """
    place, far = model.assign(table), model.beyond(table)
    n, k = table.num_rows, len(model.centroids)
    spent = numbers(table, _VALUE) if _VALUE in table.column_names else None
    segments, alerts = [], []
    for c in range(k):
        size, share = int((place == c).sum()), float(np.mean(place == c))
        before = float(model.shares[c])
        _, most = _exact(round(before * model.rows), model.rows, _ALPHA / k)
        least, _ = _exact(size, n, _ALPHA / k)
        if least > most:
            alerts.append(
                f"segment {model.numbers[c]} ({model.words[c]}) has grown from {before:.1%} to {share:.1%} {when}"
            )
        worth = None if spent is None or not size else float(np.nan_to_num(spent[place == c]).mean())
        segments.append(SegmentNow(model.numbers[c], model.words[c], size, share, share - before, worth))
    outside = int(far.sum())
    _, most = _exact(round((1 - REACH) * model.rows), model.rows, _ALPHA)
    least, _ = _exact(outside, n, _ALPHA)
    if least > most:
        alerts.append(
            f"a new segment is forming: {outside} of {n} customers fit none {when}; {_differ(model, table, far)}"
        )
    return Watched(tuple(segments), tuple(alerts))


def _exact(hits: int, n: int, alpha: float) -> tuple[float, float]:
    from scipy.stats import beta

    low = float(beta.ppf(alpha / 2, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - alpha / 2, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def _differ(model: Clusters, table: pa.Table, chosen: npt.NDArray[np.bool_]) -> str:
    """In which three features the chosen rows differ most from the rest, by mean rank."""
    scaled = model.scale.apply(model.encode(table))
    gap = scaled[chosen].mean(axis=0) - scaled[~chosen].mean(axis=0)
    most = np.argsort(-np.abs(gap))[:3]
    return "they have " + ", ".join(f"{'more' if gap[j] > 0 else 'less'} {model.columns[j].name}" for j in most)
