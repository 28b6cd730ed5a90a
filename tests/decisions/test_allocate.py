"""The plan against an exact solver, and its limits against blind draws of what is asked of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from rapport.decisions.allocate import NOTHING, allocate


def draw(seed: int, customers: int, actions: int, resources: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    value = rng.gamma(1.0, 10.0, (customers, actions)) - rng.gamma(1.0, 3.0, actions)
    value[rng.random(value.shape) < 0.2] = -np.inf
    uses = rng.gamma(2.0, 1.0, (actions, resources)) * (rng.random((actions, resources)) < 0.6)
    limits = uses.sum(axis=0) * customers * rng.uniform(0.0, 0.3, resources) / max(actions, 1)
    return value, uses, limits


def exact(value: np.ndarray, uses: np.ndarray, limits: np.ndarray) -> float:
    """The value of the best plan, by HiGHS."""
    n, m = value.shape
    worth = np.where(np.isfinite(value), value, -1e6).ravel()
    one = np.kron(np.eye(n), np.ones(m))
    common = np.tile(uses.T, n)
    found = milp(
        -worth,
        constraints=[LinearConstraint(one, -np.inf, 1), LinearConstraint(common, -np.inf, limits)],
        integrality=np.ones(n * m),
        bounds=Bounds(0, 1),
    )
    return -float(found.fun)


@pytest.mark.parametrize("seed", range(6))
def test_it_comes_close_to_the_best_plan_and_never_promises_less(seed: int) -> None:
    value, uses, limits = draw(seed, 60, 4, 3)
    found, best = allocate(value, uses, limits), exact(value, uses, limits)
    assert found.value <= best + 1e-6 <= found.bound + 2e-6
    assert found.value >= 0.97 * best


def test_of_many_customers_the_gap_is_small() -> None:
    value, uses, limits = draw(7, 20_000, 8, 5)
    found = allocate(value, uses, limits)
    assert found.gap < 0.002
    assert (found.used <= limits * (1 + 1e-9)).all()
    assert found.prices.max() > 0


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    customers=st.integers(0, 40),
    actions=st.integers(1, 5),
    resources=st.integers(0, 4),
    empty=st.booleans(),
)
def test_no_limit_is_ever_broken(seed: int, customers: int, actions: int, resources: int, empty: bool) -> None:
    value, uses, limits = draw(seed, customers, actions, resources)
    if empty and resources:
        limits[0] = 0.0
    found = allocate(value, uses, limits)
    chosen = found.choice[found.choice != NOTHING]
    taken = uses[chosen].sum(axis=0) if resources else np.zeros(0)
    assert (taken <= limits + 1e-6 * (1 + limits)).all()
    rows = np.flatnonzero(found.choice != NOTHING)
    assert np.isfinite(value[rows, chosen]).all()
    assert (value[rows, chosen] > 0).all()
    assert found.value == pytest.approx(value[rows, chosen].sum())
    assert found.value <= found.bound + 1e-6


def test_without_limits_everyone_gets_his_best() -> None:
    value = np.array([[1.0, 3.0], [2.0, -1.0], [-1.0, -2.0]])
    found = allocate(value, np.zeros((2, 0)), np.zeros(0))
    assert found.choice.tolist() == [1, 0, NOTHING]
    assert (found.value, found.bound, found.gap) == (5.0, 5.0, 0.0)


def test_prices_are_what_one_more_unit_brings() -> None:
    value = np.arange(100.0)[:, None]
    # 30 places go to 70..99; the 31st would bring 69.
    found = allocate(value, np.ones((1, 1)), np.array([30.0]))
    assert found.value == sum(range(70, 100))
    assert 69 <= found.prices[0] <= 70


@pytest.mark.parametrize(
    ("uses", "limits", "message"),
    [([[-1.0]], [1.0], "uses"), ([[1.0]], [-1.0], "limits"), ([[1.0, 2.0]], [1.0], "shapes")],
)
def test_what_cannot_be_is_refused(uses: list[list[float]], limits: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        allocate(np.ones((3, 1)), np.array(uses), np.array(limits))


def test_where_many_are_worth_the_same_the_gap_is_small_too() -> None:
    """Two kinds of customers and actions of equal worth: prices alone would leave nearly everything undecided."""
    value = np.tile([[5.0, 5.0, 4.0], [3.0, 3.0, 3.0]], (2_000, 1))
    uses = np.array([[1.0, 1.0, 0.0], [0.5, 0.0, 1.0], [0.1, 0.0, 0.0]])
    found = allocate(value, uses, np.array([700.0, 400.0, 900.0]))
    assert found.gap < 1e-3
    assert (found.used <= [700.0, 400.0, 900.0]).all()


def test_a_least_number_is_asked_of_a_kind_of_customers_and_the_bound_holds() -> None:
    """Against HiGHS: customers of the second kind use more, and more of them must get something than would."""
    value, uses, limits = draw(3, 60, 4, 3)
    kind = np.arange(60) % 2
    both, covers = np.stack([uses, 1.5 * uses]), np.array([[False], [True]])
    free = allocate(value, both, limits, kind=kind)
    least = float(((free.choice >= 0) & (kind == 1)).sum() + 3)
    found = allocate(value, both, limits, kind=kind, covers=covers, least=np.array([least]))
    assert ((found.choice >= 0) & (kind == 1)).sum() >= least
    assert (found.used[:3] <= limits + 1e-9).all()
    n, m = value.shape
    asked = -np.repeat(kind == 1, m).astype(float)[None]
    rows = [np.kron(np.eye(n), np.ones(m)), np.concatenate(list(both[kind]), axis=0).T, asked]
    high = np.concatenate([np.ones(n), limits, [-least]])
    best = milp(
        -np.where(np.isfinite(value), value, -1e6).ravel(),
        constraints=LinearConstraint(np.concatenate(rows), -np.inf, high),
        integrality=np.ones(n * m),
        bounds=Bounds(0, 1),
    )
    assert found.value <= -best.fun + 1e-6 <= found.bound + 2e-6
    assert found.value >= 0.95 * -best.fun
