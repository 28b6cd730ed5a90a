"""Quality of the relationship: how well a customer is served, and how he answers; a score, put together each month."""

from __future__ import annotations

from ..config import QualityConfig
from ..language.declarations import Count, Population, Requirement, Seen
from .base import Evidence, Task, Trait, Wording

CUSTOMER = ("customer_id",)

TRAITS = (
    Trait(
        "service",
        "is served well",
        (
            Evidence("complaints_90d", -1),
            Evidence("failures_90d", -1),
            Evidence("open_issues", -1),
            Evidence("survey_score"),
        ),
    ),
    Trait("goods", "keeps what he buys", (Evidence("return_share", -1),)),
    Trait("rhythm", "comes as often as he used to", (Evidence("overdue", -1), Evidence("visits_trend"))),
    Trait("response", "answers when he is spoken to", (Evidence("response_rate"),)),
)


def quality(config: QualityConfig) -> Task:
    """Population: a purchase in the last `active_within` days. A card of four sides of the relationship."""
    return Task(
        name="quality",
        question="How good is the relationship with each customer, and where does it fall?",
        population_text=f"customers with a purchase in the {config.active_within} days up to the cutoff",
        target_text="none: the score is put together from what passed between customer and company",
        keys=CUSTOMER,
        population=Population(
            Seen("transactions", CUSTOMER),
            (Requirement("transactions", CUSTOMER, Count(last=(config.active_within,)) > 0),),
        ),
        target=None,
        horizon=0,
        blocks=("relationship", "spending", "rhythm", "service", "contacts"),
        primary_metric="average_precision",
        rules=(),
        traits=TRAITS,
        wording=Wording(
            entity="customer",
            entities="customers",
            outcome="has a good relationship",
            positives="good relationships",
            negatives="others",
            purpose="To see early where service gets worse, for whom, and to mend it before customers leave.",
        ),
    )
