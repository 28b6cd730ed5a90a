"""The rules that a task is measured against, fitted on its training rows; the best of them is the rule to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from ..errors import ModelError
from ..language.declarations import FeatureColumn
from ..models.baselines import CountThen, FirstKnown, Overdue, Prior, Rule
from ..models.logistic import LogisticRegression
from ..tasks.base import RuleOfThumb, Task
from .evaluate import measure
from .material import Floats, target_of


@dataclass(frozen=True)
class Rules:
    """Fitted rules by name; `chosen` names the one that was best on the rows it was chosen on."""

    fitted: dict[str, Rule]
    words: dict[str, str]
    chosen: str

    def columns(self, table: pa.Table) -> dict[str, Floats]:
        """For each rule its ranking score (n,) as `<name>:rank` and its calibrated probability as `<name>:probability`.

        Calibration keeps the order, so a probability ranks as the score.
        """
        found: dict[str, Floats] = {}
        for name, rule in self.fitted.items():
            score = rule.score(table)
            found |= {f"{name}:rank": score, f"{name}:probability": rule.probability(score)}
        return found


def fit_rules(
    task: Task,
    columns: Sequence[FeatureColumn],
    training: pa.Table,
    look: pa.Table,
    *,
    seed: int,
    groups: Floats | None = None,
) -> Rules:
    """Fit the task's rules, the prior and a logistic regression; choose among the task's rules on the rows `look`.

    The logistic regression reads `columns`, as the model does; a rule reads its own columns of the rows.

    ModelError where the data lack the columns of all of the task's rules.
    """
    present = set(training.column_names)
    target, entities = target_of(training), training[task.entity].to_numpy(zero_copy_only=False)
    fitted: dict[str, Rule] = {}
    words: dict[str, str] = {}
    for rule in task.rules:
        if set(rule.columns) <= present:
            made = _make(rule)
            fitted[made.name] = made.fit(
                training, target, groups=entities, negative_share=task.negative_share, seed=seed
            )
            words[made.name] = rule.words
    if not fitted:
        needed = ", ".join(sorted({column for rule in task.rules for column in rule.columns}))
        raise ModelError(f"{task.name}: no rule to compare with, for the data lack all of: {needed}")
    outcome = target_of(look)
    reached = {
        name: measure([task.ranking_metric], outcome, rule.score(look), groups=groups)[task.ranking_metric]
        for name, rule in fitted.items()
    }
    chosen = max(reached, key=lambda name: reached[name])
    fitted["prior"] = Prior().fit(training, target, groups=entities, negative_share=task.negative_share, seed=seed)
    fitted["logistic"] = LogisticRegression(columns).fit(
        training, target, groups=entities, negative_share=task.negative_share, seed=seed
    )
    words |= {"prior": "the same share for everyone", "logistic": "logistic regression on the same features"}
    return Rules(fitted, words, chosen)


def _make(rule: RuleOfThumb) -> Rule:
    name = f"{rule.kind}_{rule.columns[0]}" if rule.kind != "column" else f"by_{rule.columns[0]}"
    match rule.kind:
        case "overdue":
            return Overdue(*rule.columns, name="overdue")
        case "count_then":
            return CountThen(*rule.columns, name=name)
    return FirstKnown(*rule.columns, sign=rule.sign, name=name if rule.sign == 1 else f"{name}_ascending")
