"""`rapport plan`: from the newest scores of all tasks to one list of actions, published whole or not at all.

The result is `plan/<config>/as_of=YYYY-MM-DD/` with `part-000.parquet` (a row for everybody who has a score: the action
or none, and why), a CSV for each channel, `summary.json` and, last, `_manifest.json`. It is made in a hidden folder and
renamed.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from ..config import PlanConfig
from ..data.dataset import Dataset
from ..decisions.candidates import DIRECTIONS, Rule, candidates
from ..decisions.plan import Plan, budget_curve, make_plan
from ..decisions.words import reasons_of
from ..errors import ConfigError, DataError
from ..language.compile import compile_measure
from ..language.declarations import Count
from ..language.moments import Shared, midnight, to_local
from ..models.base import json_bytes
from ..tasks import declare
from .durable import publish, recover, writing_to
from .lock import only_writer
from .never import Never
from .parts import write_content, write_part
from .results import read_rows, results, scores_folder

Say = Callable[[str], None]
PLAN, SUMMARY, MANIFEST = "plan", "summary.json", "_manifest.json"
_KINDS = {"customer_id": "customer", "prospect_id": "prospect"}
_ITEMS = ("offer_id", "campaign_id", "line")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


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

    Raises ConfigError where the configuration has no plan or an action has no scores, GateError where mandatory actions
    need more than there is, OutputError where the place cannot be written.
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
    found = candidates(config, scores, _rules(data, config, entities, cutoff), entities)
    made = make_plan(config, found, seed=data.config.seed, salt=day.isoformat())
    summary = _summary(config, made, budget_curve(config, made), day)
    summary["scores_as_of"] = {name: when.isoformat() for name, when in days.items()}
    rows = rows_of(made, config, scores, data.config.currency, day)
    place = (out or data.config.home / PLAN / data.config.name) / f"as_of={day.isoformat()}"
    say("writing the plan")
    with writing_to(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        with only_writer(place.with_name(f".{place.name}.lock")):
            recover(place)
            _write(place, config, rows, summary)
    return PlanReport(place, made, summary)


# ------------------------------------------------------------------------------------------- what it starts from
def _tasks(config: PlanConfig) -> list[str]:
    named = [action.task for action in config.actions.values()]
    named += [action.worth.split(".", 1)[0] for action in config.actions.values() if isinstance(action.worth, str)]
    return list(dict.fromkeys(named))


def _scores(data: Dataset, task: str, day: date) -> tuple[pa.Table, date]:
    """The newest scores of a task up to a day, the best row of each entity, and the day they are of.

    `entity_id` is a text that tells customers from prospects: `customer 7`.
    """
    kind = _KINDS[declare(task, data.config.task(task)).entity]
    folders = results(scores_folder(data.config, task))
    until = [moment for moment in folders if moment <= day]
    if not until:
        raise ConfigError(f"the plan needs the scores of '{task}' up to {day}, and there are none; run `rapport score`")
    rows = read_rows(folders[until[-1]])
    order = pc.sort_indices(rows, sort_keys=[("entity_id", "ascending"), ("score", "descending")])
    rows = rows.take(order)
    ids = rows["entity_id"].cast(pa.string()).combine_chunks()
    code = np.asarray(ids.dictionary_encode().indices)
    first = pa.array(np.flatnonzero(np.diff(code, prepend=-1)))
    named = pc.binary_join_element_wise(kind, ids, " ")
    return rows.set_column(rows.column_names.index("entity_id"), "entity_id", named).take(first), until[-1]


def _rules(data: Dataset, config: PlanConfig, entities: pa.Array, cutoff: datetime) -> list[Rule]:
    """Rules that hold for every action: the list of those never scored, consent, and contacts of the past."""
    policy = config.contact_policy
    never, often = np.zeros(len(entities), bool), np.zeros(len(entities), bool)
    for key, kind in _KINDS.items():
        mine = np.asarray(pc.starts_with(entities, f"{kind} "), bool)
        if not mine.any():
            continue
        ids = pc.utf8_slice_codeunits(entities.filter(pa.array(mine)), len(kind) + 1)
        if key == "customer_id" or not data.config.scoring.consent:
            never[mine] = ~np.asarray(Never(data, key).allowed(_as_ids(data, ids, key)), bool)
        if data.has("contacts", key, "at"):
            window = Count(last=(policy.within_days,))
            query = compile_measure("contacts", (key,), window, Shared(cutoff, data.config.zone), data.columns)
            counted = data.engine.arrow(query)
            many = counted.filter(pc.greater_equal(counted["value"], policy.most))[key].cast(pa.string())
            often[mine] = np.asarray(pc.is_in(ids, value_set=many.combine_chunks()), bool)
    words = f"contacted {policy.most} times in {policy.within_days} days already"
    return [Rule("never contacted, or no consent", never), Rule(words, often)]


def _as_ids(data: Dataset, ids: pa.Array, key: str) -> pa.ChunkedArray:
    """The ids in the type of the customers' table, where the rule of consent compares them."""
    if key != "customer_id" or not data.has("customers", "customer_id"):
        return pa.chunked_array([ids])
    kind = data.engine.arrow(exp.select("customer_id").from_("customers").limit(0)).schema.field("customer_id").type
    if pa.types.is_integer(kind):
        digits = pc.match_substring_regex(ids, r"^-?\d+$")
        return pa.chunked_array([pc.if_else(digits, ids, pa.scalar(None, pa.string())).cast(kind)])
    return pa.chunked_array([ids])


# ------------------------------------------------------------------------------------------- what comes of it
def _summary(config: PlanConfig, made: Plan, curve: list[tuple[float, float]], day: date) -> dict[str, Any]:
    actions, directions = _by_action(config, made)
    return {
        "as_of": day.isoformat(),
        "candidates": len(made.choice),
        "held_out": int(made.held_out.sum()),
        "given": int((made.choice >= 0).sum()),
        "expected_value": made.value,
        "bound": made.bound,
        "gap": made.gap,
        "mandatory_cost": made.mandatory_cost,
        "limits": [vars(limit) for limit in made.limits],
        "removed": made.candidates.removed,
        "actions": actions,
        "directions": directions,
        "budget_curve": [{"budget": money, "expected_value": value} for money, value in curve],
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
            "expected_value": float(made.candidates.value[chosen, place].sum()),
        }
        actions[name] = {"direction": action.direction, "channel": action.channel, **facts}
        for fact, number in facts.items():
            totals[action.direction][fact] += number
    return actions, totals


def rows_of(made: Plan, config: PlanConfig, scores: Mapping[str, pa.Table], currency: str, day: date) -> pa.Table:
    """The plan as a table: a row for each candidate, sorted by kind and id.

    Columns kind (customer, prospect), entity_id, as_of, action, item (the offer or campaign), direction, channel, cost,
    score, expected_value (missing without an action), held_out, chance (the probability of being left to chance, or
    of not being: the propensity of the decision log), why.
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
            "expected_value": pa.array(found.value[rows, place], mask=~given),
            "held_out": pa.array(made.held_out),
            "chance": pa.array(np.where(made.held_out, config.holdout, 1 - config.holdout)),
            "why": reasons_of(made, config, currency),
        }
    )
    return table.sort_by([("kind", "ascending"), ("entity_id", "ascending")])


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


def _write(place: Path, config: PlanConfig, table: pa.Table, summary: dict[str, Any]) -> None:
    hidden = place.with_name(f".{place.name}.new")
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir()
    part = write_part([table], hidden, 0)
    for channel in dict.fromkeys(action.channel for action in config.actions.values()):
        _write_channel(table.filter(pc.equal(table["channel"], channel)), hidden / f"{channel}.csv")
    write_content(json_bytes(summary), hidden, SUMMARY)
    columns = [{"name": field.name, "type": str(field.type)} for field in table.schema]
    manifest = {"as_of": summary["as_of"], "rows": table.num_rows, "columns": columns, "parts": [part.as_json()]}
    write_content(json_bytes(manifest), hidden, MANIFEST)
    publish(hidden, place)


def _write_channel(rows: pa.Table, file: Path) -> None:
    """The list of a channel, best first, safe to open in a spreadsheet: no text is taken for a formula."""
    rows = rows.sort_by([("expected_value", "descending"), ("entity_id", "ascending")])
    columns = ["kind", "entity_id", "action", "item", "cost", "expected_value", "why"]
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        for row in rows.select(columns).to_pylist():
            writer.writerow([spreadsheet_safe(row[name]) for name in columns])


def spreadsheet_safe(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front; everything else stays."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
