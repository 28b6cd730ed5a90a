"""Windows by time, their purging, and the folds inside them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.config import CutoffRange, SplitConfig
from rapport.errors import ConfigError, GateError
from rapport.training.splits import (
    Windows,
    add_days,
    assign,
    entity_folds,
    lay_out,
    lay_out_moments,
    midnight,
    rolling_folds,
    windows_of,
)

BERLIN = ZoneInfo("Europe/Berlin")
CHICAGO = ZoneInfo("America/Chicago")
UTC_ZONE = ZoneInfo("UTC")

CHURN_2017 = SplitConfig(
    train=CutoffRange(first=date(2017, 4, 10), last=date(2017, 7, 17), every=14),
    calibration=(date(2017, 8, 14), date(2017, 8, 28)),
    validation=(date(2017, 9, 25), date(2017, 10, 9)),
    test=(date(2017, 11, 6), date(2017, 11, 20), date(2017, 12, 4)),
)


def test_cutoffs_are_local_midnights_in_utc():
    assert midnight(date(2017, 1, 10), BERLIN) == datetime(2017, 1, 9, 23)
    assert midnight(date(2017, 7, 10), BERLIN) == datetime(2017, 7, 9, 22)


def test_a_horizon_is_days_of_the_calendar_across_summer_time():
    before = midnight(date(2017, 3, 20), BERLIN)
    assert add_days(before, 28, BERLIN) == midnight(date(2017, 4, 17), BERLIN)
    assert add_days(before, 28, BERLIN) - before == timedelta(days=28) - timedelta(hours=1)


def test_configured_windows_in_order():
    windows = windows_of(CHURN_2017, CHICAGO)
    assert [len(window) for window in windows.named().values()] == [8, 2, 2, 3]
    assert windows.train[0] == datetime(2017, 4, 10, 5)
    assert windows.end_of("train") == windows.calibration[0]
    assert windows.end_of("test") is None
    assert len(windows.cutoffs) == 15
    windows.check(28, CHICAGO, observed_until=datetime(2018, 1, 1, 6))


def test_a_target_window_past_the_next_cutoff_is_refused_with_both_dates():
    windows = windows_of(CHURN_2017, CHICAGO)
    with pytest.raises(GateError, match=r"train window.*2017-07-17.*2017-08-15.*2017-08-14.*29 days"):
        windows.check(29, CHICAGO)


def test_a_target_window_past_the_end_of_the_data_is_refused():
    windows = windows_of(CHURN_2017, CHICAGO)
    with pytest.raises(GateError, match=r"test window.*2017-12-04.*2018-01-01.*observed until 2017-12-31 23:59"):
        windows.check(28, CHICAGO, observed_until=datetime(2018, 1, 1, 5, 59, 59))


def test_windows_out_of_order_are_refused():
    split = SplitConfig(train=(date(2020, 1, 1), date(2020, 3, 1)), test=(date(2020, 2, 1),))
    with pytest.raises(ConfigError, match=r"split.test begins on 2020-02-01, not after .* split.train, 2020-03-01"):
        windows_of(split, UTC_ZONE)
    with pytest.raises(ConfigError, match=r"split.test has no cutoffs"):
        windows_of(SplitConfig(train=(date(2020, 1, 1),), test=()), UTC_ZONE)


def test_empty_windows_are_skipped():
    split = SplitConfig(train=(date(2020, 1, 1),), test=(date(2020, 2, 1),))
    windows = windows_of(split, UTC_ZONE)
    assert list(windows.named()) == ["train", "test"]
    assert windows.end_of("train") == datetime(2020, 2, 1)
    assert windows.as_dict()["calibration"] == []


@settings(deadline=None)
@given(
    days=st.integers(30, 1500),
    horizon=st.integers(1, 200),
    lookback=st.integers(0, 200),
    zone=st.sampled_from([BERLIN, CHICAGO, UTC_ZONE]),
    hour=st.integers(0, 23),
)
def test_laid_out_windows_never_overlap_and_stay_inside_the_data(days, horizon, lookback, zone, hour):
    first = datetime(2016, 2, 28, hour, 30)
    last = first + timedelta(days=days)
    try:
        windows = lay_out(first, last, horizon, zone, lookback=lookback)
    except ConfigError:
        assert days <= lookback + 2 * horizon + 1
        return
    windows.check(horizon, zone, last)
    assert add_days(first, lookback, zone) <= windows.train[0]
    assert 1 <= len(windows.train) <= 8
    local = [cutoff.replace(tzinfo=UTC).astimezone(zone) for cutoff in windows.cutoffs]
    assert all(moment.hour == moment.minute == 0 for moment in local)


def test_a_year_with_a_horizon_of_four_weeks_carries_four_windows():
    windows = lay_out(datetime(2017, 1, 1), datetime(2018, 1, 1), 28, UTC_ZONE, lookback=56)
    assert [len(window) for window in windows.named().values()] == [8, 2, 2, 3]
    assert windows.test[-1] == datetime(2017, 12, 4)


def test_a_short_span_cross_fits_and_a_shorter_one_is_refused():
    windows = lay_out(datetime(2017, 1, 1), datetime(2017, 5, 1), 28, UTC_ZONE, lookback=56)
    assert list(windows.named()) == ["train", "test"]
    with pytest.raises(ConfigError, match=r"span 100 days .* needs at least 113"):
        lay_out(datetime(2017, 1, 1), datetime(2017, 4, 11), 28, UTC_ZONE, lookback=56)


def test_rows_are_purged_by_their_own_end():
    windows = Windows((datetime(2020, 1, 1), datetime(2020, 2, 1)), (), (), (datetime(2020, 3, 1),))
    cutoff = [datetime(2020, 1, 1), datetime(2020, 1, 15), datetime(2020, 2, 1, 10), datetime(2020, 3, 1)]
    end = [datetime(2020, 3, 1), datetime(2020, 3, 1, 0, 0, 0, 1), datetime(2020, 2, 20), datetime(2020, 6, 1)]
    assigned = assign(windows, UTC_ZONE, cutoff, end)
    assert assigned.rows["train"].tolist() == [True, False, True, False]
    assert assigned.rows["test"].tolist() == [False, False, False, True]
    assert assigned.purged == {"train": 1, "test": 0}


def test_campaign_windows_from_their_starts():
    starts = np.repeat(np.array(["2020-01-01", "2020-02-01", "2020-03-01", "2020-04-01"], "M8[us]"), [10, 10, 10, 5])
    ends = starts + np.timedelta64(40, "D")
    windows = lay_out_moments(starts, ends, test_share=0.3)
    assert windows.train == (datetime(2020, 1, 1),)  # the second was still running when the test began
    assert windows.test == (datetime(2020, 3, 1), datetime(2020, 4, 1))
    with pytest.raises(ConfigError, match="nothing to train on"):
        lay_out_moments(starts[:5], ends[:5])


def test_rolling_folds_fit_only_on_targets_that_had_ended():
    cutoff = np.repeat(np.datetime64("2020-01-01", "us") + np.arange(8) * np.timedelta64(14, "D"), 50)
    end = cutoff + np.timedelta64(28, "D")
    folds = rolling_folds(cutoff, end, folds=3)
    assert len(folds) == 3
    looked = np.concatenate([look for _, look in folds])
    assert len(looked) == len(set(looked.tolist()))
    for fit, look in folds:
        assert end[fit].max() <= cutoff[look].min()
    assert rolling_folds(cutoff[:50], end[:50]) == ()


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=40, max_size=200), st.integers(2, 6), st.integers(0, 5))
def test_entity_folds_keep_entities_whole(entities, folds, seed):
    number = len(set(entities))
    if number < folds:
        with pytest.raises(ConfigError, match=f"there are {number}"):
            entity_folds(entities, folds=folds, seed=seed)
        return
    fold = entity_folds(entities, folds=folds, seed=seed)
    assert all(len(set(fold[np.array(entities) == entity])) == 1 for entity in set(entities))
    assert set(fold.tolist()) == set(range(folds))
    assert np.array_equal(fold, entity_folds(entities, folds=folds, seed=seed))


def test_entity_folds_share_out_the_positives():
    target = np.zeros(1000)
    target[:50] = 1
    fold = entity_folds([f"household {i}" for i in range(1000)], target, folds=5)
    assert np.bincount(fold, target).tolist() == [10] * 5
    assert np.bincount(fold).tolist() == [200] * 5
