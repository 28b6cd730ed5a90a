"""Who may get which action, and what that is worth: the matrix from which a plan is chosen.

The value of an action for a customer is lever x score x worth - cost (see `config.ActionConfig`). Rules take candidates
away one after the other, and each is counted: so a plan can say why somebody gets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..config import ActionConfig, PlanConfig
from ..errors import ConfigError
from .allocate import Floats

Flags = NDArray[np.bool_]
DIRECTIONS = ("more", "longer", "deeper")


@dataclass(frozen=True)
class Candidates:
    """The entities (n,) with what each action (m) is worth to them.

    `value` (n, m) is -inf where an action may not be had, `gross` (n, m) what it would be worth without any rule (-inf
    where there is no score), `removed` counts by rule how many candidates it took away.
    """

    entities: pa.Array
    actions: tuple[str, ...]
    value: Floats
    gross: Floats
    score: Floats
    removed: dict[str, int]


@dataclass(frozen=True)
class Rule:
    """Whom an action may not be given: `forbidden` (n,) says of each entity."""

    words: str
    forbidden: Flags


def candidates(
    plan: PlanConfig, scores: Mapping[str, pa.Table], rules: Sequence[Rule], entities: pa.Array
) -> Candidates:
    """The candidates of a plan.

    `scores` has by task `entity_id` (text, one row each) and the columns of the scores file, `entities` (n,) all ids
    that stand in any of them, `rules` hold for every action. ConfigError where an action names a task or a column that
    is not there.
    """
    n, actions = len(entities), tuple(plan.actions)
    gross, score = np.full((n, len(actions)), -np.inf), np.full((n, len(actions)), np.nan)
    value, removed = gross.copy(), {}
    for place, (name, action) in enumerate(plan.actions.items()):
        own = _column(scores, action.task, "score", name, entities)
        worth = _worth(action, name, scores, entities)
        known = ~np.isnan(own) & ~np.isnan(worth)
        left_out = _left_out(scores[action.task], entities)
        removed[f"{name}: left out of the list"] = int((known & left_out).sum())
        amount = action.lever * own * worth - action.cost
        gross[known, place], score[:, place] = amount[known], own
        inside = own >= action.least_score
        if action.most_score is not None:
            inside &= own <= action.most_score
        removed[f"{name}: score outside its range"] = int((known & ~left_out & ~inside).sum())
        eligible = known & inside & ~left_out
        value[eligible, place] = amount[eligible]
    for rule in rules:
        taken = np.isfinite(value[rule.forbidden])
        removed[rule.words] = removed.get(rule.words, 0) + int(taken.sum())
        value[rule.forbidden] = -np.inf
    return Candidates(entities, actions, value, gross, score, {words: n for words, n in removed.items() if n})


def resources(plan: PlanConfig) -> tuple[tuple[str, ...], Floats, Floats]:
    """The limits of a plan by name, what each action takes of them (m, r), and how much there is (r,)."""
    names, uses, limits = [], [], []
    actions = list(plan.actions.values())
    if plan.budget is not None:
        names.append("budget")
        uses.append([action.cost for action in actions])
        limits.append(plan.budget)
    for direction, money in plan.budgets.items():
        names.append(f"budget for {direction}")
        uses.append([action.cost if action.direction == direction else 0.0 for action in actions])
        limits.append(money)
    for channel, places in plan.channels.items():
        names.append(f"places in {channel}")
        uses.append([1.0 if action.channel == channel else 0.0 for action in actions])
        limits.append(float(places))
    matrix = np.array(uses, np.float64).T if uses else np.zeros((len(actions), 0))
    return tuple(names), matrix, np.array(limits, np.float64)


def _left_out(table: pa.Table, entities: pa.Array) -> Flags:
    """Who is on a task's list no more, for the reason that its scores give, (n,)."""
    if "left_out_because" not in table.column_names:
        return np.zeros(len(entities), bool)
    out = table.filter(pc.is_valid(table["left_out_because"]))["entity_id"].combine_chunks()
    return np.asarray(pc.is_in(entities, value_set=out), bool)


def _worth(action: ActionConfig, name: str, scores: Mapping[str, pa.Table], entities: pa.Array) -> Floats:
    if isinstance(action.worth, str):
        task, column = action.worth.split(".", 1)
        return _column(scores, task, column, name, entities)
    return np.full(len(entities), float(action.worth))


def _column(scores: Mapping[str, pa.Table], task: str, column: str, action: str, entities: pa.Array) -> Floats:
    """A column of a task's scores for each entity (n,), nan where it has none."""
    table = scores.get(task)
    if table is None:
        raise ConfigError(
            f"plan.actions.{action} needs the scores of '{task}', and there are none; run `rapport score`"
        )
    if column not in table.column_names:
        raise ConfigError(
            f"plan.actions.{action}: the scores of '{task}' have no column '{column}'; they have "
            f"{', '.join(name for name in table.column_names if not name.startswith('reason_'))}"
        )
    place = pc.index_in(entities, value_set=table["entity_id"].combine_chunks())
    return np.asarray(table[column].cast(pa.float64()).take(place).to_numpy(zero_copy_only=False), np.float64)
