"""Does the gain hold from forecast to forecast: the primary metric at each cutoff of the test, as a picture."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..explain.illustrations import stability_picture
from ..explain.review import Picture
from ..explain.review_words import metric_named_in_words
from .attributes import FEWEST
from .backtest_result import Backtest
from .evaluate import Interval, bootstrap
from .experiment import Trained
from .judge import lists_of
from .material import target_of

REPLICATES = 200
MOST = 12  # cutoffs, the last ones
Point = tuple[float, float, float]


def over_the_test(trained: Trained) -> tuple[Picture, ...]:
    """The picture, or nothing where fewer than two cutoffs hold enough positives."""
    task, tested = trained.material.task, trained.tested
    zone = pa.timestamp("us", trained.material.data.config.time_zone)
    local = pc.assume_timezone(tested["cutoff"].cast(pa.timestamp("us")), "UTC").cast(zone)
    day = pc.strftime(local, "%Y-%m-%d").to_numpy(zero_copy_only=False).astype(str)
    days, model, rule = list[str](), list[Point](), list[Point]()
    for one in np.unique(day)[-MOST:]:
        rows = tested.take(pa.array(np.flatnonzero(day == one)))
        target = target_of(rows)
        if min(target.sum(), len(target) - target.sum()) < FEWEST:
            continue
        found = bootstrap(
            [task.ranking_metric],
            target,
            {"model": rows["raw_score"].to_numpy(), "rule": rows[f"{trained.judgement.rule}:rank"].to_numpy()},
            rows[task.entity].to_numpy(zero_copy_only=False),
            groups=lists_of(task, rows),
            replicates=REPLICATES,
            seed=trained.material.seed,
        )
        days.append(str(one))
        for points, name in ((model, "model"), (rule, "rule")):
            points.append(_point(found.estimates[name][task.ranking_metric]))
    if len(days) < 2:
        return ()
    words = metric_named_in_words(task.ranking_metric)
    return (stability_picture(days, model, rule, words, "test"),)


def of_backtest(result: Backtest) -> Picture:
    """The same from a backtest: a model of the same settings for each fold, trained on what was known before it."""
    model, rule = ([_point(getattr(fold, side)[result.metric]) for fold in result.folds] for side in ("model", "rule"))
    days = [fold.last for fold in result.folds]
    return stability_picture(days, model, rule, metric_named_in_words(result.metric), "backtest")


def _point(interval: Interval) -> Point:
    known = [value if np.isfinite(value) else interval.estimate for value in (interval.low, interval.high)]
    return interval.estimate, known[0], known[1]
