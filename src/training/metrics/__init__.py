"""Metrics, each with its formula, its source and what it does with ties and with data on which it is not defined.

- `catalogue`: all of them by name, with direction and plain words; `metric_named(name)`
- `ranking`: AUC, average precision, lift, cumulative gain, AUC within groups
- `probability`: log loss, Brier score and its parts, calibration error, calibration line, accuracy
- `lists`, `assortment`: MAP, NDCG, recall, hit rate, margin at k; coverage and diversity of the lists
- `concentration`, `amounts`: capture by the top 20 %, the 20-55 and 80-15 rates; errors of predicted amounts
- `profit`: maximum profit and EMPC of a retention campaign
- `uplift`: Qini, AUUC, uplift at k, for treatments that were given at random
- `counts`: what all of these share: rows and positives at each distinct score
"""

from .amounts import bias, correlation, mean_absolute_error, root_mean_squared_error
from .assortment import coverage_at_k, diversity_at_k
from .catalogue import METRICS, metric_named
from .concentration import TopMisses, capture, top_misses
from .lists import hit_rate_at_k, map_at_k, margin_at_k, ndcg_at_k, recall_at_k
from .metric import Metric
from .probability import BrierParts, CalibrationLine, accuracy, brier, brier_parts, calibration_line, ece, log_loss
from .profit import Campaign, Profit, expected_maximum_profit, maximum_profit
from .ranking import auc_within, average_precision, cumulative_gain, lift, roc_auc
from .uplift import auuc, qini, uplift_at, uplift_curves

__all__ = [
    "METRICS",
    "BrierParts",
    "CalibrationLine",
    "Campaign",
    "Metric",
    "Profit",
    "TopMisses",
    "accuracy",
    "auc_within",
    "auuc",
    "average_precision",
    "bias",
    "brier",
    "brier_parts",
    "calibration_line",
    "capture",
    "correlation",
    "coverage_at_k",
    "cumulative_gain",
    "diversity_at_k",
    "ece",
    "expected_maximum_profit",
    "hit_rate_at_k",
    "lift",
    "log_loss",
    "map_at_k",
    "margin_at_k",
    "maximum_profit",
    "mean_absolute_error",
    "metric_named",
    "ndcg_at_k",
    "qini",
    "recall_at_k",
    "roc_auc",
    "root_mean_squared_error",
    "top_misses",
    "uplift_at",
    "uplift_curves",
]
