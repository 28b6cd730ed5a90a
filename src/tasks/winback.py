"""Win-back: customers who have fallen silent, ranked by what a second life with them is worth."""

from __future__ import annotations

from ..config import WinbackConfig
from ..language.declarations import Count, Population, Requirement, Seen, Sum, Worth
from .base import AmountRule, RuleOfThumb, Task, Wording

CUSTOMER = ("customer_id",)


def winback(config: WinbackConfig) -> Task:
    """Population: no purchase in the last `silent_for` days. Target: a return within the horizon; worth: its sales.

    What a second life is worth is P(return) times the money expected of it (Stauss and Friege, "Regaining service
    customers", 1999).
    """
    silent: tuple[Requirement, ...] = (Requirement("transactions", CUSTOMER, Count(last=(config.silent_for,)) == 0),)
    text = f"customers without a purchase in the {config.silent_for} days up to the cutoff"
    if config.silent_at_most is not None:
        silent += (Requirement("transactions", CUSTOMER, Count(last=(config.silent_at_most,)) > 0),)
        text += f", with one in the {config.silent_at_most} days"
    money = "margin" if config.worth_of == "margin" else "spend"
    return Task(
        name="winback",
        question=f"Which lost customers will come back within {config.horizon} days, and what will that bring?",
        population_text=text,
        target_text=f"a purchase in the {config.horizon} days after the cutoff",
        keys=CUSTOMER,
        population=Population(Seen("transactions", CUSTOMER), silent),
        target=Requirement("transactions", CUSTOMER, Count(ahead=config.horizon) > 0),
        horizon=config.horizon,
        blocks=("spending", "rhythm", "breadth", "contacts", "service", "lifecycle", "profile"),
        primary_metric="average_precision",
        rules=(
            RuleOfThumb("column", ("days_since_visit",), "who left last comes first", -1),
            RuleOfThumb("column", ("spend_life",), "the best customers of the past first"),
        ),
        worth=Worth("transactions", CUSTOMER, Sum(column=config.worth_of, ahead=config.horizon)),
        worth_rules=(AmountRule("average", "pace", (f"{money}_life", "days_known"), "his average so far, carried on"),),
        wording=Wording(
            entity="customer",
            entities="lost customers",
            outcome="came back",
            positives="customers who come back",
            negatives="customers who stay away",
            purpose="To spend the money for winning back on those whose second life is worth it.",
        ),
    )
