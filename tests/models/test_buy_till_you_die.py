"""Buy-till-you-die models: published estimates, simulated customers whose truth is known, brute-force integrals."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import approx_fprime

from rapport.errors import ModelError
from rapport.estimation import bg_nbd
from rapport.estimation.maximum_likelihood import Estimate
from rapport.models.buy_till_you_die import BgNbd, BuyTillYouDie, ParetoNbd
from rapport.models.gamma_gamma import GammaGamma
from rapport.models.histories import Histories, histories_of
from rapport.training.metrics import capture, correlation, mean_absolute_error, root_mean_squared_error

MODELS = (BgNbd, ParetoNbd)
SOME = Histories([0, 1, 3, 40, 2, 40, 150], [0, 5, 30, 38.5, 39, 7, 20], [39, 39, 38.9, 39, 39, 39, 400])


def with_parameters(kind: type[BuyTillYouDie], *values: float) -> BuyTillYouDie:
    model = kind()
    names = dict(zip(kind.start, values, strict=True))
    model.keep(Estimate(names, dict.fromkeys(names, float("nan")), 0.0, 0.0))
    return model


def data_file(name: str) -> Path:
    """A data file of the package lifetimes, found without importing it."""
    package = find_spec("lifetimes")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the package lifetimes, which holds the CDNOW data, is not installed")
    return Path(package.submodule_search_locations[0]) / "datasets" / name


# ------------------------------------------------------------------------------------------- CDNOW
@pytest.fixture(scope="module")
def cdnow() -> tuple[Histories, np.ndarray]:
    """The 1/10 sample: histories of the first 39 weeks, visits in the 39 weeks after."""
    lines = [line.split() for line in data_file("CDNOW_sample.txt").read_text().splitlines() if line.strip()]
    customers = [line[1] for line in lines]
    at = np.array([f"{line[2][:4]}-{line[2][4:6]}-{line[2][6:]}" for line in lines], dtype="M8[D]")
    known, histories = histories_of(customers, at, "1997-09-30")
    later: dict[str, int] = {}
    for customer, _ in {(c, day) for c, day in zip(customers, at, strict=True) if day > np.datetime64("1997-09-30")}:
        later[customer] = later.get(customer, 0) + 1
    return histories, np.array([later.get(customer, 0) for customer in known.to_pylist()])


def test_cdnow_histories(cdnow):
    histories, later = cdnow
    assert (len(histories), histories.frequency.sum(), later.sum()) == (2357, 2457, 1882)
    assert histories.age.max() == pytest.approx(272 / 7)


def test_bg_nbd_gives_the_published_estimates_and_forecasts(cdnow):
    histories, later = cdnow
    model = BgNbd().fit(histories)
    assert list(model.parameters.values()) == pytest.approx([0.243, 4.414, 0.793, 2.426], abs=5e-4)
    assert model.estimate.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    forecast = model.expected(histories, 39)
    assert mean_absolute_error(later, forecast) == pytest.approx(0.786, abs=1e-3)
    assert root_mean_squared_error(later, forecast) == pytest.approx(1.608, abs=1e-3)
    assert correlation(later, forecast) == pytest.approx(0.626, abs=1e-3)


def test_pareto_nbd_gives_the_published_estimates_and_forecasts(cdnow):
    histories, later = cdnow
    model = ParetoNbd().fit(histories)
    assert list(model.parameters.values()) == pytest.approx([0.553, 10.578, 0.606, 11.669], abs=1e-3)
    assert model.estimate.log_likelihood == pytest.approx(-9595.0, abs=0.05)
    forecast = model.expected(histories, 39)
    assert mean_absolute_error(later, forecast) == pytest.approx(0.755, abs=1e-3)
    assert root_mean_squared_error(later, forecast) == pytest.approx(1.603, abs=1e-3)
    assert correlation(later, forecast) == pytest.approx(0.630, abs=1e-3)


def test_capture_of_the_plain_rule_and_of_the_oracle(cdnow):
    histories, later = cdnow
    assert capture(later, histories.frequency / histories.age) == pytest.approx(0.644, abs=1e-3)
    assert capture(later, later) == pytest.approx(0.887, abs=1e-3)


def test_gamma_gamma_gives_the_published_estimates():
    rows = np.genfromtxt(data_file("cdnow_customers_summary_with_transactions.csv"), delimiter=",", names=True)
    model = GammaGamma().fit(rows["x"], rows["zbar"])
    assert model.estimate.rows == 946
    assert list(model.parameters.values()) == pytest.approx([6.25, 3.74, 15.44], abs=0.01)


# ------------------------------------------------------------------------------------------- formulas
def simulated(kind: type[BuyTillYouDie], size: int, seed: int) -> tuple[Histories, np.ndarray, np.ndarray]:
    """Customers of known truth: histories of 52 weeks, alive then or not, visits in the 26 weeks after."""
    random = np.random.default_rng(seed)
    rate = random.gamma(0.6, 1 / 5.0, size)
    leaves = random.beta(0.9, 2.5, size)
    lifetime = random.exponential(1 / random.gamma(0.7, 1 / 9.0, size))
    frequency, recency, later, alive = (np.zeros(size) for _ in range(4))
    for i in range(size):
        clock = 0.0
        stays = True
        while stays:
            clock += random.exponential(1 / rate[i])
            if clock > 78 or (kind is ParetoNbd and clock > lifetime[i]):
                break
            if clock <= 52:
                frequency[i], recency[i] = frequency[i] + 1, clock
            else:
                later[i] += 1
            stays = kind is ParetoNbd or random.random() >= leaves[i]
            left_at = clock if not stays else np.inf
            if left_at <= 52:
                alive[i] = -1
        alive[i] = (lifetime[i] > 52) if kind is ParetoNbd else alive[i] + 1
    return Histories(frequency, recency, np.full(size, 52.0)), alive, later


@pytest.mark.parametrize(("kind", "truth"), [(BgNbd, (0.6, 5.0, 0.9, 2.5)), (ParetoNbd, (0.6, 5.0, 0.7, 9.0))])
def test_simulated_customers_give_their_truth_back(kind, truth):
    histories, alive, later = simulated(kind, 8000, seed=4)
    model = kind().fit(histories)
    for (name, found), true in zip(model.parameters.items(), truth, strict=True):
        assert abs(found - true) < 3.5 * model.estimate.errors[name], name
    chance, forecast, active = model.alive(histories), model.expected(histories, 26), model.active(histories, 26)
    assert chance.mean() == pytest.approx(alive.mean(), abs=0.02)
    assert forecast.mean() == pytest.approx(later.mean(), rel=0.05)
    assert active.mean() == pytest.approx((later > 0).mean(), abs=0.015)
    for group in np.array_split(np.argsort(active), 5):
        assert active[group].mean() == pytest.approx((later[group] > 0).mean(), abs=0.04)
        assert forecast[group].mean() == pytest.approx(later[group].mean(), abs=0.05 + 0.12 * later[group].mean())


@pytest.mark.parametrize("kind", MODELS)
def test_the_gradient_is_the_slope_of_the_likelihood(kind):
    values = np.array([0.4, 6.0, 0.8, 3.0])
    _, gradient = kind().likelihood(values, SOME)
    for row in range(len(SOME)):
        numeric = approx_fprime(values, lambda v, row=row: kind().likelihood(v, SOME)[0][row], 1e-7)
        assert gradient[row] == pytest.approx(numeric, rel=1e-4, abs=1e-5)


def test_bg_nbd_by_hand():
    # r = a = 1, alpha = b = 2, T = 2: with x = 1 at t = 1 the odds of having left are 1/2 * (4/3)^2
    model = with_parameters(BgNbd, 1.0, 2.0, 1.0, 2.0)
    once = Histories([0, 1], [0, 1], [2, 2])
    assert model.alive(once) == pytest.approx([1, 1 / (1 + 8 / 9)])
    # no visit in 4 more: (4/8)^(r + x) if alive
    assert model.active(once, 4) == pytest.approx([1 - 0.5, (1 - 0.25) * 9 / 17])


def test_pareto_nbd_against_integration():
    r, alpha, s, beta = 0.6, 7.0, 1.3, 20.0
    model = with_parameters(ParetoNbd, r, alpha, s, beta)
    for i in range(len(SOME)):
        x, last, age = SOME.frequency[i], SOME.recency[i], SOME.age[i]
        one = Histories([x], [last], [age])

        def lives(u: float, x: float = x, age: float = age) -> float:
            return ((alpha + u) / (alpha + age)) ** -(r + x) * ((beta + u) / (beta + age)) ** -s / (beta + u)

        left = s * quad(lives, last, age, epsabs=1e-12, epsrel=1e-12)[0]
        assert model.alive(one)[0] == pytest.approx(1 / (1 + left), rel=1e-9)

        def comes(u: float, x: float = x, age: float = age) -> float:
            first = (r + x) / (alpha + age + u) * ((alpha + age) / (alpha + age + u)) ** (r + x)
            return first * ((beta + age) / (beta + age + u)) ** s

        assert model.active(one, 26)[0] * (1 + left) == pytest.approx(
            quad(comes, 0, 26, epsabs=1e-12, epsrel=1e-12)[0], rel=1e-9
        )


@pytest.mark.parametrize("kind", MODELS)
@settings(deadline=None, max_examples=60)
@given(
    x=st.integers(0, 3000),
    age=st.floats(1e-2, 1e4),
    part=st.floats(1e-3, 1),
    values=st.tuples(*[st.floats(0.02, 30)] * 4),
)
def test_forecasts_are_finite_and_in_range(kind, x, age, part, values):
    model = with_parameters(kind, *values)
    history = Histories([x], [age * part if x else 0], [age])
    alive, active = model.alive(history)[0], model.active(history, 26)[0]
    assert 0 <= alive <= 1
    assert -1e-12 <= active <= alive + 1e-9
    # at least one visit is at most as likely as the number expected, and more time brings more of them
    near, far = model.expected(history, 26)[0], model.expected(history, 52)[0]
    assert np.isfinite([near, far]).all()
    assert active <= near * (1 + 1e-6) + 1e-9
    assert near <= far * (1 + 1e-6) + 1e-9


@pytest.mark.parametrize("kind", MODELS)
def test_the_unit_of_time_does_not_matter(kind):
    histories, _, _ = simulated(kind, 1500, seed=1)
    days = Histories(histories.frequency, histories.recency * 7, histories.age * 7)
    by_week, by_day = kind().fit(histories), kind().fit(days)
    assert by_day.expected(days, 70) == pytest.approx(by_week.expected(histories, 10), rel=1e-5)
    assert by_day.parameters["alpha"] == pytest.approx(by_week.parameters["alpha"] * 7, rel=1e-5)


def test_the_worth_of_a_visit_by_hand():
    model = GammaGamma()
    model.keep(Estimate({"p": 2.0, "q": 3.0, "gamma": 10.0}, {}, 0.0, 0.0))
    # everyone's: 2 * 10 / 2; four visits of 20: 2 * (10 + 80) / (8 + 2)
    assert model.expected([0, 4], [0, 20]) == pytest.approx([10, 18])
    assert model.expected([0], [np.nan]) == pytest.approx([10])


def test_simulated_worths_give_their_truth_back():
    random = np.random.default_rng(9)
    visits = random.integers(1, 8, 5000)
    scale = random.gamma(4.0, 1 / 30.0, 5000)
    mean = random.gamma(3.0 * visits, 1 / scale) / visits
    model = GammaGamma().fit(visits, mean)
    for name, true in (("p", 3.0), ("q", 4.0), ("gamma", 30.0)):
        assert abs(model.parameters[name] - true) < 3.5 * model.estimate.errors[name]


# ------------------------------------------------------------------------------------------- histories, files, faults
def test_histories_by_hand():
    customers = ["ann", "bob", "ann", "ann", "ann", "cid", "dan"]
    at = np.array(
        ["2020-01-01T09", "2020-01-05", "2020-01-01T18", "2020-01-15", "2020-02-20", "2020-01-29", "2020-03-01"],
        dtype="M8[h]",
    )
    known, histories = histories_of(customers, at, "2020-01-29")
    # two purchases on new year's day are one visit; later ones are not known; cid came on the last day, dan not yet
    assert known.to_pylist() == ["ann", "bob"]
    assert histories.frequency.tolist() == [1, 0]
    assert histories.recency.tolist() == [2, 0]
    assert histories.age == pytest.approx([4, 24 / 7])


@pytest.mark.parametrize("kind", [*MODELS, GammaGamma])
def test_saved_models_come_back(kind, tmp_path):
    model = with_parameters(kind, *([0.4, 6.0, 0.8, 3.0] if kind in MODELS else [2.0, 3.0, 10.0]))
    model.save(tmp_path)
    again = kind.load(tmp_path)
    assert again.parameters == model.parameters
    assert list(tmp_path.iterdir()) == [tmp_path / f"{kind.name}.json"]
    (tmp_path / f"{kind.name}.json").write_text("{}")
    with pytest.raises(ModelError, match="damaged"):
        kind.load(tmp_path)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"1 of 2 have a recency outside 0 to age; the first is row 1: frequency 2"):
        Histories([0, 2], [0, 9], [5, 5])
    with pytest.raises(ValueError, match="a recency without repeat visits"):
        Histories([0], [3], [5])
    with pytest.raises(ValueError, match="missing or infinite"):
        Histories([1], [np.nan], [5])
    with pytest.raises(ModelError, match="none of 2 customers came a second time"):
        BgNbd().fit(Histories([0, 0], [0, 0], [5, 6]))
    with pytest.raises(ModelError, match="not fitted yet"):
        BgNbd().alive(SOME)
    with pytest.raises(ValueError, match="no purchase by 2019-01-01"):
        histories_of(["a"], np.array(["2020-01-01"], dtype="M8[D]"), "2019-01-01")
    with pytest.raises(ModelError, match="1 of 2 customers spent nothing"):
        GammaGamma().fit([1, 2, 0], [0.0, 5.0, np.nan])


# ------------------------------------------------------------------------------------------- far corners
@pytest.mark.parametrize("r", [0.01, 0.5, 30.0, 1e5])
@pytest.mark.parametrize("a", [1e-4, 0.8, 19.0, 40.0, 1e5])
def test_no_number_overflows_wherever_the_search_may_end(r, a):
    x = np.array([0.0, 1, 2, 5, 20, 100, 500, 5000])
    for age in (1e-3, 30.0, 1e3):
        last = np.where(x > 0, 0.9 * age, 0.0)
        for alpha, b in ((1e-3, 1e-3), (3.0, 2.0), (1e5, 1e5)):
            values = np.array([r, alpha, a, b])
            with np.errstate(over="raise", invalid="raise", divide="raise"):
                rows, gradient = bg_nbd.likelihood(values, x, last, np.full(len(x), age))
                chances = bg_nbd.alive(values, x, last, np.full(len(x), age))
                visits = bg_nbd.expected(values, x, last, np.full(len(x), age), 30.0)
            assert np.isfinite(rows).all()
            assert np.isfinite(gradient).all()
            assert ((chances >= 0) & (chances <= 1)).all()
            assert (visits >= 0).all()
            forever = chances * (r + x) / (alpha + age) * 30.0  # as if nobody left from now on
            assert (visits <= forever * (1 + 1e-4) + 1e-9).all()


@pytest.mark.parametrize("values", [(0.5, 3.0, 20.5, 2.0), (21.0, 100.0, 0.8, 2.0), (0.243, 4.414, 15.0, 2.426)])
def test_both_ways_to_the_expected_visits_agree(values, monkeypatch):
    x, age = np.array([0.0, 1, 4, 60]), np.array([0.5, 30, 300, 300])
    found = []
    for border in (0.0, 1e9):
        monkeypatch.setattr(bg_nbd, "_LARGE", border)
        found.append(bg_nbd.expected(np.array(values), x, np.where(x > 0, age, 0), age, 30.0))
    assert found[0] == pytest.approx(found[1], rel=1e-9)


def test_expected_visits_of_one_who_nearly_always_leaves_by_simulation():
    random = np.random.default_rng(0)
    values, x, age = np.array([2.0, 1.0, 50.0, 3.0]), np.array([4.0]), np.array([10.0])
    rate, leaves = random.gamma(6, 1 / 11, 400_000), random.beta(50, 7, 400_000)
    simulated = (-np.expm1(-rate * leaves * 30) / leaves).mean()
    alive = bg_nbd.alive(values, x, age, age)
    assert bg_nbd.expected(values, x, age, age, 30.0)[0] == pytest.approx(alive[0] * simulated, rel=2e-3)


@pytest.mark.parametrize("a", [0.8, 40.0])
def test_a_customers_expected_visits_do_not_depend_on_who_stands_beside_him(a):
    rng = np.random.default_rng(0)
    values, x, age = np.array([0.5, 3.0, a, 2.0]), rng.integers(0, 4, 50).astype(float), rng.uniform(1, 300, 50)
    together = bg_nbd.expected(values, x, 0.9 * age, age, 30.0)
    alone = [bg_nbd.expected(values, x[i : i + 1], 0.9 * age[i : i + 1], age[i : i + 1], 30.0)[0] for i in range(50)]
    np.testing.assert_array_equal(together, alone)
