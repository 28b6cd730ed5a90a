"""How well an effect is foretold: Qini, AUUC and uplift at 30 %, with intervals, beside rules and the true effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from .evaluate import Interval, Judged
from .material import Floats
from .metrics import auuc, qini, uplift_at
from .metrics.counts import encode

METRIC = "qini"
VARIANT = (
    "Qini and AUUC: area between the curve and random targeting over that of the perfect curve, both arms ranked "
    "together; uplift at 30 %: difference of the arms' rates among the top 30 % of both together"
)
_UNLIKE = 0.001  # chance of an alarm over all features, if the hold-out was drawn at random


@dataclass(frozen=True)
class UpliftJudged(Judged):
    """Metrics by name and their 95 % intervals, the rule to beat, and what the grade is for.

    `test.*` the model, `baseline.test.*` the best of the rules, `ceiling.test.*` the true effect, `<rule>.test.*` each.
    D: the interval of the Qini includes nothing to find. C: it lies above zero. B: the gain over the best rule does.
    `unlike` names features that differ between the arms by more than chance allows.
    """

    rule: str
    unlike: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return super().as_dict() | {"rule": self.rule, "variant": VARIANT, "unlike": list(self.unlike)}


def judge_uplift(
    scores: Mapping[str, Floats],
    target: Floats,
    treated: Floats,
    entities: Any,
    *,
    unlike: Sequence[str] = (),
    replicates: int,
    seed: int,
) -> UpliftJudged:
    """Judge the score "model" beside the others (rules, and "ceiling": the true effect) on rows (n).

    Intervals are percentiles of a bootstrap over entities (n,) that all scores share.
    """
    exact = {name: _measured(target, score, treated) for name, score in scores.items()}
    drawn = _bootstrap(scores, target, treated, entities, replicates, seed)
    rules = [name for name in scores if name not in ("model", "ceiling")]
    rule = max(rules, key=lambda name: exact[name][METRIC])
    metrics, intervals = {}, {}
    for name, values in exact.items():
        prefixes = {"model": ["test"], "ceiling": ["ceiling.test"]}.get(name, [f"{name}.test"])
        prefixes += ["baseline.test"] if name == rule else []
        for prefix in prefixes:
            for metric, value in values.items():
                metrics[f"{prefix}.{metric}"] = value
                intervals[f"{prefix}.{metric}"] = _interval(value, drawn[name][metric])
    for metric, value in exact["model"].items():
        gain = drawn["model"][metric] - drawn[rule][metric]
        intervals[f"gain.test.{metric}"] = _interval(value - exact[rule][metric], gain)
    share, of_both = float(treated.mean()), float(target[treated == 1].mean() - target[treated == 0].mean())
    metrics |= {"test.mean_effect": of_both, "test.treated_share": share}
    if "ceiling" in scores:
        metrics["test.share_of_ceiling"] = exact["model"][METRIC] / exact["ceiling"][METRIC]
        of_ceiling = drawn["model"][METRIC] / drawn["ceiling"][METRIC]
        intervals["test.share_of_ceiling"] = _interval(metrics["test.share_of_ceiling"], of_ceiling)
    letter, reasons = _grade(intervals, rule, metrics)
    if unlike:
        letter = "D"
        reasons.insert(0, f"the arms differ by more than chance in {', '.join(unlike[:3])}: the hold-out is not random")
    finite = {name: value for name, value in metrics.items() if np.isfinite(value)}
    return UpliftJudged(letter, tuple(reasons), finite, intervals, len(target), rule, tuple(unlike))


def imbalance(matrix: Floats, treated: Floats, names: Sequence[str]) -> tuple[str, ...]:
    """The features of rows (n, p) that differ between the arms beyond chance, by rank tests (Bonferroni)."""
    found, on = [], treated == 1
    for place, name in enumerate(names):
        left, right = (values[~np.isnan(values)] for values in (matrix[on, place], matrix[~on, place]))
        if min(len(left), len(right)) > 20 and np.ptp(np.concatenate([left, right])) > 0:
            chance = stats.mannwhitneyu(left, right).pvalue
            found += [name] if chance < _UNLIKE / len(names) else []
    return tuple(found)


def _measured(target: Floats, score: Floats, treated: Floats) -> dict[str, float]:
    judged = (target, score, treated)
    return {"qini": qini(*judged), "auuc": auuc(*judged), "uplift_at_30pct": uplift_at(*judged, 0.3)}


def _bootstrap(
    scores: Mapping[str, Floats], target: Floats, treated: Floats, entities: Any, replicates: int, seed: int
) -> dict[str, dict[str, Floats]]:
    code, number = encode(entities, "entities")
    order = np.argsort(code, kind="stable")
    begins = np.searchsorted(code[order], np.arange(number + 1))
    rng = np.random.default_rng(seed)
    found: dict[str, dict[str, list[float]]] = {name: {} for name in scores}
    for _ in range(replicates):
        who = rng.integers(0, number, number)
        sizes = begins[who + 1] - begins[who]
        starts = np.repeat(begins[who] - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
        rows = order[starts + np.arange(sizes.sum())]
        for name, score in scores.items():
            for metric, value in _measured(target[rows], score[rows], treated[rows]).items():
                found[name].setdefault(metric, []).append(value)
    return {name: {metric: np.array(values) for metric, values in of.items()} for name, of in found.items()}


def _interval(estimate: float, values: Floats) -> Interval:
    known = values[np.isfinite(values)]
    if len(known) < len(values) / 2:
        return Interval(estimate, float("nan"), float("nan"))
    low, high = np.quantile(known, (0.025, 0.975)).tolist()
    return Interval(estimate, low, high)


def _grade(intervals: Mapping[str, Interval], rule: str, metrics: Mapping[str, float]) -> tuple[str, list[str]]:
    own, gain = intervals[f"test.{METRIC}"], intervals[f"gain.test.{METRIC}"]
    words = f"Qini {own.estimate:.3f} (interval {own.low:.3f} to {own.high:.3f})"
    reasons = [f"the contact moves {metrics['test.mean_effect']:+.1%} of all; {words}"]
    if not own.low > 0:
        return "D", [
            *reasons,
            "there is nothing to find: whom a contact moves cannot be told; contact all or by chance",
        ]
    beside = f"gain over {rule.replace('_', ' ')} {gain.estimate:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
    if "test.share_of_ceiling" in metrics:
        reasons.append(f"{metrics['test.share_of_ceiling']:.0%} of the Qini of the true effects")
    return ("B" if gain.low > 0 else "C"), [*reasons, beside]
