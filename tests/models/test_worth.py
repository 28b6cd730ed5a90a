from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rapport.config import LearnerConfig
from rapport.errors import ModelError
from rapport.language.declarations import FeatureColumn
from rapport.models.worth import AmountScale, GivenWorth, WorthModel

COLUMNS = (FeatureColumn("visits", "rhythm", "frequency", unit="count"), FeatureColumn("spend", "spending", "spend"))
LEARNER = LearnerConfig(n_estimators=150, learning_rate=0.1, num_leaves=7, early_stopping_rounds=20)


def draw(rows: int, seed: int) -> tuple[pa.Table, np.ndarray, np.ndarray, np.ndarray]:
    """A table, the true P(target), the true mean worth given the target, and the worth that came (n,) each."""
    rng = np.random.default_rng(seed)
    visits, spend = rng.poisson(4, rows), rng.gamma(2, 20, rows)
    probability = 1 / (1 + np.exp(2 - 0.5 * visits))
    mean = 5 + 0.8 * spend
    came = np.where(rng.random(rows) < probability, mean * rng.gamma(4, 0.25, rows), 0.0)
    table = pa.table({"customer_id": np.arange(rows), "visits": visits, "spend": spend})
    return table, probability, mean, came


@pytest.fixture(scope="module")
def model() -> WorthModel:
    table, _, _, came = draw(6_000, 1)
    positive = pa.array(came > 0)
    bought = table.filter(positive)
    given = GivenWorth.fit(LEARNER, COLUMNS, bought, came[came > 0], bought["customer_id"], seed=1, threads=1)
    later, probability, _, came = draw(6_000, 2)
    return given.scaled(given.of(later), probability, came)


def test_the_expectation_is_that_of_the_truth(model: WorthModel) -> None:
    table, probability, mean, _ = draw(6_000, 3)
    foretold = model.foretell(table, probability)
    truth = probability * mean
    assert np.corrcoef(foretold.expected, truth)[0, 1] > 0.98
    assert foretold.expected.sum() == pytest.approx(truth.sum(), rel=0.05)


def test_the_expectations_of_the_calibration_rows_add_up_to_what_came() -> None:
    _, probability, mean, came = draw(2_000, 7)
    foretold = AmountScale.fit(0.5 * probability * mean, came).apply(0.5 * probability * mean)
    assert foretold.expected.sum() == pytest.approx(came.sum(), rel=1e-4)


def test_eight_of_ten_rows_lie_in_their_interval_of_those_who_mostly_buy(model: WorthModel) -> None:
    table, probability, _, came = draw(20_000, 4)
    foretold = model.foretell(table, probability)
    inside = (foretold.low <= came) & (came <= foretold.high)
    assert inside.mean() == pytest.approx(0.8, abs=0.03)
    assert (foretold.low <= foretold.high).all()


def test_saved_and_read_back_it_foretells_the_same_to_the_bit(model: WorthModel, tmp_path: Path) -> None:
    table, probability, _, _ = draw(500, 5)
    model.save(tmp_path / "worth")
    again = WorthModel.load(tmp_path / "worth", threads=1)
    first, second = model.foretell(table, probability), again.foretell(table, probability)
    np.testing.assert_array_equal(list(vars(first).values()), list(vars(second).values()))
    assert again.content == model.content


def test_amounts_below_zero_count_as_zero() -> None:
    scale = AmountScale.fit(np.ones(200), np.where(np.arange(200) < 100, -50.0, 10.0))
    assert scale.apply(np.ones(1)).expected[0] == pytest.approx(5.0)
    # Half came to nothing, so the interval runs from 0 to the eighth decile.
    assert (scale.apply(np.ones(1)).low[0], scale.apply(np.ones(1)).high[0]) == (0.0, 10.0)


def test_what_came_to_nothing_teaches_nothing() -> None:
    table, _, _, came = draw(100, 6)
    with pytest.raises(ModelError, match="came to nothing"):
        GivenWorth.fit(LEARNER, COLUMNS, table, 0 * came, table["customer_id"])
    with pytest.raises(ModelError, match="came to nothing"):
        AmountScale.fit(np.ones(10), np.zeros(10))


def test_a_damaged_file_is_named(model: WorthModel, tmp_path: Path) -> None:
    model.save(tmp_path / "worth")
    (tmp_path / "worth" / "worth.json").write_text('{"slope": 1}', encoding="utf-8")
    with pytest.raises(ModelError, match="worth of the model is not readable"):
        WorthModel.load(tmp_path / "worth")


def test_past_the_largest_expectation_the_interval_grows_with_it() -> None:
    scale = AmountScale(1.0, 0.0, (1.0, 10.0), (0.0, 5.0), (2.0, 20.0), (0.9, 0.0))
    foretold = scale.apply(np.array([10.0, 40.0]))
    assert foretold.low.tolist() == pytest.approx([5.0, 20.0])
    assert foretold.high.tolist() == pytest.approx([20.0, 80.0])
    assert foretold.nothing.tolist() == [0.0, 0.0]
