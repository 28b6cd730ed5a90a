"""What is said about money: rules without a model, how often intervals hold, how few customers make most of it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from rapport.config import ValueConfig
from rapport.models.worth import COVERED, AmountScale
from rapport.scoring.rows import outputs
from rapport.tasks import declare
from rapport.tasks.base import AmountRule
from rapport.training.carried_on import amounts
from rapport.training.metrics import capture
from rapport.training.worth import Concentration, WorthScores

RULES = {rule.name: rule for rule in declare("value", ValueConfig()).worth_rules}


def bg_nbd(customers: int, seed: int, ahead: int) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Histories of up to 300 days of a BG/NBD with Gamma-Gamma spending, and what comes, and is to be expected, after.

    The expectation knows rate, chance to leave and worth of a visit, and whether he is alive.
    """
    rng = np.random.default_rng(seed)
    known = rng.uniform(200, 300, customers)
    rate, leaves = rng.gamma(0.8, 1 / 40, customers), rng.beta(0.8, 2.5, customers)
    mean = 4.0 * 10 / rng.gamma(5, 1, customers)
    rows = {name: np.zeros(customers) for name in ("visits_life", "days_since_visit", "days_known", "spend_life")}
    came, alive_value = np.zeros(customers), np.zeros(customers)
    for i in range(customers):
        at, visits, last, spent, alive = 0.0, 1, 0.0, rng.gamma(4, mean[i] / 4), True
        while alive:
            at += rng.exponential(1 / rate[i])
            if at > known[i] + ahead:
                break
            worth = rng.gamma(4, mean[i] / 4)
            if at <= known[i]:
                visits, last, spent = visits + 1, at, spent + worth
            else:
                came[i] += worth
            gone = rng.random() < leaves[i]
            alive = not gone
        still = alive or at > known[i]
        alive_value[i] = still * -np.expm1(-rate[i] * leaves[i] * ahead) / leaves[i] * mean[i]
        rows["visits_life"][i], rows["days_since_visit"][i] = visits, known[i] - last
        rows["days_known"][i], rows["spend_life"][i] = known[i], spent
    return pa.table(rows), came, alive_value


def test_bg_nbd_with_gamma_gamma_foretells_what_such_customers_bring() -> None:
    table, came, true = bg_nbd(4_000, 1, 182)
    found = amounts(RULES["bg_nbd_gamma_gamma"], table, 182)
    naive = amounts(RULES["average"], table, 182)
    assert found.sum() == pytest.approx(came.sum(), rel=0.08)
    assert np.sqrt(np.mean((found - came) ** 2)) < np.sqrt(np.mean((naive - came) ** 2))
    assert np.corrcoef(found, true)[0, 1] > 0.75


def test_a_rule_that_cannot_be_fitted_foretells_nothing() -> None:
    once = pa.table(
        {"visits_life": [1] * 9, "days_since_visit": [9.0] * 9, "days_known": [9.0] * 9, "spend_life": [5.0] * 9}
    )
    assert np.isnan(amounts(RULES["bg_nbd_gamma_gamma"], once, 30)).all()


def test_an_average_carried_on_by_hand() -> None:
    table = pa.table({"spend_life": [30.0, 0.0], "days_known": [15.0, 0.0]})
    assert amounts(AmountRule("a", "pace", ("spend_life", "days_known"), ""), table, 10).tolist() == [20.0, 0.0]


def scores(p_buys: float, rows: int = 40_000, seed: int = 0) -> WorthScores:
    """Intervals fitted to rows that buy with this probability (half of them; the others with .6), judged on others."""
    rng = np.random.default_rng(seed)

    def draw() -> tuple[np.ndarray, np.ndarray]:
        p = np.where(np.arange(rows) < rows // 2, p_buys, 0.6)
        return p * 10, np.where(rng.random(rows) < p, rng.gamma(2, 5, rows), 0.0)

    scale = AmountScale.fit(*draw())
    product, came = draw()
    return WorthScores(came, scale.apply(product), {})


@pytest.mark.parametrize("p_buys", [0.05, 0.15, 0.5, 0.97])
def test_intervals_hold_their_share_however_rarely_something_comes(p_buys: float) -> None:
    found = scores(p_buys).coverage()
    assert found["worth_coverage_80pct"] == pytest.approx(COVERED, abs=0.01)
    assert found["worth_coverage_80pct_above_zero"] == pytest.approx(COVERED, abs=0.015)
    rare = p_buys < 1 - COVERED
    assert found["worth_interval_above_zero"] == (0.5 if rare else 1.0)
    assert found["worth_coverage_80pct_plain"] == pytest.approx(
        0.875 if p_buys == 0.05 else found["worth_coverage_80pct_plain"], abs=0.01
    )


def test_a_wrong_share_of_nothing_shows_in_the_coverage() -> None:
    """Twice as many come as those that the intervals were fitted to."""
    fitted, later = scores(0.05), scores(0.1)
    worse = WorthScores(later.came, fitted.foretold, {})
    assert worse.coverage()["worth_coverage_80pct"] < 0.79


def test_concentration_by_hand() -> None:
    came = np.array([0.0, 0, 0, 0, 0, 0, 10, 0, 30, 60])
    product = np.array([1.0, 1, 1, 1, 1, 1, 5, 9, 3, 8])
    foretold = AmountScale(1.0, 0.0, (1.0,), (0.0,), (0.0,), (0.5,)).apply(product)
    found = Concentration.of(WorthScores(came, foretold, {"last_year": came[::-1].copy()}))
    assert found is not None
    assert (found.now, found.foretold, found.oracle) == pytest.approx((0.9, 0.6, 0.9))
    assert found.metrics()["oracle.test.worth_capture_at_20pct"] == capture(came, came)
    assert "make 60% of what comes in the 30 days after" in found.words(30)


def test_where_nothing_came_there_is_no_concentration() -> None:
    nothing = AmountScale(1.0, 0.0, (1.0,), (0.0,), (0.0,), (1.0,)).apply(np.ones(5))
    assert Concentration.of(WorthScores(np.zeros(5), nothing, {})) is None


def test_what_he_is_worth_now_is_what_he_brought_less_what_serving_him_cost() -> None:
    task = declare("value", ValueConfig(worth_of="margin"))
    snapshot = pa.table(
        {
            "margin_365d": [100.0, 20.0, None],
            "service_cost_365d": [30.0, 50.0, 1.0],
            "reference_margin": [7.0, None, 0.5],
        }
    )
    found = outputs(task, snapshot, np.array([0.5, 0.5, 0.5]))
    assert found["current_value"].to_pylist() == [70.0, -30.0, None]
    assert found["reference_value"].to_pylist() == [7.0, None, 0.5]
    bare = outputs(task, snapshot.select(["margin_365d"]), np.array([0.5, 0.5, 0.5]))
    assert bare["current_value"].to_pylist() == [100.0, 20.0, None]  # what serving him cost is not known
    assert set(bare) == {"current_value"}
