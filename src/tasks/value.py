"""Value: what a customer will bring within the horizon: how likely he is to buy again, and what that is worth."""

from __future__ import annotations

from ..config import ValueConfig
from ..language.declarations import Count, Population, Requirement, Seen, Sum, Worth
from .base import AmountRule, Output, RuleOfThumb, Task, Wording

CUSTOMER = ("customer_id",)


def value(config: ValueConfig) -> Task:
    """Population: everybody who ever bought. Target: a purchase within the horizon; worth: what it brings.

    What he could be worth is the expected worth of the scores; beside it stand `current_value`, what he brought in the
    last 365 days less what serving him cost, and `reference_value`, what is to be expected of those whom he will bring.
    """
    money = "margin" if config.worth_of == "margin" else "spend"
    return Task(
        name="value",
        question=f"What will each customer bring in the next {config.horizon} days?",
        population_text="everybody who bought at least once up to the cutoff",
        target_text=f"a purchase in the {config.horizon} days after the cutoff",
        keys=CUSTOMER,
        population=Population(Seen("transactions", CUSTOMER)),
        target=Requirement("transactions", CUSTOMER, Count(ahead=config.horizon) > 0),
        horizon=config.horizon,
        blocks=("spending", "rhythm", "breadth", "contacts", "service", "references", "profile"),
        primary_metric="worth_rmse",
        rules=(
            RuleOfThumb("column", ("days_since_visit",), "who was here last comes first", -1),
            RuleOfThumb("column", ("visits_life",), "who came most often comes first"),
        ),
        worth=Worth("transactions", CUSTOMER, Sum(column=config.worth_of, ahead=config.horizon)),
        worth_rules=(
            AmountRule(
                "bg_nbd_gamma_gamma",
                "buy_till_you_die",
                ("visits_life", "days_since_visit", "days_known", f"{money}_life"),
                "visits expected by his rhythm, times the worth expected of one",
            ),
            AmountRule("average", "pace", (f"{money}_life", "days_known"), "his average so far, carried on"),
            AmountRule("last_year", "pace", (f"{money}_365d",), "what he brought in a year, carried on", days=365),
        ),
        outputs=(
            Output("current_value", f"{money}_365d", known=True, less="service_cost_365d"),
            Output("reference_value", f"reference_{money}", known=True),
        ),
        wording=Wording(
            entity="customer",
            entities="customers",
            outcome="bought again",
            positives="customers who buy again",
            negatives="customers who do not buy again",
            purpose="To know what each customer will bring, and so what may be spent to keep him.",
        ),
    )
