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
from ..models.encoding import numbers
from ..models.worth import GivenWorth, WorthModel
from ..tasks.base import AmountRule, Task
from .evaluate import Comparison, bootstrap
from .material import Floats, Material, target_of

CEILING = "ceiling"  # the name of the truth among what is judged
METRICS = ("worth_rmse", "worth_mae", "worth_bias", "worth_capture_at_20pct")


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
    """What each rule foretells for the rows of a snapshot, (n,) by name; what it does not know counts as zero."""
    return {rule.name: _amount(rule, table, task.horizon) for rule in rules}


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
    expected: Floats
    low: Floats
    high: Floats
    rules: Mapping[str, Floats]
    true: Floats | None = None

    @property
    def coverage(self) -> float:
        """The share of rows of which what came lies in its interval."""
        return float(np.mean((self.low <= self.came) & (self.came <= self.high)))

    def compare(self, entities: pa.ChunkedArray, *, replicates: int, seed: int) -> Comparison:
        """Metrics of the model, the rules and (where it is known) the truth, with paired intervals over entities."""
        scores = {"model": self.expected, **self.rules}
        if self.true is not None:
            scores[CEILING] = self.true
        return bootstrap(METRICS, self.came, scores, entities, replicates=replicates, seed=seed)


def _amount(rule: AmountRule, table: pa.Table, horizon: int) -> Floats:
    first, *others = (numbers(table, column) for column in rule.columns)
    second = others[0] if others else np.full(len(first), float(rule.days or horizon))
    with np.errstate(divide="ignore", invalid="ignore"):
        amount = first * second if rule.kind == "product" else first / second * horizon
    return np.where(np.isfinite(amount), amount, 0.0)
