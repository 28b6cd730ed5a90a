"""The money side of a task that has a worth: fitted after the probability, judged beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ..config import LearnerConfig
from ..errors import ModelError
from ..models.calibration import entity_folds
from ..models.classifier import BoostedClassifier
from ..models.worth import COVERED, Foretold, GivenWorth, WorthModel
from ..tasks.base import AmountRule, Task
from .carried_on import amounts
from .evaluate import Comparison, bootstrap
from .material import Floats, Material, target_of
from .metrics.concentration import capture

CEILING = "ceiling"  # the name of the truth among what is judged
LAST_YEAR = "last_year"  # the rule whose amounts are those of the last 365 days, to scale
CAPTURE = "worth_capture_at_20pct"
METRICS = ("worth_rmse", "worth_mae", "worth_bias", CAPTURE)


def fit_worth(
    material: Material, model: BoostedClassifier, learner: LearnerConfig, training: pa.Table, raw: Floats
) -> WorthModel:
    """Fit the worth of a task to its training rows, and its scale to rows that the trees have not seen.

    `model` is calibrated; `raw` are the raw scores of the calibration window, or without one out-of-fold scores of the
    training rows. ModelError where nothing came of the rows.
    """
    task = material.task

    def fit(rows: pa.Table) -> GivenWorth:
        came = rows.filter(pa.array(target_of(rows) == 1))
        return GivenWorth.fit(
            learner,
            model.columns,
            came,
            worth_of(came),
            came[task.entity],
            seed=material.seed,
            threads=material.data.config.threads,
        )

    given = fit(training)
    if "calibration" in material.spines:
        rows, _ = material.scored("calibration", lambda piece: {"given": given.of(piece)})
        return given.scaled(rows["given"].to_numpy(), model.calibrator.apply(raw), worth_of(rows))
    means = np.empty(training.num_rows)
    for rest, fold in entity_folds(training[task.entity].to_numpy(zero_copy_only=False), seed=material.seed):
        means[fold] = fit(training.take(pa.array(rest))).of(training.take(pa.array(fold)))
    return given.scaled(means, model.calibrator.apply(raw), worth_of(training))


def worth_of(table: pa.Table) -> Floats:
    """What came of each row (n,); amounts below zero count as zero."""
    return np.asarray(np.maximum(table["worth"].to_numpy(), 0.0), np.float64)


def rule_amounts(task: Task, rules: Sequence[AmountRule], table: pa.Table) -> dict[str, Floats]:
    """What each rule foretells for the rows of a snapshot of one cutoff, (n,) by name (see `carried_on`)."""
    return {rule.name: amounts(rule, table, task.horizon) for rule in rules}


def rules_at_hand(task: Task, names: Sequence[str]) -> tuple[AmountRule, ...]:
    """The task's rules whose columns are among those of the snapshot; ModelError where there is none."""
    found = tuple(rule for rule in task.worth_rules if set(rule.columns) <= set(names))
    if not found:
        needed = ", ".join(sorted({column for rule in task.worth_rules for column in rule.columns}))
        raise ModelError(f"{task.name}: no rule of worth to compare with, for the data lack all of: {needed}")
    return found


@dataclass(frozen=True)
class WorthScores:
    """What is judged of n rows: what came (n,), what the model and each rule foretold (n,); what the truth expects."""

    came: Floats
    foretold: Foretold
    rules: Mapping[str, Floats]
    true: Floats | None = None

    def coverage(self) -> dict[str, float]:
        """How many of the rows lie in their intervals, by metric (test.*).

        `worth_coverage_80pct`: where nothing comes of more rows than an interval is to hold, the shortest, from zero
        to zero, holds too many; rows in it count by the stated share over that of nothing. That is the coverage of the
        randomised interval of a distribution with an atom (Czado, Gneiting & Held 2009), which can be held against the
        stated share. `..._plain` counts every row that lies in its interval, `..._above_zero` only rows whose interval
        reaches above zero; `worth_interval_above_zero` is the share of these.
        """
        came, low, high = self.came, self.foretold.low, self.foretold.high
        inside = (low <= came) & (came <= high)
        open_ended = high > 0
        held = np.where(open_ended, 1.0, COVERED / np.maximum(self.foretold.nothing, COVERED))
        found = {
            "worth_coverage_80pct": float(np.mean(inside * held)),
            "worth_coverage_80pct_plain": float(np.mean(inside)),
            "worth_interval_above_zero": float(np.mean(open_ended)),
        }
        return found | (
            {"worth_coverage_80pct_above_zero": float(np.mean(inside[open_ended]))} if open_ended.any() else {}
        )

    def compare(self, entities: pa.ChunkedArray, *, replicates: int, seed: int) -> Comparison:
        """Metrics of the model, the rules and (where it is known) the truth, with paired intervals over entities."""
        scores = {"model": self.foretold.expected, **self.rules}
        if self.true is not None:
            scores[CEILING] = self.true
        return bootstrap(METRICS, self.came, scores, entities, replicates=replicates, seed=seed)

    def lists(
        self, ranks: Mapping[str, Floats], entities: pa.ChunkedArray, *, replicates: int, seed: int
    ) -> Comparison:
        """What came of the top 20 % of lists: by the expected worth, by the rules' own ranking scores, (n,) by name."""
        scores = {"model": self.foretold.expected, **ranks}
        return bootstrap((CAPTURE,), self.came, scores, entities, replicates=replicates, seed=seed)


@dataclass(frozen=True)
class Concentration:
    """How much of the money a few customers make: shares of it, in 0 to 1.

    `now` of what came in the last 365 days by the top 20 % by it (None where that is not known), `foretold` of what
    came after the cutoffs by the top 20 % of the forecast, `oracle` by those who made most of it.
    """

    now: float | None
    foretold: float
    oracle: float

    @classmethod
    def of(cls, scores: WorthScores) -> Concentration | None:
        """Of judged rows; None where nothing came of them."""
        oracle = capture(scores.came, scores.came)
        if not np.isfinite(oracle):
            return None
        last_year = scores.rules.get(LAST_YEAR)
        now = float("nan") if last_year is None else capture(last_year, last_year)
        return cls(now if np.isfinite(now) else None, capture(scores.came, scores.foretold.expected), oracle)

    def metrics(self) -> dict[str, float]:
        """By name, beside `test.worth_capture_at_20pct`, which is `foretold`."""
        found = {"oracle.test.worth_capture_at_20pct": self.oracle}
        return found | ({} if self.now is None else {"test.worth_share_of_top_20pct_now": self.now})

    def words(self, horizon: int) -> str:
        """One sentence or two."""
        text = (
            f"The 20 % of whom most is expected make {self.foretold:.0%} of what comes in the {horizon} days after; "
            f"the 20 % who turn out best make {self.oracle:.0%}."
        )
        return text if self.now is None else f"The best 20 % made {self.now:.0%} of the last 365 days. {text}"
