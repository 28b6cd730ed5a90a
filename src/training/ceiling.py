"""The ceiling: what the true probabilities reach on the test window, where the data come from a simulated world.

The truth is asked after the model has scored, for measuring alone; nothing of it reaches a feature or a fit. The true
probabilities know every latent trait and the whole history up to the cutoff, but neither the future nor whether a
silent customer has left. They are means over re-simulated futures where there is no closed form: the error of the draws
(see `rapport.data.world.ceilings.DRAWS`) puts a ceiling a little too low, never too high.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..config import Config, LeavingConfig, TimeToCancelConfig, TimeToLeaveConfig
from ..errors import DataError
from ..language.declarations import Sum
from ..tasks.base import Task
from .material import Floats

if TYPE_CHECKING:
    from ..data.world.truth import Truth

CLOSEST = 1e-6  # to 0 and 1: a draw of futures cannot tell never from almost never


def open_truth(config: Config) -> Truth | None:
    """The truth of the configured world; None where the data do not come from one."""
    if config.world is None:
        return None
    from ..data.world.project import project_world
    from ..data.world.truth import Truth

    return Truth(project_world(config))


def true_probability(truth: Truth, task: Task, rows: pa.Table) -> Floats | None:
    """The true probability of each row's target, (n,), or None where the world has no truth for such a task.

    `rows` has the task's keys and `cutoff`. Raises DataError where the truth does not know a row: then the tables are
    not those of this world.
    """
    from ..data.world.ceilings import TASKS, true_probabilities

    if task.name not in TASKS:
        return None
    found = true_probabilities(truth, task.name, rows.select([*task.keys, "cutoff"]), horizon=task.horizon)
    return np.clip(_known(truth, task, found), CLOSEST, 1 - CLOSEST)


def true_worth(truth: Truth, task: Task, rows: pa.Table) -> Floats | None:
    """The money expected of each row, (n,), or None where the task has no such worth: a customer's margin.

    `rows` as for `true_probability`, which raises the same.
    """
    measure = None if task.worth is None else task.worth.measure
    if not isinstance(measure, Sum) or measure.column != "margin" or task.keys != ("customer_id",):
        return None
    from ..data.world.ceilings import true_margins

    found = true_margins(truth, rows.select([*task.keys, "cutoff"]), horizon=task.horizon)
    return _known(truth, task, found)


def _known(truth: Truth, task: Task, found: Floats) -> Floats:
    unknown = int(np.isnan(found).sum())
    if unknown:
        raise DataError(
            f"{task.name}: the truth in {truth.folder} does not know {unknown} of {len(found)} test rows; the "
            "tables are not those of this world"
        )
    return found


def true_curves(truth: Truth, config: LeavingConfig, rows: pa.Table, periods: int) -> Floats:
    """The true P(still there at the end of each period) of rows (n) of a task of time to leave, (n, periods)."""
    from ..data.world.ceilings import staying

    within = config.active_within if isinstance(config, TimeToLeaveConfig) else None
    paid = isinstance(config, TimeToCancelConfig) and config.plans != ()
    return np.clip(staying(truth, rows, config.every, periods, active_within=within, paid=paid), CLOSEST, 1 - CLOSEST)


def true_effect(truth: Truth, task: Task, rows: pa.Table) -> Floats:
    """The true effect of the contact on each row's target, (n,): P(purchase | contacted) - P(purchase | held back)."""
    from ..data.world.ceilings import true_effects

    return true_effects(truth, rows.select([*task.keys]))


def share_of_abusers(truth: Truth, rows: pa.Table, raw: Floats, percents: Sequence[int]) -> dict[str, float]:
    """By the truth: which share of all planted abusers who have begun stand in queues of so many per cent of the rows.

    `rows` (n) have customer_id and `cutoff`, `raw` (n,) is the score by which the queue is ordered. Beside the share of
    all, that of each kind of abuse, at 5 %.
    """
    known = truth.trouble(pc.unique(rows["cutoff"]).to_pylist(), 0, customers=[int(i) for i in pc.unique(rows[0])])
    known = known.filter(known["begun"]).select(["customer_id", "cutoff", "kind"])
    asked = pa.table({"customer_id": rows[0].cast(pa.int64()), "cutoff": rows["cutoff"], "raw": raw})
    known = known.set_column(0, "customer_id", known["customer_id"].cast(pa.int64()))
    of = asked.join(known, ["customer_id", "cutoff"]).sort_by([("raw", "descending")])
    kind = np.asarray(of["kind"].to_pylist(), object)
    abuser, found = np.array([one is not None for one in kind]), {}
    for percent in percents:
        queue = abuser[: round(len(abuser) * percent / 100)]
        found[f"truth.test.abusers_at_{percent}pct"] = float(queue.sum() / max(abuser.sum(), 1))
    queue = kind[: round(len(kind) * 0.05)]
    for name in sorted({one for one in kind if one is not None}):
        found[f"truth.test.{name}_at_5pct"] = float((queue == name).sum() / (kind == name).sum())
    return found
