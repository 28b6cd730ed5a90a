"""What became of keys that were scored: the target of a task, measured when its window has ended."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from ..data.dataset import Dataset
from ..language.compile import compile_requirement, holds
from ..language.moments import PerRow, Shared, shift
from ..language.population import compile_plans, compile_spine
from ..tasks.base import Task
from .snapshot import Snapshots

_MICROSECONDS = pa.timestamp("us")


class Outcomes(Snapshots):
    """Measures the target of one task for given keys."""

    def __init__(self, data: Dataset, task: Task) -> None:
        super().__init__(data, task, blocks=(), learned={})

    def of(self, keys: pa.Table, as_of: datetime) -> pa.Table:
        """The keys that were scored as of a moment, with `window_end` and `target`, where the window has ended.

        Keys of plans that are no longer there are left out.
        """
        spine = self._with_ends(keys.select(list(self.task.keys)), as_of)
        ended = pc.less_equal(spine["window_end"], pa.scalar(self.data.observed_until, _MICROSECONDS))
        spine = spine.filter(ended)
        moment = PerRow() if self.task.is_planned else Shared(as_of, self.zone)
        self._set_spine(spine, self.task.outcome.measures)
        found = self.engine.arrow(compile_spine((), self.task.outcome, moment, self.tables))
        return found.select([*self.task.keys, "window_end", "target"])

    def positives(self, as_of: datetime) -> pa.Table:
        """How many of an entity's eligible keys came true, scored or not: the entity and `n` (int64)."""
        moment, target = Shared(as_of, self.zone), self.task.outcome
        query = compile_requirement(target, moment, self.tables)
        true = exp.select(*target.key).from_(query.subquery("t")).where(holds(target.condition, exp.column("value")))
        spine = self.engine.arrow(true)
        for name, value in (("cutoff", as_of), ("window_end", shift(as_of, self.task.horizon, self.zone))):
            spine = spine.append_column(name, pa.repeat(pa.scalar(value, _MICROSECONDS), spine.num_rows))
        eligible = self._eligible(spine, moment, with_target=False)
        counted = eligible.group_by(self.task.entity).aggregate([([], "count_all")])
        return counted.rename_columns([self.task.entity, "n"])

    def _with_ends(self, keys: pa.Table, as_of: datetime) -> pa.Table:
        if self.task.is_planned:
            plans = self.engine.arrow(compile_plans(self._plans, as_of, datetime(9999, 1, 1), as_of))
            ends = plans.select([*self.task.keys, "window_end"])
            keys = keys.join(ends, list(self.task.keys), join_type="inner")
        else:
            end = pa.scalar(shift(as_of, self.task.horizon, self.zone), _MICROSECONDS)
            keys = keys.append_column("window_end", pa.repeat(end, keys.num_rows))
        return keys.append_column("cutoff", pa.repeat(pa.scalar(as_of, _MICROSECONDS), keys.num_rows))
