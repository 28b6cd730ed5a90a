"""Splits by global time: train, calibration, validation and test windows, folds for tuning, folds for cross-fitting.

A window is a tuple of cutoffs: naive UTC datetimes of local midnights in the business zone. No target window of one
window may reach past the first cutoff of the next: `Windows.check` holds that for targets of a fixed horizon, and
`assign` purges single rows by their own `window_end` where every row brings one (campaigns).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from ..config import CutoffRange, Cutoffs, SplitConfig
from ..data.clock import local_to_utc, utc_to_local
from ..errors import ConfigError, GateError
from .metrics.counts import IntArray, as_outcomes, encode

BoolArray = npt.NDArray[np.bool_]
Cutoff = datetime

# numbers of calibration, validation and test cutoffs, and how many of train make that layout good enough
_LAYOUTS = (((2, 2, 3), 4), ((2, 2, 2), 4), ((1, 1, 2), 4), ((1, 1, 1), 2), ((0, 0, 1), 1))
_MOST_TRAIN = 8


@dataclass(frozen=True)
class Windows:
    """The cutoffs of each window, in order; calibration and validation are empty where they are cross-fitted."""

    train: tuple[Cutoff, ...]
    calibration: tuple[Cutoff, ...]
    validation: tuple[Cutoff, ...]
    test: tuple[Cutoff, ...]

    def named(self) -> dict[str, tuple[Cutoff, ...]]:
        """The windows that are not empty, by name, in order of time."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name)}

    @property
    def cutoffs(self) -> tuple[Cutoff, ...]:
        """All cutoffs, in order."""
        return tuple(sorted({cutoff for window in self.named().values() for cutoff in window}))

    def end_of(self, name: str) -> Cutoff | None:
        """The first cutoff of the window after `name`, by which its targets must have ended; None for the last."""
        names = list(self.named())
        after = names.index(name) + 1
        return self.named()[names[after]][0] if after < len(names) else None

    def check(self, horizon: int, zone: ZoneInfo, observed_until: datetime | None = None) -> None:
        """GateError where a target window reaches past the next window's first cutoff, or past the end of the data.

        `horizon` in days of the business calendar; `observed_until` naive UTC.
        """
        for name, window in self.named().items():
            end, limit = add_days(window[-1], horizon, zone), self.end_of(name)
            reach = f"the {name} window's last cutoff {_local(window[-1], zone)} has targets until {_local(end, zone)}"
            if limit is not None and end > limit:
                raise GateError(
                    f"{reach}, past the next window's first cutoff {_local(limit, zone)}; "
                    f"leave at least the horizon of {horizon} days between the two"
                )
            if observed_until is not None and end > observed_until:
                raise GateError(
                    f"{reach}, but the data are observed until {_local(observed_until, zone, clock=True)} only; "
                    "take earlier cutoffs, or set observed_until to when the data were drawn"
                )

    def as_dict(self) -> dict[str, list[str]]:
        """Plain values for JSON: ISO timestamps (UTC)."""
        return {f.name: [cutoff.isoformat() for cutoff in getattr(self, f.name)] for f in fields(self)}


def midnight(day: date, zone: ZoneInfo) -> Cutoff:
    """The moment at which a local day begins, as a naive UTC datetime."""
    return local_to_utc(datetime.combine(day, time()), zone)


def add_days(cutoff: Cutoff, days: int, zone: ZoneInfo) -> Cutoff:
    """A moment moved by days of the local calendar (the clock time stays across summer time)."""
    return local_to_utc(utc_to_local(cutoff, zone) + timedelta(days=days), zone)


def windows_of(split: SplitConfig, zone: ZoneInfo) -> Windows:
    """The windows that a configuration names.

    ConfigError where train or test is empty, or where a window does not begin after the one before has ended.
    """
    days = {name: _days(getattr(split, name)) for name in ("train", "calibration", "validation", "test")}
    for name in ("train", "test"):
        if not days[name]:
            raise ConfigError(f"split.{name} has no cutoffs; give at least one date")
    before = ""
    for name, window in days.items():
        if before and window and window[0] <= days[before][-1]:
            raise ConfigError(
                f"split.{name} begins on {window[0]}, not after the last cutoff of split.{before}, "
                f"{days[before][-1]}; windows follow each other in time: train, calibration, validation, test"
            )
        before = name if window else before
    return Windows(**{name: tuple(midnight(day, zone) for day in window) for name, window in days.items()})


def lay_out(
    first_event: datetime, observed_until: datetime, horizon: int, zone: ZoneInfo, *, lookback: int = 0
) -> Windows:
    """Windows laid out from the span of the data (naive UTC), as late as the data allow.

    Cutoffs stand half a horizon apart, the windows one horizon; train takes as many cutoffs as fit, up to 8, the first
    at least `lookback` days after the first event. Where four windows do not fit, calibration and validation stay
    empty (to be cross-fitted inside train). ConfigError where not even train and test fit, naming the length needed.
    """
    begin = utc_to_local(first_event, zone)
    earliest = begin.date() + timedelta(days=lookback + (begin.time() != time()))
    latest = utc_to_local(observed_until, zone).date() - timedelta(days=horizon)
    step = max(1, horizon // 2)
    for (calibration, validation, test), enough in _LAYOUTS:
        days: dict[str, list[date]] = {}
        last = latest
        for name, number in (("test", test), ("validation", validation), ("calibration", calibration)):
            days[name] = [last - timedelta(days=step * i) for i in range(number)][::-1]
            last = days[name][0] - timedelta(days=horizon) if number else last
        fitting = min((last - earliest).days // step + 1, _MOST_TRAIN)
        if fitting >= enough:
            days["train"] = [last - timedelta(days=step * i) for i in range(fitting)][::-1]
            return Windows(**{name: tuple(midnight(day, zone) for day in window) for name, window in days.items()})
    raise ConfigError(
        f"the data span {(observed_until - first_event).days} days ({begin.date()} to {_local(observed_until, zone)}), "
        f"too few for a training and a test window: a horizon of {horizon} days after {lookback} days of history needs "
        f"at least {lookback + 2 * horizon + 1}; bring more data, or shorten the horizon"
    )


def lay_out_moments(moments: Any, ends: Any, *, test_share: float = 0.3) -> Windows:
    """Train and test windows where the data bring the cutoffs (the starts of campaigns) and each row its own end.

    `moments` and `ends` (n,) of every row; test begins at the latest moment that leaves it `test_share` of the rows
    or more. Calibration and validation stay empty. ConfigError where nothing that ended by then is left to train on.
    """
    moment, end = _moments(moments), _moments(ends)
    distinct, rows = np.unique(moment, return_counts=True)
    later = np.cumsum(rows[::-1])[::-1] / rows.sum()
    border = distinct[np.flatnonzero(later >= min(test_share, 1))[-1]]
    train = np.unique(moment[(moment < border) & (end <= border)])
    if len(train) == 0:
        raise ConfigError(
            f"nothing to train on: of {len(distinct)} starts none ended before the test begins on {border}; "
            "bring more history, or name the windows under split"
        )
    test = distinct[distinct >= border]
    return Windows(tuple(train.astype("M8[us]").tolist()), (), (), tuple(test.astype("M8[us]").tolist()))


@dataclass(frozen=True)
class Assigned:
    """Which rows belong to each window, boolean (n,) each, and how many were purged from each for their late end."""

    rows: dict[str, BoolArray]
    purged: dict[str, int]


def assign(windows: Windows, zone: ZoneInfo, cutoff: Any, window_end: Any) -> Assigned:
    """Rows of a snapshot to windows, purged where a row's target ends after the next window's first cutoff.

    `cutoff` and `window_end` (n,) naive UTC. A row belongs to the window between whose first and last local day its
    cutoff's local day lies, so that two dates also name all campaigns that start between them.
    """
    moment, end = _moments(cutoff), _moments(window_end)
    rows: dict[str, BoolArray] = {}
    purged: dict[str, int] = {}
    for name, window in windows.named().items():
        inside = (moment >= np.datetime64(window[0])) & (moment < np.datetime64(add_days(window[-1], 1, zone)))
        limit = windows.end_of(name)
        late = inside & (end > np.datetime64(limit)) if limit is not None else np.zeros_like(inside)
        rows[name], purged[name] = inside & ~late, int(late.sum())
    return Assigned(rows, purged)


def rolling_folds(cutoff: Any, window_end: Any, folds: int = 3) -> tuple[tuple[IntArray, IntArray], ...]:
    """Folds inside a window that walk forward in time: (row numbers to fit on, row numbers to look at).

    The distinct cutoffs are cut into folds + 1 stretches of about equal rows; each but the first is looked at once,
    after a fit on all rows whose target had ended by its first cutoff. Folds with nothing to fit on are left out, so
    that a single cutoff, or a horizon longer than the window, gives none.
    """
    moment, end = _moments(cutoff), _moments(window_end)
    distinct, of_row, rows = np.unique(moment, return_inverse=True, return_counts=True)
    stretch = np.minimum((np.cumsum(rows) - rows / 2) / rows.sum() * (folds + 1), folds).astype(np.int64)
    found = []
    for fold in np.unique(stretch)[1:]:
        fit = np.flatnonzero(end <= distinct[stretch == fold][0])
        if len(fit):
            found.append((fit, np.flatnonzero(stretch[of_row] == fold)))
    return tuple(found)


def entity_folds(entities: Any, target: Any = None, folds: int = 5, seed: int = 0) -> IntArray:
    """A fold 0..folds-1 for each row, (n,), all rows of an entity in one: for cross-fitting.

    Entities are dealt out at random; with a target of 0 and 1 (n,) those with equally many positives are dealt out
    together, so that every fold gets its part of them. ConfigError with fewer entities than folds.
    """
    code, number = encode(entities, "entities")
    if number < folds:
        raise ConfigError(f"cross-fitting in {folds} folds needs at least as many entities; there are {number}")
    positives = np.zeros(number) if target is None else np.bincount(code, as_outcomes(target), number)
    rows = np.bincount(code, minlength=number)
    order = np.lexsort((np.random.default_rng(seed).permutation(number), -rows, -positives))
    fold = np.empty(number, dtype=np.int64)
    # to and fro, so that the first fold does not get the largest of every deal
    place = np.arange(number) % (2 * folds)
    fold[order] = np.where(place < folds, place, 2 * folds - 1 - place)
    return fold[code]


def _days(cutoffs: Cutoffs) -> tuple[date, ...]:
    return cutoffs.dates() if isinstance(cutoffs, CutoffRange) else tuple(sorted(set(cutoffs)))


def _local(moment: datetime, zone: ZoneInfo, *, clock: bool = False) -> str:
    local = utc_to_local(moment, zone)
    return f"{local:%Y-%m-%d %H:%M}" if clock else str(local.date())


def _moments(values: Any) -> npt.NDArray[np.datetime64]:
    """Timestamps of any make (datetimes, numpy, Arrow) as datetime64[us], (n,); ValueError for missing ones."""
    array = np.asarray(values).astype("M8[us]").ravel()
    missing = int(np.isnat(array).sum())
    if missing:
        raise ValueError(f"{missing} of {len(array)} cutoffs or window ends are missing")
    return array
