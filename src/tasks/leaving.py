"""Time to leave: how long until a customer is no longer one; with a contract (subscriptions) and without (purchases).

Leaving is not being in the population any more. It is looked at every so many days: without a contract, a customer
leaves when he has bought nothing for `active_within` days, with one, when no subscription of his runs.
"""

from __future__ import annotations

from ..config import LeavingConfig, TimeToCancelConfig, TimeToLeaveConfig
from ..language.declarations import Column, Count, Population, Requirement, Seen, Sum
from .base import RuleOfThumb, Task, Wording

CUSTOMER = ("customer_id",)
BLOCKS = ("spending", "rhythm", "breadth", "contacts", "service", "lifecycle", "profile")


def time_to_leave(config: TimeToLeaveConfig) -> Task:
    """Population: a purchase in the last `active_within` days. Asked: when that will not be so any more."""
    days = config.active_within
    return _task(
        "time_to_leave",
        config,
        question=f"How long until each customer has bought nothing for {days} days?",
        population_text=f"customers with a purchase in the {days} days up to the cutoff",
        target_text=f"the first time, looked at every {config.every} days, without a purchase in {days} days",
        population=Population(
            Seen("transactions", CUSTOMER), (Requirement("transactions", CUSTOMER, Count(last=(days,)) > 0),)
        ),
        rules=(RuleOfThumb("overdue", ("days_since_visit", "gap_mean"), "time since the last visit by the usual gap"),),
        entities="customers",
    )


def time_to_cancel(config: TimeToCancelConfig) -> Task:
    """Population: a subscription that runs. Asked: when none will."""
    which = Column("plan").is_in(*config.plans) if config.plans else None
    named = f" of {', '.join(config.plans)}" if config.plans else ""
    return _task(
        "time_to_cancel",
        config,
        question=f"How long until each subscription{named} ends?",
        population_text=f"customers with a subscription{named} that runs at the cutoff",
        target_text=f"the first time, looked at every {config.every} days, at which no subscription{named} runs",
        population=Population(
            Seen("subscription_changes", CUSTOMER),
            (Requirement("subscription_changes", CUSTOMER, Sum(column="open", where=which) > 0),),
        ),
        rules=(RuleOfThumb("column", ("days_since_visit",), "the longest absent first"),),
        entities="subscribers",
    )


def _task(
    name: str,
    config: LeavingConfig,
    *,
    question: str,
    population_text: str,
    target_text: str,
    population: Population,
    rules: tuple[RuleOfThumb, ...],
    entities: str,
) -> Task:
    return Task(
        name=name,
        question=question,
        population_text=population_text,
        target_text=target_text,
        keys=CUSTOMER,
        population=population,
        target=None,
        horizon=config.horizons[-1],
        blocks=BLOCKS,
        primary_metric="concordance",
        rules=rules,
        every=config.every,
        wording=Wording(
            entity=entities.removesuffix("s"),
            entities=entities,
            outcome="has left",
            positives=f"{entities} who leave",
            negatives=f"{entities} who stay",
            purpose="To know not only who will leave but when, so that help comes while there is time.",
        ),
    )
