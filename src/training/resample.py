"""Metrics of one score, prepared so that a bootstrap replicate costs a few array operations.

A replicate draws entities with replacement; all rows of an entity come and go together. Means over rows or lists
become sums by entity, curves become recounts of blocks of equal score (see `metrics.counts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .metrics.counts import Blocks, Counts, FloatArray, IntArray, Recounter, as_floats, as_outcomes, sort_blocks
from .metrics.lists import rank_coded_lists
from .metrics.metric import Metric
from .metrics.ranking import divide

# a replicate over more distinct scores than this merges neighbours; the point estimate never does
MOST_BLOCKS = 20_000
_CELLS = 2_000_000


@dataclass(frozen=True)
class Rows:
    """What is measured: targets (n,), entity codes (n,) below `entities`, and where needed groups and margins (n,)."""

    target: FloatArray
    entity: IntArray
    entities: int
    group: IntArray | None = None
    groups: int = 0
    margin: Any = None


@dataclass(frozen=True)
class _Means:
    """Metrics that are a mean: by entity, sums (e, m) and how many values they hold (e, m)."""

    metrics: tuple[Metric, ...]
    sums: FloatArray
    numbers: FloatArray

    def of(self, drawn: FloatArray) -> dict[str, FloatArray]:
        values = divide(drawn @ self.sums, drawn @ self.numbers)
        found = {}
        for column, metric in enumerate(self.metrics):
            mean = values[:, column]
            found[metric.name] = metric.after_mean(mean) if metric.after_mean else mean
        return found


@dataclass(frozen=True)
class _Curves:
    """Metrics of counts, with the recounter that serves them; `shift` mends what merging blocks moved."""

    metrics: tuple[Metric, ...]
    recounter: Recounter
    shift: dict[str, float]

    def of(self, drawn: FloatArray) -> dict[str, FloatArray]:
        counts = self.recounter.count(drawn)
        return {m.name: _compute(m, counts) + self.shift[m.name] for m in self.metrics}


@dataclass(frozen=True)
class Prepared:
    """One score, ready to be measured: `exact` on the rows as they are, `replicate` on drawn entities."""

    exact: dict[str, float]
    means: _Means
    curves: tuple[_Curves, ...]
    undefined: tuple[str, ...]

    def replicate(self, drawn: FloatArray) -> dict[str, FloatArray]:
        """Every metric for each replicate, (r,) each; `drawn` (r, entities) says how often each entity came."""
        values = {name: np.full(len(drawn), np.nan) for name in self.undefined} | self.means.of(drawn)
        for curves in self.curves:
            values |= curves.of(drawn)
        return values

    @property
    def blocks(self) -> int:
        """The largest number of blocks that a replicate recounts."""
        return max((curves.recounter.blocks.size for curves in self.curves), default=1)


def prepare(metrics: Sequence[Metric], rows: Rows, score: Any) -> Prepared:
    """Sort one score once, measure it, and prepare its replicates.

    Metrics of probabilities are nan for a score that leaves [0, 1]: a rule often is no probability.
    """
    values = as_floats(score, "score")
    if len(values) != len(rows.target):
        raise ValueError(f"target and score differ in length: {len(rows.target)} and {len(values)}")
    for metric in metrics:
        if metric.binary:
            as_outcomes(rows.target)
        if metric.needs_groups and rows.group is None:
            raise ValueError(f"{metric.name} needs groups: the list, or the campaign, of each row")
        if metric.name.startswith("margin_at_") and rows.margin is None:
            raise ValueError(f"{metric.name} needs the margin of each row")
    probability = bool(values.min() >= 0 and values.max() <= 1)
    usable = [m for m in metrics if probability or not m.needs_probability]

    means = _means([m for m in usable if m.of_rows or m.of_lists], rows, values)
    everyone = np.ones((1, rows.entities))
    exact = {name: float(value[0]) for name, value in means.of(everyone).items()}
    curves = []
    plain = [m for m in usable if m.of_counts]
    grouped = [m for m in usable if m.of_groups]
    for chosen, group in ((plain, None), (grouped, rows.group)):
        if chosen:
            prepared, found = _curves(chosen, sort_blocks(rows.target, values, group), rows, everyone)
            curves.append(prepared)
            exact |= found
    undefined = tuple(m.name for m in metrics if m not in usable)
    exact |= dict.fromkeys(undefined, float("nan"))
    return Prepared(exact, means, tuple(curves), undefined)


def draws(entities: int, replicates: int, blocks: int, seed: int) -> Iterator[FloatArray]:
    """How often each entity was drawn, (r, entities), in pieces of r replicates that fit in memory."""
    random = np.random.default_rng(seed)
    piece = int(min(max(_CELLS // max(entities, blocks), 1), replicates))
    for start in range(0, replicates, piece):
        number = min(piece, replicates - start)
        drawn = random.integers(0, entities, (number, entities)) + entities * np.arange(number)[:, None]
        often = np.bincount(drawn.ravel(), minlength=number * entities)
        yield often.reshape(number, entities).astype(np.float64)


def _means(metrics: list[Metric], rows: Rows, score: FloatArray) -> _Means:
    sums: list[npt.NDArray[Any]] = []
    numbers: list[npt.NDArray[Any]] = []
    depth = max((m.depth for m in metrics), default=0)
    if depth and rows.group is not None:
        lists = rank_coded_lists(rows.target, score, rows.group, rows.groups, depth, rows.margin)
        owner = _owner_of_group(rows)
    for metric in metrics:
        if metric.of_rows:
            values, entity = metric.of_rows(rows.target, score), rows.entity
        elif metric.of_lists:
            values, entity = metric.of_lists(lists), owner
        counted = np.ones(len(values)) if metric.all_groups else np.isfinite(values).astype(np.float64)
        sums.append(np.bincount(entity, np.nan_to_num(values), rows.entities))
        numbers.append(np.bincount(entity, counted, rows.entities))
    shape = (rows.entities, len(metrics))
    return _Means(tuple(metrics), _columns(sums, shape), _columns(numbers, shape))


def _columns(columns: list[npt.NDArray[Any]], shape: tuple[int, int]) -> FloatArray:
    return np.array(columns, dtype=np.float64).T.reshape(shape)


def _owner_of_group(rows: Rows) -> IntArray:
    """The entity of each group, (g,); ValueError where a group holds rows of several."""
    assert rows.group is not None
    owner = np.zeros(rows.groups, dtype=np.int64)
    owner[rows.group] = rows.entity
    torn = len(np.unique(rows.group[owner[rows.group] != rows.entity]))
    if torn:
        raise ValueError(f"groups: {torn} of {rows.groups} lists hold rows of several entities; one list, one entity")
    return owner


def _curves(
    metrics: list[Metric], blocks: Blocks, rows: Rows, everyone: FloatArray
) -> tuple[_Curves, dict[str, float]]:
    counts = blocks.count()
    exact = {m.name: float(_compute(m, counts)[0]) for m in metrics}
    merged = blocks.coarsened(MOST_BLOCKS)
    recounter = merged.by_entity(rows.entity, rows.entities)
    shift = dict.fromkeys(exact, 0.0)
    if merged is not blocks:
        recount = recounter.count(everyone)
        shift = {m.name: exact[m.name] - float(_compute(m, recount)[0]) for m in metrics}
    return _Curves(tuple(metrics), recounter, shift), exact


def _compute(metric: Metric, counts: Counts) -> FloatArray:
    function = metric.of_counts or metric.of_groups
    assert function is not None
    return function(counts)
