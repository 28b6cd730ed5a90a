"""Unusual behaviour: who returns, pays or redeems like hardly anybody else, for abuse of which nobody has a case."""

from __future__ import annotations

from dataclasses import replace

from ..config import UnusualConfig
from .base import Evidence, Task
from .put_together import put_together
from .risk import CAUTION

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
    task = put_together(
        "unusual",
        config.active_within,
        question="Who behaves unlike others where abuse would show?",
        score_text="the score says how rare it is to return, owe and redeem so much",
        blocks=("spending", "rhythm", "contacts", "service", "lifecycle", "abuse"),
        outcome="behaves unlike others",
        positives="unusual customers",
        purpose=f"To find abuse that nobody has a case of yet: {CAUTION}.",
    )
    return replace(task, tails=SIGNS, caution=CAUTION)
