"""Which segment a prospect will belong to, from his attributes alone, and what is to be expected of him in money.

Nothing is trained: the customers of the newest result of `segments` who share attributes with the prospects tell in
which segment those of each value are,

    P(s | values) ~ P(s) x product over attributes of P(s | value) / P(s)

(naive Bayes), with P(s | value) drawn towards P(s) as if STRENGTH customers of the value were like all: a value that
few have says little. The value of a segment is the mean expected worth of its customers by the newest result of
`value`; that of a prospect is

    probability of conversion x sum over s of P(s | values) x value(s)

for the horizon of `value`. Where it is not scored, there is no such column; a prospect who told nothing gets the shares
of all customers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from ..config import Config, ConversionConfig
from ..data.dataset import Dataset
from .job import Job
from .results import read_rows, results, scores_folder

STRENGTH = 20.0
"""Customers that the shares of all count for, among those of one value."""
NAMES = ("segment", "segment_probability", "expected_worth")
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Likely:
    """Segments s (k) by their numbers, how common each is, and log P(s | value) / P(s) (k,) by attribute and value.

    `worth` (k,) is the mean expected worth of a customer of each, None where that is not known.
    """

    numbers: Ints
    prior: Floats
    evidence: Mapping[str, Mapping[str, Floats]]
    worth: Floats | None = None

    @classmethod
    def fit(
        cls, segment: npt.NDArray[np.int64], values: Mapping[str, list[str | None]], worth: Floats | None
    ) -> Likely:
        """Of customers (n): the number of their segment, their attributes by name, their expected worth (nan: none)."""
        numbers, place = np.unique(segment, return_inverse=True)
        counts = np.bincount(place).astype(np.float64)
        evidence: dict[str, dict[str, Floats]] = {}
        for name, column in values.items():
            known = np.array([one is not None for one in column])
            usual = (np.bincount(place[known], minlength=len(numbers)) + 1e-9) / max(known.sum(), 1)
            encoded = pa.array([one for one in column if one is not None], pa.string()).dictionary_encode()
            code, names = encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()
            evidence[name] = {}
            for number, value in enumerate(names):
                mine = np.bincount(place[known][code == number], minlength=len(numbers)).astype(np.float64)
                shrunk = (mine + STRENGTH * usual) / (mine.sum() + STRENGTH)
                evidence[name][value] = np.log(shrunk / usual)
        mean = None
        if worth is not None and np.isfinite(worth).any():
            overall = float(np.nanmean(worth))
            means = [worth[(place == k) & np.isfinite(worth)] for k in range(len(numbers))]
            mean = np.array([one.mean() if len(one) else overall for one in means])
        return cls(numbers, counts / counts.sum(), evidence, mean)

    def of(self, values: Mapping[str, list[str | None]], rows: int) -> Floats:
        """P(segment | values) (n, k) of prospects; values never seen of customers say nothing."""
        score = np.tile(np.log(self.prior), (rows, 1))
        nothing = np.zeros(len(self.numbers))
        for name, known in self.evidence.items():
            if name in values:
                score += np.array([known.get(one or "", nothing) for one in values[name]])
        score = np.exp(score - score.max(axis=1, keepdims=True))
        return np.asarray(score / score.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class ProspectSegments:
    """What is put beside the rows of a conversion of prospects; nothing where segments were never scored."""

    likely: Likely | None = None
    told: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Dataset, job: Job) -> ProspectSegments:
        """As of a job's day."""
        settings = data.config.task(job.task)
        if not isinstance(settings, ConversionConfig) or settings.of != "prospects":
            return cls()
        newest = {task: _newest(data.config, task, job.as_of) for task in ("segments", "value")}
        shared = _shared(data)
        if newest["segments"] is None or not shared:
            return cls()
        segments = read_rows(newest["segments"], ["entity_id", "segment"])
        ids = segments["entity_id"].cast(pa.string())
        customers = _attributes(data, "customers", "customer_id", shared)
        values = {name: [known.get(one) for one in ids.to_pylist()] for name, known in customers.items()}
        worth = None if newest["value"] is None else _worth(newest["value"], ids)
        likely = Likely.fit(segments["segment"].to_numpy().astype(np.int64), values, worth)
        return cls(likely, _attributes(data, "prospects", "prospect_id", shared))

    def beside(self, rows: pa.Table) -> pa.Table:
        """Rows of the scores file with the columns NAMES before the reasons."""
        if self.likely is None:
            return rows
        ids = rows["entity_id"].cast(pa.string()).to_pylist()
        told = {name: [known.get(one) for one in ids] for name, known in self.told.items()}
        probability = self.likely.of(told, len(ids))
        best = probability.argmax(axis=1)
        columns = [pa.array(self.likely.numbers[best], pa.int64()), pa.array(probability[np.arange(len(ids)), best])]
        if self.likely.worth is not None:
            columns.append(pa.array(rows["score"].to_numpy() * (probability @ self.likely.worth)))
        for name, column in zip(NAMES, columns, strict=False):
            rows = rows.add_column(rows.schema.get_field_index("reason_1"), name, column)
        return rows


def _newest(config: Config, task: str, day: date) -> Path | None:
    """The newest result of a configured task up to a day."""
    if task not in config.tasks.named():
        return None
    until = [folder for moment, folder in results(scores_folder(config, task)).items() if moment <= day]
    return until[-1] if until else None


def _shared(data: Dataset) -> list[str]:
    """The attributes in words that customers and prospects have in common."""
    customers, prospects = (data.attributes.get(table, ()) for table in ("customers", "prospects"))
    both = [name for name in prospects if name in customers]
    return [name for name in both if all("CHAR" in data.columns[table][name] for table in ("customers", "prospects"))]


def _attributes(data: Dataset, table: str, key: str, names: list[str]) -> dict[str, dict[str, str | None]]:
    """The attributes of a table's keys (as text), by attribute."""
    query = exp.select(exp.column(key), *(exp.column(name, quoted=True) for name in names)).from_(table)
    rows = data.engine.arrow(query)
    ids = rows[key].cast(pa.string()).to_pylist()
    return {name: dict(zip(ids, (_plain(one) for one in rows[name].to_pylist()), strict=True)) for name in names}


def _plain(value: str | None) -> str | None:
    text = "" if value is None else value.strip().casefold()
    return text or None


def _worth(folder: Path, ids: pa.ChunkedArray) -> Floats:
    """The expected worth of customers by a result, in the order of their ids; nan for who has none."""
    rows = read_rows(folder, ["entity_id", "expected_worth"])
    place = pc.index_in(ids, rows["entity_id"].cast(pa.string()).combine_chunks())
    found = rows["expected_worth"].combine_chunks().take(place.combine_chunks())
    return np.asarray(found.to_numpy(zero_copy_only=False), np.float64)
