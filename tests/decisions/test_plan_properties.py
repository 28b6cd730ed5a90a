"""Plans of random configurations, drawn without a look at the solver: every rule is counted again by plain loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import event, given, settings
from hypothesis import strategies as st

from rapport.config import PlanConfig
from rapport.decisions.candidates import Candidates, Rule, candidates
from rapport.decisions.feasible import conflict
from rapport.decisions.limits import kept_back
from rapport.decisions.plan import Plan, make_plan
from rapport.errors import GateError

MONEY = st.floats(0, 60).map(lambda number: round(number, 1))
CHANNELS = ("phone", "mail")
REGIONS = ("north", "south")


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """A configuration of one to five actions and any of the limits."""
    actions = {
        f"a{i}": {
            "task": draw(st.sampled_from(["churn", "value"])),
            "direction": draw(st.sampled_from(["more", "longer", "deeper"])),
            "channel": draw(st.sampled_from(CHANNELS)),
            "cost": draw(st.sampled_from([0.0, 0.5, 1.0, 4.0])),
            "lever": draw(st.sampled_from([0.1, 0.5, 1.0])),
            "lever_error": draw(st.sampled_from([0.0, 0.1])),
            "worth": draw(st.sampled_from([1.0, 20.0, "value.expected_worth"])),
            "least_score": draw(st.sampled_from([None, 0.3])),
            "mandatory": draw(st.integers(0, 5)) == 0,
        }
        for i in range(draw(st.integers(1, 5)))
    }
    used = sorted({action["channel"] for action in actions.values()})
    limited = draw(st.lists(st.sampled_from(used), unique=True))
    kept = draw(st.lists(st.sampled_from(limited), unique=True)) if limited else []
    regions = draw(st.lists(st.sampled_from(REGIONS), unique=True))
    return {
        "actions": actions,
        "budget": draw(st.none() | MONEY),
        "budgets": draw(st.dictionaries(st.sampled_from(["more", "longer", "deeper"]), MONEY, max_size=2)),
        "channels": {name: draw(st.integers(0, 20)) for name in limited},
        "kept_back": {name: {"least": 30.0, "mean": draw(st.integers(0, 6)), "sd": 2.0} for name in kept},
        "least_shares": {"region": {name: draw(st.sampled_from([0.1, 0.3, 0.6])) for name in regions}},
        "rank_by": draw(st.sampled_from(["mean", "lower"])),
        "holdout": draw(st.sampled_from([0.0, 0.2, 1.0])),
    }


def drawn(config: PlanConfig, seed: int) -> tuple[Candidates, np.ndarray, np.ndarray]:
    """Candidates of up to 40 customers, their regions, and whom a rule forbids everything."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 40))
    ids = pa.array([f"customer {i}" for i in range(n)])
    worth = rng.gamma(1.5, 20.0, n)
    scores = {
        "churn": pa.table({"entity_id": ids, "score": rng.random(n)}).filter(pa.array(np.arange(n) % 5 > 0)),
        "value": pa.table({"entity_id": ids, "score": rng.random(n), "expected_worth": worth}),
    }
    region = np.array(REGIONS)[np.concatenate([[0, 1], rng.integers(0, 2, n - 2)])]
    barred = rng.random(n) < 0.2
    found = candidates(config, scores, [Rule("barred", barred)], ids, {"region": pa.array(region)})
    return found, region, barred


def violations(config: PlanConfig, plan: Plan, region: np.ndarray, barred: np.ndarray) -> list[str]:
    """Every broken rule, counted from the choice alone."""
    broken, actions = list[str](), list(config.actions.values())
    chosen = [(row, actions[place]) for row, place in enumerate(plan.choice.tolist()) if place >= 0]
    spent = math.fsum(action.cost for _, action in chosen)
    if config.budget is not None and spent > config.budget + 1e-6:
        broken.append("budget")
    for direction, money in config.budgets.items():
        if math.fsum(action.cost for _, action in chosen if action.direction == direction) > money + 1e-6:
            broken.append(direction)
    for channel, places in config.channels.items():
        given = [row for row, action in chosen if action.channel == channel]
        if len(given) > places:
            broken.append(channel)
        if channel in config.kept_back:
            ordinary = [row for row in given if not plan.candidates.high[channel][row]]
            if len(ordinary) > places - kept_back(config, plan.candidates, channel):
                broken.append(f"{channel} kept back")
    given_to = {row for row, _ in chosen}
    for name, share in config.least_shares["region"].items():
        members = set(np.flatnonzero(region == name).tolist())
        if len(members & given_to) < share * len(members) - 1e-9:
            broken.append(name)
    for row, place in enumerate(plan.choice.tolist()):
        action = actions[place]
        score = plan.candidates.score[row, place]
        if place >= 0 and (barred[row] or plan.held_out[row] or not score >= (action.least_score or 0)):
            broken.append(f"row {row}")
    return broken


@settings(max_examples=80, deadline=None, derandomize=True)
@given(configs(), st.integers(0, 2**32 - 1))
def test_no_rule_is_broken_and_what_cannot_be_is_refused(settings_: dict[str, Any], seed: int) -> None:
    config = PlanConfig.model_validate(settings_)
    found, region, barred = drawn(config, seed)
    try:
        plan = make_plan(config, found, seed=seed, salt="day")
    except GateError as error:
        refused = str(error)
    else:
        refused = ""
    event("refused" if refused else "a plan")
    if refused:
        assert refused.startswith("no plan obeys all rules; these are in conflict")
        return
    assert violations(config, plan, region, barred) == []
    assert plan.value <= plan.bound + 1e-6 * (1 + abs(plan.bound))


def test_rules_in_conflict_are_a_smallest_set() -> None:
    """Of rules a to f no plan obeys {b, d, e} together, nor {a, c}."""

    def holds(active: frozenset[str]) -> bool:
        return not ({"b", "d", "e"} <= active or {"a", "c"} <= active)

    assert conflict("abcdef", holds) == ("b", "d", "e")
    assert conflict("abcf", holds) == ("a", "c")
