"""What a plan does with rules that come before the choice: what is mandatory, and who is left to chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from rapport.config import PlanConfig
from rapport.decisions.candidates import Rule, candidates
from rapport.decisions.limits import protection_level
from rapport.decisions.plan import NOTHING, Plan, make_plan
from rapport.decisions.uncertainty import expected_interval
from rapport.decisions.words import reasons_of
from rapport.errors import ConfigError, GateError

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
    told = reasons_of(plan, config, "EUR")[0].as_py()
    assert told == "nothing: a rule of the plan forbids every action; letter not allowed (no consent)"


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
    assert any(
        "nothing; second in line: call" in text and "the price of the places in phone is" in text for text in texts
    )


def test_a_worth_that_is_not_there() -> None:
    call = {"task": "churn", "direction": "longer", "channel": "phone", "worth": "winback.expected_worth"}
    with pytest.raises(ConfigError, match="no column 'expected_worth'"):
        made(actions={"call": call})


# ------------------------------------------------------------------------------------------- shares and places
REGIONS = pa.array(["north"] * 10 + ["south"] * 30)


def shared(**settings: Any) -> Plan:
    """Calls only, of which the customers in the south, with the higher scores, would get all."""
    call = {"task": "churn", "direction": "longer", "channel": "phone", "cost": 1.0, "worth": "churn.expected_worth"}
    config = PlanConfig.model_validate({"actions": {"call": call}, "holdout": 0.0, **settings})
    found = candidates(config, SCORES, settings.pop("rules", ()), IDS, {"region": REGIONS})
    return make_plan(config, found, seed=0, salt="2024-06-01")


def test_a_group_gets_its_least_share_and_its_price_is_told() -> None:
    assert (shared(channels={"phone": 10}).choice[:10] == NOTHING).all()
    plan = shared(channels={"phone": 10}, least_shares={"region": {"north": 0.35}})
    assert (plan.choice[:10] >= 0).sum() == 4  # 35 % of 10, rounded up
    assert (plan.choice >= 0).sum() == 10
    (group,) = (limit for limit in plan.limits if limit.name == "least share of region north")
    # One fewer in the north would make room for the seventh best: between two neighbours of the line of scores.
    value = plan.candidates.value[:, 0]
    assert (group.limit, group.used) == (4, 4)
    assert value[33] - value[7] <= group.price <= value[34] - value[5]


def test_a_least_share_may_cost_more_than_it_brings() -> None:
    plan = shared(least_shares={"region": {"north": 1.0}})
    assert (plan.choice[:10] == 0).all()
    assert plan.candidates.value[0, 0] < 0


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"channels": {"phone": 3}, "least_shares": {"region": {"north": 0.4}}}, ["places in phone", "region north"]),
        ({"budget": 3.0, "least_shares": {"region": {"north": 0.4}}}, ["budget", "least share of region north"]),
        ({"holdout": 1.0, "least_shares": {"region": {"north": 0.4}}}, ["left to chance", "region north"]),
        ({"least_shares": {"region": {"south": 0.9}}, "channels": {"phone": 26}, "budget": 1e3}, ["phone", "south"]),
    ],
)
def test_what_cannot_be_is_refused_with_the_rules_in_conflict(settings: dict[str, Any], names: list[str]) -> None:
    with pytest.raises(GateError) as refused:
        shared(**settings)
    told = str(refused.value).split(": ", 1)[1].split("; ")
    assert len(told) == len(names)
    assert all(name in line for name, line in zip(names, told, strict=True))


def test_a_group_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="nobody who has a score is 'west'"):
        shared(least_shares={"region": {"west": 0.1}})
    with pytest.raises(ConfigError, match="no attribute 'size'"):
        shared(least_shares={"size": {"large": 0.1}})


def test_places_are_kept_back_for_those_of_high_value_by_littlewoods_rule() -> None:
    """Half of 10 places would be kept where a place brings twice as much: P(D >= 5) = 1/2 for D ~ Normal(5, 2)."""
    worth = np.where(np.arange(40) < 2, 80.0, 10.0)
    scores = {"churn": pa.table({"entity_id": IDS, "score": np.full(40, 0.5), "expected_worth": worth})}
    call = {"task": "churn", "direction": "longer", "channel": "phone", "worth": "churn.expected_worth"}
    kept = {"phone": {"worth": "churn.expected_worth", "least": 50, "mean": 5, "sd": 2}}
    config = PlanConfig.model_validate(
        {"actions": {"call": call}, "channels": {"phone": 10}, "kept_back": kept, "holdout": 0.0}
    )
    found = candidates(config, scores, (), IDS)
    plan = make_plan(config, found, seed=0, salt="")
    # A place brings 40 to the two of high value and 5 to the others: D >= y with probability 1/8 is 5 + 2 x 1.15.
    assert protection_level(5, 2, 1, 2, 10) == 5
    assert protection_level(5, 2, 5, 40, 10) == 7
    assert (plan.choice[:2] == 0).all()
    assert (plan.choice[2:] >= 0).sum() == 3


# ------------------------------------------------------------------------------------------- how sure it is
def test_the_interval_holds_what_comes_as_often_as_it_says() -> None:
    """Outcomes drawn anew: each call brings its outcome about with probability lever x score, levers err together."""
    call = {"task": "churn", "direction": "longer", "channel": "phone", "cost": 1.0, "worth": 30.0}
    plan, config = made(actions={"call": {**call, "lever": 0.5, "lever_error": 0.05}})
    low, high = expected_interval(config, plan)
    rng, rows = np.random.default_rng(0), np.flatnonzero(plan.choice == 0)
    score = plan.candidates.score[rows, 0]
    levers = np.clip(rng.normal(0.5, 0.05, 4_000), 0, 1)
    sums = (rng.random((4_000, len(rows))) < levers[:, None] * score).sum(axis=1) * 30.0 - len(rows)
    assert low < plan.expected < high
    assert np.mean((sums >= low) & (sums <= high)) == pytest.approx(0.95, abs=0.02)


def test_ranked_by_a_lower_bound_the_surer_action_is_chosen() -> None:
    bold = {"task": "churn", "direction": "longer", "channel": "phone", "worth": 30.0, "lever": 0.5, "lever_error": 0.2}
    sure = {"task": "churn", "direction": "longer", "channel": "mail", "worth": 30.0, "lever": 0.4}
    by_mean, _ = made(actions={"bold": bold, "sure": sure})
    by_bound, _ = made(actions={"bold": bold, "sure": sure}, rank_by="lower")
    assert set(by_mean.choice.tolist()) == {0}
    assert set(by_bound.choice.tolist()) == {1}
    assert by_bound.expected == pytest.approx(0.8 * by_mean.expected)


def test_an_action_may_be_fed_by_any_column_and_kept_to_ranges() -> None:
    scores = {
        "uplift": pa.table({"entity_id": IDS, "score": np.linspace(-0.2, 0.2, 40)}),
        "value": pa.table({"entity_id": IDS, "expected_worth": np.arange(40.0)}),
    }
    mail = {"task": "uplift", "direction": "deeper", "channel": "mail", "worth": 10.0}
    config = PlanConfig.model_validate(
        {"actions": {"mail": {**mail, "only_if": {"value.expected_worth": [None, 29.5]}}}, "holdout": 0.0}
    )
    plan = make_plan(config, candidates(config, scores, (), IDS), seed=0, salt="")
    assert np.flatnonzero(plan.choice == 0).tolist() == list(range(20, 30))
    assert plan.candidates.removed == {"mail: value.expected_worth outside its range": 10}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kept_back": {"phone": {"least": 1, "mean": 1}}}, "does not say how many"),
        ({"contact_policy": {"pauses": {"fax": 3}}}, "no action uses the channel 'fax'"),
        ({"actions": {"a": {"never_with": {"b": 3}}}}, "names 'b', which is no action"),
        ({"actions": {"a": {"never_with": {"a": 3}}}}, "never with itself"),
        ({"actions": {"a": {"follow_up": {"of": "b"}}}}, "names 'b', which is no action"),
        ({"actions": {"a": {"follow_up": {"of": "a", "after_days": 9, "within_days": 3}}}}, "no day is 9 days"),
        ({"least_shares": {"region": {"north": 1.2}}}, "less than or equal to 1"),
    ],
)
def test_a_configuration_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    plain = {"task": "churn", "direction": "longer", "channel": "phone"}
    actions = {name: {**plain, **action} for name, action in settings.pop("actions", {"a": {}}).items()}
    with pytest.raises(ValidationError, match=message):
        PlanConfig.model_validate({"actions": actions, **settings})
