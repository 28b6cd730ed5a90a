"""Whether offers are ranked better by a ranker than by a classifier: both are fitted alike, and validation decides.

A ranker (LambdaMART) learns nothing but the order inside each list, a classifier the probability of each row, which
ranks as well. Which of them ranks better differs from data to data, so both are fitted to a sample of the rows with
the settings that the search found, and held against each other on the whole lists of the validation window. What a
classifier says is a probability of itself and is explained in log-odds, so a ranker has to be better beyond the
interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..config import LearnerConfig
from ..errors import ModelError
from ..explain.review_words import interval, metric_named_in_words, number
from ..language.declarations import FeatureColumn
from ..models.boosting import Lists
from ..models.classifier import BoostedClassifier
from ..tasks.base import Task
from .evaluate import Interval, bootstrap
from .folds import Fold
from .judge import lists_of
from .material import Floats, Material, target_of

TRIED_ROWS = 60_000  # which of the two orders better shows from so many, at a small part of the time of a full fit
TRIED_ENTITIES = 1_000  # of whose whole lists both are judged, for the same reason
TOP = 10  # of a task that does not say how many offers it puts out


@dataclass(frozen=True)
class RankerChoice:
    """A classifier and a ranker on the same lists: `metric` of each with its interval, and the ranker's paired gain.

    Resampled over entities, whose lists come and go together for both.
    """

    metric: str
    classifier: Interval
    ranker: Interval
    gain: Interval
    lists: int

    @property
    def ranks(self) -> bool:
        """True where the ranker is better beyond the interval."""
        return self.gain.low > 0

    @property
    def learner(self) -> str:
        """What is fitted in full, in a word."""
        return "ranker" if self.ranks else "classifier"

    @property
    def words(self) -> str:
        """The decision in a sentence."""
        named = metric_named_in_words(self.metric)
        found, other = number(self.ranker.estimate, named.unit), number(self.classifier.estimate, named.unit)
        gain = number(self.gain.estimate, named.unit, signed=True)
        band = interval(self.gain.low, self.gain.high, named.unit, signed=True)
        text = (
            f"A ranker was tried and is {'better' if self.ranks else 'not better'}: {named.label.lower()} {found}, of "
            f"the classifier {other} (what the ranker gains: {gain}, 95 % interval {band}; {self.lists:,} lists of the "
            "validation window)"
        )
        if not self.ranks:
            return f"{text}; the classifier stays."
        return (
            f"{text}; it is the model, and its raw scores and reasons order the offers of a list and are no log-odds: "
            "only the calibrated percentages can be taken at their word."
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        three = {"classifier": self.classifier, "ranker": self.ranker, "gain": self.gain}
        figures = {name: one.as_dict() for name, one in three.items()}
        return {"chosen": self.learner, "metric": self.metric, **figures, "lists": self.lists, "words": self.words}

    def metrics(self) -> dict[str, float]:
        """Both figures and the paired interval by MLflow name; nan, which MLflow has no use for, is left out."""
        found = {
            f"classifier.validation.{self.metric}": self.classifier.estimate,
            f"ranker.validation.{self.metric}": self.ranker.estimate,
            f"gain.ranker.validation.{self.metric}": self.gain.estimate,
            f"gain.ranker.validation.{self.metric}_low": self.gain.low,
            f"gain.ranker.validation.{self.metric}_high": self.gain.high,
        }
        return {name: value for name, value in found.items() if np.isfinite(value)}


def try_ranker(
    material: Material, fold: Fold, columns: Sequence[FeatureColumn], learner: LearnerConfig, own: LearnerConfig
) -> RankerChoice:
    """Fit a classifier and a ranker to a sample of a fold's rows, and judge both on the validation window.

    `learner` is what the search found, `own` the configured one, whose n_estimators is the most trees. Training and
    early stopping see sampled negatives, the comparison all rows of so many entities: a list without most of its rows
    is another list, and the measure of its top another measure (Krichene and Rendle, "On sampled metrics for item
    recommendation", 2020).
    """
    task, config, seed = material.task, material.config, material.seed
    threads, sample = material.data.config.threads, fold.sampled(min(config.tuning.rows, TRIED_ROWS), seed)
    tried = {}
    for name, each in (("ranker", as_ranker(learner)), ("classifier", as_classifier(learner))):
        tried[name] = fit_to(
            sample,
            each.model_copy(update={"n_estimators": own.n_estimators}),
            columns,
            seed=seed,
            threads=threads,
            negative_share=task.negative_share,
            lists=lists_in(task, sample) if each.ranks else None,
        )
    who = pc.unique(material.spines["validation"][task.entity])
    drawn = np.random.default_rng(seed).choice(len(who), min(len(who), TRIED_ENTITIES), replace=False)
    some = who.take(pa.array(np.sort(drawn)))

    def raw(piece: pa.Table) -> dict[str, Floats]:
        mine = pc.is_in(piece[task.entity], some)
        place, own_rows = np.flatnonzero(mine.to_numpy()), piece.filter(mine)
        found = {name: np.full(piece.num_rows, np.nan) for name in tried}
        for name, one in tried.items():
            found[name][place] = one.raw_score(own_rows)
        return found

    rows, _ = material.scored("validation", raw)
    rows = rows.filter(pc.is_in(rows[task.entity], some))
    ranker, classifier = (rows[name].to_numpy() for name in ("ranker", "classifier"))
    return compare(task, rows, ranker, classifier, replicates=config.bootstrap, seed=seed)


def compare(
    task: Task, rows: pa.Table, ranker: Floats, classifier: Floats, *, replicates: int, seed: int
) -> RankerChoice:
    """The choice by two scores (n,) of rows that have keys, cutoff and target, and make whole lists."""
    lists, metric = lists_of(task, rows), task.ranking_metric
    if lists is None:
        raise ModelError(f"{task.name} has no lists to be ordered")
    found = bootstrap(
        [metric],
        target_of(rows),
        {"ranker": ranker, "classifier": classifier},
        rows[task.entity],
        groups=lists,
        replicates=replicates,
        seed=seed,
    )
    own, other = (found.estimates[name][metric] for name in ("ranker", "classifier"))
    return RankerChoice(metric, other, own, found.gains["classifier"][metric], len(np.unique(lists)))


def as_ranker(learner: LearnerConfig) -> LearnerConfig:
    """The same trees, grown for the order inside lists; there are no log-odds to start from."""
    return learner.model_copy(update={"objective": "lambdarank", "linear_penalty": None})


def as_classifier(learner: LearnerConfig) -> LearnerConfig:
    """The same trees, grown for probabilities."""
    return learner.model_copy(update={"objective": "binary"})


def lists_in(task: Task, fold: Fold) -> Lists:
    """The lists of a fold's rows; ModelError for a task without any."""
    fit, look = lists_of(task, fold.fit), lists_of(task, fold.look)
    if fit is None or look is None:
        raise ModelError(f"{task.name} has no lists for a ranker to order; set learner.objective to binary")
    return Lists(fit, look, task.top or TOP)


def fit_to(
    fold: Fold,
    learner: LearnerConfig,
    columns: Sequence[FeatureColumn],
    *,
    seed: int,
    threads: int | None = None,
    negative_share: float = 1.0,
    lists: Lists | None = None,
) -> BoostedClassifier:
    """A classifier, or with `lists` a ranker, fitted to `fold.fit` and stopped early on `fold.look`.

    Negatives of both parts were sampled to `negative_share`.
    """
    model = BoostedClassifier(learner, columns, seed=seed, threads=threads, negative_share=negative_share)
    look = (fold.look, fold.look_target)
    return model.fit(fold.fit, fold.fit_target, validation=look, sampled_validation=True, lists=lists)
