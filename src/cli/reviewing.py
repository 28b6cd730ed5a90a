"""`rapport review`, `approve` and `reject`: the page of a version, and the decision about it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ..config import Config
from ..explain.card import model_card
from ..explain.review import Decision, Review
from ..registry.tracking import artifact_text, reopen
from ..registry.versions import load, resolve, role, tag_version, version_tags
from ..training.record import CARD, REVIEW
from .console import Console
from .explaining import find_customer
from .run import write_review
from .summary import REPORTS

DECIDED = "decided"  # the pages on which decisions were taken


def write_page(config: Config, name: str, which: str, ids: Sequence[str], console: Console) -> Path:
    """The page of a version, rebuilt from what its training stored, with asked-for customers added."""
    review = stored_review(config, name, which)
    if ids:
        bundle = load(config, name, which, threads=config.threads)
        review = review.with_customers(
            [find_customer(config, name, bundle, entity, None, console).customer() for entity in dict.fromkeys(ids)]
        )
    return write_review(config, name, review)


def stored_review(config: Config, name: str, which: str) -> Review:
    """The review of a version as its training stored it, with the decision and the role that it has now."""
    found = resolve(config, name, which)
    review = Review.from_json(artifact_text(reopen(config, str(found.run_id)), REVIEW))
    tags = version_tags(config, name, str(found.version))
    if tags.get("review") in ("approved", "rejected"):
        state: Any = tags["review"]
        note, page = tags.get("review.note", ""), tags.get("review.page_sha256", "")
        at = f"{datetime.fromisoformat(tags['review.at']).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        decision = Decision(state, tags["review.by"], at, note, page)
        review = review.with_decision(decision)
    version = str(found.version)
    return replace(review, provenance=replace(review.provenance, version=version, role=role(config, name, version)))


def decide(config: Config, name: str, version: str, state: Literal["approved", "rejected"], by: str, note: str) -> Path:
    """Write a decision to the version's tags with the checksum of the page it was taken on; the page that shows it.

    That page is kept below `decided`, and the model card of the run is written anew.
    """
    found = resolve(config, name, version)
    read = _page_read(config, name, str(found.version), str(found.run_id))
    tags = {
        "review": state,
        "review.by": by,
        "review.at": datetime.now(UTC).isoformat(timespec="seconds"),
        "review.note": note,
        "review.page_sha256": hashlib.sha256(read).hexdigest(),
    }
    kept = config.home / REPORTS / config.name / DECIDED / f"{name}_v{found.version}_{state}.html"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(read)
    tag_version(config, name, str(found.version), tags)
    review = stored_review(config, name, str(found.version))
    reopen(config, str(found.run_id)).log_text(model_card(review), CARD)
    return write_review(config, name, review)


def _page_read(config: Config, name: str, version: str, run_id: str) -> bytes:
    """The page that a reviewer of this version has before him: as it lies there, or else written now."""
    page = config.home / REPORTS / config.name / f"{name}.html"
    if not page.is_file() or run_id not in page.read_text(encoding="utf-8"):
        page = write_review(config, name, stored_review(config, name, version))
    return page.read_bytes()
