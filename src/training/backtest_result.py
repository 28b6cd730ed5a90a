"""What a backtest found, fold by fold and together, and when it counts as stable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..models.base import without_nan
from .evaluate import CalibrationBand, Interval

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

    `model` and `rule` are empty where there are too few positives or negatives to measure.
    """

    rows: int
    entities: int
    positives: int
    model: Metrics
    rule: Metrics


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
    entities: int
    known: Part
    new: Part
    agreement: tuple[float, ...]
    shared: tuple[float, ...]
    stable: bool | None
    reasons: tuple[str, ...]
    left_out: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None for what is not defined."""
        found: dict[str, Any] = without_nan(asdict(self))
        return found

    def table(self) -> list[dict[str, Any]]:
        """A row a fold, then one for all of them, for known and for new entities; None where nothing was measured."""
        metric = self.metric
        rows = [
            {"part": _span(fold.first, fold.last), "trained_until": fold.trained_until, **_sizes(fold)}
            | {"promised": fold.promised, "happened": fold.happened, "trees": fold.trees}
            | _measured(metric, fold.model, fold.rule, fold.gain[metric])
            for fold in self.folds
        ]
        whole = Part(
            self.known.rows + self.new.rows,
            self.entities,
            self.known.positives + self.new.positives,
            self.pooled,
            self.pooled_rule,
        )
        gains = {"all folds": self.pooled_gain[metric]}
        for name, part in (("all folds", whole), ("known entities", self.known), ("new entities", self.new)):
            blank = dict.fromkeys(("trained_until", "trees", "promised"))
            share = {"happened": part.positives / part.rows if part.rows else None}
            measured = _measured(metric, part.model, part.rule, gains.get(name))
            rows.append({"part": name, **blank, **_sizes(part), **share, **measured})
        columns = list(rows[0])
        return [{column: row[column] for column in columns} for row in without_nan(rows)]

    @property
    def verdict(self) -> str:
        """One line: how good over all folds, and whether that is stable."""
        own, rule, gain = (part[self.metric] for part in (self.pooled, self.pooled_rule, self.pooled_gain))
        stable = {True: "stable", False: "not stable", None: "too few folds to call it stable or not"}[self.stable]
        return (
            f"{self.metric} {own.estimate:.3f} over {len(self.folds)} folds, rule {rule.estimate:.3f}, "
            f"gain {gain.estimate:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}): {stable}; {'; '.join(self.reasons)}"
        )


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _sizes(part: FoldResult | Part) -> dict[str, Any]:
    return {"rows": part.rows, "entities": part.entities, "positives": part.positives}


def _measured(metric: str, model: Metrics, rule: Metrics, gain: Interval | None) -> dict[str, Any]:
    def of(metrics: Metrics, name: str) -> float | None:
        return metrics[name].estimate if name in metrics else None

    own = model.get(metric)
    found = {metric: of(model, metric), f"{metric}_low": own and own.low, f"{metric}_high": own and own.high}
    found |= {f"rule_{metric}": of(rule, metric), "gain": gain and gain.estimate}
    found |= {"gain_low": gain and gain.low, "gain_high": gain and gain.high}
    return found | {"roc_auc": of(model, "roc_auc"), "ece": of(model, "ece")}


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
