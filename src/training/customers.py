"""Customers of the review page: a sample over the range of scores, each with reasons in words."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..explain.contributions import Explainer
from ..explain.review import Customer, Reason, Score, spread_rows
from ..explain.words import ReasonWriter, probability_without
from ..language.moments import to_local
from ..models.bundle import percentiles
from ..models.scoring_model import ScoringModel
from ..tasks.base import Task
from .experiment import Trained
from .material import Floats

SAMPLE_CUSTOMERS = 30
OFFERS = 10  # of a customer
REASONS = 5


def sample_customers(trained: Trained, number: int = SAMPLE_CUSTOMERS) -> tuple[Customer, ...]:
    """Customers of the test spread over the range of scores: one row each, or the best offers of one forecast."""
    material, fitted = trained.material, trained.fitted
    rows = _best_offers(trained, number) if material.task.ranks_within else _one_row_each(trained, number)
    return customers_of(
        material.task,
        fitted.explainer,
        fitted.model,
        rows,
        fitted.calibration_scores,
        material.data.config.currency,
        material.data.config.zone,
    )


def customers_of(
    task: Task,
    explainer: Explainer,
    model: ScoringModel,
    rows: pa.Table,
    distribution: Floats,
    currency: str,
    zone: ZoneInfo,
) -> tuple[Customer, ...]:
    """Snapshot rows as customers of the page: a score a row, an entity's rows together, best first."""
    reasons = explainer.top_reasons(rows, REASONS)
    writer = ReasonWriter(model.columns, model.quantiles, currency, model.encoder.missing)
    words = writer.write_batch(rows, reasons.feature)
    probability = model.calibrator.apply(reasons.raw_score)
    without = probability_without(reasons.group_contribution, reasons.raw_score, model.calibrator)
    percentile = percentiles(reasons.raw_score, np.sort(distribution))
    base = float(explainer.contributions(rows.slice(0, 1))[0, -1])
    labels = task.labels(rows)
    happened = rows["target"].to_pylist() if "target" in rows.column_names else [None] * rows.num_rows
    moments = rows["cutoff"].to_pylist()
    by_entity: dict[str, list[Score]] = {}
    days: dict[str, str] = {}
    for row, entity in enumerate(rows[task.entity].to_pylist()):
        given = tuple(
            Reason(
                reasons.groups[reasons.group[row, k]],
                str(words[k][row].as_py()),
                float(reasons.group_contribution[row, k]),
                float(without[row, k]),
            )
            for k in range(REASONS)
            if reasons.group[row, k] >= 0
        )
        score = Score(
            float(probability[row]),
            float(percentile[row]),
            base,
            float(reasons.raw_score[row]),
            given,
            str(labels[row]),
            None if happened[row] is None else bool(happened[row]),
        )
        days.setdefault(str(entity), to_local(moments[row], zone).date().isoformat())
        by_entity.setdefault(str(entity), []).append(score)
    return tuple(
        Customer(entity, tuple(sorted(scores, key=lambda score: -score.probability)), as_of=days[entity])
        for entity, scores in by_entity.items()
    )


def _one_row_each(trained: Trained, number: int) -> pa.Table:
    """Rows of the explained sample, the last one of each entity, spread over the range of scores."""
    rows, task = trained.explained, trained.material.task
    order = np.lexsort([-np.arange(rows.num_rows), -rows["cutoff"].to_numpy().astype(np.int64)])
    entity = rows[task.entity].combine_chunks().dictionary_encode().indices.to_numpy()
    _, first = np.unique(entity[order], return_index=True)
    rows = rows.take(pa.array(np.sort(order[first])))
    probability = trained.fitted.model.calibrator.apply(trained.fitted.explainer.raw_score(rows))
    return rows.take(pa.array(spread_rows(probability, number)))


def _best_offers(trained: Trained, number: int) -> pa.Table:
    """The best offers of some entities at the last forecast, spread over the scores of their first offers."""
    material, tested = trained.material, trained.tested
    last = tested.filter(pc.equal(tested["cutoff"], pc.max(tested["cutoff"])))
    entity = last[material.task.entity].combine_chunks().dictionary_encode().indices.to_numpy()
    score = last["score"].to_numpy()
    order = np.lexsort([-score, entity])
    starts = np.unique(entity[order], return_index=True)[1]
    chosen = [order[start : start + OFFERS] for start in starts[spread_rows(score[order[starts]], number)]]
    rows = np.concatenate([part[entity[part] == entity[part[0]]] for part in chosen])
    keys = [*material.task.keys, "cutoff", "window_end", "target"]
    return material.snapshots.features(last.select(keys).take(pa.array(np.sort(rows))))
