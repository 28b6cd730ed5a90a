"""The ceiling: what the true probabilities reach on the test window, where the data come from a simulated world.

The truth is asked after the model has scored, for measuring alone; nothing of it reaches a feature or a fit. The true
probabilities know every latent trait and the whole history up to the cutoff, but neither the future nor whether a
silent customer has left. They are means over re-simulated futures where there is no closed form: the error of the draws
(see `rapport.data.world.ceilings.DRAWS`) puts a ceiling a little too low, never too high.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

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
    """The money expected of each row, (n,), or None where the task has no worth, or one that is not the margin.

    `rows` as for `true_probability`, which raises the same.
    """
    measure = None if task.worth is None else task.worth.measure
    if not isinstance(measure, Sum) or measure.column != "margin":
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
