"""What a plan does with rules that come before the choice: what is mandatory, and who is left to chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rapport.config import PlanConfig
from rapport.decisions.candidates import Rule, candidates
from rapport.decisions.plan import NOTHING, Plan, make_plan
from rapport.decisions.words import reasons_of
from rapport.errors import ConfigError

IDS = pa.array([f"customer {i}" for i in range(40)])
SCORES = {
    "churn": pa.table({"entity_id": IDS, "score": np.linspace(0.01, 0.8, 40), "expected_worth": np.full(40, 30.0)}),
    "winback": pa.table({"entity_id": IDS.slice(0, 10), "score": np.full(10, 0.5)}),
}


def made(holdout: float = 0.0, rules: tuple[Rule, ...] = (), **settings: Any) -> tuple[Plan, PlanConfig]:
    actions = {
        "call": {
            "task": "churn",
            "direction": "longer",
            "channel": "phone",
            "cost": 1.0,
            "worth": "churn.expected_worth",
        },
        "letter": {"task": "winback", "direction": "more", "channel": "mail", "cost": 0.1, "worth": 2.0},
    }
    config = PlanConfig.model_validate({"actions": actions, "holdout": holdout, **settings})
    return make_plan(config, candidates(config, SCORES, rules, IDS), seed=0, salt="2024-06-01"), config


def test_value_is_lever_times_score_times_worth_less_cost() -> None:
    plan, _ = made()
    # The last customer: 0.8 x 30 - 1; the first: a letter brings 0.5 x 2 - 0.1, a call 0.01 x 30 - 1.
    assert plan.candidates.value[39, 0] == pytest.approx(23.0)
    assert plan.choice[0] == 1
    assert plan.candidates.value[0, 1] == pytest.approx(0.9)


def test_mandatory_actions_may_use_up_a_limit_to_the_last_cent() -> None:
    letter = {"task": "winback", "direction": "more", "channel": "mail", "cost": 0.1, "worth": 2.0, "mandatory": True}
    plan, _ = made(actions={"letter": letter}, budget=1.0)
    assert (plan.choice == 0).sum() == 10
    assert plan.mandatory_cost == pytest.approx(1.0)


def test_a_rule_takes_candidates_away_and_is_counted() -> None:
    forbidden = np.arange(40) < 5
    plan, config = made(rules=(Rule("no consent", forbidden),))
    assert (plan.choice[:5] == NOTHING).all()
    assert plan.candidates.removed["no consent"] == 10
    assert reasons_of(plan, config, "EUR")[0].as_py() == "nothing: a rule of the plan forbids every action"


def test_the_same_people_are_left_to_chance_whatever_the_order() -> None:
    plan, _ = made(holdout=0.3)
    again, _ = made(holdout=0.3)
    assert (plan.held_out == again.held_out).all()
    assert 0 < plan.held_out.sum() < 25
    assert (plan.choice[plan.held_out] == NOTHING).all()


def test_second_in_line_is_named() -> None:
    plan, config = made(channels={"phone": 3})
    texts = reasons_of(plan, config, "EUR").to_pylist()
    assert any("second in line: letter" in text or "second in line: call" in text for text in texts)
    assert any("is worth" in text and "elsewhere" in text for text in texts)


def test_a_worth_that_is_not_there() -> None:
    call = {"task": "churn", "direction": "longer", "channel": "phone", "worth": "winback.expected_worth"}
    with pytest.raises(ConfigError, match="no column 'expected_worth'"):
        made(actions={"call": call})
