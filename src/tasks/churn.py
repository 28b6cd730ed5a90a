"""Churn without a contract: a customer who bought lately and will not buy within the horizon."""

from __future__ import annotations

from ..config import ChurnConfig
from ..language.declarations import Count, Population, Requirement, Seen
from .base import Task

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
        blocks=("spending", "rhythm", "breadth", "contacts", "service", "profile"),
        primary_metric="average_precision",
        rule_text="time since the last visit, measured against the customer's usual gap",
        rule=("overdue", "days_since_visit"),
    )
