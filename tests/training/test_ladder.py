"""The chances of steps on a way, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rapport.config import StagesConfig
from rapport.tasks import declare
from rapport.training.ladder import Ladder, agreement, reaches

STAGES = ("target", "lead", "contract")


def made(rows: int = 4_000, seed: int = 0) -> Ladder:
    """Half stand at target, half at lead; of the first .6 become leads, of leads p sign, which is foretold exactly."""
    rng = np.random.default_rng(seed)
    now = np.arange(rows) % 2
    p = rng.uniform(0.1, 0.7, rows)
    lead = (now == 1) | (rng.random(rows) < 0.6)
    signed = lead & (rng.random(rows) < p)
    came = np.where(signed, 2, np.where((now == 0) & lead, 1, -1))
    reach = np.column_stack([np.ones(rows), np.where(now == 0, 0.6, p), np.where(now == 0, 0.6 * p, p)])
    return Ladder(STAGES, now, came, reach)


def test_steps_are_taken_by_those_who_stand_before_them_or_came_so_far() -> None:
    ladder = Ladder(STAGES, np.array([0, 0, 0, 1, 1]), np.array([-1, 1, 2, -1, 2]), np.full((5, 3), 0.5))
    could, chance, took = ladder.step(1)
    assert could.tolist() == [True, True, True, False, False]
    assert chance[could].tolist() == [0.5] * 3
    assert took[could].tolist() == [False, True, True]
    could, chance, took = ladder.step(2)
    assert could.tolist() == [False, True, True, True, True]
    assert chance[could].tolist() == [1.0, 1.0, 0.5, 0.5]  # .5 to sign at all, over .5 to become a lead first
    assert took[could].tolist() == [False, True, False, True]


def test_true_chances_are_calibrated_at_each_step_and_their_product_is_that_of_signing() -> None:
    ladder = made()
    found = ladder.metrics()
    for stage in ("lead", "contract"):
        assert found[f"test.step_{stage}.foretold"] == pytest.approx(found[f"test.step_{stage}.came"], abs=0.03)
        assert found[f"test.step_{stage}.ece"] < 0.04
    np.testing.assert_allclose(ladder.product("contract"), ladder.reach[:, 2])


def test_the_product_is_held_against_who_converted_and_against_a_direct_model() -> None:
    ladder = made()
    draws = [np.random.default_rng(n).multinomial(4_000, np.full(4_000, 1 / 4_000)) for n in range(100)]
    metrics, intervals = agreement(ladder, "contract", draws, ladder.reach[:, 2] + 0.1)
    came = intervals["test.reach_contract.came"]
    assert came.low < metrics["test.reach_contract.foretold"] < came.high
    assert metrics["test.reach_contract.direct_difference"] == pytest.approx(-0.1)
    assert intervals["test.reach_contract.direct_difference"].high < 0


def test_a_chance_that_is_too_high_shows() -> None:
    ladder = made()
    wrong = Ladder(STAGES, ladder.now, ladder.came, np.minimum(ladder.reach * 1.4, 1.0))
    assert wrong.metrics()["test.step_contract.ece"] > 0.03 > ladder.metrics()["test.step_contract.ece"] - 0.01


def test_probabilities_of_the_furthest_stage_add_up_from_the_far_end() -> None:
    found = reaches(
        ("user", "contract", "stays"), {n: np.array([p]) for n, p in (("user", 0.2), ("contract", 0.3), ("stays", 0.5))}
    )
    assert {name: values.item() for name, values in found.items()} == pytest.approx(
        {"user": 0.2, "contract": 0.5, "stays": 1.0}
    )


def test_the_way_is_declared_from_its_far_end() -> None:
    task = declare("stages", StagesConfig())
    assert [outcome.name for outcome in task.outcomes] == ["user", "contract", "opportunity", "lead", "stays"]
    with pytest.raises(ValueError, match="must be one of the stages after the first"):
        StagesConfig(converted="target")
    with pytest.raises(ValueError, match="names a stage twice"):
        StagesConfig(order=("target", "lead", "lead", "contract"))
