"""The nightly job: its guards, its monitoring and where its rows go."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import Frozen, PositiveInt, Share


class Limit(Frozen):
    """From which value on a guard warns, and from which it stops the job before anything is published."""

    warn: Annotated[float, Field(ge=0)] | None = None
    stop: Annotated[float, Field(ge=0)] | None = None


class ScoringLimits(Frozen):
    """The guards of a scoring job; a limit without numbers never speaks.

    `days_behind`: from the end of the data to the moment of the scores. `feature_psi` and `score_psi`: drift of a
    feature since training, of the scores since the calibration window (population stability index). `feature_jump`: of
    a feature since the last job, if that was within a week; so those are watched, too, that grow with the data by
    themselves. `missing_rise`:
    of a feature's share of missing values, `unseen_share`: of its values that training never saw.
    `population_change`: of the number of rows since the last job, as a share.
    """

    days_behind: Limit = Limit(warn=3)
    feature_psi: Limit = Limit(warn=0.25)
    feature_jump: Limit = Limit(warn=0.5)
    score_psi: Limit = Limit(warn=0.25)
    missing_rise: Limit = Limit(warn=0.1, stop=0.5)
    unseen_share: Limit = Limit(warn=0.05)
    population_change: Limit = Limit(warn=0.3)


class MonitorConfig(Frozen):
    """When matured scores raise an alert; None: never.

    `least_rows`: of a day, below which nothing is judged. `calibration_error`: the largest mean distance of forecast
    and outcome. `primary_metric`: the least value of the task's. `drop`: the largest share by which it may fall below
    that of the first day.
    """

    least_rows: PositiveInt = 100
    calibration_error: Annotated[float, Field(gt=0)] | None = 0.05
    primary_metric: float | None = None
    drop: Share | None = 0.25


class ScoringConfig(Frozen):
    """The nightly job: its guards, whom it never scores, and where else its rows go.

    `never` is a file with one id a line; with `consent`, only customers are scored whose `consent` is true. `sinks` are
    `duckdb:FILE[#schema]` and `postgresql://...[#schema]`.
    """

    limits: ScoringLimits = ScoringLimits()
    monitor: MonitorConfig = MonitorConfig()
    never: str | None = None
    consent: bool = False
    sinks: tuple[str, ...] = ()
