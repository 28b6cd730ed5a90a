"""Segments: which groups of customers there are by what they do, and which new ones are forming; not trained."""

from __future__ import annotations

from ..config import SegmentsConfig
from ..language.declarations import Count, Population, Requirement, Seen
from .base import Task, Wording

CUSTOMER = ("customer_id",)

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
    return Task(
        name="segments",
        question="Which groups of customers are there, and which are new?",
        population_text=f"customers with a purchase in the {config.active_within} days up to the cutoff",
        target_text="none: groups are found in what customers do",
        keys=CUSTOMER,
        population=Population(
            Seen("transactions", CUSTOMER),
            (Requirement("transactions", CUSTOMER, Count(last=(config.active_within,)) > 0),),
        ),
        target=None,
        horizon=0,
        blocks=("spending", "rhythm", "breadth", "contacts", "service"),
        primary_metric="average_precision",
        rules=(),
        behaviour=BEHAVIOUR,
        wording=Wording(
            entity="customer",
            entities="customers",
            outcome="belongs to a segment",
            positives="members",
            negatives="others",
            purpose="To speak to each group in its own way, and to see a new one while it is small.",
        ),
    )
