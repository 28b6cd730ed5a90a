"""The questions that Rapport answers, one module each: who is asked about, what is predicted, how far ahead.

`declare(name, config)` gives the declared task for its part of the configuration.
"""

from __future__ import annotations

from ..config import (
    ChurnConfig,
    ConversionConfig,
    DefectionConfig,
    LoyaltyConfig,
    NextOfferConfig,
    QualityConfig,
    RiskConfig,
    SegmentsConfig,
    StagesConfig,
    TaskConfig,
    TimeToCancelConfig,
    TimeToLeaveConfig,
    UnusualConfig,
    UpliftConfig,
    UpSellConfig,
    ValueConfig,
    WinbackConfig,
)
from ..errors import ConfigError
from .base import Task
from .churn import churn
from .conversion import conversion
from .defection import defection
from .leaving import time_to_cancel, time_to_leave
from .loyalty import loyalty
from .next_offer import next_offer
from .quality import quality
from .risk import risk
from .segments import segments
from .stages import stages
from .unusual import unusual
from .up_sell import up_sell
from .uplift import uplift
from .value import value
from .winback import winback

__all__ = ["Task", "declare"]


def declare(name: str, config: TaskConfig) -> Task:
    """The task of this name under its configuration; ConfigError for a name that no module declares."""
    match config:
        case ChurnConfig():
            return churn(config)
        case TimeToLeaveConfig():
            return time_to_leave(config)
        case TimeToCancelConfig():
            return time_to_cancel(config)
        case ConversionConfig():
            return conversion(config)
        case StagesConfig():
            return stages(config)
        case NextOfferConfig():
            return next_offer(config)
        case LoyaltyConfig():
            return loyalty(config)
        case QualityConfig():
            return quality(config)
        case ValueConfig():
            return value(config)
        case WinbackConfig():
            return winback(config)
        case DefectionConfig():
            return defection(config)
        case SegmentsConfig():
            return segments(config)
        case RiskConfig():
            return risk(config)
        case UnusualConfig():
            return unusual(config)
        case UpliftConfig():
            return uplift(config)
        case UpSellConfig():
            return up_sell(config)
    raise ConfigError(f"no task is called '{name}'")
