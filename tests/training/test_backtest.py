"""The backtest: windows that move back and never overlap, what counts as stable, and a whole one on a small shop."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.config import SplitConfig
from rapport.errors import DataError
from rapport.registry.tracking import artifact_text, reopen
from rapport.training.backtest import backtest, log_backtest
from rapport.training.backtest_picture import picture
from rapport.training.backtest_result import FoldResult, stability
from rapport.training.evaluate import CalibrationBand, Interval
from rapport.training.splits import windows_of
from rapport.training.walk import Walk

ZONE = ZoneInfo("America/New_York")
START = datetime(2017, 1, 1)


def newest(split: SplitConfig, horizon: int) -> SimpleNamespace:
    """What a walk reads of the newest fold's material."""
    return SimpleNamespace(
        zone=ZONE,
        windows=windows_of(split, ZONE),
        task=SimpleNamespace(horizon=horizon),
        data=SimpleNamespace(first_event=START),
    )


def days(first: date, count: int, every: int) -> tuple[date, ...]:
    return tuple(first + timedelta(days=every * i) for i in range(count))


CHURN = SplitConfig(
    train=days(date(2017, 4, 10), 8, 14),
    calibration=days(date(2017, 8, 14), 2, 14),
    validation=days(date(2017, 9, 25), 2, 14),
    test=days(date(2017, 11, 6), 3, 14),
)


def test_windows_move_back_by_a_horizon():
    walk = Walk(newest(CHURN, 28))
    split = walk.split(1)
    assert walk.step == 28
    assert split.test == (date(2017, 10, 9), date(2017, 10, 23))  # 6 November belongs to the newest fold
    assert split.validation == (date(2017, 8, 28), date(2017, 9, 11))
    assert split.train[0] == date(2017, 3, 13)
    assert split.train[-1] == date(2017, 6, 19)


def test_training_cutoffs_need_history():
    walk = Walk(newest(CHURN, 28))
    assert walk.earliest == START.date() - timedelta(days=1) + timedelta(days=56)  # local day of the first event
    assert walk.split(4).train == (date(2017, 2, 27), date(2017, 3, 13), date(2017, 3, 27))
    assert walk.split(9) is None


def test_campaigns_move_by_the_length_of_their_test_window():
    split = SplitConfig(train=days(date(2017, 2, 8), 238, 1), test=days(date(2017, 10, 4), 43, 1))
    walk = Walk(newest(split, 0))
    assert walk.step == 43
    moved = walk.split(1)
    assert (moved.test[0], moved.test[-1]) == (date(2017, 8, 22), date(2017, 10, 3))


@settings(max_examples=50, deadline=None)
@given(
    horizon=st.integers(1, 60),
    every=st.integers(1, 30),
    numbers=st.tuples(*[st.integers(1, 4)] * 4),
)
def test_folds_never_share_a_test_cutoff_and_keep_their_distance(horizon, every, numbers):
    dates, first = [], date(2018, 1, 1)
    for number in numbers:
        dates.append(days(first, number, every))
        first = dates[-1][-1] + timedelta(days=horizon)
    walk = Walk(newest(SplitConfig(train=dates[0], calibration=dates[1], validation=dates[2], test=dates[3]), horizon))
    tested = [*dates[3]]
    for back in range(1, 6):
        split = walk.split(back)
        if split is None:
            break
        windows_of(split, ZONE).check(horizon, ZONE)  # raises where targets overlap the next window
        tested += split.test
    assert len(tested) == len(set(tested))


# ------------------------------------------------------------------------------------------- stable or not
def fold(last: str, *, gain: float = 0.1, ece: float = 0.01, band: float = 0.02) -> FoldResult:
    def sure(value: float) -> Interval:
        return Interval(value, value - 0.01, value + 0.01)

    return FoldResult(
        first=last,
        last=last,
        trained_until="2017-01-01",
        rows=100,
        entities=50,
        positives=20,
        trees=10,
        promised=0.2,
        happened=0.2,
        model={"average_precision": sure(0.5), "ece": sure(ece)},
        rule={"average_precision": sure(0.5 - gain)},
        gain={"average_precision": sure(gain)},
        band=CalibrationBand(band / 2, 0.0, band),
        drivers={"rhythm": 1.0},
    )


SURE = Interval(0.1, 0.05, 0.15)


def test_stable_without_objections():
    folds = [fold("2017-09-01"), fold("2017-10-01"), fold("2017-11-01")]
    assert stability("average_precision", folds, SURE, [0.9, 0.8]) == ()


@pytest.mark.parametrize(
    ("changed", "gain", "shared", "said"),
    [
        ({"gain": -0.01}, SURE, [0.9], "no gain over the rule at 2017-11-01"),
        ({"ece": 0.08}, SURE, [0.9], "calibration error 0.080 at 2017-11-01"),
        ({}, Interval(0.01, -0.01, 0.03), [0.9], "includes none"),
        ({}, SURE, [0.4], "only 40% of what drives the score at 2017-11-01"),
    ],
)
def test_each_objection_is_named(changed, gain, shared, said):
    against = stability("average_precision", [fold("2017-10-01"), fold("2017-11-01", **changed)], gain, shared)
    assert len(against) == 1
    assert said in against[0]


def test_an_error_that_chance_explains_is_no_objection():
    folds = [fold("2017-10-01"), fold("2017-11-01", ece=0.08, band=0.09)]
    assert stability("average_precision", folds, SURE, [1.0]) == ()


# ------------------------------------------------------------------------------------------- a whole one
@pytest.fixture(scope="module")
def walked(shop):
    """Nine folds were asked for, and what was said."""
    said: list[str] = []
    return backtest(shop, "churn", folds=9, say=said.append), said


def test_folds_are_told_from_the_oldest_to_the_newest(walked):
    result, said = walked
    assert [each.last for each in result.folds] == sorted(each.last for each in result.folds)
    assert (result.folds[-1].first, result.folds[-1].last) == ("2023-04-10", "2023-06-02")
    assert 3 <= len(result.folds) < 9
    assert "fold" in result.left_out[0]
    assert said[-1] == result.left_out[0]


def test_parts_add_up(walked):
    result, _ = walked
    rows = sum(each.rows for each in result.folds)
    assert result.known.rows + result.new.rows == rows
    assert result.known.positives + result.new.positives == sum(each.positives for each in result.folds)
    assert result.known.entities > result.new.entities > 0
    for each in result.folds:
        assert sum(each.drivers.values()) == pytest.approx(1)
        assert each.happened == pytest.approx(each.positives / each.rows)
    assert len(result.shared) == len(result.agreement) == len(result.folds) - 1


def test_pooled_metric_lies_among_those_of_the_folds(walked):
    result, _ = walked
    values = [each.model["roc_auc"].estimate for each in result.folds]
    assert min(values) - 0.05 < result.pooled["roc_auc"].estimate < max(values) + 0.05
    assert result.pooled["roc_auc"].low < result.pooled["roc_auc"].estimate < result.pooled["roc_auc"].high
    against = stability(result.metric, result.folds, result.pooled_gain[result.metric], result.shared)
    assert result.stable is (not against)
    assert bool(against) == (result.reasons == against)


def test_backtest_is_the_same_again(shop, walked):
    result, _ = walked
    again = backtest(shop, "churn", folds=1)
    assert again.folds[0] == result.folds[-1]
    assert again.stable is None


def test_backtest_is_kept_as_a_run(shop, walked):
    result, _ = walked
    run = log_backtest(shop.config, result, fingerprint=shop.fingerprint)
    stored = json.loads(artifact_text(reopen(shop.config, run), "backtest.json"))
    assert stored["folds"][0]["last"] == result.folds[0].last
    assert stored["pooled"]["average_precision"]["estimate"] == result.pooled["average_precision"].estimate


def test_picture_has_a_point_a_fold(walked):
    result, _ = walked
    above, below = picture(result).axes
    assert [text.get_text() for text in below.get_xticklabels()] == [each.last for each in result.folds]
    assert len(above.get_lines()[0].get_ydata()) == len(result.folds)
    assert list(below.get_lines()[1].get_ydata()) == [each.happened for each in result.folds]


def test_table_tells_each_fold_and_all_of_them(walked):
    result, _ = walked
    table = result.table()
    assert [row["part"] for row in table[-3:]] == ["all folds", "known entities", "new entities"]
    assert sum(row["rows"] for row in table[:-3]) == table[-3]["rows"]
    assert table[-3]["gain"] == result.pooled_gain["average_precision"].estimate
    assert table[0]["gain_low"] == result.folds[0].gain["average_precision"].low
    json.dumps(table, allow_nan=False)
    json.dumps(result.as_dict(), allow_nan=False)


def test_no_folds_is_a_fault(shop):
    with pytest.raises(DataError, match="at least one fold"):
        backtest(shop, "churn", folds=0)
