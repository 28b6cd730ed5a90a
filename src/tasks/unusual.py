"""Unusual behaviour: who returns, pays or redeems like hardly anybody else, for abuse of which nobody has a case."""

from __future__ import annotations

from ..config import UnusualConfig
from ..language.declarations import Count, Population, Requirement, Seen
from .base import Evidence, Task, Wording
from .risk import CAUTION

CUSTOMER = ("customer_id",)

SIGNS = (
    Evidence("return_share_life"),
    Evidence("returns_per_visit"),
    Evidence("bills_in_arrears_life"),
    Evidence("arrears_share"),
    Evidence("responses_per_campaign"),
    Evidence("sent_back_of_offers"),
)


def unusual(config: UnusualConfig) -> Task:
    """Population: a purchase in the last `active_within` days. How far in the tails somebody lies, added up."""
    return Task(
        name="unusual",
        question="Who behaves unlike others where abuse would show?",
        population_text=f"customers with a purchase in the {config.active_within} days up to the cutoff",
        target_text="none: the score says how rare it is to return, owe and redeem so much",
        keys=CUSTOMER,
        population=Population(
            Seen("transactions", CUSTOMER),
            (Requirement("transactions", CUSTOMER, Count(last=(config.active_within,)) > 0),),
        ),
        target=None,
        horizon=0,
        blocks=("spending", "rhythm", "contacts", "service", "lifecycle", "abuse"),
        primary_metric="average_precision",
        rules=(),
        tails=SIGNS,
        wording=Wording(
            entity="customer",
            entities="customers",
            outcome="behaves unlike others",
            positives="unusual customers",
            negatives="others",
            purpose=f"To find abuse that nobody has a case of yet: {CAUTION}.",
        ),
        caution=CAUTION,
    )
