"""Whom a win-back list leaves out, and why: who left for a cause against which no offer helps, or none should be made.

A customer who said why he left, and has bought nothing since, is known. For others the task `defection` foretells the
cause when they fall silent: the newest of its scores up to the list's day counts. Rows stay in the scores file, with
the reason in `left_out_because`: so a reader sees who is missing on the list, and a plan passes him over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from ..config import WinbackConfig
from ..data.dataset import Dataset
from ..language.compile import compile_measure
from ..language.declarations import DaysSinceLast, Latest, Measure
from ..language.moments import Shared
from .job import Job
from .results import read_rows, results, scores_folder

LEFT_OUT = "left_out_because"
_CUSTOMER = ("customer_id",)


@dataclass(frozen=True)
class LeftOut:
    """Reasons by customer, as text; `applies` is False for tasks whose lists leave nobody out."""

    applies: bool = False
    because: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Dataset, job: Job) -> LeftOut:
        """Who is left out of a job's list."""
        config = data.config.task(job.task)
        if not isinstance(config, WinbackConfig):
            return cls()
        return cls(True, _foretold(data, config, job) | _stated(data, config, job))

    def beside(self, rows: pa.Table) -> pa.Table:
        """Rows of the scores file with the column `left_out_because` before the reasons; null for who stays."""
        if not self.applies:
            return rows
        ids = rows["entity_id"].cast(pa.string()).to_pylist()
        said = pa.array([self.because.get(one) for one in ids], pa.string())
        return rows.add_column(rows.schema.get_field_index("reason_1"), LEFT_OUT, said)


def _stated(data: Dataset, config: WinbackConfig, job: Job) -> dict[str, str]:
    """Who named such a cause when he ended his last subscription, and has bought nothing since."""
    if not data.has("subscription_ends", "customer_id", "end_reason"):
        return {}
    found = _measured(data, job, "subscription_ends", Latest(column="end_reason"))
    found = found.filter(pc.is_in(found["value"], value_set=pa.array(config.leave_out, pa.string())))
    since = _measured(data, job, "subscription_ends", DaysSinceLast())
    bought = _measured(data, job, "transactions", DaysSinceLast())
    ended_at = dict(zip(since["customer_id"].to_pylist(), since["value"].to_pylist(), strict=True))
    wanted = bought.filter(pc.is_in(bought["customer_id"], value_set=found["customer_id"].combine_chunks()))
    bought_at = dict(zip(wanted["customer_id"].to_pylist(), wanted["value"].to_pylist(), strict=True))
    return {
        who: f"said so: {cause}"
        for who, cause in zip(found["customer_id"].to_pylist(), found["value"].to_pylist(), strict=True)
        if ended_at[who] <= bought_at.get(who, float("inf"))
    }


def _foretold(data: Dataset, config: WinbackConfig, job: Job) -> dict[str, str]:
    """For whom `defection` held such a cause for likely when it last looked at them, up to the job's day."""
    newest: dict[str, tuple[str, float]] = {}
    for day, folder in results(scores_folder(data.config, "defection")).items():
        if data.config.tasks.defection is not None and day <= job.as_of:
            rows = read_rows(folder, ["entity_id", "score", "cause"])
            ids, found = rows["entity_id"].cast(pa.string()).to_pylist(), (rows["cause"], rows["score"])
            newest |= dict(zip(ids, zip(*(one.to_pylist() for one in found), strict=True), strict=True))
    return {
        who: f"probably {cause} ({score:.0%})"
        for who, (cause, score) in newest.items()
        if cause in config.leave_out and score >= config.leave_out_from
    }


def _measured(data: Dataset, job: Job, table: str, measure: Measure) -> pa.Table:
    """`value` of each customer, whose id is text."""
    query = compile_measure(table, _CUSTOMER, measure, Shared(job.cutoff, data.config.zone), data.columns)
    rows = data.engine.arrow(query)
    return pa.table({"customer_id": rows["customer_id"].cast(pa.string()), "value": rows["value"]})
