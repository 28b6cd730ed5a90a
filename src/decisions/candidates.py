"""Who may get which action, and what that is worth: the matrix from which a plan is chosen.

The value of an action for a customer is lever x score x worth - cost (see `config.ActionConfig`). Rules take candidates
away one after the other, and each is counted: so a plan can say why somebody gets nothing, and which rules conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..config import ActionConfig, PlanConfig
from ..errors import ConfigError
from .allocate import Floats

Flags = NDArray[np.bool_]
DIRECTIONS = ("more", "longer", "deeper")
LOWER = 1.645  # standard errors below the mean: 5 % of a normal distribution lie lower


@dataclass(frozen=True)
class Rule:
    """Whom an action may not be given: `forbidden` (n,) says of each entity; for one `action`, or for all of them."""

    words: str
    forbidden: Flags
    action: str | None = None


@dataclass(frozen=True)
class Candidates:
    """The entities (n,) with what each action (m) is worth to them.

    `gross` (n, m) is the mean of what an action is worth, without any rule (-inf where there is no score), `value`
    (n, m) that by which the plan ranks, -inf where a rule forbids the action. `rules` are all rules in the order in
    which they were obeyed, `removed` counts by rule how many candidates it took away. `high` says by channel with
    places kept back who is of high value (n,), `members` who belongs to a group with a least share, by its words.
    """

    entities: pa.Array
    actions: tuple[str, ...]
    value: Floats
    gross: Floats
    score: Floats
    removed: dict[str, int]
    rules: tuple[Rule, ...] = ()
    ranked: Floats | None = None
    high: Mapping[str, Flags] = field(default_factory=dict)
    members: Mapping[str, Flags] = field(default_factory=dict)

    def allowed(self, active: frozenset[str]) -> Floats:
        """`value` (n, m) as if only the rules with these words were there."""
        value = (self.gross if self.ranked is None else self.ranked).copy()
        for rule in self.rules:
            if rule.words in active:
                if rule.action is None:
                    value[rule.forbidden] = -np.inf
                else:
                    value[rule.forbidden, self.actions.index(rule.action)] = -np.inf
        return value


def candidates(
    plan: PlanConfig,
    scores: Mapping[str, pa.Table],
    rules: Sequence[Rule],
    entities: pa.Array,
    attributes: Mapping[str, pa.Array] | None = None,
) -> Candidates:
    """The candidates of a plan.

    `scores` has by task `entity_id` (text, one row each) and the columns of the scores file, `entities` (n,) all ids
    that stand in any of them, `rules` hold beside those of the actions, `attributes` are values (n,) of customers by
    name, for groups with a least share. ConfigError where a task, a column, an attribute or a group is not there.
    """
    n, m = len(entities), len(plan.actions)
    gross, score = np.full((n, m), -np.inf), np.full((n, m), np.nan)
    ranked = gross if plan.rank_by == "mean" else np.full((n, m), -np.inf)
    own: list[Rule] = []
    for place, (name, action) in enumerate(plan.actions.items()):
        amount, low, score[:, place] = _amounts(plan, action, name, scores, entities)
        known = ~np.isnan(amount)
        gross[known, place] = amount[known]
        if ranked is not gross:
            ranked[known, place] = low[known]
        own += _own_rules(action, name, scores, entities, score[:, place])
    every = (*own, *rules)
    value, removed = ranked.copy(), dict[str, int]()
    for rule in every:
        where = value if rule.action is None else value[:, plan_place(plan, rule.action)]
        removed[rule.words] = removed.get(rule.words, 0) + int(np.isfinite(where[rule.forbidden]).sum())
        where[rule.forbidden] = -np.inf
    return Candidates(
        entities,
        tuple(plan.actions),
        value,
        gross,
        score,
        {words: count for words, count in removed.items() if count},
        every,
        None if ranked is gross else ranked,
        {name: _high(kept.worth, kept.least, name, scores, entities) for name, kept in plan.kept_back.items()},
        _members(plan, attributes or {}, n),
    )


def plan_place(plan: PlanConfig, action: str) -> int:
    """The number of an action."""
    return list(plan.actions).index(action)


def _amounts(
    plan: PlanConfig, action: ActionConfig, name: str, scores: Mapping[str, pa.Table], entities: pa.Array
) -> tuple[Floats, Floats, Floats]:
    """What an action is worth: its mean and its lower bound, and the score (n,); nan where it is not known."""
    where = f"plan.actions.{name}"
    score = column_of(scores, f"{action.task}.{action.score}", where, entities)
    worth = _worth(action.worth, where, scores, entities)
    amount = action.lever * score * worth - action.cost
    if plan.rank_by == "mean":
        return amount, amount, score
    low_score, low_worth = score, worth
    if action.score_low is not None:
        low_score = column_of(scores, f"{action.task}.{action.score_low}", where, entities)
    if action.worth_low is not None:
        low_worth = column_of(scores, action.worth_low, where, entities)
    lever = max(0.0, action.lever - LOWER * action.lever_error)
    return amount, np.minimum(lever * low_score * low_worth - action.cost, amount), score


def _own_rules(
    action: ActionConfig, name: str, scores: Mapping[str, pa.Table], entities: pa.Array, score: Floats
) -> list[Rule]:
    """What an action itself asks of whoever gets it."""
    rules = [Rule(f"{name}: left out of the list", _left_out(scores[action.task], entities), name)]
    if action.least_score is not None or action.most_score is not None:
        outside = ~_inside(score, action.least_score, action.most_score)
        rules.append(Rule(f"{name}: score outside its range", outside, name))
    for column, (low, high) in action.only_if.items():
        there = column_of(scores, column, f"plan.actions.{name}.only_if", entities)
        rules.append(Rule(f"{name}: {column} outside its range", ~_inside(there, low, high), name))
    return [rule for rule in rules if rule.forbidden.any()]


def _inside(numbers: Floats, low: float | None, high: float | None) -> Flags:
    inside = ~np.isnan(numbers)
    if low is not None:
        inside &= numbers >= low
    if high is not None:
        inside &= numbers <= high
    return inside


def _high(column: str, least: float, channel: str, scores: Mapping[str, pa.Table], entities: pa.Array) -> Flags:
    return _inside(column_of(scores, column, f"plan.kept_back.{channel}", entities), least, None)


def _members(plan: PlanConfig, attributes: Mapping[str, pa.Array], n: int) -> dict[str, Flags]:
    """Who belongs to each group that has a least share, by its words."""
    found = {}
    for attribute, shares in plan.least_shares.items():
        if attribute not in attributes:
            raise ConfigError(f"plan.least_shares: customers have no attribute '{attribute}'")
        values = attributes[attribute]
        for value in shares:
            flags = np.asarray(pc.fill_null(pc.equal(values, value), False), bool)
            if not flags.any():
                raise ConfigError(f"plan.least_shares.{attribute}: nobody who has a score is '{value}'")
            found[group_words(attribute, value)] = flags
    return found


def group_words(attribute: str, value: str) -> str:
    """How the least share of a group is called among the rules."""
    return f"least share of {attribute} {value}"


def _left_out(table: pa.Table, entities: pa.Array) -> Flags:
    """Who is on a task's list no more, for the reason that its scores give, (n,)."""
    if "left_out_because" not in table.column_names:
        return np.zeros(len(entities), bool)
    out = table.filter(pc.is_valid(table["left_out_because"]))["entity_id"].combine_chunks()
    return np.asarray(pc.is_in(entities, value_set=out), bool)


def _worth(worth: float | str, where: str, scores: Mapping[str, pa.Table], entities: pa.Array) -> Floats:
    if isinstance(worth, str):
        return column_of(scores, worth, where, entities)
    return np.full(len(entities), float(worth))


def column_of(scores: Mapping[str, pa.Table], column: str, where: str, entities: pa.Array) -> Floats:
    """A column `task.column` of the scores for each entity (n,), nan where it has none; ConfigError, naming `where`."""
    task, name = column.split(".", 1)
    table = scores.get(task)
    if table is None:
        raise ConfigError(f"{where} needs the scores of '{task}', and there are none; run `rapport score`")
    if name not in table.column_names:
        raise ConfigError(
            f"{where}: the scores of '{task}' have no column '{name}'; they have "
            f"{', '.join(known for known in table.column_names if not known.startswith('reason_'))}"
        )
    place = pc.index_in(entities, value_set=table["entity_id"].combine_chunks())
    return np.asarray(table[name].cast(pa.float64()).take(place).to_numpy(zero_copy_only=False), np.float64)
