"""What a backtest found, fold by fold and together, and when it counts as stable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .evaluate import CalibrationBand, Interval
from .metrics import metric_named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Metrics = dict[str, Interval]

STABLE_DRIVERS = 0.6  # part of what drives the score that neighbouring folds share
STABLE_ECE = 0.05  # a calibration error above it is bad if chance alone does not explain it


@dataclass(frozen=True)
class FoldResult:
    """One fold; dates are local. `promised` and `happened` are the mean probability and the share of positives.

    `drivers` has each group's share of the mean absolute contributions to the raw score, the strongest first.
    """

    first: str
    last: str
    trained_until: str
    rows: int
    entities: int
    positives: int
    trees: int
    promised: float
    happened: float
    model: Metrics
    rule: Metrics
    gain: Metrics
    band: CalibrationBand
    drivers: dict[str, float]


@dataclass(frozen=True)
class Part:
    """Test rows of all folds whose entities had rows in their fold's training window, or of those that had none.

    `model` is empty where there are too few positives or negatives to measure.
    """

    rows: int
    entities: int
    positives: int
    model: Metrics


@dataclass(frozen=True)
class Backtest:
    """All folds, the oldest first, and what they say together.

    `pooled`, `pooled_rule`, `pooled_gain` are metrics over the test rows of all folds, resampled over entities.
    For each fold and the next, `agreement` has the rank correlation of their drivers and `shared` the part of them that
    is the same (the sum over groups of the smaller share): many groups are small, and their ranks are chance. `stable`
    follows `stability`, None where there are too few folds to say; `reasons` say why. `left_out`: folds that could
    not be had.
    """

    task: str
    metric: str
    rule: str
    folds: tuple[FoldResult, ...]
    pooled: Metrics
    pooled_rule: Metrics
    pooled_gain: Metrics
    known: Part
    new: Part
    agreement: tuple[float, ...]
    shared: tuple[float, ...]
    stable: bool | None
    reasons: tuple[str, ...]
    left_out: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def picture(self) -> Figure:
        """The primary metric of model and rule, fold by fold, with intervals."""
        from ..explain.pictures import over_cutoffs

        def points(of: Sequence[Metrics]) -> list[tuple[float, float, float]]:
            return [(m[self.metric].estimate, m[self.metric].low, m[self.metric].high) for m in of]

        model, rule = points([fold.model for fold in self.folds]), points([fold.rule for fold in self.folds])
        return over_cutoffs([fold.last for fold in self.folds], model, rule, metric_named(self.metric).title)


def stability(metric: str, folds: Sequence[FoldResult], gain: Interval, shared: Sequence[float]) -> tuple[str, ...]:
    """What speaks against calling a model stable; nothing where it is.

    It is stable where (1) the gain over the rule is above zero in every fold, and the whole interval of the gain over
    all of them is; (2) no fold's calibration error is above .05, unless chance explains it; (3) neighbouring folds
    share .6 or more of their drivers.
    """
    against = []
    for fold in folds:
        if not fold.gain[metric].estimate > 0:
            against.append(f"no gain over the rule at {fold.last} ({fold.gain[metric].estimate:+.3f})")
        if fold.model["ece"].estimate > max(STABLE_ECE, fold.band.high):
            against.append(f"calibration error {fold.model['ece'].estimate:.3f} at {fold.last}")
    if not gain.low > 0:
        against.append(f"the interval of the gain over all folds, {gain.low:+.3f} to {gain.high:+.3f}, includes none")
    for part, fold in zip(shared, folds[1:], strict=True):
        if not part >= STABLE_DRIVERS:
            against.append(f"only {part:.0%} of what drives the score at {fold.last} did so in the fold before")
    return tuple(against)
