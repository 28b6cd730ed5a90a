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

import numpy as np
import pyarrow as pa

from ..models.base import Floats
from ..models.encoding import LEVELS
from ..models.scoring_model import ScoringModel
from .plain_trees import Plain, PlainTrees
from .reasons import Reasons, values_as_text
from .started_trees import StartedTrees
from .tables import TablesDoNotApply, TopGroups, TreeTables

CHUNK = 65_536  # rows that are encoded at once
TOLERANCE = 1e-9  # of tables against LightGBM, relative to 1 + the largest raw score
_log = logging.getLogger(__name__)


class Explainer:
    """Explains one model. `groups` are the families of its features, `group_of` (p,) says which each belongs to."""

    def __init__(self, model: ScoringModel, trees: TreeTables | Plain) -> None:
        self.model = model
        self.trees = trees if model.start is None else StartedTrees(trees, model.start)
        families = [column.family or column.name for column in model.columns]
        self.groups = tuple(dict.fromkeys(families))
        self.group_of = np.array([self.groups.index(family) for family in families], np.int32)

    def raw_score(self, table: pa.Table) -> Floats:
        """Raw scores (n,): the model's own to the bit, and by tables several times as fast."""
        out = np.empty(table.num_rows)
        for rows, X in self._chunks(table):
            out[rows] = self.trees.raw_score(X)
        return np.asarray(out + self.model.shift)

    def contributions(self, table: pa.Table) -> Floats:
        """Contributions to the raw score, (n, p + 1); the last column is the bias. Rows add up to `raw_score`."""
        out = np.empty((table.num_rows, len(self.group_of) + 1))
        for rows, X in self._chunks(table):
            out[rows] = self.trees.contributions(X)
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
        parts = [self.trees.top_groups(X, self.group_of, k) for _, X in self._chunks(table)] or [TopGroups.empty(0, k)]
        top = TopGroups(*(np.concatenate(field) for field in zip(*parts, strict=True)))
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


def explainer(
    model: ScoringModel,
    rows: pa.Table | None = None,
    *,
    memory_limit_mb: int = 512,
    threads: int | None = None,
) -> Explainer:
    """Build the tables of a model and hold them against LightGBM's own contributions.

    `rows` is a snapshot to check with (1,000 of its rows, down to 200 for large models); without one, rows are drawn
    from the training quantiles. Where tables do not apply, or differ, LightGBM's own code explains, and a warning says
    so.
    """
    if model.booster is None:
        return Explainer(model, Plain(model.score_matrix, model.explain_matrix))
    plain = PlainTrees(model.booster, threads)
    try:
        tables = TreeTables.from_booster(model.booster, memory_limit_mb=memory_limit_mb)
    except TablesDoNotApply as reason:
        _log.warning("LightGBM's own, slower contributions are used: %s", reason)
        return Explainer(model, plain)
    if threads is not None:
        tables.threads = threads
    count = min(max(2_000_000 // tables.leaves, 200), 1_000)
    if rows is not None and rows.num_rows:
        chosen = np.unique(np.linspace(0, rows.num_rows - 1, count).astype(np.int64))
        X = model.encode(rows.take(pa.array(chosen)))
    else:
        X = plausible_rows(model, count)
    expected = plain.contributions(X)
    gap = np.abs(tables.contributions(X) - expected).max() / (1 + np.abs(expected.sum(axis=1)).max())
    if not gap <= TOLERANCE:
        _log.warning("LightGBM's own, slower contributions are used: the tables differ from them by %.1e", gap)
        return Explainer(model, plain)
    return Explainer(model, tables)


def plausible_rows(model: ScoringModel, n: int, *, seed: int = 0) -> Floats:
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
