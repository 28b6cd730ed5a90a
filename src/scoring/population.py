"""Who is scored by a job, and what is known of them, bucket by bucket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa

from ..data.dataset import Dataset
from ..features.own import check_same
from ..features.stream import SnapshotStream
from ..models.bundle import Bundle
from ..tasks.base import Task
from .best_offer import BestOffers
from .comparable import growing, plans_in_sight
from .findings import Finding
from .guards import check_features
from .job import Job
from .left_out import LeftOut
from .never import Never
from .profile import Profile, count_rows, empty_profile
from .prospect_segments import ProspectSegments
from .rows import Scorer
from .workspace import Tally


class Population:
    """Use it as a context manager: inside, the names of the data's tables stand for one bucket at a time.

    Features are those of the model: its blocks, its learned values. `findings` is what they showed, `empty` the
    profile of the population before anything is counted.
    """

    def __init__(self, data: Dataset, task: Task, bundle: Bundle, job: Job) -> None:
        self.data, self.task, self.bundle, self.job = data, task, bundle, job
        trained = bundle.config.get("tasks", {}).get(task.name) or {}
        learned = {name: tuple(values) for name, values in bundle.metadata.get("learned", {}).items()}
        check_same(data.config, bundle.metadata.get("own_features", {}), task.name)
        never = Never(data, task.entity)
        self.left_out = LeftOut.of(data, job)
        self.best_offers = BestOffers.of(data, task, job)
        self.segments = ProspectSegments.of(data, job)
        self.stream = SnapshotStream(data, task, blocks=trained.get("blocks"), learned=learned, allowed=never.allowed)
        plan = self.stream.plan
        windows = bundle.metadata.get("windows", {})
        self.empty = empty_profile(
            bundle, growing(plan, windows, data.first_event, job.cutoff), plans_in_sight(self.stream, job)
        )
        self.findings: list[Finding] = check_features(task.name, bundle, self.stream.columns, plan.left_out)

    def __enter__(self) -> Population:
        return self

    def __exit__(self, *fault: object) -> None:
        self.stream.close()

    def scorer(self) -> Scorer:
        """The model, made ready."""
        config = self.data.config
        return Scorer.of(self.task, self.bundle, currency=config.currency, threads=config.threads)

    def count(self) -> int:
        """Number of rows that would be scored (before any cut to the top ranks)."""
        return sum(self.stream.count(self.job.cutoff, bucket) for bucket in range(self.job.parts))

    def scored(
        self, scorer: Scorer, bucket: int, scored_at: datetime, empty: Profile
    ) -> Iterator[tuple[pa.Table, Tally]]:
        """The rows of a bucket's part piece by piece, each with the counts of what was scored for it."""
        for piece in self.pieces(bucket):
            rows, raw = scorer.rows(piece, self.job, scored_at)
            counts, counted = count_rows(empty, piece, raw)
            yield self.beside(rows), Tally(counted, counts)

    def beside(self, rows: pa.Table) -> pa.Table:
        """Rows of the scores file with what a win-back list, or a list of prospects, says of them beside."""
        return self.segments.beside(self.left_out.beside(self.best_offers.beside(rows)))

    def pieces(self, bucket: int) -> Iterator[pa.Table]:
        """The rows of a bucket with their features."""
        return self.stream.pieces(self.job.cutoff, bucket)
