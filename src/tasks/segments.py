"""Segments: which groups of customers there are by what they do, and which new ones are forming; not trained."""

from __future__ import annotations

from dataclasses import replace

from ..config import SegmentsConfig
from .base import Task
from .put_together import put_together

BEHAVIOUR = (
    "days_since_visit",
    "days_known",
    "visits_365d",
    "gap_mean",
    "irregularity",
    "spend_365d",
    "spend_per_visit",
    "products_90d",
    "categories_90d",
    "discount_share",
    "complaints_365d",
    "return_share",
    "response_rate",
)


def segments(config: SegmentsConfig) -> Task:
    """Population: a purchase in the last `active_within` days. Groups by what customers do, a feature of each kind."""
    task = put_together(
        "segments",
        config.active_within,
        question="Which groups of customers are there, and which are new?",
        score_text="groups are found in what customers do",
        blocks=("spending", "rhythm", "breadth", "contacts", "service"),
        outcome="belongs to a segment",
        positives="members",
        purpose="To speak to each group in its own way, and to see a new one while it is small.",
    )
    return replace(task, behaviour=BEHAVIOUR)
