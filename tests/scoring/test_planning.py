"""The plan as a job: from published scores to rows, lists for those who send, and a summary."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from kiosk import Kiosk

from rapport.config import PlanConfig
from rapport.data.dataset import Dataset
from rapport.errors import ConfigError, GateError
from rapport.scoring.batch import score
from rapport.scoring.parts import Part, fault_of
from rapport.scoring.plan_files import spreadsheet_safe
from rapport.scoring.planning import PlanReport, plan

DAY = date(2024, 6, 12)
ACTIONS: dict[str, Any] = {
    "rescue_call": {"task": "churn", "direction": "longer", "channel": "phone", "cost": 2.0, "lever": 0.5, "worth": 40},
    "next_offer_mail": {"task": "next_offer", "direction": "deeper", "channel": "mail", "cost": 0.1, "worth": 5},
}
LIMITS: dict[str, Any] = {"budget": 60.0, "channels": {"phone": 20}, "holdout": 0.1}
Make = Callable[..., PlanReport]


@pytest.fixture(scope="module")
def scored(kiosk: Kiosk, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    data = replace(kiosk.data, config=kiosk.data.config.model_copy(update={"home": tmp_path_factory.mktemp("plan")}))
    for task in ("churn", "next_offer"):
        score(data, task, kiosk.bundle(task), as_of=DAY, clock=lambda: datetime(2024, 7, 1, tzinfo=UTC))
    return data


@pytest.fixture
def make(scored: Dataset, tmp_path: Path) -> Make:
    def made(**settings: Any) -> PlanReport:
        config = PlanConfig.model_validate({"actions": ACTIONS, **LIMITS, **settings})
        data = replace(scored, config=scored.config.model_copy(update={"plan": config}))
        return plan(data, as_of=DAY, out=tmp_path / "plan")

    return made


def read_plan(folder: Path) -> tuple[pa.Table, dict[str, Any]]:
    rows = pq.read_table(folder / "part-000.parquet", partitioning=None)
    return rows, json.loads((folder / "summary.json").read_text("utf-8"))


def test_everybody_with_a_score_has_a_row_and_a_reason(make: Make) -> None:
    report = make()
    rows, summary = read_plan(report.folder)
    assert summary["candidates"] == rows.num_rows > 100
    assert rows["why"].null_count == 0
    assert pc.sum(rows["cost"]).as_py() <= 60.0
    assert pc.sum(pc.equal(rows["channel"], "phone")).as_py() <= 20
    assert summary["expected_value"] == pytest.approx(pc.sum(rows["expected_value"]).as_py())
    assert 0 <= summary["gap"] < 0.05
    values = [point["expected_value"] for point in summary["budget_curve"]]
    assert values == pytest.approx(sorted(values), rel=0.02)


def test_whoever_is_left_to_chance_gets_nothing_and_is_the_same_again(make: Make) -> None:
    first, again = (read_plan(make().folder)[0] for _ in range(2))
    assert first.equals(again)
    held_out = first.filter(first["held_out"])
    assert 0 < held_out.num_rows < 0.25 * first.num_rows
    assert held_out["action"].null_count == held_out.num_rows
    chances = {(row["held_out"], row["policy"] is None, row["chance"]) for row in first.to_pylist()}
    assert chances == {(False, False, 0.9), (True, False, 0.1), (False, True, 1.0), (True, True, 1.0)}


def test_a_row_says_what_to_offer_and_how_old_the_scores_are(make: Make) -> None:
    rows, summary = read_plan(make().folder)
    mails = rows.filter(pc.equal(rows["action"], "next_offer_mail"))
    assert mails.num_rows > 0
    assert mails["item"].null_count == 0
    assert set(rows["kind"].to_pylist()) == {"customer"}
    assert summary["scores_as_of"] == {"churn": DAY.isoformat(), "next_offer": DAY.isoformat()}


def test_contacts_of_the_past_count(make: Make) -> None:
    free = make(contact_policy={"most": 100, "within_days": 365}).summary["given"]
    strict = make(contact_policy={"most": 1, "within_days": 365})
    assert strict.summary["given"] < free
    assert any(rule.startswith("contacted 1 times") for rule in strict.summary["removed"])


def test_lists_for_those_who_send(make: Make) -> None:
    report = make()
    with (report.folder / "phone.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == report.summary["actions"]["rescue_call"]["given"] > 0
    assert {row["action"] for row in rows} == {"rescue_call"}
    manifest = json.loads((report.folder / "_manifest.json").read_text("utf-8"))
    files = [Part(**content) for content in [*manifest["parts"], *manifest["files"]]]
    assert {file.file for file in files} | {"_manifest.json"} == {file.name for file in report.folder.iterdir()}
    assert [fault_of(report.folder, file) for file in files] == [None] * len(files)
    (report.folder / "phone.csv").write_text("changed", "utf-8")
    assert any(fault_of(report.folder, file) for file in files)


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx"])
def test_no_text_is_a_formula(text: str) -> None:
    assert spreadsheet_safe(text) == f"'{text}"
    assert spreadsheet_safe(-1.5) == -1.5
    assert spreadsheet_safe("k001") == "k001"


def test_mandatory_actions_come_first_and_must_be_paid_for(make: Make) -> None:
    must = {**ACTIONS["next_offer_mail"], "mandatory": True}
    report = make(actions={**ACTIONS, "next_offer_mail": must}, budget=100.0)
    rows, summary = read_plan(report.folder)
    assert summary["actions"]["next_offer_mail"]["given"] > 0.5 * rows.num_rows
    # Whoever must get it gets it: chance is for the others.
    assert not pc.any(pc.and_(rows["held_out"], pc.is_valid(rows["action"]))).as_py()
    assert summary["mandatory_cost"] > 0
    with pytest.raises(
        GateError, match=r"in conflict.*budget; mandatory next_offer_mail \(budget: .* needed, 1.00 there\)"
    ):
        make(actions={**ACTIONS, "next_offer_mail": must}, budget=1.0)


def test_what_is_not_there_is_named(make: Make) -> None:
    with pytest.raises(ConfigError, match="no column 'expected_worth'"):
        make(actions={"call": {**ACTIONS["rescue_call"], "worth": "churn.expected_worth"}}, channels={})
    with pytest.raises(ConfigError, match="needs the scores of 'conversion'"):
        make(actions={"call": {**ACTIONS["rescue_call"], "task": "conversion"}}, channels={})
