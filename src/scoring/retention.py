"""Retention groups: everybody at risk of leaving, from the newest scores of the tasks, published whole or not at all.

At risk is whose score of `churn` reaches `at_risk_from`; what he is worth, how loyal he is and why he may be leaving
come from `value`, `loyalty` and `defection`, as far as they were scored. The result is
`retention/<config>/as_of=YYYY-MM-DD/` with `part-000.parquet`, `summary.json` and, last, `_manifest.json`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..config import RetentionConfig
from ..data.dataset import Dataset
from ..decisions.retention import GROUPS, groups_of
from ..errors import ConfigError, DataError
from ..features.aligned import aligned
from ..language.compile import compile_measure
from ..language.declarations import Column, Count, Measure, Sum
from ..language.moments import Shared, midnight, to_local
from ..models.base import json_bytes
from .durable import publish, recover, writing_to
from .lock import only_writer
from .parts import write_content, write_part
from .results import read_rows, results, scores_folder

Say = Callable[[str], None]
Floats = npt.NDArray[np.float64]
RETENTION, SUMMARY, MANIFEST = "retention", "summary.json", "_manifest.json"
YEAR = 365
_TROUBLE = Column("kind").is_in("complaint", "failure")
_REASONS = ("reason_1", "reason_2", "reason_3")


@dataclass(frozen=True)
class RetentionReport:
    """What was published: the folder, the rows (n), and a summary as plain values."""

    folder: Path
    rows: pa.Table
    summary: dict[str, Any]


def retention(
    data: Dataset, *, as_of: date | None = None, out: Path | None = None, say: Say = lambda text: None
) -> RetentionReport:
    """Make and publish the groups as of a local day, from the newest scores up to it (default: the end of the data).

    Raises ConfigError where the configuration has no part `retention` or churn was not scored, DataError where nobody
    is at risk, OutputError where the place cannot be written.
    """
    rule = data.config.retention
    if rule is None:
        raise ConfigError("the configuration has no part `retention`; see configs/world.yaml for one")
    cutoff = data.observed_until if as_of is None else midnight(as_of, data.config.zone)
    day = to_local(cutoff, data.config.zone).date()
    say("reading the scores")
    scores = _newest(data, "churn", day)
    if scores is None:
        raise ConfigError(f"retention groups need the scores of 'churn' up to {day}; run `rapport score` first")
    chosen = scores.filter(pc.greater_equal(scores["score"], rule.at_risk_from)).sort_by("entity_id")
    if chosen.num_rows == 0:
        raise DataError(f"nobody is at risk as of {day}: no score of churn reaches {rule.at_risk_from}")
    known = known_of(data, rule, chosen["entity_id"], cutoff, day)
    grouped = groups_of(rule, known["worth"], known["service_cost"], known["troubles"], known["loyalty"])
    rows = _rows(chosen, known, grouped, _causes(data, chosen["entity_id"], day), day)
    summary = _summary(rows, scores.num_rows, day)
    place = (out or data.config.home / RETENTION / data.config.name) / f"as_of={day.isoformat()}"
    say("writing the groups")
    with writing_to(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        with only_writer(place.with_name(f".{place.name}.lock")):
            recover(place)
            _write(place, rows, summary)
    return RetentionReport(place, rows, summary)


# ------------------------------------------------------------------------------------------- what is known of them
def known_of(
    data: Dataset, rule: RetentionConfig, entities: pa.ChunkedArray, cutoff: datetime, day: date
) -> dict[str, Floats]:
    """Expected worth, cost of service for the same time, troubles lately and loyalty of customers (n,), nan if unknown.

    The cost of service is that of the last year, carried on over the horizon of `value`.
    """
    value = data.config.tasks.value
    ahead = YEAR if value is None else value.horizon
    kinds, costs = data.has("interactions", "kind"), data.has("interactions", "cost")
    cost, troubles = Sum(column="cost", last=(YEAR,)), Count(last=(rule.within_days,), where=_TROUBLE)
    nothing = np.full(len(entities), np.nan)
    return {
        "worth": _column(data, "value", "expected_worth", entities, day),
        "service_cost": _measured(data, cost, entities, cutoff) * ahead / YEAR if costs else nothing,
        "troubles": _measured(data, troubles, entities, cutoff) if kinds else nothing,
        "loyalty": _column(data, "loyalty", "score", entities, day),
    }


def _newest(data: Dataset, task: str, day: date) -> pa.Table | None:
    """The newest scores of a task up to a day; None where there are none."""
    folders = [folder for moment, folder in results(scores_folder(data.config, task)).items() if moment <= day]
    return read_rows(folders[-1]) if folders else None


def _column(data: Dataset, task: str, column: str, entities: pa.ChunkedArray, day: date) -> Floats:
    rows = _newest(data, task, day)
    if rows is None or column not in rows.column_names:
        return np.full(len(entities), np.nan)
    return aligned(rows, column, pa.table({"entity_id": entities}), "entity_id")


def _causes(data: Dataset, entities: pa.ChunkedArray, day: date) -> pa.Array:
    """The likely cause of leaving (n,); missing where `defection` says nothing of a customer."""
    rows = _newest(data, "defection", day)
    if rows is None or "cause" not in rows.column_names:
        return pa.nulls(len(entities), pa.string())
    place = pc.index_in(entities, value_set=rows["entity_id"].combine_chunks()).combine_chunks()
    return rows["cause"].combine_chunks().take(place)


def _measured(data: Dataset, measure: Measure, entities: pa.ChunkedArray, cutoff: datetime) -> Floats:
    """A measure over the interactions in sight of each customer (n,); 0 where there are none."""
    query = compile_measure("interactions", ("customer_id",), measure, Shared(cutoff, data.config.zone), data.columns)
    found = data.engine.arrow(query)
    return np.nan_to_num(aligned(found, "value", pa.table({"customer_id": entities})))


# ------------------------------------------------------------------------------------------- what comes of it
def _rows(chosen: pa.Table, known: dict[str, Floats], grouped: pa.Table, cause: pa.Array, day: date) -> pa.Table:
    columns = {
        "entity_id": chosen["entity_id"].cast(pa.string()),
        "as_of": pa.repeat(pa.scalar(day, pa.date32()), chosen.num_rows),
        "score": chosen["score"],
        **{name: grouped[name] for name in ("group", "treatment", "potential")},
        **{name: pa.array(values, from_pandas=True) for name, values in known.items()},
        "cause": cause,
        "why": grouped["why"],
        **{name: chosen[name] for name in _REASONS},
    }
    return pa.table(columns)


def _summary(rows: pa.Table, scored: int, day: date) -> dict[str, Any]:
    groups = {}
    for name in GROUPS:
        mine = rows.filter(pc.equal(rows["group"], name))
        mean = pc.mean(mine["potential"]).as_py() if mine.num_rows else None
        groups[name] = {"customers": mine.num_rows, "mean_potential": mean}
    return {"as_of": day.isoformat(), "scored": scored, "at_risk": rows.num_rows, "groups": groups}


def _write(place: Path, rows: pa.Table, summary: dict[str, Any]) -> None:
    hidden = place.with_name(f".{place.name}.new")
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir()
    part = write_part([rows], hidden, 0)
    write_content(json_bytes(summary), hidden, SUMMARY)
    columns = [{"name": field.name, "type": str(field.type)} for field in rows.schema]
    manifest = {"as_of": summary["as_of"], "rows": rows.num_rows, "columns": columns, "parts": [part.as_json()]}
    write_content(json_bytes(manifest), hidden, MANIFEST)
    publish(hidden, place)
