"""The windows of a split by time."""

from __future__ import annotations

from datetime import date, timedelta

from .base import Frozen, PositiveInt


class CutoffRange(Frozen):
    """Cutoffs from `first` to `last`, every so many days (local dates, both ends included)."""

    first: date
    last: date
    every: PositiveInt

    def dates(self) -> tuple[date, ...]:
        """All dates of the range, in order."""
        count = (self.last - self.first).days // self.every
        return tuple(self.first + timedelta(days=self.every * i) for i in range(count + 1))


Cutoffs = CutoffRange | tuple[date, ...]


class SplitConfig(Frozen):
    """The cutoffs of the four windows; calibration and validation may be empty (cross-fitted instead)."""

    train: Cutoffs
    calibration: Cutoffs = ()
    validation: Cutoffs = ()
    test: Cutoffs
