"""Defection: why a silent customer has left, by the causes that those named who answered when they were asked."""

from __future__ import annotations

from ..config import DefectionConfig
from ..language.declarations import Column, Count, Population, Requirement, Seen
from .base import Outcome, Task, Wording

CUSTOMER = ("customer_id",)
ENDS = "subscription_ends"


def defection(config: DefectionConfig) -> Task:
    """Population: silent for `silent_for` days, not for `silent_at_most`, no cause named so far.

    Outcomes: the cause named within the horizon. The causes are those of Griffin and Lowenstein, "Customer Winback"
    (2001): pushed away on purpose or not, pulled away, bought away, moved away. The target is that one is named at all:
    only such rows train and judge; the rest is foretold.
    """
    silent = f"customers whose last purchase lies {config.silent_for} to {config.silent_at_most} days before the cutoff"
    named = Column("end_reason").is_in(*config.causes)
    return Task(
        name="defection",
        question="For which cause has each silent customer left?",
        population_text=f"{silent} who named no cause so far",
        target_text=f"one of the causes is named in the {config.horizon} days after the cutoff",
        keys=CUSTOMER,
        population=Population(
            Seen("transactions", CUSTOMER),
            (
                Requirement("transactions", CUSTOMER, Count(last=(config.silent_for,)) == 0),
                Requirement("transactions", CUSTOMER, Count(last=(config.silent_at_most,)) > 0),
                Requirement(ENDS, CUSTOMER, Count(where=named) == 0),
            ),
        ),
        target=Requirement(ENDS, CUSTOMER, Count(ahead=config.horizon, where=named) > 0),
        outcomes=tuple(
            Outcome(
                cause,
                Requirement(ENDS, CUSTOMER, Count(ahead=config.horizon, where=Column("end_reason") == cause) > 0),
            )
            for cause in config.causes
        ),
        horizon=config.horizon,
        blocks=("leaving", "service", "contacts", "lifecycle", "spending", "rhythm", "breadth", "profile"),
        primary_metric="macro_roc_auc",
        rules=(),
        wording=Wording(
            entity="customer",
            entities="silent customers",
            outcome="named a cause",
            positives="customers who named a cause",
            negatives="customers who named none",
            purpose="To mend what drives customers away, and to win back only those who can and should be won.",
        ),
    )
