"""`rapport run`: everything from the check of the data to the scores and the pages, with the time each step takes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..config import Config
from ..data.dataset import Dataset
from ..data.ingest import open_dataset
from ..explain import review as review_page
from ..registry.versions import export, load
from ..scoring.batch import score
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
from .summary import REPORTS, judged, judged_apart, write_summary

EXPORTS = "exports"


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
    """One task: trained or drawn up, told and judged, then exported and put out; only some have a page."""
    console.note(f"{name}")
    task = declare(name, data.config.task(name))
    if task.every:
        found = _leaving(data, name, console)
    elif task.target is None:
        found = _computed(data, name, console)
    elif task.outcomes:
        found = _several(data, name, console)
    elif task.treatment is not None:
        found = _effect(data, name, console)
    else:
        found = _model(data, name, console, trials, seconds)
    return {"review": None, **found, **_put_out(data, name, console)}


def _put_out(data: Dataset, name: str, console: Console) -> dict[str, Any]:
    """The version in use exported, and everybody scored with it."""
    config = data.config
    with console.step(f"{name}: export"):
        folder = export(config, name, config.home / EXPORTS / config.name / name)
    with console.step(f"{name}: score"):
        report = score(data, name, load(config, name), force=True, say=console.say)
    return {"scores": str(report.folder), "export": str(folder), "rows": report.rows}


def _model(data: Dataset, name: str, console: Console, trials: int | None, seconds: float | None) -> dict[str, Any]:
    """A model of one outcome: trained, judged, and explained on a page."""
    with console.step(f"{name}: train"):
        trained = train(data, name, trials=trials, seconds=seconds, say=console.say)
    for sentence in as_good_words(trained.judgement, trained.fitted.rules):
        console.note(sentence)
    for sentence in worth_in_words(trained.material.task, trained.judgement):
        console.note(sentence)
    if trained.fitted.choice is not None:
        console.note(trained.fitted.choice.words)
    console.note(_standing(trained))
    with console.step(f"{name}: explain"):
        console.say("drawing pictures and writing the page")
        page = write_review(data.config, name, record(trained))
    return {**judged(trained), "review": str(page)}


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
    """A score that is put together and not trained: drawn up; there is no grade and no page."""
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
    }


def _several(data: Dataset, name: str, console: Console) -> dict[str, Any]:
    """A task with several outcomes: trained and judged; there is no page."""
    with console.step(f"{name}: train"):
        trained = train_several(data, name, say=console.say)
    for sentence in trained.judged.reasons:
        console.note(sentence)
    return {
        **judged_apart(trained),
        "primary_metric": trained.material.task.primary_metric,
        "rule": "prior",
        "answers": trained.answers,
        "left_out": list(trained.material.snapshots.plan.left_out),
    }


def _leaving(data: Dataset, name: str, console: Console) -> dict[str, Any]:
    """A task of time to leave: trained and judged; there is no page."""
    with console.step(f"{name}: train"):
        trained = train_leaving(data, name, say=console.say)
    for sentence in trained.judged.reasons:
        console.note(sentence)
    return {
        **judged_apart(trained),
        "primary_metric": trained.task.primary_metric,
        "rule": "kaplan_meier",
        "left": trained.left,
        "left_out": list(trained.left_out),
    }


def _effect(data: Dataset, name: str, console: Console) -> dict[str, Any]:
    """The effect of a contact: trained and judged; there is no page."""
    with console.step(f"{name}: train"):
        trained = train_uplift(data, name, say=console.say)
    for sentence in trained.judged.reasons:
        console.note(sentence)
    return {
        **judged_apart(trained),
        "primary_metric": trained.material.task.primary_metric,
        "variant": VARIANT,
        "learner": trained.model.learner,
        "rule": trained.judged.rule,
        "left_out": [*trained.material.left_out_words(), *trained.material.snapshots.plan.left_out],
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
