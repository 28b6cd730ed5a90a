"""A job on Spark: features by Spark SQL, scored where they are, in Arrow batches (`mapInArrow`).

The model travels as the text and JSON of its files, and is made ready once in each worker. The rows that come back are
those of a part, and the driver writes it: so a job is whole, once, and with its manifest, as on any engine.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from ..data.dataset import Dataset
from ..data.engine_spark import SparkEngine
from ..explain.contributions import Explainer, explainer
from ..explain.words import ReasonWriter
from ..features.stream import ROW
from ..models.base import Floats
from ..models.bundle import WORTH, Bundle
from ..models.kinds import load_model
from ..models.scoring_model import ScoringModel
from ..models.worth import WorthModel
from ..tasks.base import Task
from .job import Job
from .population import Population
from .profile import Profile, count_rows
from .rows import Scorer
from .workspace import Tally

TALLY = "__tally"
Files = tuple[tuple[str, bytes], ...]


def population_of(data: Dataset, task: Task, bundle: Bundle, job: Job) -> Population:
    """The population of a job, on the engine of its data."""
    kind = SparkPopulation if isinstance(data.engine, SparkEngine) else Population
    return kind(data, task, bundle, job)


class SparkPopulation(Population):
    """As `Population`, but the rows of a piece are scored by Spark's workers."""

    def scored(
        self, scorer: Scorer, bucket: int, scored_at: datetime, empty: Profile
    ) -> Iterator[tuple[pa.Table, Tally]]:
        """The rows of a bucket's part piece by piece, in their order; each with its counts."""
        engine = self.data.engine
        assert isinstance(engine, SparkEngine)
        files, currency = _files_of(self.bundle), self.data.config.currency
        for query, names in self.stream.queries(self.job.cutoff, bucket):
            nobody, _ = scorer.rows(engine.arrow(query.limit(0)).select(names), self.job, scored_at)
            columns = nobody.column_names
            work = _Work(files, self.bundle.distribution, self.task, self.job, scored_at, empty, currency, tuple(names))
            found = engine.mapped(query, self.task.entity, work, nobody.schema.append(pa.field(TALLY, pa.string())))
            tally = Tally()
            for text in found[TALLY].drop_null().to_pylist():
                part = json.loads(text)
                tally.add(part["counts"], part["rows"])
            keys = [name for name in ("entity_id", "rank", *self.task.keys[1:]) if name in columns]
            rows = found.select(columns).sort_by([(name, "ascending") for name in keys])
            yield self.beside(rows.cast(nobody.schema)), tally


@dataclass(frozen=True)
class _Work:
    """What a worker does with a partition, and all that it needs for it."""

    files: Files
    distribution: Floats | None
    task: Task
    job: Job
    scored_at: datetime
    empty: Profile
    currency: str
    names: tuple[str, ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of the scores file; the first one carries the partition's counts."""
        held = [batch for batch in batches if batch.num_rows]
        if not held:
            return
        piece = pa.Table.from_batches(held).sort_by(ROW).select(self.names)
        rows, raw = self._scorer().rows(piece, self.job, self.scored_at)
        counts, counted = count_rows(self.empty, piece, raw)
        tally = [json.dumps(asdict(Tally(counted, counts)))] + [None] * (rows.num_rows - 1)
        yield from rows.append_column(TALLY, pa.array(tally, pa.string())).to_batches()

    def _scorer(self) -> Scorer:
        model, worth, explains = _ready(self.files)
        bundle = Bundle(model, {}, {}, self.distribution, worth)
        writer = ReasonWriter(bundle.columns, model.quantiles, self.currency, model.encoder.missing)
        return Scorer(self.task, bundle, explains, writer)


def _files_of(bundle: Bundle) -> Files:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle.model.save(folder)
        if bundle.worth is not None:
            bundle.worth.save(folder / WORTH)
        found = sorted(file for file in folder.rglob("*") if file.is_file())
        return tuple((file.relative_to(folder).as_posix(), file.read_bytes()) for file in found)


@lru_cache(maxsize=2)
def _ready(files: Files) -> tuple[ScoringModel, WorthModel | None, Explainer]:
    """A model and its tables, made in this process from the model's files; one thread, for Spark has the others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for inner, content in files:
            (folder / inner).parent.mkdir(exist_ok=True)
            (folder / inner).write_bytes(content)
        model = load_model(folder, threads=1)
        worth = WorthModel.load(folder / WORTH, threads=1) if (folder / WORTH).is_dir() else None
    return model, worth, explainer(model, threads=1)
