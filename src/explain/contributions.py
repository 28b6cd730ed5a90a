"""Why a model gives the scores it gives: exact contributions to the raw score, and the top reasons of each row.

>>> why = explainer(model)  # doctest: +SKIP
>>> why.top_reasons(snapshot).columns()  # doctest: +SKIP

Contributions are path-dependent TreeSHAP on the raw score (log-odds). They come from tables (`tables`), which are held
against LightGBM's own values before they are used; LightGBM's slower code is the way where tables do not apply. On
every batch the contributions must add up to the raw score.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from ..errors import ModelError
from ..language.declarations import FeatureColumn
from ..models.base import Floats
from ..models.encoding import LEVELS, Profile
from .reasons import Reasons, values_as_text
from .tables import TablesDoNotApply, TopGroups, TreeTables
from .tables_results import Members, worst_gap, write_top

CHUNK = 65_536  # rows that are encoded at once
TOLERANCE = 1e-9  # of tables against LightGBM, relative to 1 + the largest raw score
ADDITIVITY = 1e-8
_log = logging.getLogger(__name__)


class ExplainedModel(Protocol):
    """What is asked of a model: `models.classifier.BoostedClassifier` has it. Raw score = booster's + shift."""

    @property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """The features (p,)."""
        ...

    @property
    def booster(self) -> Any:
        """The lightgbm.Booster."""
        ...

    @property
    def shift(self) -> float:
        """What is added to the booster's raw score."""
        ...

    @property
    def quantiles(self) -> Mapping[str, Profile]:
        """What was seen of each feature in training."""
        ...

    def encode(self, table: pa.Table) -> Floats:
        """The matrix (n, p)."""
        ...


class Explainer:
    """Explains one model. `groups` are the families of its features, `group_of` (p,) says which each belongs to."""

    def __init__(self, model: ExplainedModel, tables: TreeTables | None, *, threads: int | None = None) -> None:
        self.model = model
        self.tables = tables
        self.threads = threads
        families = [column.family or column.name for column in model.columns]
        self.groups = tuple(dict.fromkeys(families))
        self.group_of = np.array([self.groups.index(family) for family in families], np.int32)
        if tables is not None and threads is not None:
            tables.threads = threads

    def raw_score(self, table: pa.Table) -> Floats:
        """Raw scores (n,), those of the model to the bit, by tables where there are any: several times faster."""
        out = np.empty(table.num_rows)
        for rows, X in self._chunks(table):
            out[rows] = (
                self.tables.raw_score(X)
                if self.tables
                else _predict(self.model.booster, X, self.threads, raw_score=True)
            )
        return out + self.model.shift

    def contributions(self, table: pa.Table) -> Floats:
        """Contributions to the raw score, (n, p + 1); the last column is the bias. Rows add up to `raw_score`."""
        out = np.empty((table.num_rows, len(self.group_of) + 1))
        for rows, X in self._chunks(table):
            out[rows] = self.tables.contributions(X) if self.tables else self._by_lightgbm(X)[0]
        out[:, -1] += self.model.shift
        return out

    def group_contributions(self, contributions: Floats) -> Floats:
        """Sum a matrix of contributions (n, p + 1) by group: (n, groups), without the bias."""
        sums = np.zeros((len(contributions), len(self.groups)))
        for feature, group in enumerate(self.group_of):
            sums[:, group] += contributions[:, feature]
        return sums

    def top_reasons(self, table: pa.Table, k: int = 5) -> Reasons:
        """The k strongest groups of each row, the strongest feature of each, and the raw score."""
        parts: list[TopGroups] = []
        for _, X in self._chunks(table):
            parts.append(self.tables.top_groups(X, self.group_of, k) if self.tables else self._top_by_lightgbm(X, k))
        top = (
            TopGroups(*(np.concatenate(field) for field in zip(*parts, strict=True)))
            if parts
            else TopGroups.empty(0, k)
        )
        return Reasons(
            raw_score=top.raw_score + self.model.shift,
            group=top.group,
            group_contribution=top.group_contribution,
            feature=top.feature,
            feature_contribution=top.feature_contribution,
            values=values_as_text(table, top.feature, [column.name for column in self.model.columns]),
            groups=self.groups,
            features=tuple(column.name for column in self.model.columns),
        )

    def _chunks(self, table: pa.Table) -> Iterator[tuple[slice, Floats]]:
        for start in range(0, table.num_rows, CHUNK):
            part = table.slice(start, CHUNK)
            yield slice(start, start + part.num_rows), self.model.encode(part)

    # -------------------------------------------------------------------------------- where tables do not apply
    def _by_lightgbm(self, X: Floats) -> tuple[Floats, Floats]:
        """Contributions (n, p + 1) and raw scores (n,) of the booster, checked to add up."""
        contributions = _predict(self.model.booster, X, self.threads, pred_contrib=True)
        score = _predict(self.model.booster, X, self.threads, raw_score=True)
        total = np.ascontiguousarray(contributions[:, :-1].T)
        gap = worst_gap(total, score, contributions[0, -1], np.empty(len(X)), len(X))
        if not gap <= ADDITIVITY:
            raise ModelError(f"LightGBM's contributions do not add up to its raw score (off by {gap:.1e}); train anew")
        return contributions, score

    def _top_by_lightgbm(self, X: Floats, k: int) -> TopGroups:
        contributions, score = self._by_lightgbm(X)
        top = TopGroups.empty(len(X), k)
        members = Members.of(self.group_of, np.arange(len(self.group_of)))
        total = np.ascontiguousarray(contributions[:, :-1].T)
        write_top(total, members, np.empty((len(self.groups), len(X))), 0, len(X), top)
        top.raw_score[:] = score
        return top


def explainer(
    model: ExplainedModel,
    rows: pa.Table | None = None,
    *,
    memory_limit_mb: int = 512,
    threads: int | None = None,
) -> Explainer:
    """Build the tables of a model and hold them against LightGBM's own contributions.

    `rows` is a snapshot to check with (1,000 of its rows, or 200 for large models); without one, rows are drawn from
    the training quantiles. Where tables do not apply, or differ, LightGBM's own code explains, and a warning says so.
    """
    try:
        tables = TreeTables.from_booster(model.booster, memory_limit_mb=memory_limit_mb)
    except TablesDoNotApply as reason:
        _log.warning("LightGBM's own, slower contributions are used: %s", reason)
        return Explainer(model, None, threads=threads)
    count = 1_000 if tables.leaves < 10_000 else 200
    if rows is not None and rows.num_rows:
        chosen = np.unique(np.linspace(0, rows.num_rows - 1, count).astype(np.int64))
        X = model.encode(rows.take(pa.array(chosen)))
    else:
        X = plausible_rows(model, count)
    expected = _predict(model.booster, X, threads, pred_contrib=True)
    gap = np.abs(tables.contributions(X) - expected).max() / (1 + np.abs(expected.sum(axis=1)).max())
    if not gap <= TOLERANCE:
        _log.warning("LightGBM's own, slower contributions are used: the tables differ from them by %.1e", gap)
        return Explainer(model, None, threads=threads)
    return Explainer(model, tables, threads=threads)


def plausible_rows(model: ExplainedModel, n: int, *, seed: int = 0) -> Floats:
    """Encoded rows (n, p), each feature drawn by itself from its training quantiles, a tenth of them missing."""
    rng = np.random.default_rng(seed)
    X = np.full((n, len(model.columns)), np.nan)
    for position, column in enumerate(model.columns):
        profile = model.quantiles[column.name]
        if isinstance(profile, Mapping):
            if profile:
                X[:, position] = rng.integers(0, len(profile), n)
        else:
            X[:, position] = np.interp(rng.random(n), LEVELS, profile)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


def _predict(booster: Any, X: Floats, threads: int | None, **kind: bool) -> Floats:
    return np.asarray(booster.predict(X, num_threads=threads or 0, **kind), np.float64)
