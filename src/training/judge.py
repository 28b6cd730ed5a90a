"""A model on its test window: metrics with intervals, beside every rule; calibration; the grade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from ..tasks.base import Task
from .evaluate import CalibrationBand, Comparison, Grade, Interval, bootstrap, calibration_band, grade
from .material import Floats, target_of
from .metrics import metric_named
from .metrics.counts import encode
from .worth import CAPTURE, CEILING, Concentration, WorthScores

BINARY = (
    "roc_auc",
    "average_precision",
    "lift_at_5pct",
    "lift_at_10pct",
    "lift_at_20pct",
    "gain_at_5pct",
    "gain_at_10pct",
    "gain_at_20pct",
    "capture_at_20pct",
    "log_loss",
    "brier",
    "ece",
    "calibration_slope",
    "calibration_intercept",
)
LISTS = ("map_at_10", "map_at_10_all", "ndcg_at_10", "ndcg_at_10_whole_basket", "recall_at_10", "hit_rate_at_10")
CALIBRATED_ECE = 0.02  # an error of two points counts as calibrated, whatever chance would allow


@dataclass(frozen=True)
class Judgement:
    """How good a model is: `comparison` holds the model first, then each rule by name; `rule` is the one to beat.

    A task with a worth has a second comparison, of amounts, with a rule to beat of its own, and `coverage`, how
    many of the rows lie in their intervals (`WorthScores.coverage`), and
    `concentration`, how much of the money a few customers make, and `lists`, how much the top of lists by the rules'
    own ranking makes of it.
    Where the truth is known, the score named CEILING stands among them.
    """

    comparison: Comparison
    rule: str
    grade: Grade
    band: CalibrationBand
    calibrated: bool
    worth: Comparison | None = None
    worth_rule: str = ""
    coverage: Mapping[str, float] = field(default_factory=dict)
    concentration: Concentration | None = None
    lists: Comparison | None = None

    @property
    def ceiling(self) -> float | None:
        """What the true probabilities reach on the primary metric; None where the truth is not known."""
        return next((best[self.grade.metric].estimate for best in self.best() if self.grade.metric in best), None)

    def best(self) -> tuple[Mapping[str, Interval], ...]:
        """What the truth reaches, by metric: of the probabilities, and of the worth."""
        return tuple(comparison.estimates.get(CEILING, {}) for comparison, _ in self._comparisons())

    def as_good(self) -> dict[str, Interval]:
        """What is simpler and as good within the interval, with the model's gain over it: the rule, a regression.

        The prior is no rival: it ranks nobody. Nor is the truth: nobody has it.
        """
        metric, none = self.grade.metric, ("prior", CEILING)
        rivals = {
            name: gains[metric]
            for comparison, _ in self._comparisons()
            for name, gains in comparison.gains.items()
            if name not in none and metric in gains
        }
        return {name: gain for name, gain in rivals.items() if not gain.low > 0}

    def graded(self) -> dict[str, Any]:
        """What the grade came from, as plain values: `regrade` gives it again once a backtest is known."""
        own, rule, gain = self.beside_rule(self.grade.metric)
        found: dict[str, Any] = {
            "metric": self.grade.metric,
            "model": own.estimate,
            "rule": rule.estimate,
            "gain": gain.as_dict(),
            "ceiling": self.ceiling,
            "calibrated": self.calibrated,
        }
        return found

    def beside_rule(self, metric: str) -> tuple[Interval, Interval, Interval]:
        """The model's value, that of the rule to beat, and the paired gain over it."""
        for comparison, rule in self._comparisons():
            if metric in comparison.estimates["model"]:
                return (
                    comparison.estimates["model"][metric],
                    comparison.estimates[rule][metric],
                    comparison.gains[rule][metric],
                )
        raise KeyError(metric)

    def metrics(self) -> dict[str, float]:
        """All metrics by MLflow name: test.*, baseline.test.* (the rule to beat), ceiling.test.*, and <rule>.test.*."""
        found: dict[str, float] = {}
        for comparison, rule in self._comparisons():
            for score, values in comparison.estimates.items():
                prefixes = [""] if score == "model" else [f"{score}.", *(["baseline."] if score == rule else [])]
                found |= {f"{p}test.{m}": i.estimate for m, i in values.items() for p in prefixes}
        found |= {f"test.{name}": value for name, value in self.coverage.items()}
        found |= {} if self.concentration is None else self.concentration.metrics()
        found |= {f"{name}.test.{CAPTURE}": one[CAPTURE].estimate for name, one in self._lists("estimates").items()}
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def intervals(self) -> dict[str, Interval]:
        """95 % intervals: test.* (the model), baseline.test.* (the rule), ceiling.test.*, gain.test.* (paired).

        Of money also gain.<rule>.test.*, the paired gain over each rule.
        """
        found: dict[str, Interval] = {}
        for comparison, beaten in self._comparisons():
            model, rule = comparison.estimates["model"], comparison.estimates[beaten]
            named = [("test", model), ("baseline.test", rule), ("gain.test", comparison.gains[beaten])]
            if CEILING in comparison.estimates:
                named.append(("ceiling.test", comparison.estimates[CEILING]))
            if comparison is self.worth:
                named += [(f"gain.{name}.test", gains) for name, gains in comparison.gains.items() if name != CEILING]
            found |= {f"{prefix}.{metric}": value for prefix, values in named for metric, value in values.items()}
        return found | {f"gain.{name}.test.{CAPTURE}": one[CAPTURE] for name, one in self._lists("gains").items()}

    def _lists(self, what: Literal["estimates", "gains"]) -> dict[str, dict[str, Interval]]:
        """Estimates or gains of the rules' lists by rule."""
        found = {} if self.lists is None else getattr(self.lists, what)
        return {name: one for name, one in found.items() if name != "model"}

    def _comparisons(self) -> list[tuple[Comparison, str]]:
        return [(self.comparison, self.rule), *([(self.worth, self.worth_rule)] if self.worth is not None else [])]


def lists_of(task: Task, rows: pa.Table) -> np.ndarray | None:
    """The group of each row (n,): the list of offers it stands in, or its campaign; None where rows stand alone."""
    if task.ranks_within:
        return _pairs(rows, (task.entity, "cutoff"))
    return _pairs(rows, task.keys[1:]) if len(task.keys) > 1 else None


def judge(
    task: Task,
    rows: pa.Table,
    rules: Mapping[str, tuple[Floats, Floats]],
    chosen: str,
    *,
    replicates: int,
    seed: int,
    ceiling: Floats | None = None,
    stable: bool | None = None,
    worth: WorthScores | None = None,
) -> Judgement:
    """Judge the column `score` of scored rows against rules: (ranking score, probability), (n,) each, by name.

    Ranking metrics take a rule's own score, metrics of probabilities its calibrated one; all are resampled together
    over entities. `ceiling` (n,) are the true probabilities, where the truth is known: the grade looks at how far the
    model went from the rule to what they reach.
    With `worth`, what was foretold in money is judged too.
    """
    target, entity = target_of(rows), rows[task.entity]
    probability = np.asarray(rows["score"].to_numpy(), np.float64)
    groups = lists_of(task, rows)
    wanted = [*BINARY, *(LISTS if task.ranks_within else ("roc_auc_within",) if groups is not None else ())]
    wanted += [name for name in task.metrics if name not in wanted]
    by_rank = [name for name in wanted if not metric_named(name).needs_probability]
    by_probability = [name for name in wanted if name not in by_rank]
    parts = []
    for names, place in ((by_rank, 0), (by_probability, 1)):
        scores = {"model": probability, **{name: pair[place] for name, pair in rules.items()}}
        if ceiling is not None:
            scores[CEILING] = ceiling
        parts.append(bootstrap(names, target, scores, entity, groups=groups, replicates=replicates, seed=seed))
    comparison = _merged(*parts)
    band = calibration_band(probability, seed=seed)
    ece = comparison.estimates["model"]["ece"].estimate
    calibrated = band.holds(ece) or ece < CALIBRATED_ECE
    money = None if worth is None else worth.compare(entity, replicates=replicates, seed=seed)
    of_money = "" if money is None else _best_rule(money)
    primary = task.primary_metric
    graded, beaten = (money, of_money) if money is not None and primary.startswith("worth_") else (comparison, chosen)
    letter = grade(
        primary,
        model=graded.estimates["model"][primary].estimate,
        rule=graded.estimates[beaten][primary].estimate,
        gain=graded.gains[beaten][primary],
        ceiling=graded.estimates[CEILING][primary].estimate if CEILING in graded.estimates else None,
        calibrated=calibrated,
        stable=stable,
    )
    coverage = {} if worth is None else worth.coverage()
    few = None if worth is None else Concentration.of(worth)
    ranks = {name: pair[0] for name, pair in rules.items() if name != "prior"}
    lists = None if worth is None else worth.lists(ranks, entity, replicates=replicates, seed=seed)
    return Judgement(comparison, chosen, letter, band, calibrated, money, of_money, coverage, few, lists)


def _best_rule(money: Comparison) -> str:
    """The rule that errs least: there is nothing to fit in a rule of worth, so it may be chosen on the rows judged."""
    rules = [name for name in money.estimates if name not in ("model", CEILING)]
    return min(rules, key=lambda name: money.estimates[name]["worth_rmse"].estimate)


def _merged(left: Comparison, right: Comparison) -> Comparison:
    estimates = {name: {**values, **right.estimates[name]} for name, values in left.estimates.items()}
    gains = {name: {**values, **right.gains[name]} for name, values in left.gains.items()}
    return Comparison(estimates, gains, left.rows, left.entities, left.replicates, left.level, left.seed)


def _pairs(rows: pa.Table, names: tuple[str, ...]) -> np.ndarray:
    """One code for each combination of the columns, (n,)."""
    code = np.zeros(rows.num_rows, np.int64)
    for name in names:
        own, number = encode(rows[name], name)
        code = code * number + own
    return code
