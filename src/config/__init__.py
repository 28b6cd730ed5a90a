"""The configuration of a project: one YAML file, typed, frozen, and strict about unknown keys.

`load_config(path)` returns a `Config`. Relative file locations are read relative to the YAML file; everything that
Rapport writes lies under `Config.home` (the current folder, or RAPPORT_HOME).
"""

from __future__ import annotations

from .base import Frozen, Name, PositiveInt, Share
from .learning import FloatRange, IntRange, LearnerConfig, SearchSpace, TuningConfig
from .plan import (
    ActionConfig,
    Anniversary,
    Column,
    ContactPolicy,
    FollowUp,
    KeptBack,
    NotNegative,
    PlanConfig,
    RetentionConfig,
)
from .project import Config, SimulatedWorld, SparkConfig, load_config
from .scoring import Limit, MonitorConfig, ScoringConfig, ScoringLimits
from .splits import CutoffRange, Cutoffs, SplitConfig
from .tables import TableMapping
from .tasks import (
    ChurnConfig,
    ConversionConfig,
    DefectionConfig,
    GroupName,
    Groups,
    LeavingConfig,
    LoyaltyConfig,
    NextOfferConfig,
    QualityConfig,
    RiskConfig,
    SegmentsConfig,
    StagesConfig,
    TaskConfig,
    TasksConfig,
    TimeToCancelConfig,
    TimeToLeaveConfig,
    UnusualConfig,
    UpliftConfig,
    UpSellConfig,
    ValueConfig,
    WinbackConfig,
)

__all__ = [
    "ActionConfig",
    "Anniversary",
    "ChurnConfig",
    "Column",
    "Config",
    "ContactPolicy",
    "ConversionConfig",
    "CutoffRange",
    "Cutoffs",
    "DefectionConfig",
    "FloatRange",
    "FollowUp",
    "Frozen",
    "GroupName",
    "Groups",
    "IntRange",
    "KeptBack",
    "LearnerConfig",
    "LeavingConfig",
    "Limit",
    "LoyaltyConfig",
    "MonitorConfig",
    "Name",
    "NextOfferConfig",
    "NotNegative",
    "PlanConfig",
    "PositiveInt",
    "QualityConfig",
    "RetentionConfig",
    "RiskConfig",
    "ScoringConfig",
    "ScoringLimits",
    "SearchSpace",
    "SegmentsConfig",
    "Share",
    "SimulatedWorld",
    "SparkConfig",
    "SplitConfig",
    "StagesConfig",
    "TableMapping",
    "TaskConfig",
    "TasksConfig",
    "TimeToCancelConfig",
    "TimeToLeaveConfig",
    "TuningConfig",
    "UnusualConfig",
    "UpSellConfig",
    "UpliftConfig",
    "ValueConfig",
    "WinbackConfig",
    "load_config",
]
