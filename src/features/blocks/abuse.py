"""What speaks of abuse: bills that stay unpaid, goods that keep coming back, offers that are redeemed over and over."""

from __future__ import annotations

from ...data.moments import ARREARS
from ...language.declarations import Block, Column, Count, DaysSinceLast, Feature, Group, Ratio, Sum

CUSTOMER = ("customer_id",)
_OVERDUE = f"unpaid for more than {ARREARS} days"

BLOCK = Block(
    "abuse",
    groups=(
        Group(
            "arrears",
            CUSTOMER,
            (
                Feature(
                    "bills_in_arrears_{window}",
                    Count(last=(90, 365, None)),
                    definition=f"bills that came to be {_OVERDUE} in {{period}}",
                    unit="count",
                    family="bills left unpaid",
                    words=f"left {{value}} bills {_OVERDUE} in {{period}}; typically {{typical}}",
                ),
                Feature(
                    "amount_in_arrears_{window}",
                    Sum(column="amount", last=(365,)),
                    definition=f"amount of the bills that came to be {_OVERDUE} in {{period}}",
                    unit="currency",
                    family="bills left unpaid",
                    words=f"left bills of {{value}} {_OVERDUE} in {{period}}; typically {{typical}}",
                ),
                Feature(
                    "days_since_arrears",
                    DaysSinceLast(),
                    definition=f"days since a bill last came to be {_OVERDUE}",
                    unit="days",
                    family="bills left unpaid",
                    words="last left a bill unpaid for too long {value} ago; typically {typical} ago; "
                    "missing: no such bill so far",
                ),
            ),
        ),
        Group(
            "dues",
            CUSTOMER,
            (
                Feature(
                    "bills_due_{window}",
                    Count(last=(365,), where=Column("open") > 0),
                    definition="bills that fell due in {period}",
                    unit="count",
                    family="bills left unpaid",
                    words="had {value} bills to pay in {period}; typically {typical}",
                ),
            ),
        ),
        Group(
            "returns",
            CUSTOMER,
            (
                Feature(
                    "sent_back_{window}",
                    Sum(column="amount"),
                    definition="amount of all goods sent back so far",
                    unit="currency",
                    family="goods sent back",
                    words="sent back goods for {value} so far; typically for {typical}",
                ),
            ),
        ),
    ),
    derived=(
        Feature(
            "arrears_share",
            Ratio("bills_in_arrears_365d", "bills_due_365d"),
            definition=f"bills of the last 365 days that came to be {_OVERDUE}, over those that fell due",
            unit="share",
            family="bills left unpaid",
            words=f"left {{value}} of the bills of the last 365 days {_OVERDUE}; typically {{typical}}",
        ),
        Feature(
            "return_share_90d",
            Ratio("returned_amount_90d", "spend_90d"),
            definition="amount sent back over amount spent in the last 90 days",
            unit="share",
            family="goods sent back",
            words="sent back {value} of what he bought in the last 90 days; typically {typical}",
        ),
        Feature(
            "return_share_life",
            Ratio("sent_back_life", "spend_life"),
            definition="amount sent back over amount spent so far",
            unit="share",
            family="goods sent back",
            words="sent back {value} of what he bought so far; typically {typical}",
        ),
        Feature(
            "returns_per_visit",
            Ratio("returns_365d", "visits_365d"),
            definition="goods sent back a visit in the last 365 days",
            unit="count",
            family="goods sent back",
            words="sent goods back {value} times a visit in the last 365 days; typically {typical}",
        ),
        Feature(
            "responses_per_campaign",
            Ratio("responses_life", "campaigns_answered"),
            definition="responses for each campaign that he answered, so far",
            unit="count",
            family="offers redeemed again and again",
            words="redeemed the offers of a campaign {value} times on average; typically {typical}",
        ),
        Feature(
            "sent_back_of_offers",
            Ratio("sent_back_life", "response_amount"),
            definition="amount sent back over amount bought with offers, so far",
            unit="share",
            family="offers redeemed again and again",
            words="sent back {value} of the amount that he bought with offers; typically {typical}",
        ),
    ),
)
