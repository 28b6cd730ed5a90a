"""The metrics by name: what each is called, what it says in plain words, which way is better, how it is computed.

The names are those of the tracked metrics (`test.roc_auc`) and of the review page, whose tooltips show `words`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from ...errors import ConfigError
from . import lists, probability, profit, ranking
from .counts import Counts, FloatArray
from .metric import Metric

_UNKNOWN = float("nan")


def _order() -> list[Metric]:
    at_shares = []
    for share, percent in ((0.01, 1), (0.02, 2), (0.05, 5), (0.1, 10), (0.2, 20)):
        gain = partial(ranking.gain_of, share=share)

        def lift(counts: Counts, share: float = share) -> FloatArray:
            return ranking.gain_of(counts, share) / share

        def false_alarms(counts: Counts, share: float = share) -> FloatArray:
            return 1 - ranking.gain_of(counts, share) * counts.total_positives / (share * counts.total)

        at_shares += [
            Metric(
                f"lift_at_{percent}pct",
                f"Lift at {percent} %",
                f"How many times more positives the highest-scored {percent} % hold than {percent} % chosen at random.",
                perfect=_UNKNOWN,
                of_counts=lift,
            ),
            Metric(
                f"gain_at_{percent}pct",
                f"Gain at {percent} %",
                f"Share of all positives that stand among the highest-scored {percent} %.",
                perfect=_UNKNOWN,
                of_counts=gain,
            ),
            Metric(
                f"false_alarms_at_{percent}pct",
                f"False alarms at {percent} %",
                f"Share of the highest-scored {percent} %, the queue, that are no cases.",
                "lower",
                _UNKNOWN,
                of_counts=false_alarms,
            ),
            Metric(
                f"capture_at_{percent}pct",
                f"Capture at {percent} %",
                f"Share of the total (later purchases, sales) that the highest-scored {percent} % make.",
                perfect=_UNKNOWN,
                binary=False,
                of_counts=gain,
            ),
        ]
    return [
        Metric(
            "roc_auc",
            "AUC",
            "Chance that a random positive is scored above a random negative: .5 is guessing, 1 is perfect.",
            of_counts=ranking.roc_auc_of,
        ),
        Metric(
            "average_precision",
            "Average precision",
            "Share of true positives among those called positive, averaged over how many one dares to call; guessing "
            "gives the share of positives in the data, 1 is perfect.",
            of_counts=ranking.average_precision_of,
        ),
        *at_shares,
        Metric(
            "empc",
            "Expected maximum profit",
            "Expected profit for each customer of a retention campaign aimed by this score, at default costs.",
            perfect=_UNKNOWN,
            of_counts=profit.expected_maximum_profit_of,
        ),
        Metric(
            "roc_auc_within",
            "AUC within groups",
            "AUC over pairs of the same group (campaign) alone: knowing which group does well does not count.",
            of_groups=partial(ranking.auc_within_of, by_pairs=True),
        ),
        Metric(
            "roc_auc_within_mean",
            "Mean AUC within groups",
            "The AUC inside each group (campaign), averaged, every group counting once.",
            of_groups=partial(ranking.auc_within_of, by_pairs=False),
        ),
    ]


def _probability() -> list[Metric]:
    return [
        Metric(
            "log_loss",
            "Log loss",
            "Mean surprise at what happened, given the predicted probability: lower is better, 0 is perfect.",
            "lower",
            0.0,
            needs_probability=True,
            of_rows=probability.log_losses,
        ),
        Metric(
            "brier",
            "Brier score",
            "Mean squared distance of predicted probability and outcome: lower is better, 0 is perfect.",
            "lower",
            0.0,
            needs_probability=True,
            of_rows=probability.squared_errors,
        ),
        Metric(
            "ece",
            "Calibration error",
            "Mean distance of predicted probability and what happened, over ten groups of equal size by score: .02 "
            "says that probabilities are two points off on average.",
            "lower",
            0.0,
            needs_probability=True,
            of_counts=probability.ece_of,
        ),
        Metric(
            "calibration_slope",
            "Calibration slope",
            "1 is perfect; below 1 the probabilities are too extreme, above 1 too timid.",
            "closer",
            1.0,
            needs_probability=True,
            of_counts=lambda counts: probability.recalibration_of(counts)[0],
        ),
        Metric(
            "calibration_intercept",
            "Calibration in the large",
            "0 is perfect; above 0 the probabilities are too low on the whole, below 0 too high (log-odds).",
            "closer",
            0.0,
            needs_probability=True,
            of_counts=lambda counts: probability.recalibration_of(counts, slope=False)[1],
        ),
        Metric(
            "accuracy",
            "Accuracy",
            "Share of rows whose outcome is the one called more probable.",
            needs_probability=True,
            of_counts=probability.accuracy_of,
        ),
    ]


def _amounts() -> list[Metric]:
    return [
        Metric(
            "rmse",
            "RMSE",
            "Typical error of a predicted amount, large errors counting most; in the unit of the amount.",
            "lower",
            0.0,
            binary=False,
            of_rows=lambda amount, predicted: (predicted - amount) ** 2,
            after_mean=np.sqrt,
        ),
        Metric(
            "mae",
            "Mean absolute error",
            "Mean distance of predicted and true amount; where most amounts are 0, predicting 0 for all nearly wins.",
            "lower",
            0.0,
            binary=False,
            of_rows=lambda amount, predicted: np.abs(predicted - amount),
        ),
        Metric(
            "bias",
            "Bias",
            "Mean of predicted minus true amount: 0 is perfect, above 0 the predictions are too high on the whole.",
            "closer",
            0.0,
            binary=False,
            of_rows=lambda amount, predicted: predicted - amount,
        ),
    ]


def _lists(k: int) -> list[Metric]:
    having = "over those with at least one positive"
    return [
        Metric(
            f"map_at_{k}",
            f"MAP@{k}",
            f"How early in a list of {k} the hits come, {having}: 1 where all hits stand first.",
            of_lists=partial(lists.average_precisions, k=k),
            depth=k,
        ),
        Metric(
            f"map_at_{k}_all",
            f"MAP@{k}, all lists",
            f"MAP@{k} with 0 for lists that could not have a hit.",
            of_lists=partial(lists.average_precisions, k=k),
            depth=k,
            all_groups=True,
        ),
        Metric(
            f"ndcg_at_{k}",
            f"NDCG@{k}",
            f"Hits in a list of {k}, early ones counting more, as a share of the best list of {k} ({having}).",
            of_lists=partial(lists.ndcgs, k=k),
            depth=k,
        ),
        Metric(
            f"ndcg_at_{k}_whole_basket",
            f"NDCG@{k}, whole basket",
            f"As NDCG@{k}, but as a share of a list that could hold the whole basket, however long.",
            of_lists=partial(lists.ndcgs, k=k, whole_basket=True),
            depth=k,
        ),
        Metric(
            f"recall_at_{k}",
            f"Recall@{k}",
            f"Share of what was bought that stood in a list of {k}, {having}.",
            of_lists=partial(lists.recalls, k=k),
            depth=k,
        ),
        Metric(
            f"precision_at_{k}",
            f"Precision@{k}",
            f"Share of a list of {k} that was bought, {having}.",
            perfect=_UNKNOWN,
            of_lists=partial(lists.precisions, k=k),
            depth=k,
        ),
        Metric(
            f"hit_rate_at_{k}",
            f"Hit rate@{k}",
            f"Share of lists of {k} with at least one hit, {having}.",
            of_lists=partial(lists.hit_rates, k=k),
            depth=k,
        ),
        Metric(
            f"margin_at_{k}",
            f"Margin@{k}",
            f"Margin that a list of {k} earned on average, over all lists.",
            perfect=_UNKNOWN,
            of_lists=partial(lists.margins, k=k),
            depth=k,
        ),
    ]


def _worth() -> list[Metric]:
    """Metrics of the expected worth, which stand beside those of the probability under names of their own."""
    of_amounts = [*_amounts(), *(metric for metric in _order() if metric.name == "capture_at_20pct")]
    return [replace(metric, name=f"worth_{metric.name}", title=f"{metric.title} of worth") for metric in of_amounts]


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in [*_order(), *_probability(), *_amounts(), *_worth(), *_lists(1), *_lists(5), *_lists(10), *_lists(20)]
}


def metric_named(name: str) -> Metric:
    """The metric of that name; ConfigError with the known names where there is none."""
    if name not in METRICS:
        raise ConfigError(f"there is no metric '{name}'; the metrics are: {', '.join(METRICS)}")
    return METRICS[name]
