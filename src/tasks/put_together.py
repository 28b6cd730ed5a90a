"""What tasks share that put a score together from what is known of recent customers, and learn no outcome."""

from __future__ import annotations

from ..language.declarations import Count, Population, Requirement, Seen
from .base import Task, Wording

CUSTOMER = ("customer_id",)


def put_together(
    name: str,
    active_within: int,
    *,
    question: str,
    score_text: str,
    blocks: tuple[str, ...],
    outcome: str,
    positives: str,
    purpose: str,
) -> Task:
    """A task without target over customers with a purchase in the last `active_within` days; a kind adds what it reads.

    `score_text` says where the score comes from, `outcome` and `positives` what is said of a customer and of customers.
    """
    return Task(
        name=name,
        question=question,
        population_text=f"customers with a purchase in the {active_within} days up to the cutoff",
        target_text=f"none: {score_text}",
        keys=CUSTOMER,
        population=Population(
            Seen("transactions", CUSTOMER),
            (Requirement("transactions", CUSTOMER, Count(last=(active_within,)) > 0),),
        ),
        target=None,
        horizon=0,
        blocks=blocks,
        primary_metric="average_precision",
        rules=(),
        wording=Wording(
            entity="customer",
            entities="customers",
            outcome=outcome,
            positives=positives,
            negatives="others",
            purpose=purpose,
        ),
    )
