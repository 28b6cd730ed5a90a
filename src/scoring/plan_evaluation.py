"""What a plan brought, once outcomes are known: from its decision log, by who was left to chance.

Everybody for whom the plan chose an action either got it, with a known probability, or was left to chance: so the gain
of acting over doing nothing can be told without trusting the estimates that the plan was chosen by.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..data.dataset import Dataset
from ..decisions.allocate import Choices, Floats
from ..decisions.policy_value import PolicyValue, policy_gain
from ..errors import ConfigError, DataError
from ..language.compile import compile_measure
from ..language.declarations import Measure, Sum
from ..language.moments import Shared, midnight
from .plan_files import PLAN, intact_rows
from .results import results

_FEWEST = 30  # decisions of an action, below which it has no expectation of its own
_HABIT = 365  # days before the plan, whose spending tells most of what comes after


@dataclass(frozen=True)
class PlanValue:
    """What a plan brought in `horizon` days, for each customer it chose an action for, less the action's cost.

    `gain` is the mean gain over doing nothing, `promised` what the plan expected, `customers` how many got what was
    chosen, `held_out` how many were left to chance instead.
    """

    as_of: date
    horizon: int
    measured_by: str
    gain: PolicyValue
    promised: float
    customers: int
    held_out: int


def evaluate(data: Dataset, *, horizon: int, as_of: date | None = None, out: Path | None = None) -> PlanValue:
    """Judge the plan of a local day (default: the newest whose outcomes are known) by what its customers brought since.

    The reward is the margin (where the data have none: the sales) of `horizon` days less the action's cost. Prospects
    and mandatory actions are not judged: the former bring no money yet, the latter nobody went without. ConfigError
    where there is no such plan, DataError where outcomes are not known yet or too few were left to chance.
    """
    folder = out or data.config.home / PLAN / data.config.name
    last = data.observed_until - timedelta(days=horizon)
    days = [day for day in results(folder) if midnight(day, data.config.zone) <= last]
    if as_of is None and not days:
        raise ConfigError(
            f"no plan in {folder} is {horizon} days older than the data, which end {data.observed_until:%Y-%m-%d}"
        )
    day = days[-1] if as_of is None else as_of
    if day not in results(folder):
        raise ConfigError(f"there is no plan as of {day} in {folder}; run `rapport plan` for that day first")
    if day not in days:
        raise DataError(
            f"what came of the plan of {day} is not known yet: {horizon} days after it the data have ended "
            f"({data.observed_until:%Y-%m-%d}); choose a shorter horizon or wait"
        )
    rows = intact_rows(results(folder)[day])
    if "policy" not in rows.column_names:
        raise ConfigError(f"the plan of {day} does not say what it chose for those left to chance; make it again")
    chosen = pc.and_(
        pc.is_valid(rows["policy"]), pc.and_(pc.equal(rows["kind"], "customer"), pc.less(rows["chance"], 1))
    )
    rows = rows.filter(chosen)
    if not rows.num_rows:
        raise DataError(f"the plan of {day} left nothing to chance, or gives nothing to customers: it cannot be judged")
    return _judge(data, day, horizon, rows)


def _judge(data: Dataset, day: date, horizon: int, rows: pa.Table) -> PlanValue:
    column = "margin" if data.has("transactions", "customer_id", "margin") else "amount"
    came = _money(data, day, Sum(column=column, ahead=horizon), rows)
    habit = _money(data, day, Sum(column=column, last=(_HABIT,)), rows)
    reward = came - np.nan_to_num(rows["cost"].to_numpy())
    names = pc.unique(rows["policy"]).to_pylist()
    policy = _numbered(rows["policy"], names)
    action = _numbered(rows["action"], names)
    expected = _expected(reward, action, habit, len(names) + 1, data.config.seed)
    gain = policy_gain(
        reward, action, rows["chance"].to_numpy(), policy, np.zeros_like(policy), expected, seed=data.config.seed
    )
    held_out = int((action == 0).sum())
    return PlanValue(
        as_of=day,
        horizon=horizon,
        measured_by=column,
        gain=gain,
        promised=float(pc.mean(rows["expected_value"]).as_py() or 0.0),
        customers=rows.num_rows - held_out,
        held_out=held_out,
    )


def _money(data: Dataset, day: date, measure: Measure, rows: pa.Table) -> Floats:
    """What each customer of the rows (n,) brought by a measure, 0 where he bought nothing."""
    moment = Shared(midnight(day, data.config.zone), data.config.zone)
    found = data.engine.arrow(compile_measure("transactions", ("customer_id",), measure, moment, data.columns))
    place = pc.index_in(
        rows["entity_id"].combine_chunks(), value_set=found["customer_id"].cast(pa.string()).combine_chunks()
    )
    amounts = found["value"].cast(pa.float64()).combine_chunks().take(place)
    return np.nan_to_num(np.asarray(amounts.to_numpy(zero_copy_only=False), np.float64))


def _numbered(column: pa.ChunkedArray, names: list[str]) -> Choices:
    """Actions from 1, nothing as 0."""
    place = pc.index_in(column.combine_chunks(), value_set=pa.array(names, pa.string()))
    return np.asarray(pc.fill_null(pc.add(place, 1), 0).to_numpy(zero_copy_only=False), np.int64)


def _expected(reward: Floats, action: Choices, habit: Floats, actions: int, seed: int) -> Floats:
    """What each action (n, actions) is expected to bring each customer: a line on his habit, fitted on the other half.

    An action taken too rarely is expected to bring what all bring together.
    """
    half = np.random.default_rng(seed).integers(0, 2, len(reward))
    line = np.column_stack([np.ones(len(reward)), np.log1p(np.maximum(habit, 0.0)), habit])
    found = np.empty((len(reward), actions))
    for side in (0, 1):
        for number in range(actions):
            rows = (half != side) & (action == number)
            rows = rows if rows.sum() >= _FEWEST else half != side
            weights, *_ = np.linalg.lstsq(line[rows], reward[rows], rcond=None)
            found[half == side, number] = line[half == side] @ weights
    return found
