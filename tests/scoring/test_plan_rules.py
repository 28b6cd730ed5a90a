"""Rules of a plan that come from the data and from earlier plans, and what a plan brought, on a project of few rows."""

from __future__ import annotations

import json
import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from small_project import good_tables, write_project

from rapport.cli import main
from rapport.config import PlanConfig, load_config
from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.data.world.names import CAUSES
from rapport.errors import ConfigError, DataError, OutputError
from rapport.language.moments import midnight
from rapport.scoring.forget_plans import forget_in_plans
from rapport.scoring.parts import Part, fault_of
from rapport.scoring.plan_evaluation import evaluate
from rapport.scoring.plan_files import intact_rows, write_plan
from rapport.scoring.plan_rules import attributes_of, rules_of
from rapport.tasks import declare

DAY = date(2024, 6, 1)
PEOPLE = [f"customer {number}" for number in range(1, 5)]
SETTINGS: dict[str, Any] = {"tasks": {"churn": {"horizon": 14}}, "observed_until": "2024-06-30 00:00:00"}
ACTION = {"task": "churn", "direction": "longer", "channel": "mail"}


def shop(folder: Path, **more: Any) -> Dataset:
    """Customers 1 to 4; who was contacted when, and through which channel."""
    tables: dict[str, Any] = good_tables("transactions", "campaigns") | {
        "customers": {
            "customer_id": [1, 2, 3, 4],
            "birth_date": [date(1990, 6, 5), date(1980, 6, 8), date(1992, 2, 29), None],
            "region": ["north", "south", None, "south"],
        },
        "contacts": {
            "contact_id": list("abcd"),
            "customer_id": [1, 2, 2, 3],
            "at": [datetime(2024, 5, 28), datetime(2024, 5, 10), datetime(2024, 5, 12), datetime(2024, 6, 1, 9)],
            "campaign_id": [7] * 4,
            "channel": ["phone", "mail", "phone", "phone"],
        },
    }
    return open_dataset(write_project(folder, {**tables, **more}, **SETTINGS))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return shop(tmp_path_factory.mktemp("shop"))


def forbidden(data: Dataset, plans: Path, *, day: date = DAY, **settings: Any) -> dict[str, list[int]]:
    """Whom each rule forbids something, by number."""
    config = PlanConfig.model_validate({"actions": {"call": ACTION}, **settings})
    rules = rules_of(data, config, pa.array(PEOPLE), midnight(day, data.config.zone), day, plans)
    return {f"{rule.words}@{rule.action}": (np.flatnonzero(rule.forbidden) + 1).tolist() for rule in rules}


def earlier(plans: Path, day: date, **given: str) -> None:
    """A plan of an earlier day: action by customer number."""
    rows = pa.table(
        {"kind": ["customer"] * len(given), "entity_id": [who[1:] for who in given], "action": list(given.values())}
    )
    folder = plans / f"as_of={day}"
    folder.mkdir(parents=True)
    pq.write_table(rows, folder / "part-000.parquet")


def test_contacts_of_the_past_and_pauses(data: Dataset, tmp_path: Path) -> None:
    policy = {"most": 2, "within_days": 30, "pause_days": 7, "pauses": {"mail": 25}}
    found = forbidden(data, tmp_path, contact_policy=policy)
    assert found["contacted 2 times in 30 days already@None"] == [2]
    assert found["contacted in the last 7 days@None"] == [1]  # the contact on the day itself lies after the cutoff
    assert found["contacted through mail in the last 25 days@call"] == [2]
    policy["pauses"] = {"mail": 21}
    assert forbidden(data, tmp_path, contact_policy=policy)["contacted through mail in the last 21 days@call"] == []


def test_a_card_goes_to_whom_has_his_day(data: Dataset, tmp_path: Path) -> None:
    card = {**ACTION, "anniversary": {"within_days": 7}}
    assert forbidden(data, tmp_path, actions={"card": card})["card: no anniversary within 7 days@card"] == [2, 3, 4]
    leap = forbidden(data, tmp_path, actions={"card": card}, day=date(2023, 2, 27))
    assert leap["card: no anniversary within 7 days@card"] == [1, 2, 4]
    card["anniversary"] = {"of": "name_day"}
    with pytest.raises(ConfigError, match="no column 'name_day'"):
        forbidden(data, tmp_path, actions={"card": card})


def test_never_a_with_b_either_way_and_follow_up_after(data: Dataset, tmp_path: Path) -> None:
    earlier(tmp_path, date(2024, 5, 20), _1="voucher", _2="call")
    earlier(tmp_path, date(2024, 5, 31), _3="voucher", _4="call")
    earlier(tmp_path, DAY, _2="voucher")  # the plan of the day itself is made anew
    actions = {
        "call": {**ACTION, "never_with": {"voucher": 5}},
        "voucher": ACTION,
        "thanks": {**ACTION, "follow_up": {"of": "call", "after_days": 7, "within_days": 14}},
    }
    found = forbidden(data, tmp_path, actions=actions)
    assert found["call: never within 5 days of voucher@call"] == [3]
    assert found["voucher: never within 5 days of call@voucher"] == [4]
    assert found["thanks: only 7 to 14 days after call@thanks"] == [1, 3, 4]


def test_attributes_of_groups(data: Dataset) -> None:
    config = PlanConfig.model_validate({"actions": {"a": ACTION}, "least_shares": {"region": {"north": 0.1}}})
    found = attributes_of(data, config, pa.array([*PEOPLE, "prospect 1"]))
    assert found["region"].to_pylist() == ["north", "south", None, "south", None]


def test_the_plan_of_the_world_names_what_its_tasks_put_out() -> None:
    """Columns of scores are known before anything is trained: score, rank, declared outputs, worth, causes."""
    config = load_config(Path(__file__).parents[2] / "configs" / "world.yaml")
    assert config.plan is not None
    assert len(config.plan.actions) == 12
    assert {action.direction for action in config.plan.actions.values()} == {"more", "longer", "deeper"}
    wanted = [kept.worth for kept in config.plan.kept_back.values()]
    for action in config.plan.actions.values():
        wanted += [f"{action.task}.{column}" for column in (action.score, action.score_low) if column]
        wanted += [column for column in (action.worth, action.worth_low, *action.only_if) if isinstance(column, str)]
    for column in wanted:
        name, output = column.split(".")
        task = declare(name, config.task(name))
        known = {"score", *(each.name for each in task.outputs)}
        known |= {"expected_worth", "expected_worth_low"} if task.worth else set()
        known |= {f"probability_{cause}" for cause in CAUSES} if name == "defection" else set()
        assert output in known, column


# ------------------------------------------------------------------------------------------- what came of it
MAILED, EFFECT, COST = 600, 6.0, 1.0


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Path]:
    """A plan for 600 customers, of whom 30 % were left to chance; the mail makes those who get it spend 6 more."""
    rng, folder = np.random.default_rng(5), tmp_path_factory.mktemp("told")
    habit = rng.gamma(2.0, 10.0, MAILED)
    held_out = rng.random(MAILED) < 0.3
    spent = np.round(habit + rng.normal(0, 4, MAILED) + EFFECT * ~held_out, 2).clip(0.01)
    transactions = {
        "customer_id": [*range(MAILED), *range(MAILED)],
        "at": [datetime(2024, 5, 1, 12)] * MAILED + [datetime(2024, 6, 5, 12)] * MAILED,
        "amount": [*np.round(habit, 2).tolist(), *spent.tolist()],
    }
    data = shop(folder, transactions=transactions, customers={"customer_id": list(range(MAILED))})
    names = pa.array(np.where(held_out, None, "mail"), pa.string())
    rows = pa.table(
        {
            "kind": ["customer"] * MAILED,
            "entity_id": [str(number) for number in range(MAILED)],
            "action": names,
            "item": pa.nulls(MAILED, pa.string()),
            "channel": names,
            "cost": pa.array(np.where(held_out, np.nan, COST), from_pandas=True),
            "expected_value": pa.array(np.where(held_out, np.nan, 9.0), from_pandas=True),
            "held_out": held_out,
            "policy": ["mail"] * MAILED,
            "chance": np.where(held_out, 0.3, 0.7),
            "why": ["because"] * MAILED,
        }
    )
    nothing = dict.fromkeys(("candidates", "held_out", "given"), 0)
    numbers = ("expected_value", "expected_value_low", "expected_value_high", "bound", "gap", "mandatory_cost")
    summary = {"config": "small", "currency": "", "as_of": str(DAY), "ranked_by": "mean", "interval_covers": ""}
    summary |= nothing | dict.fromkeys(numbers, 0.0) | {"limits": [], "budget_curve": []}
    summary |= {name: {} for name in ("removed", "actions", "directions", "scores_as_of")}
    place = folder / "plans" / f"as_of={DAY}"
    place.parent.mkdir()
    write_plan(place, ["mail"], rows, summary)
    return data, place.parent


def test_what_a_plan_brought_is_told_by_who_was_left_to_chance(told: tuple[Dataset, Path]) -> None:
    data, plans = told
    found = evaluate(data, horizon=14, out=plans)
    assert (found.as_of, found.measured_by, found.promised) == (DAY, "amount", 9.0)
    assert found.customers + found.held_out == MAILED
    assert found.gain.effective < MAILED / 2
    doubly, normalised = found.gain.doubly_robust, found.gain.self_normalised
    assert doubly is not None
    for one in (doubly, normalised, found.gain.inverse_propensity):
        assert one.low <= EFFECT - COST <= one.high
    # What he spent before tells most of what he spends: so the doubly robust estimate is the surest.
    assert doubly.high - doubly.low < 0.6 * (normalised.high - normalised.low)
    assert doubly.high < found.promised  # the promise was too high, and that is seen


def test_the_command_tells_it_too(told: tuple[Dataset, Path]) -> None:
    data, plans = told
    arguments = ["plan", str(data.config.folder / "small.yaml"), "--evaluate", "14", "--out", str(plans)]
    result = CliRunner().invoke(main, [*arguments, "--json"], env={"RAPPORT_HOME": str(data.config.home)})
    assert result.exit_code == 0, result.output
    told_ = json.loads(result.stdout)
    assert told_["as_of"] == str(DAY)
    assert told_["gain"]["doubly_robust"]["low"] <= EFFECT - COST <= told_["gain"]["doubly_robust"]["high"]
    shown = CliRunner().invoke(main, arguments, env={"RAPPORT_HOME": str(data.config.home)})
    assert "doubly robust" in shown.output
    assert "overlap" in shown.output


def test_who_is_forgotten_is_in_no_file_of_a_plan(told: tuple[Dataset, Path], tmp_path: Path) -> None:
    _, plans = told
    copied = shutil.copytree(plans, tmp_path / "plans") / f"as_of={DAY}"
    row = intact_rows(copied).slice(0, 1).to_pylist()[0]
    assert f"<bdi>{row['entity_id']}</bdi>" in (copied / "plan.html").read_text("utf-8")
    assert forget_in_plans(copied.parent, "customer", row["entity_id"]) == 1
    assert row["entity_id"] not in intact_rows(copied)["entity_id"].to_pylist()
    assert f"<bdi>{row['entity_id']}</bdi>" not in (copied / "plan.html").read_text("utf-8")
    manifest = json.loads((copied / "_manifest.json").read_text("utf-8"))
    files = [Part(**content) for content in [*manifest["parts"], *manifest["files"]]]
    assert {file.file for file in files} == {"part-000.parquet", "mail.csv", "plan.html", "summary.json"}
    assert [fault_of(copied, file) for file in files] == [None] * 4


def test_what_cannot_be_judged_is_said(told: tuple[Dataset, Path], tmp_path: Path) -> None:
    data, plans = told
    with pytest.raises(DataError, match="is not known yet"):
        evaluate(data, horizon=60, as_of=DAY, out=plans)
    with pytest.raises(ConfigError, match="60 days older than the data"):
        evaluate(data, horizon=60, out=plans)
    with pytest.raises(ConfigError, match="there is no plan as of 2024-05-01"):
        evaluate(data, horizon=14, as_of=date(2024, 5, 1), out=plans)
    changed = tmp_path / f"as_of={DAY}"
    changed.mkdir()
    manifest = json.loads((plans / changed.name / "_manifest.json").read_text("utf-8"))
    (changed / "_manifest.json").write_text(json.dumps(manifest), "utf-8")
    (changed / "part-000.parquet").write_bytes(b"x" * manifest["parts"][0]["bytes"])
    with pytest.raises(OutputError, match="changed since it was written"):
        evaluate(data, horizon=14, out=tmp_path)
