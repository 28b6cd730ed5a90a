"""Churn without a contract: a customer who bought lately and will not buy within the horizon."""

from __future__ import annotations

from ..config import ChurnConfig
from ..language.declarations import Count, Population, Requirement, Seen
from .base import RuleOfThumb, Task, Wording

CUSTOMER = ("customer_id",)


def churn(config: ChurnConfig) -> Task:
    """Population: a purchase in the last `active_within` days. Target: none in the next `horizon` days."""
    return Task(
        name="churn",
        question=f"Which customers will not buy in the next {config.horizon} days?",
        population_text=f"customers with a purchase in the {config.active_within} days up to the cutoff",
        target_text=f"no purchase in the {config.horizon} days after the cutoff",
        keys=CUSTOMER,
        population=Population(
            Seen("transactions", CUSTOMER),
            (Requirement("transactions", CUSTOMER, Count(last=(config.active_within,)) > 0),),
        ),
        target=Requirement("transactions", CUSTOMER, Count(ahead=config.horizon) == 0),
        horizon=config.horizon,
        blocks=("spending", "rhythm", "breadth", "contacts", "service", "lifecycle", "profile"),
        primary_metric="average_precision",
        rules=(
            RuleOfThumb("overdue", ("days_since_visit", "gap_mean"), "time since the last visit against the usual gap"),
            RuleOfThumb("column", ("gap_mean",), "the rarest visitors first"),
            RuleOfThumb("column", ("days_since_visit",), "the longest absent first"),
        ),
        wording=Wording(
            entity="customer",
            entities="customers",
            outcome=f"bought nothing for {config.horizon} days",
            positives="customers who stay away",
            negatives="customers who come",
            purpose="To speak to customers who are about to leave while they can still be kept.",
        ),
    )
