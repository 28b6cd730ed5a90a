"""A backtest: how this way of training would have worked a month ago, and the month before that.

The newest fold has the windows of the configuration. Each fold before it has all windows moved back by one step: the
horizon, or for campaigns the length of the test window. A test cutoff belongs to one fold only, so nothing is counted
twice where folds are pooled. The learner keeps the hyperparameters of the champion (they were found on the newest data,
which flatters older folds a little); the number of trees, the calibration and the rule are found anew in each fold.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..config import Config, TaskConfig
from ..data.dataset import Dataset
from ..errors import DataError
from ..features.groups import check_groups
from ..registry.tracking import start_run
from ..tasks.base import Task
from .backtest_picture import picture
from .backtest_result import Backtest, FoldResult, Metrics, Part, stability
from .evaluate import bootstrap
from .judge import Judgement, judge, lists_of
from .material import Floats, Material, target_of
from .walk import Look, Walk, look, without_search

Say = Callable[[str], None]
FEWEST_POSITIVES = 10
FEWEST_FOLDS = 3  # two points make no trend


def backtest(
    data: Dataset, name: str, *, folds: int = 4, seed: int | None = None, say: Say = lambda text: None
) -> Backtest:
    """Train and judge a task on up to `folds` test windows; the newest one is the configuration's.

    Raises DataError where the newest fold has nothing to learn from. The walk ends at the first older fold that the
    data cannot carry, which is said.
    """
    if folds < 1:
        raise DataError(f"a backtest needs at least one fold, and was asked for {folds}")
    seed = data.config.seed if seed is None else seed
    config = without_search(data.config, name)
    material = Material(data, name, config, seed=seed)
    check_groups(material.snapshots.columns, config.groups, name)  # older folds may lack what they have not learned
    walk = Walk(material)
    looks: list[Look] = []
    left_out: tuple[str, ...] = ()
    for back in range(folds):
        if back:
            split = walk.split(back)
            try:
                if split is None:
                    raise DataError("the data begin too late for a training window")
                material = Material(data, name, config.model_copy(update={"split": split}), seed=seed)
            except DataError as error:
                left_out = (f"fold {back + 1} and those before it: {error}",)
                say(left_out[0])
                break
        looks.append(look(material, looks[0].rule if looks else None))
        say(f"fold {back + 1} of {folds}: tested {looks[-1].test[0]} to {looks[-1].test[-1]}")
    return _together(material.task, config, looks[::-1], left_out, seed)


def log_backtest(config: Config, result: Backtest, *, fingerprint: str | None = None) -> str:
    """Keep a backtest as a run of the task's experiment (step 0 is the oldest fold); the run's id."""
    with start_run(config, result.task, name="backtest", fingerprint=fingerprint) as run:
        for step, fold in enumerate(result.folds):
            run.log_metrics(_named("backtest", fold.model) | _named("baseline.backtest", fold.rule), step=step)
        run.log_metrics(_named("backtest.pooled", result.pooled) | _named("gain.backtest.pooled", result.pooled_gain))
        run.set_tags({"rapport.backtest": "true", "rapport.stable": str(result.stable).lower()})
        for part in (result.known, result.new):
            name = "known" if part is result.known else "new"
            run.log_metrics(_named(f"backtest.{name}", part.model) | _named(f"baseline.backtest.{name}", part.rule))
        run.log_dict(result.as_dict(), "backtest.json")
        run.log_text(as_csv(result), "backtest.csv")
        run.log_figure(picture(result), "plots/backtest.png")
        return run.id


def as_csv(result: Backtest) -> str:
    """The table of a backtest as CSV."""
    text = io.StringIO()
    rows = result.table()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


# ------------------------------------------------------------------------------------------- putting together
def _together(task: Task, config: TaskConfig, looks: Sequence[Look], left_out: tuple[str, ...], seed: int) -> Backtest:
    folds = tuple(_result(task, config, each, seed) for each in looks)
    everything = pa.concat_tables([each.tested for each in looks])
    pooled = _judged(task, config, everything, seed).comparison
    gain = pooled.gains["rule"]
    pairs = [_aligned(before.drivers, after.drivers) for before, after in pairwise(looks)]
    shared = tuple(float(np.minimum(before, after).sum()) for before, after in pairs)
    against = stability(task.ranking_metric, folds, gain[task.ranking_metric], shared)
    if len(folds) < FEWEST_FOLDS:
        stable, reasons = None, (f"{len(folds)} folds are too few to say; {FEWEST_FOLDS} are needed", *against)
    elif against:
        stable, reasons = False, against
    else:
        stable, reasons = True, ("better than the rule, calibrated, and with the same drivers in every fold",)
    return Backtest(
        task=task.name,
        metric=task.ranking_metric,
        rule=looks[-1].rule_words,
        folds=folds,
        pooled=pooled.estimates["model"],
        pooled_rule=pooled.estimates["rule"],
        pooled_gain=gain,
        entities=pc.count_distinct(everything[task.entity]).as_py(),
        known=_part(task, config, everything.filter(everything["known"]), seed),
        new=_part(task, config, everything.filter(pc.invert(everything["known"])), seed),
        agreement=tuple(_rank_correlation(*pair) for pair in pairs),
        shared=shared,
        stable=stable,
        reasons=reasons,
        left_out=left_out,
    )


def _result(task: Task, config: TaskConfig, found: Look, seed: int) -> FoldResult:
    judged = _judged(task, config, found.tested, seed)
    comparison = judged.comparison
    return FoldResult(
        first=str(found.test[0]),
        last=str(found.test[-1]),
        trained_until=str(found.trained_until),
        rows=comparison.rows,
        entities=comparison.entities,
        positives=int(target_of(found.tested).sum()),
        trees=found.trees,
        promised=float(pc.mean(found.tested["score"]).as_py()),
        happened=float(target_of(found.tested).mean()),
        model=comparison.estimates["model"],
        rule=comparison.estimates["rule"],
        gain=comparison.gains["rule"],
        band=judged.band,
        drivers=dict(sorted(found.drivers.items(), key=lambda item: -item[1])),
    )


def _judged(task: Task, config: TaskConfig, tested: pa.Table, seed: int) -> Judgement:
    rule = (tested["rule:rank"].to_numpy(), tested["rule:probability"].to_numpy())
    return judge(task, tested, {"rule": rule}, "rule", replicates=config.bootstrap, seed=seed)


def _part(task: Task, config: TaskConfig, rows: pa.Table, seed: int) -> Part:
    target = target_of(rows)
    positives, entities = int(target.sum()), pc.count_distinct(rows[task.entity]).as_py()
    metrics = list(dict.fromkeys([task.ranking_metric, "roc_auc", "ece"]))
    if not FEWEST_POSITIVES <= positives <= rows.num_rows - FEWEST_POSITIVES:
        return Part(rows.num_rows, entities, positives, {}, {})
    found = bootstrap(
        metrics,
        target,
        {"model": rows["score"].to_numpy(), "rule": rows["rule:rank"].to_numpy()},
        rows[task.entity],
        groups=lists_of(task, rows),
        replicates=config.bootstrap,
        seed=seed,
    )
    return Part(rows.num_rows, entities, positives, found.estimates["model"], found.estimates["rule"])


def _aligned(before: dict[str, float], after: dict[str, float]) -> tuple[Floats, Floats]:
    """Both folds' shares by the same groups; one that a fold lacks counts as 0 there."""
    groups = sorted(before.keys() | after.keys())
    return np.array([before.get(g, 0.0) for g in groups]), np.array([after.get(g, 0.0) for g in groups])


def _rank_correlation(before: Floats, after: Floats) -> float:
    """Spearman's rank correlation; nan for a single group."""
    from scipy.stats import spearmanr

    return float(spearmanr(before, after).statistic) if len(before) > 1 else float("nan")


def _named(prefix: str, metrics: Metrics) -> dict[str, float]:
    return {f"{prefix}.{name}": value.estimate for name, value in metrics.items() if np.isfinite(value.estimate)}
