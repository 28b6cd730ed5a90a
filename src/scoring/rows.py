"""From a population to the rows of the scores file: features, scores, percentiles, ranks and reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import ModelError
from ..explain.contributions import Explainer, explainer
from ..explain.words import ReasonWriter
from ..models.base import Floats
from ..models.bundle import Bundle, percentiles
from ..models.encoding import numbers
from ..tasks.base import Task
from .job import Job

REASONS = 5
SCORED_AT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Scorer:
    """A model made ready to score snapshots: the same object serves all parts of a job."""

    task: Task
    bundle: Bundle
    explainer: Explainer
    writer: ReasonWriter

    @classmethod
    def of(cls, task: Task, bundle: Bundle, *, currency: str = "", threads: int | None = None) -> Scorer:
        """Build the tables of a model, which takes some seconds."""
        return cls(
            task,
            bundle,
            explainer(bundle.model, threads=threads),
            ReasonWriter(bundle.columns, bundle.model.quantiles, currency, bundle.model.encoder.missing),
        )

    def raw_scores(self, snapshot: pa.Table) -> Floats:
        """Raw scores (n,) of a snapshot."""
        return self.explainer.raw_score(snapshot)

    def rows(self, snapshot: pa.Table, job: Job, scored_at: datetime) -> tuple[pa.Table, Floats]:
        """The rows of the scores file for a snapshot, sorted by keys or rank, and the raw scores (n,) of all of it.

        For a task whose values compete for an entity only the task's top ranks are kept, and reasons are computed for
        those alone.
        """
        rank, of_all = None, None
        if self.task.ranks_within is not None:
            of_all = self.raw_scores(snapshot)
            chosen, rank = self._best(snapshot, of_all)
            snapshot = snapshot.take(pa.array(chosen))
        reasons = self.explainer.top_reasons(snapshot, REASONS)
        raw = reasons.raw_score
        known = self.bundle.distribution
        columns: dict[str, pa.Array | pa.ChunkedArray] = self._keys(snapshot, rank)
        n = snapshot.num_rows
        probability = self.bundle.model.calibrator.apply(raw)
        columns["as_of"] = pa.repeat(pa.scalar(job.as_of, pa.date32()), n)
        columns["score"] = pa.array(probability, pa.float64())
        columns["raw_score"] = pa.array(raw, pa.float64())
        columns["percentile"] = pa.nulls(n, pa.float64()) if known is None else pa.array(percentiles(raw, known))
        columns |= outputs(self.task, snapshot, probability)
        columns |= self.bundle.model.outputs(snapshot)
        if self.task.ordered:
            columns |= reach(self.task, columns)
        if self.bundle.worth is not None:
            columns |= self.bundle.worth.foretell(snapshot, probability).columns()
        if self.task.caution:
            columns["caution"] = pa.repeat(pa.scalar(self.task.caution), n)
        columns |= reasons.columns(self.writer.write_batch(snapshot, reasons.feature))
        columns |= _provenance(job, scored_at, n)
        return pa.table(columns), raw if of_all is None else of_all

    def _keys(self, snapshot: pa.Table, rank: npt.NDArray[np.int32] | None) -> dict[str, pa.Array | pa.ChunkedArray]:
        entity, *others = self.task.keys
        keys = {"entity_id": snapshot[entity]}
        if rank is not None:
            return keys | {"rank": pa.array(rank, pa.int32()), "offer_id": snapshot[others[0]]}
        return keys | {name: snapshot[name] for name in others}

    def _best(self, snapshot: pa.Table, raw: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Rows of the top offers of each entity, in the order of the file, and their ranks from 1.

        Ranked by raw score, since calibration may tie what the model tells apart, or by the output that the task names;
        equal ones by the offer's name. ModelError where the data cannot give that output.
        """
        entity, offer = self.task.keys[0], self.task.ranks_within
        assert offer is not None
        by: pa.Array | Floats = raw
        if self.task.rank_by is not None:
            found = outputs(self.task, snapshot, self.bundle.model.calibrator.apply(raw))
            if self.task.rank_by not in found:
                raise ModelError(
                    f"{self.task.name}: the data have no margins, so offers cannot be ranked by {self.task.rank_by}; "
                    "map transactions.margin, or set rank_by: probability"
                )
            by = pc.fill_null(found[self.task.rank_by], float("-inf"))
        table = pa.table({"entity": snapshot[entity], "by": by, "raw": raw, "offer": snapshot[offer]})
        keys = [("entity", "ascending"), ("by", "descending"), ("raw", "descending"), ("offer", "ascending")]
        order = pc.sort_indices(table, sort_keys=keys).to_numpy()
        code = table["entity"].combine_chunks().dictionary_encode().indices.to_numpy()[order]
        begins = np.flatnonzero(np.diff(code, prepend=-1))
        rank = np.arange(len(order)) - np.repeat(begins, np.diff(begins, append=len(order)))
        kept = rank < (self.task.top or len(order))
        return order[kept].astype(np.int64), (rank[kept] + 1).astype(np.int32)


def outputs(task: Task, snapshot: pa.Table, probability: Floats) -> dict[str, pa.Array]:
    """The task's further columns (n,) by name, those whose feature the snapshot has; missing where the feature is."""
    found: dict[str, pa.Array] = {}
    for output in task.outputs:
        if output.column not in snapshot.column_names:
            continue
        values = numbers(snapshot, output.column)
        if output.words:
            words = dict(output.words)
            found[output.name] = pa.array([words.get(value) for value in values.tolist()], pa.string())
        elif output.known:
            taken_off = numbers(snapshot, output.less) if output.less in snapshot.column_names else 0.0
            found[output.name] = pa.array(values - taken_off, pa.float64(), from_pandas=True)
        else:
            found[output.name] = pa.array(values * probability, pa.float64(), from_pandas=True)
    return found


def reach(task: Task, columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> dict[str, pa.Array]:
    """`reach_<stage>`, the probability (n,) of entering each stage or a later one, of those of the furthest stage.

    Without the last outcome, which is to come no further.
    """
    found: dict[str, pa.Array] = {}
    total: Floats | float = 0.0
    for outcome in task.outcomes[:-1]:
        own = columns.get(f"probability_{outcome.name}")
        total = total if own is None else total + np.asarray(own.to_numpy(), np.float64)
        if own is not None:
            found[f"reach_{outcome.name}"] = pa.array(np.minimum(total, 1.0))
    return found


def _provenance(job: Job, scored_at: datetime, n: int) -> Mapping[str, pa.Array]:
    texts = {"model_name": job.model_name, "model_version": job.model_version, "run_id": job.run_id}
    columns = {name: pa.repeat(pa.scalar(text, pa.string()), n) for name, text in texts.items()}
    columns["scored_at"] = pa.repeat(pa.scalar(scored_at.astimezone(UTC), SCORED_AT), n)
    return columns
