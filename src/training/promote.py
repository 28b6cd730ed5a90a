"""Champion and challenger: which of two versions scores from now on, decided on a window that neither has seen.

Both score the same rows of the newest window. The challenger takes over only if it passes every gate: better beyond
the interval (or equal and simpler), calibrated, free of alarms, approved by a reviewer. Whatever is decided is
written to the tags of the version, with its reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from ..config import Config
from ..data.dataset import Dataset
from ..errors import ModelError
from ..models.base import without_nan
from ..models.bundle import Bundle
from ..registry.versions import aliases, load, set_alias, tag_version, version_tags
from ..tasks import declare
from ..tasks.base import Task
from .alarms import Alarm, feature_aucs, score_alarm, separating_features
from .evaluate import CalibrationBand, Interval, bootstrap, calibration_band
from .judge import CALIBRATED_ECE, lists_of
from .material import target_of
from .unseen import unseen_rows

Say = Callable[[str], None]

SIMPLER = 0.8  # of the champion's features or leaves, with no more of the other
EQUAL_LOSS = 0.01  # what an equal challenger may be behind, as a share of the champion's metric
ALARM_ROWS = 20_000


@dataclass(frozen=True)
class Gate:
    """One condition of a promotion: its name, whether it holds, and a sentence that says why."""

    name: str
    passed: bool
    words: str


@dataclass(frozen=True)
class Promotion:
    """A comparison of two versions and what was decided; `window` names the local dates of the first and last cutoff.

    `gain` is the challenger's over the champion in the task's primary metric, paired over entities.
    """

    task: str
    champion: str
    challenger: str
    metric: str
    window: tuple[str, str]
    rows: int
    entities: int
    estimates: dict[str, dict[str, Interval]]
    gain: Interval
    gates: tuple[Gate, ...]
    promoted: bool

    @property
    def message(self) -> str:
        """The decision in one line."""
        failed = [gate.words for gate in self.gates if not gate.passed]
        if self.promoted:
            return f"{self.task}: version {self.challenger} is the champion now, instead of {self.champion}"
        return f"{self.task}: version {self.champion} stays the champion, for {'; '.join(failed)}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found: dict[str, Any] = without_nan(asdict(self)) | {"message": self.message}
        return found


def promote(
    data: Dataset, name: str, which: str = "challenger", *, seed: int | None = None, say: Say = lambda text: None
) -> Promotion:
    """Compare a version with the champion, and let it take over if it passes every gate.

    The former champion becomes the challenger then, so that nothing is lost. Raises ModelError where there is no such
    version or it is the champion, GateError where the two cannot be compared: they were trained for other keys or
    another horizon, or there is no window that neither has seen.
    """
    config = data.config
    seed = config.seed if seed is None else seed
    settings = config.task(name)
    task = declare(name, settings)
    if task.target is None:
        raise ModelError(
            f"{name} is put together, not trained: its newest version is always in use; nothing to promote"
        )
    champion, challenger = _rivals(config, name, which)
    say(f"scoring what neither version {champion.version} nor version {challenger.version} has seen")
    unseen = unseen_rows(data, task, {"champion": champion, "challenger": challenger}, keep=ALARM_ROWS, seed=seed)
    rows = unseen.rows
    target = target_of(rows)
    scores = {"challenger": rows["challenger"].to_numpy(), "champion": rows["champion"].to_numpy()}
    metrics = list(dict.fromkeys([task.ranking_metric, "roc_auc", "log_loss", "ece"]))
    found = bootstrap(
        metrics,
        target,
        scores,
        rows[task.entity],
        groups=lists_of(task, rows),
        replicates=settings.bootstrap,
        seed=seed,
    )
    own, gain = found.estimates["challenger"], found.gains["champion"][task.ranking_metric]
    alarms = _alarms(challenger, unseen.sample["challenger"], own["roc_auc"].estimate, settings.alarm_auc, seed)
    tags = version_tags(config, name, str(challenger.version))
    gates = (
        _better(task, gain, found.estimates["champion"][task.ranking_metric].estimate, champion, challenger),
        _calibrated(own["ece"].estimate, calibration_band(scores["challenger"], seed=seed)),
        _free_of_alarms(alarms, allowed=settings.allow_suspected_leak),
        _approved(tags),
    )
    result = Promotion(
        task=name,
        champion=str(champion.version),
        challenger=str(challenger.version),
        metric=task.ranking_metric,
        window=(unseen.first, unseen.last),
        rows=found.rows,
        entities=found.entities,
        estimates=found.estimates,
        gain=gain,
        gates=gates,
        promoted=all(gate.passed for gate in gates),
    )
    _write(config, result)
    return result


def rollback(config: Config, name: str, *, by: str = "", note: str = "") -> str:
    """Give the alias champion back to the version that the present champion took it from; that version's number.

    ModelError where the champion was not promoted over another version: there is nothing to go back to.
    """
    present = aliases(config, name).get("champion")
    if present is None:
        raise ModelError(f"{name} has no champion; run `rapport run` or `rapport train` first")
    former = version_tags(config, name, present).get("promotion.over", "")
    if not former:
        raise ModelError(f"version {present} of {name} was not promoted over another; there is nothing to go back to")
    set_alias(config, name, "champion", former)
    set_alias(config, name, "challenger", present)
    at = _now()
    said = {"rollback.at": at, "rollback.by": by, "rollback.note": note}
    tag_version(
        config, name, present, {"promotion": "rolled back", "rollback.to": former, **said, "promotion.over": ""}
    )
    tag_version(config, name, former, {"promotion": "restored", "rollback.from": present, **said})
    return former


# ------------------------------------------------------------------------------------------- gates
def _better(task: Task, gain: Interval, champion_metric: float, champion: Bundle, challenger: Bundle) -> Gate:
    metric = task.ranking_metric.replace("_", " ")
    said = f"{metric} {gain.estimate:+.4f} against the champion (interval {gain.low:+.4f} to {gain.high:+.4f})"
    if gain.low > 0:
        return Gate("better", True, f"it is better: {said}")
    is_equal = gain.high >= 0 and gain.estimate >= -EQUAL_LOSS * abs(champion_metric)
    if not is_equal:
        return Gate("better", False, f"it is not better: {said}")
    ours, theirs = complexity(challenger), complexity(champion)
    sizes = f"{ours[0]} features and {ours[1]:,} leaves against {theirs[0]} and {theirs[1]:,}"
    is_simpler = all(a <= b for a, b in zip(ours, theirs, strict=True)) and any(
        a <= SIMPLER * b for a, b in zip(ours, theirs, strict=True)
    )
    if is_simpler:
        return Gate("better", True, f"it is as good and simpler: {said}; {sizes}")
    return Gate("better", False, f"it is not better beyond the interval, nor simpler: {said}; {sizes}")


def complexity(bundle: Bundle) -> tuple[int, int]:
    """Number of features that the model uses, and number of its leaves; a linear start counts a leaf a feature."""
    booster = bundle.model.booster
    if booster is None:
        return len(bundle.columns), 0
    splits = booster.feature_importance("split")
    leaves = int(splits.sum()) + int(booster.num_trees())
    if bundle.model.start is not None:
        return len(bundle.columns), leaves + len(bundle.columns)
    return int((splits > 0).sum()), leaves


def _calibrated(ece: float, band: CalibrationBand) -> Gate:
    fine = band.holds(ece) or ece < CALIBRATED_ECE
    words = f"calibration error {ece:.4f}, where chance alone gives up to {band.high:.4f}"
    return Gate("calibrated", fine, words if fine else f"it is not calibrated: {words}")


def _free_of_alarms(alarms: tuple[Alarm, ...], *, allowed: bool) -> Gate:
    stopping = [alarm.message for alarm in alarms if alarm.stops]
    if not stopping:
        return Gate("alarms", True, "no alarm")
    words = f"suspected leak: {'; '.join(stopping)}"
    return Gate("alarms", allowed, f"{words} (allowed by allow_suspected_leak)" if allowed else words)


def _alarms(challenger: Bundle, sample: pa.Table, auc: float, limit: float, seed: int) -> tuple[Alarm, ...]:
    aucs = feature_aucs(sample, target_of(sample), challenger.columns, seed=seed)
    known = {feature: value for feature, value in aucs.items() if np.isfinite(value)}
    strongest = max(known, key=lambda feature: known[feature]) if known else ""
    columns = challenger.columns
    return (*score_alarm(auc, limit, strongest, columns), *separating_features(known, columns=columns))


def _approved(tags: dict[str, str]) -> Gate:
    state, by = tags.get("review", "unreviewed"), tags.get("review.by", "")
    if state == "approved":
        return Gate("approved", True, f"approved by {by}" if by else "approved")
    words = f"{by or 'a reviewer'} rejected it" if state == "rejected" else "no reviewer has approved it"
    return Gate("approved", False, f"{words} (`rapport approve`)")


# ------------------------------------------------------------------------------------------- the registry
def _rivals(config: Config, name: str, which: str) -> tuple[Bundle, Bundle]:
    """Champion and challenger; ModelError where there are no two versions."""
    held = aliases(config, name)
    if "champion" not in held:
        raise ModelError(f"{name} has no champion; run `rapport run` or `rapport train` first")
    if which == "challenger" and which not in held:
        raise ModelError(f"{name} has no challenger: version {held['champion']} is its only one; train another")
    champion = load(config, name, "champion", threads=config.threads)
    challenger = load(config, name, which, threads=config.threads)
    if champion.version == challenger.version:
        raise ModelError(f"version {champion.version} of {name} is the champion already; give another version")
    return champion, challenger


def _write(config: Config, result: Promotion) -> None:
    """The decision as tags of the challenger, and with a promotion the aliases."""
    tags = {
        "promotion": "promoted" if result.promoted else "refused",
        "promotion.at": _now(),
        "promotion.against": result.champion,
        "promotion.window": " to ".join(result.window),
        "promotion.gain": f"{result.metric} {result.gain.estimate:+.4f} "
        f"({result.gain.low:+.4f} to {result.gain.high:+.4f})",
    }
    for gate in result.gates:
        tags[f"promotion.gate.{gate.name}"] = f"{'passed' if gate.passed else 'failed'}: {gate.words}"
    if result.promoted:
        tags["promotion.over"] = result.champion
        set_alias(config, result.task, "champion", result.challenger)
        set_alias(config, result.task, "challenger", result.champion)
        tag_version(config, result.task, result.champion, {"promotion": "replaced", "promotion.by": result.challenger})
    tag_version(config, result.task, result.challenger, tags)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
