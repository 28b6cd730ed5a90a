"""Quality of the relationship: how well a customer is served, and how he answers; a score, put together each month."""

from __future__ import annotations

from dataclasses import replace

from ..config import QualityConfig
from .base import Evidence, Task, Trait
from .put_together import put_together

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
    task = put_together(
        "quality",
        config.active_within,
        question="How good is the relationship with each customer, and where does it fall?",
        score_text="the score is put together from what passed between customer and company",
        blocks=("relationship", "spending", "rhythm", "service", "contacts"),
        outcome="has a good relationship",
        positives="good relationships",
        purpose="To see early where service gets worse, for whom, and to mend it before customers leave.",
    )
    return replace(task, traits=TRAITS)
