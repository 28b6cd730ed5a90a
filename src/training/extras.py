"""Measures beside the judged ones, without intervals: parts of the Brier score, campaign profit, what lists offer."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from ..tasks.base import Task
from .candidates import UNION, candidate_recall
from .judge import lists_of
from .material import Floats, target_of
from .metrics import brier_parts, coverage_at_k, diversity_at_k, expected_maximum_profit, margin_at_k, maximum_profit
from .metrics.counts import encode
from .metrics.lists import margins, rank_lists

LIST = 10
FEW = 5
SHORT_LIST = 20
NO_SOURCES = ("prior:rank", "logistic:rank")


def extras(task: Task, rows: pa.Table, rule: str) -> dict[str, float]:
    """Metrics by name (test.* of the model, baseline.test.* of the rule) on scored test rows.

    For every task the decomposition of the Brier score; for churn the maximum profit of a retention campaign and its
    expectation (EMPC), at default costs, with the shares to contact; for lists of offers their coverage and diversity,
    and where margins are known what a list earned, ranked by the score and by the score times the margin.
    """
    target, probability = target_of(rows), np.asarray(rows["score"].to_numpy(), np.float64)
    parts = brier_parts(target, probability)
    found = {
        "test.brier_reliability": parts.reliability,
        "test.brier_resolution": parts.resolution,
        "test.brier_uncertainty": parts.uncertainty,
    }
    scores = {"test": probability, "baseline.test": np.asarray(rows[f"{rule}:rank"].to_numpy(), np.float64)}
    for prefix, score in scores.items():
        if task.name == "churn":
            found |= _profit(prefix, target, score)
        if task.ranks_within:
            found |= _variety(prefix, task, rows, score)
        if task.ranks_within and "margin" in rows.column_names:
            found |= _margin(prefix, task, rows, target, score)
    if task.ranks_within:
        found |= _candidates(task, rows, target)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _profit(prefix: str, target: Floats, score: Floats) -> dict[str, float]:
    best, expected = maximum_profit(target, score), expected_maximum_profit(target, score)
    return {
        f"{prefix}.maximum_profit": best.profit,
        f"{prefix}.maximum_profit_share": best.share,
        f"{prefix}.empc": expected.profit,
        f"{prefix}.empc_share": expected.share,
    }


def _candidates(task: Task, rows: pa.Table, target: Floats) -> dict[str, float]:
    """What short lists of each rule would catch of what was bought, and how much of all rows they are."""
    named = [name for name in rows.column_names if name.endswith(":rank") and name not in NO_SOURCES]
    sources = {name.removesuffix(":rank"): np.asarray(rows[name].to_numpy(), np.float64) for name in named}
    caught = candidate_recall(target, sources, lists_of(task, rows), SHORT_LIST)
    found = {f"candidates.test.{name}.recall_at_{SHORT_LIST}": share for name, (share, _) in caught.items()}
    return found | {f"candidates.test.{UNION}.share_of_rows": caught[UNION][1]}


def _margin(prefix: str, task: Task, rows: pa.Table, target: Floats, score: Floats) -> dict[str, float]:
    lists, margin = lists_of(task, rows), np.asarray(rows["margin"].to_numpy(), np.float64)
    return {
        f"{prefix}.margin_at_{LIST}": margin_at_k(target, score, lists, margin, LIST),
        f"{prefix}.margin_at_{LIST}_ranked_by_margin": margin_at_k(target, score * margin, lists, margin, LIST),
    }


def _variety(prefix: str, task: Task, rows: pa.Table, score: Floats) -> dict[str, float]:
    lists = lists_of(task, rows)
    named = pa.array(rows[task.ranks_within].to_numpy(zero_copy_only=False)).dictionary_encode()
    items = np.argsort(np.argsort(np.asarray(named.dictionary)))[named.indices.to_numpy()]  # codes in order of names
    return {
        f"{prefix}.coverage_at_{LIST}": coverage_at_k(items, score, lists, LIST),
        f"{prefix}.diversity_at_{LIST}": diversity_at_k(items, score, lists, LIST),
    }


def true_margin_of_lists(task: Task, rows: pa.Table, true: Floats, *, replicates: int, seed: int) -> dict[str, float]:
    """By the true probabilities (n,): what a short list is expected to earn, ranked by the score and by score x margin.

    Nothing where margins are not known. The gain of the second ranking stands with its paired 95 % interval over
    entities.
    """
    if "margin" not in rows.column_names:
        return {}
    margin, score = (np.asarray(rows[name].to_numpy(), np.float64) for name in ("margin", "score"))
    groups, _ = encode(lists_of(task, rows))
    certain = np.ones(len(score))

    def earned(by: Floats) -> Floats:
        return margins(rank_lists(certain, by, groups, FEW, true * margin), FEW)

    by_score, by_margin = earned(score), earned(score * margin)
    _, first = np.unique(groups, return_index=True)
    entity, number = encode(rows[task.entity].take(pa.array(first)))
    sums, lists = np.bincount(entity, by_margin - by_score, number), np.bincount(entity, minlength=number)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, number, (replicates, number))
    low, high = np.quantile(sums[drawn].sum(axis=1) / lists[drawn].sum(axis=1), (0.025, 0.975)).tolist()
    name = f"truth.test.margin_at_{FEW}"
    found = {name: float(by_score.mean()), f"{name}_ranked_by_margin": float(by_margin.mean())}
    gain = float((by_margin - by_score).mean())
    return found | {f"{name}_gain": gain, f"{name}_gain_low": low, f"{name}_gain_high": high}
