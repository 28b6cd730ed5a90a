"""`rapport review`, `explain`, `approve` and `reject`: the page of a version, one customer's reasons, the decision."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from ..config import Config
from ..data.ingest import open_dataset
from ..errors import DataError, ModelError
from ..explain.contributions import explainer
from ..explain.review import Customer, Decision, Review
from ..features.snapshot import Snapshots
from ..models.bundle import Bundle
from ..registry.tracking import artifact_text, reopen
from ..registry.versions import load, resolve, tag_version, version_tags
from ..scoring.job import define_job
from ..tasks import declare
from ..training.record import REVIEW
from ..training.story import customers_of
from .console import Console
from .run import write_review

NEAREST = 5


def write_page(config: Config, name: str, which: str, ids: Sequence[str], console: Console) -> Path:
    """The page of a version, rebuilt from what its training stored, with asked-for customers added."""
    review = stored_review(config, name, which)
    if ids:
        bundle = load(config, name, which, threads=config.threads)
        review = review.with_customers(
            [_customer(config, name, bundle, entity, None, console)[0] for entity in dict.fromkeys(ids)]
        )
    return write_review(config, name, review)


def stored_review(config: Config, name: str, which: str) -> Review:
    """The review of a version as its training stored it, with the decision and the role that it has now."""
    found = resolve(config, name, which)
    review = Review.from_json(artifact_text(reopen(config, str(found.run_id)), REVIEW))
    tags = version_tags(config, name, str(found.version))
    if tags.get("review") in ("approved", "rejected"):
        state: Any = tags["review"]
        decision = Decision(state, tags["review.by"], tags["review.at"], tags.get("review.note", ""))
        review = review.with_decision(decision)
    return replace(review, provenance=replace(review.provenance, version=str(found.version)))


def decide(config: Config, name: str, version: str, state: Literal["approved", "rejected"], by: str, note: str) -> Path:
    """Write a decision to the version's tags, and the page that shows it."""
    found = resolve(config, name, version)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    tags = {"review": state, "review.by": by, "review.at": at, "review.note": note}
    tag_version(config, name, str(found.version), tags)
    return write_review(config, name, stored_review(config, name, str(found.version)))


def explain(config: Config, name: str, entity: str, which: str, as_of: date | None, console: Console) -> dict[str, Any]:
    """One customer's scores with their reasons, as plain values."""
    bundle = load(config, name, which, threads=config.threads)
    customer, moment = _customer(config, name, bundle, entity, as_of, console)
    scores = [
        {
            "label": score.label,
            "score": score.probability,
            "percentile": score.percentile,
            "raw_score": score.raw,
            "base": score.base,
            "reasons": [vars(reason) for reason in score.reasons],
        }
        for score in customer.scores[:10]
    ]
    return {"task": name, "entity_id": entity, "as_of": moment, "model_version": bundle.version, "scores": scores}


def as_text(found: dict[str, Any]) -> str:
    """The explanation for a terminal."""
    lines = [f"{found['task']} of {found['entity_id']} as of {found['as_of']} (model version {found['model_version']})"]
    for score in found["scores"]:
        label = f"{score['label']}: " if score["label"] else ""
        lines.append(f"{label}{score['score']:.1%}, higher than {score['percentile']:.0f} % of all")
        for reason in score["reasons"]:
            effect = "raises" if reason["contribution"] > 0 else "lowers"
            lines.append(f"  {effect} it ({reason['without']:.1%} without): {reason['words']}")
    return "\n".join(lines)


def _customer(
    config: Config, name: str, bundle: Bundle, entity: str, as_of: date | None, console: Console
) -> tuple[Customer, str]:
    """One customer's scores as of a day, computed now, and that day."""
    with console.step("explain"):
        data = open_dataset(config, progress=console.say)
        settings = config.task(name)
        task = declare(name, settings)
        job = define_job(data, task, settings, bundle, as_of)
        learned = {key: tuple(values) for key, values in bundle.metadata.get("learned", {}).items()}
        snapshots = Snapshots(data, task, blocks=settings.blocks, learned=learned)
        spine = snapshots.to_score(job.cutoff)
        known = spine[task.entity].cast(pa.string())
        spine = spine.filter(pc.equal(known, entity))
        if spine.num_rows == 0:
            raise DataError(
                f"{name}: '{entity}' is not among the {len(known):,} who are scored as of {job.as_of} "
                f"({task.population_text}); close to it: {', '.join(_nearest(entity, known))}"
            )
        rows = snapshots.features(spine)
        model, distribution = bundle.model, bundle.distribution
        if distribution is None:
            raise ModelError(f"the model of {name} was saved without its distribution of scores; train it again")
        why = explainer(model, rows, threads=config.threads)
        (customer,) = customers_of(task, why, model, rows, distribution, config.currency)
    return customer, job.as_of.isoformat()


def _nearest(entity: str, known: pa.ChunkedArray) -> list[str]:
    """The ids that look most like the asked-for one."""
    ids = [str(value) for value in pc.unique(known).to_pylist()]
    return difflib.get_close_matches(entity, ids, NEAREST, cutoff=0.0)
