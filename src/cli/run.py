"""`rapport run`: everything from the check of the data to the scores and the pages, with the time each step takes."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from ..config import Config
from ..data.dataset import Dataset
from ..data.ingest import open_dataset
from ..explain import review as review_page
from ..registry.versions import export, load
from ..scoring.batch import ScoreReport, score
from ..scoring.forget import without_forgotten
from ..scoring.retention import retention
from ..tasks import declare
from ..training.ceiling import open_truth
from ..training.computed import draw_up
from ..training.experiment import Trained, train
from ..training.keeping import kept_margin
from ..training.leaving import train_leaving
from ..training.record import record
from ..training.several import train_several
from ..training.story import as_good_words, worth_in_words
from ..training.uplift import train_uplift
from ..training.uplift_judge import VARIANT
from .console import Console

REPORTS, EXPORTS = "reports", "exports"


def run(config: Config, console: Console, *, trials: int | None, seconds: float | None) -> dict[str, Any]:
    """Check, train, judge, register, export, score and explain every configured task; the summary of all of it."""
    started = datetime.now(UTC)
    with console.step("check"):
        data = open_dataset(config, progress=console.say)
    for fault in data.report.warnings:
        console.note(f"warning: {fault.place}: {fault.count or ''} {fault.what}")
    tasks = {name: _task(data, name, console, trials, seconds) for name in config.tasks.named()}
    groups = _retention(data, console) if config.retention is not None else None
    summary = {
        "config": config.name,
        "started_at": started.isoformat(timespec="seconds"),
        "seconds": {**console.seconds, "total": round((datetime.now(UTC) - started).total_seconds(), 2)},
        "tasks": tasks,
        **({} if groups is None else {"retention": groups}),
    }
    write_summary(config, summary)
    return summary


def _task(data: Dataset, name: str, console: Console, trials: int | None, seconds: float | None) -> dict[str, Any]:
    config = data.config
    console.note(f"{name}")
    task = declare(name, config.task(name))
    if task.every:
        return _leaving(data, name, console)
    if task.target is None:
        return _computed(data, name, console)
    if task.outcomes:
        return _several(data, name, console)
    if task.treatment is not None:
        return _effect(data, name, console)
    with console.step(f"{name}: train"):
        trained = train(data, name, trials=trials, seconds=seconds, say=console.say)
    for sentence in as_good_words(trained.judgement, trained.fitted.rules):
        console.note(sentence)
    for sentence in worth_in_words(task, trained.judgement):
        console.note(sentence)
    console.note(_standing(trained))
    with console.step(f"{name}: explain"):
        console.say("drawing pictures and writing the page")
        page = write_review(config, name, record(trained))
    with console.step(f"{name}: export"):
        folder = export(config, name, config.home / EXPORTS / config.name / name)
    with console.step(f"{name}: score"):
        report = score(data, name, load(config, name), force=True, say=console.say)
    return _summary(trained, report, page, folder)


def _standing(trained: Trained) -> str:
    """Which version is in use, and what its grade says."""
    version, letter = trained.registered.version, trained.judgement.grade.letter
    if not trained.is_champion:
        return (
            f"version {version} (grade {letter}) is the challenger: the page is about it, and the champion goes on "
            "scoring; `rapport promote` lets it take over"
        )
    warning = "; a model of grade D should not be used" if letter == "D" else ""
    return f"version {version} (grade {letter}) is the champion, not reviewed yet{warning}"


def _computed(data: Dataset, name: str, console: Console) -> dict[str, Any]:
    """A score that is put together and not trained: drawn up, exported and put out; there is no grade and no page."""
    config = data.config
    with console.step(f"{name}: draw up"):
        drawn = draw_up(data, name, say=console.say)
    found = drawn.segments
    if found is not None:
        console.note(found.choice.words)
        for text in found.alerts:
            console.note(f"ALERT {name}: {text}")
        for cohort in found.cohorts:
            console.note(cohort.words)
    if drawn.quality is not None:
        console.note(drawn.quality.words)
        for text in drawn.quality.alerts:
            console.note(f"ALERT {name}: {text}")
    for trait, (one, rows) in drawn.traits.items():
        console.note(
            f"{trait}: rank correlation with what is planted {one.estimate:.2f} ({one.low:.2f} to {one.high:.2f}), "
            f"known of {rows:,} of {drawn.rows.num_rows:,}"
        )
    with console.step(f"{name}: export"):
        folder = export(config, name, config.home / EXPORTS / config.name / name)
    with console.step(f"{name}: score"):
        report = score(data, name, load(config, name), force=True, say=console.say)
    return {
        **({} if found is None else {"segments": found.as_dict(), "alerts": list(found.alerts)}),
        **({} if drawn.quality is None else {"quality": drawn.quality.as_dict(), "alerts": list(drawn.quality.alerts)}),
        "grade": None,
        "metrics": {
            **drawn.metrics,
            **{f"rank_correlation.{name}": one.estimate for name, (one, _) in drawn.traits.items()},
        },
        "intervals": {f"rank_correlation.{trait}": [one.low, one.high] for trait, (one, _) in drawn.traits.items()},
        "left_out": list(drawn.left_out),
        "run_id": drawn.run_id,
        "model_name": drawn.registered.name,
        "model_version": drawn.registered.version,
        "scores": str(report.folder),
        "export": str(folder),
        "review": None,
        "rows": report.rows,
    }


def _several(data: Dataset, name: str, console: Console) -> dict[str, Any]:
    """A task with several outcomes: trained, judged, exported and put out; there is no page."""
    config = data.config
    with console.step(f"{name}: train"):
        trained = train_several(data, name, say=console.say)
    for sentence in trained.judged.reasons:
        console.note(sentence)
    with console.step(f"{name}: export"):
        folder = export(config, name, config.home / EXPORTS / config.name / name)
    with console.step(f"{name}: score"):
        report = score(data, name, load(config, name), force=True, say=console.say)
    return {
        "grade": trained.judged.letter,
        "grade_reasons": list(trained.judged.reasons),
        "primary_metric": trained.material.task.primary_metric,
        "rule": "prior",
        "metrics": trained.judged.metrics,
        "intervals": {name: [one.low, one.high] for name, one in trained.judged.intervals.items()},
        "answers": trained.answers,
        "tested": trained.judged.rows,
        "left_out": list(trained.material.snapshots.plan.left_out),
        "run_id": trained.run_id,
        "model_name": trained.registered.name,
        "model_version": trained.registered.version,
        "scores": str(report.folder),
        "export": str(folder),
        "review": None,
        "rows": report.rows,
    }


def _leaving(data: Dataset, name: str, console: Console) -> dict[str, Any]:
    """A task of time to leave: trained, judged, exported and put out; there is no page."""
    config = data.config
    with console.step(f"{name}: train"):
        trained = train_leaving(data, name, say=console.say)
    for sentence in trained.judged.reasons:
        console.note(sentence)
    with console.step(f"{name}: export"):
        folder = export(config, name, config.home / EXPORTS / config.name / name)
    with console.step(f"{name}: score"):
        report = score(data, name, load(config, name), force=True, say=console.say)
    return {
        "grade": trained.judged.letter,
        "grade_reasons": list(trained.judged.reasons),
        "primary_metric": trained.task.primary_metric,
        "rule": "kaplan_meier",
        "metrics": trained.judged.metrics,
        "intervals": {name: [one.low, one.high] for name, one in trained.judged.intervals.items()},
        "left": trained.left,
        "tested": trained.judged.rows,
        "left_out": list(trained.left_out),
        "run_id": trained.run_id,
        "model_name": trained.registered.name,
        "model_version": trained.registered.version,
        "scores": str(report.folder),
        "export": str(folder),
        "review": None,
        "rows": report.rows,
    }


def _effect(data: Dataset, name: str, console: Console) -> dict[str, Any]:
    """The effect of a contact: trained, judged, exported and put out; there is no page."""
    config = data.config
    with console.step(f"{name}: train"):
        trained = train_uplift(data, name, say=console.say)
    for sentence in trained.judged.reasons:
        console.note(sentence)
    with console.step(f"{name}: export"):
        folder = export(config, name, config.home / EXPORTS / config.name / name)
    with console.step(f"{name}: score"):
        report = score(data, name, load(config, name), force=True, say=console.say)
    return {
        "grade": trained.judged.letter,
        "grade_reasons": list(trained.judged.reasons),
        "primary_metric": trained.material.task.primary_metric,
        "variant": VARIANT,
        "learner": trained.model.learner,
        "rule": trained.judged.rule,
        "metrics": trained.judged.metrics,
        "intervals": {name: [one.low, one.high] for name, one in trained.judged.intervals.items()},
        "tested": trained.judged.rows,
        "left_out": [*trained.material.left_out_words(), *trained.material.snapshots.plan.left_out],
        "run_id": trained.run_id,
        "model_name": trained.registered.name,
        "model_version": trained.registered.version,
        "scores": str(report.folder),
        "export": str(folder),
        "review": None,
        "rows": report.rows,
    }


def _retention(data: Dataset, console: Console) -> dict[str, Any]:
    """Everybody at risk in three groups, from the scores; on a world, what their own actions bring by the truth."""
    with console.step("retention"):
        report = retention(data, say=console.say)
        found: dict[str, Any] = {**report.summary, "folder": str(report.folder)}
        truth = open_truth(data.config)
        if truth is not None:
            console.say("asking the truth what the actions bring")
            found["true_margin"] = kept_margin(truth, report.rows, data.observed_until, seed=data.config.seed)
    for name, group in report.summary["groups"].items():
        console.note(f"{name}: {group['customers']:,} of {report.summary['at_risk']:,} at risk")
    if "true_margin" in found:
        gain = found["true_margin"]["gain"]
        console.note(
            f"true margin a customer, each group's own action against {gain['over']} for all: "
            f"{gain['estimate']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})"
        )
    return found


def write_review(config: Config, name: str, review: review_page.Review) -> Path:
    """The page of a task under reports/<config>/<task>.html, without those who asked to be forgotten."""
    path = config.home / REPORTS / config.name / f"{name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    return review_page.write(without_forgotten(config, name, review), path)


def write_summary(config: Config, summary: dict[str, Any]) -> Path:
    """reports/<config>/summary.json, written aside and renamed."""
    path = config.home / REPORTS / config.name / "summary.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".json.part")
    aside.write_text(json.dumps(summary, indent=1, default=str, allow_nan=False), encoding="utf-8")
    os.replace(aside, path)
    return path


def _summary(trained: Trained, report: ScoreReport, page: Path, folder: Path) -> dict[str, Any]:
    return {
        **judged(trained),
        "scores": str(report.folder),
        "export": str(folder),
        "review": str(page),
        "rows": report.rows,
    }


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
