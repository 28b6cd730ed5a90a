"""The summary of a run: what was judged of each task as plain values, the file that keeps it, and its table."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from ..config import Config
from ..training.experiment import Trained
from ..training.leaving import TrainedLeaving
from ..training.several import TrainedSeveral
from ..training.story import as_good_words, worth_in_words
from ..training.uplift import TrainedUplift

REPORTS = "reports"


def write_summary(config: Config, summary: dict[str, Any]) -> Path:
    """reports/<config>/summary.json, written aside and renamed."""
    path = config.home / REPORTS / config.name / "summary.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".json.part")
    aside.write_text(json.dumps(summary, indent=1, default=str, allow_nan=False), encoding="utf-8")
    os.replace(aside, path)
    return path


def judged(trained: Trained) -> dict[str, Any]:
    """What the judgement of a trained version says, as plain values."""
    judgement = trained.judgement
    return {
        "grade": judgement.grade.letter,
        "grade_reasons": list(judgement.grade.reasons),
        "primary_metric": judgement.grade.metric,
        "rule": judgement.rule,
        "metrics": {**judgement.metrics(), **trained.extra_metrics},
        "intervals": {
            name: [value.low, value.high]
            for name, value in judgement.intervals().items()
            if math.isfinite(value.low) and math.isfinite(value.high)
        },
        "calibration_band": judgement.band.as_dict(),
        "worth_words": list(worth_in_words(trained.material.task, judgement)),
        "simpler_as_good": as_good_words(judgement, trained.fitted.rules),
        **({} if trained.fitted.choice is None else {"learner": trained.fitted.choice.as_dict()}),
        "dropped_features": trained.fitted.diet.dropped,
        **({} if trained.together is None else {"together": trained.together.as_dict()}),
        "alarms": [alarm.as_dict() for alarm in trained.alarms],
        "windows": [asdict(facts) for facts in trained.material.facts()],
        "left_out": [*trained.material.left_out_words(), *trained.material.snapshots.plan.left_out],
        "run_id": trained.run_id,
        "model_name": trained.registered.name,
        "model_version": trained.registered.version,
        "champion": trained.is_champion,
    }


def judged_apart(trained: TrainedSeveral | TrainedLeaving | TrainedUplift) -> dict[str, Any]:
    """What all kinds of models with a judge of their own say of themselves, as plain values."""
    judgement = trained.judged
    return {
        "grade": judgement.letter,
        "grade_reasons": list(judgement.reasons),
        "metrics": judgement.metrics,
        "intervals": {name: [one.low, one.high] for name, one in judgement.intervals.items()},
        "tested": judgement.rows,
        "run_id": trained.run_id,
        "model_name": trained.registered.name,
        "model_version": trained.registered.version,
    }


def as_table(summary: dict[str, Any]) -> Table:
    """Model, rule and ceiling side by side, a line a task."""
    table = Table(title=f"{summary['config']}: {summary['seconds']['total']:.0f} s", title_justify="left")
    ceilings = any(f"ceiling.test.{t.get('primary_metric')}" in t["metrics"] for t in summary["tasks"].values())
    for column in ("task", "metric", "model", "95 % interval", "rule", *(["ceiling"] if ceilings else []), "gain"):
        table.add_column(column, justify="left" if column in ("task", "metric") else "right")
    scored = all("rows" in task for task in summary["tasks"].values())
    for column in (
        "AUC",
        *(["its ceiling"] if ceilings else []),
        "calibration error",
        "grade",
        *(["scored rows"] if scored else []),
    ):
        table.add_column(column, justify="right")
    for name, task in summary["tasks"].items():
        if task["grade"] is None:
            empty = [""] * (len(table.columns) - 3)
            table.add_row(name, "put together, not trained", *empty, f"{task['rows']:,}")
            continue
        metrics, metric = task["metrics"], task["primary_metric"]
        ceiling = metrics.get(f"ceiling.test.{metric}")
        table.add_row(
            name,
            metric,
            f"{metrics[f'test.{metric}']:.3f}",
            _span(task["intervals"].get(f"test.{metric}")),
            f"{metrics[f'baseline.test.{metric}']:.3f}",
            *([_known(ceiling)] if ceilings else []),
            _span(task["intervals"].get(f"gain.test.{metric}")),
            _known(metrics.get("test.roc_auc")),
            *([_known(metrics.get("ceiling.test.roc_auc"))] if ceilings else []),
            _known(metrics.get("test.ece")),
            task["grade"],
            *([f"{task['rows']:,}"] if scored else []),
        )
    return table


def _known(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _span(interval: list[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
