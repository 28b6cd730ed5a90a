"""How far a relationship has come: stages and the time in them, subscriptions, and how bills are paid."""

from __future__ import annotations

from ...language.declarations import (
    Block,
    Column,
    Count,
    DaysSinceLast,
    DaysUntil,
    Distinct,
    Feature,
    GapMean,
    Group,
    Largest,
    Latest,
    Mean,
    Ratio,
    Sum,
)

CUSTOMER, PROSPECT = ("customer_id",), ("prospect_id",)
BEGUN, ENDED = Column("open") == 1, Column("open") == -1


def _stages(prefix: str) -> tuple[Feature, ...]:
    """The features of stages, for customers and for prospects."""
    return (
        Feature(
            f"{prefix}stage",
            Latest(column="stage"),
            definition="stage that has been reached",
            family="stage",
            words="is in the stage {value}, as for {share} of all",
            kind="category",
        ),
        Feature(
            f"days_in_{prefix}stage",
            DaysSinceLast(),
            definition="days since the last change of stage",
            unit="days",
            family="time in the stage",
            words="is in this stage for {value}; typically for {typical}",
        ),
        Feature(
            f"{prefix}stages_reached",
            Distinct(column="stage"),
            definition="different stages that have been reached",
            unit="count",
            family="stage",
            words="has been in {value} stages; typically in {typical}",
        ),
        Feature(
            f"{prefix}stage_gap",
            GapMean(),
            definition="mean days from one stage to the next",
            unit="days",
            family="speed through the stages",
            words="took {value} from one stage to the next; typically {typical}",
        ),
    )


def _stage_overdue(prefix: str) -> Feature:
    return Feature(
        f"{prefix}stage_overdue",
        Ratio(f"days_in_{prefix}stage", f"{prefix}stage_gap"),
        definition="days in the stage over the mean days from one stage to the next",
        unit="times",
        family="time in the stage",
        words=f"is in this stage for {{days_in_{prefix}stage}}; "
        f"took {{{prefix}stage_gap}} from one stage to the next before, typically {{{prefix}stage_gap.typical}}",
    )


BLOCK = Block(
    "lifecycle",
    groups=(
        Group("customer_stages", CUSTOMER, _stages("")),
        Group("prospect_stages", PROSPECT, _stages("prospect_")),
        Group(
            "subscription_changes",
            CUSTOMER,
            (
                Feature(
                    "subscriptions_now",
                    Sum(column="open"),
                    definition="subscriptions that run",
                    unit="count",
                    family="subscriptions",
                    words="has {value} running subscriptions; typically {typical}",
                ),
                Feature(
                    "fee_now",
                    Sum(column="open_fee"),
                    definition="fee of the subscriptions that run",
                    unit="currency",
                    family="fee of the subscription",
                    words="pays a fee of {value}; typically {typical}",
                ),
                Feature(
                    "fee_mean",
                    Mean(column="fee", where=BEGUN),
                    definition="mean fee of the subscriptions taken so far",
                    unit="currency",
                    family="fee of the subscription",
                    words="paid a fee of {value} on average; typically {typical}",
                ),
                Feature(
                    "subscription_plan",
                    Latest(column="plan", where=BEGUN),
                    definition="plan of the subscription that began last",
                    family="subscriptions",
                    words="took the plan {value}, as for {share} of all",
                    kind="category",
                ),
                Feature(
                    "plans_taken_{window}",
                    Count(last=(365, None), where=BEGUN),
                    definition="subscriptions begun in {period}",
                    unit="count",
                    family="changes of the subscription",
                    words="began {value} subscriptions in {period}; typically {typical}",
                ),
                Feature(
                    "plans_ended_{window}",
                    Count(last=(365, None), where=ENDED),
                    definition="subscriptions ended in {period}",
                    unit="count",
                    family="changes of the subscription",
                    words="ended {value} subscriptions in {period}; typically {typical}",
                ),
                Feature(
                    "days_since_plan",
                    DaysSinceLast(where=BEGUN),
                    definition="days since a subscription last began",
                    unit="days",
                    family="changes of the subscription",
                    words="took the last subscription {value} ago; typically {typical} ago; "
                    "missing: no subscription so far",
                ),
                Feature(
                    "days_since_plan_end",
                    DaysSinceLast(where=ENDED),
                    definition="days since a subscription last ended",
                    unit="days",
                    family="changes of the subscription",
                    words="the last subscription ended {value} ago; typically {typical} ago; "
                    "missing: no subscription ended so far",
                ),
                Feature(
                    "plan_end_reason",
                    Latest(column="end_reason", where=ENDED),
                    definition="reason given for the last end of a subscription",
                    family="changes of the subscription",
                    words="ended the last subscription for the reason {value}, as for {share} of all",
                    kind="category",
                ),
                Feature(
                    "remaining_term",
                    DaysUntil(column="term_ends_at", where=BEGUN),
                    definition="days to the agreed end of a subscription, negative where it has passed",
                    unit="days",
                    family="remaining term",
                    words="the agreed term ends in {value}; typically in {typical}",
                ),
            ),
        ),
        Group(
            "dues",
            CUSTOMER,
            (
                Feature(
                    "bills_unpaid",
                    Sum(column="open"),
                    definition="payments that are due and not made",
                    unit="count",
                    family="payments that are due",
                    words="owes {value} payments; typically {typical}",
                ),
                Feature(
                    "amount_unpaid",
                    Sum(column="open_amount"),
                    definition="amount that is due and not paid",
                    unit="currency",
                    family="payments that are due",
                    words="owes {value}; typically {typical}",
                ),
                Feature(
                    "bills_paid_{window}",
                    Count(last=(90, 365), where=ENDED),
                    definition="payments settled in {period}",
                    unit="count",
                    family="how he pays",
                    words="settled {value} payments in {period}; typically {typical}",
                ),
                Feature(
                    "bills_paid_late_{window}",
                    Count(last=(90, 365), where=ENDED & (Column("lasted") > 0)),
                    definition="payments settled after they were due in {period}",
                    unit="count",
                    family="how he pays",
                    words="paid late {value} times in {period}; typically {typical}",
                ),
                Feature(
                    "days_late_{window}",
                    Mean(column="lasted", last=(90, 365)),
                    definition="mean days by which payments came late (negative: early) in {period}",
                    unit="days",
                    family="how he pays",
                    words="paid {value} after the due date in {period}; typically {typical}",
                ),
                Feature(
                    "days_late_most_{window}",
                    Largest(column="lasted", last=(365,)),
                    definition="most days by which a payment came late in {period}",
                    unit="days",
                    family="how he pays",
                    words="latest payment in {period}: {value} after it was due; typically {typical}",
                ),
            ),
        ),
    ),
    derived=(
        _stage_overdue(""),
        _stage_overdue("prospect_"),
        Feature(
            "fee_against_usual",
            Ratio("fee_now", "fee_mean"),
            definition="fee of the subscriptions that run over the mean fee so far",
            unit="times",
            family="fee of the subscription",
            words="pays a fee of {fee_now}, typically {fee_now.typical}; paid {fee_mean} on average so far",
        ),
        Feature(
            "late_share",
            Ratio("bills_paid_late_365d", "bills_paid_365d"),
            definition="share of the payments of the last 365 days that came late",
            unit="share",
            family="how he pays",
            words="paid late in {value} of all cases of the last 365 days; typically in {typical}",
        ),
    ),
)
