"""Risk: customers who will send back too much of what they buy, or not pay: a queue for a person to look at."""

from __future__ import annotations

from ..config import RiskConfig
from ..data.moments import ARREARS
from ..language.declarations import Count, Over, Population, Requirement, Seen, Sum, Together
from .base import RuleOfThumb, Task, Wording

CUSTOMER = ("customer_id",)
CAUTION = "for a person to look into; never a ground for an automatic refusal"
QUEUES = (1, 2, 5, 10)
"""The queues that are judged, in per cent of the customers."""


def risk(config: RiskConfig) -> Task:
    """Population: a purchase in the last `active_within` days. Target: one of the `cases` within the horizon.

    Of `returns`: at least `returns_from` times goods sent back that make at least `returned_share` of what was bought.
    Of `payments`: a bill that comes to be in arrears.
    """
    ahead = config.horizon
    cases: dict[str, Requirement | Together] = {
        "returns": Together(
            (
                Requirement("returns", CUSTOMER, Count(ahead=ahead) >= config.returns_from),
                Requirement(
                    "returns",
                    CUSTOMER,
                    Sum(column="amount", ahead=ahead) >= config.returned_share,
                    over=Over("transactions", Sum(column="amount", ahead=ahead)),
                ),
            ),
            at_least=2,
        ),
        "payments": Requirement("arrears", CUSTOMER, Count(ahead=ahead) > 0),
    }
    words = {
        "returns": (
            f"at least {config.returns_from} times goods sent back that make {config.returned_share:.0%} or more of "
            "what was bought"
        ),
        "payments": f"a bill that was not paid {ARREARS} days after it was due",
    }
    return Task(
        name="risk",
        question=f"Which customers will abuse returns or leave bills unpaid in the next {ahead} days?",
        population_text=f"customers with a purchase in the {config.active_within} days up to the cutoff",
        target_text=f"in the {ahead} days after the cutoff {' or '.join(words[case] for case in config.cases)}",
        keys=CUSTOMER,
        population=Population(
            Seen("transactions", CUSTOMER),
            (Requirement("transactions", CUSTOMER, Count(last=(config.active_within,)) > 0),),
        ),
        target=Together(tuple(cases[case] for case in config.cases), at_least=1),
        horizon=ahead,
        blocks=("spending", "rhythm", "contacts", "service", "lifecycle", "profile", "abuse"),
        primary_metric="average_precision",
        metrics=tuple(f"{what}_at_{percent}pct" for percent in QUEUES for what in ("gain", "false_alarms")),
        rules=(
            RuleOfThumb("column", ("returns_365d",), "who sent back most in a year comes first"),
            RuleOfThumb("column", ("return_share",), "who sent back the largest share in a year comes first"),
            RuleOfThumb("column", ("bills_in_arrears_365d",), "who left most bills unpaid in a year comes first"),
            RuleOfThumb("column", ("days_late_most_365d",), "the latest payers first"),
        ),
        wording=Wording(
            entity="customer",
            entities="customers",
            outcome="abused returns or left a bill unpaid",
            positives="cases of abuse",
            negatives="customers without one",
            purpose=f"To have the most suspicious cases looked into first: {CAUTION}.",
        ),
        caution=CAUTION,
    )
