"""`rapport plan`: from the newest scores of all tasks to one list of actions, published whole or not at all.

The result is `plan/<config>/as_of=YYYY-MM-DD/` with `part-000.parquet` (a row for everybody who has a score: the action
or none, and why), a CSV for each channel, `plan.html`, `summary.json` and, last, `_manifest.json` (plan_files.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..config import PlanConfig
from ..data.dataset import Dataset
from ..decisions.allocate import Floats
from ..decisions.candidates import DIRECTIONS, candidates
from ..decisions.plan import Plan, budget_curve, make_plan
from ..decisions.uncertainty import COVERS, expected_interval
from ..decisions.words import reasons_of
from ..errors import ConfigError, DataError
from ..language.moments import midnight, to_local
from ..tasks import declare
from .durable import recover, writing_to
from .lock import only_writer
from .plan_files import PLAN, write_plan
from .plan_rules import KINDS, attributes_of, rules_of
from .results import read_rows, results, scores_folder

Say = Callable[[str], None]
_ITEMS = ("offer_id", "campaign_id", "line")


@dataclass(frozen=True)
class PlanReport:
    """What was published: the folder, the plan, and its summary as plain values."""

    folder: Path
    plan: Plan
    summary: dict[str, Any]


def plan(
    data: Dataset, *, as_of: date | None = None, out: Path | None = None, say: Say = lambda text: None
) -> PlanReport:
    """Make and publish the plan as of a local day, from the newest scores up to it (default: the end of the data).

    Raises ConfigError where the configuration has no plan or an action has no scores, GateError where no plan obeys all
    rules, OutputError where the place cannot be written.
    """
    config = data.config.plan
    if config is None:
        raise ConfigError("the configuration has no part `plan`; see configs/world.yaml for one")
    cutoff = data.observed_until if as_of is None else midnight(as_of, data.config.zone)
    day = to_local(cutoff, data.config.zone).date()
    say("reading the scores")
    scores, days = {}, {}
    for name in _tasks(config):
        scores[name], days[name] = _scores(data, name, day)
        if days[name] < day:
            say(f"the scores of {name} are of {days[name]}, {(day - days[name]).days} days before the plan")
    entities = pc.unique(pa.concat_arrays([table["entity_id"].combine_chunks() for table in scores.values()]))
    if not len(entities):
        raise DataError(f"nobody has a score as of {day}; run `rapport score` first")
    say(f"choosing for {len(entities):,} customers and prospects")
    place = (out or data.config.home / PLAN / data.config.name) / f"as_of={day.isoformat()}"
    rules = rules_of(data, config, entities, cutoff, day, place.parent)
    found = candidates(config, scores, rules, entities, attributes_of(data, config, entities))
    made = make_plan(config, found, seed=data.config.seed, salt=day.isoformat())
    summary = {"config": data.config.name, "currency": data.config.currency, **_summary(data, config, made, day)}
    summary["scores_as_of"] = {name: when.isoformat() for name, when in days.items()}
    rows = rows_of(made, config, scores, data.config.currency, day)
    say("writing the plan")
    with writing_to(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        with only_writer(place.with_name(f".{place.name}.lock")):
            recover(place)
            write_plan(place, [action.channel for action in config.actions.values()], rows, summary)
    return PlanReport(place, made, summary)


# ------------------------------------------------------------------------------------------- what it starts from
def _tasks(config: PlanConfig) -> list[str]:
    named = [action.task for action in config.actions.values()]
    columns = [kept.worth for kept in config.kept_back.values()]
    for action in config.actions.values():
        columns += [name for name in (action.worth, action.worth_low, *action.only_if) if isinstance(name, str)]
    return list(dict.fromkeys([*named, *(column.split(".", 1)[0] for column in columns)]))


def _scores(data: Dataset, task: str, day: date) -> tuple[pa.Table, date]:
    """The newest scores of a task up to a day, the best row of each entity, and the day they are of.

    `entity_id` is a text that tells customers from prospects: `customer 7`.
    """
    kind = KINDS[declare(task, data.config.task(task)).entity]
    folders = results(scores_folder(data.config, task))
    until = [moment for moment in folders if moment <= day]
    if not until:
        raise ConfigError(f"the plan needs the scores of '{task}' up to {day}, and there are none; run `rapport score`")
    rows = read_rows(folders[until[-1]])
    best = ("rank", "ascending") if "rank" in rows.column_names else ("score", "descending")
    order = pc.sort_indices(rows, sort_keys=[("entity_id", "ascending"), best])
    rows = rows.take(order)
    ids = rows["entity_id"].cast(pa.string()).combine_chunks()
    code = np.asarray(ids.dictionary_encode().indices)
    first = pa.array(np.flatnonzero(np.diff(code, prepend=-1)))
    named = pc.binary_join_element_wise(kind, ids, " ")
    return rows.set_column(rows.column_names.index("entity_id"), "entity_id", named).take(first), until[-1]


# ------------------------------------------------------------------------------------------- what comes of it
def _summary(data: Dataset, config: PlanConfig, made: Plan, day: date) -> dict[str, Any]:
    actions, directions = _by_action(config, made)
    effects = {name for name in _tasks(config) if declare(name, data.config.task(name)).treatment is not None}
    low, high = expected_interval(config, made, effects)
    return {
        "as_of": day.isoformat(),
        "candidates": len(made.choice),
        "held_out": int(made.held_out.sum()),
        "given": int((made.choice >= 0).sum()),
        "expected_value": made.expected,
        "expected_value_low": low,
        "expected_value_high": high,
        "interval_covers": COVERS,
        "ranked_by": config.rank_by,
        "ranked_value": made.value,
        "bound": made.bound,
        "gap": made.gap,
        "mandatory_cost": made.mandatory_cost,
        "limits": [vars(limit) for limit in made.limits],
        "removed": made.candidates.removed,
        "actions": actions,
        "directions": directions,
        "budget_curve": [{"budget": money, "expected_value": value} for money, value in budget_curve(config, made)],
    }


def _by_action(config: PlanConfig, made: Plan) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """How many get each action, what it costs and brings; and the same added up by direction."""
    actions: dict[str, Any] = {}
    totals: dict[str, dict[str, float]] = {
        name: {"given": 0, "cost": 0.0, "expected_value": 0.0} for name in DIRECTIONS
    }
    for place, (name, action) in enumerate(config.actions.items()):
        chosen = made.choice == place
        facts = {
            "given": int(chosen.sum()),
            "cost": float(action.cost * chosen.sum()),
            "expected_value": float(made.candidates.gross[chosen, place].sum()),
        }
        actions[name] = {"direction": action.direction, "channel": action.channel, **facts}
        for fact, number in facts.items():
            totals[action.direction][fact] += number
    return actions, totals


def rows_of(made: Plan, config: PlanConfig, scores: Mapping[str, pa.Table], currency: str, day: date) -> pa.Table:
    """The plan as a table: a row for each candidate, sorted by kind and id.

    Columns kind (customer, prospect), entity_id, as_of, action, item (the offer or campaign), direction, channel, cost,
    score, expected_value (missing without an action), held_out, policy (the action that the plan is for: for those left
    to chance what they would have got), chance (the probability with which what was done was done, the propensity of
    the decision log: of being left to chance or not, 1 where the plan is for nothing or the action mandatory), why.
    """
    actions = list(config.actions.items())
    choice, found = made.choice, made.candidates
    given = choice >= 0
    place, rows = np.maximum(choice, 0), np.arange(len(choice))

    def named(texts: Iterable[str]) -> pa.Array:
        return pa.array(list(texts), pa.string()).take(pa.array(place, mask=~given))

    who = pc.split_pattern(found.entities, " ", max_splits=1)
    table = pa.table(
        {
            "kind": pc.list_element(who, 0),
            "entity_id": pc.list_element(who, 1),
            "as_of": pa.repeat(pa.scalar(day, pa.date32()), len(choice)),
            "action": named(name for name, _ in actions),
            "item": _items(made, config, scores),
            "direction": named(action.direction for _, action in actions),
            "channel": named(action.channel for _, action in actions),
            "cost": pa.array(np.array([action.cost for _, action in actions])[place], mask=~given),
            "score": pa.array(found.score[rows, place], mask=~given),
            "expected_value": pa.array(found.gross[rows, place], mask=~given),
            "held_out": pa.array(made.held_out),
            "policy": pa.array([name for name, _ in actions], pa.string()).take(
                pa.array(np.maximum(made.policy, 0), mask=made.policy < 0)
            ),
            "chance": pa.array(_chance(made, config)),
            "why": reasons_of(made, config, currency),
        }
    )
    return table.sort_by([("kind", "ascending"), ("entity_id", "ascending")])


def _chance(made: Plan, config: PlanConfig) -> Floats:
    """The probability with which each decision was taken as it was, (n,)."""
    must = np.array([action.mandatory for action in config.actions.values()])
    by_chance = (made.policy >= 0) & ~must[np.maximum(made.policy, 0)]
    return np.where(by_chance, np.where(made.held_out, config.holdout, 1 - config.holdout), 1.0)


def _items(made: Plan, config: PlanConfig, scores: Mapping[str, pa.Table]) -> pa.Array:
    """What each action is about (n,): the offer or campaign of the score that feeds it; missing where there is none."""
    items = pa.nulls(len(made.choice), pa.string())
    for place, action in enumerate(config.actions.values()):
        table = scores[action.task]
        column = next((name for name in _ITEMS if name in table.column_names), None)
        if column is not None:
            at = pc.index_in(made.candidates.entities, value_set=table["entity_id"].combine_chunks())
            of_all = table[column].cast(pa.string()).combine_chunks().take(at)
            items = pc.if_else(pa.array(made.choice == place), of_all, items)
    return items
