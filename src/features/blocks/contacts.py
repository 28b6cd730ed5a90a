"""What was said to a customer, and whether he answered."""

from __future__ import annotations

from ...language.declarations import Block, Count, DaysSinceLast, Distinct, Feature, Group, Ratio, Sum

CUSTOMER = ("customer_id",)

BLOCK = Block(
    "contacts",
    groups=(
        Group(
            "contacts",
            CUSTOMER,
            (
                Feature(
                    "contacts_{window}",
                    Count(last=(30, 90, None)),
                    definition="contacts in {period}",
                    unit="count",
                    family="how often he was contacted",
                    words="contacted {value} times in {period}; typically {typical}",
                ),
                Feature(
                    "days_since_contact",
                    DaysSinceLast(),
                    definition="days since the last contact",
                    unit="days",
                    family="how often he was contacted",
                    words="last contacted {value} ago; typically {typical} ago",
                ),
            ),
        ),
        Group(
            "responses",
            CUSTOMER,
            (
                Feature(
                    "responses_{window}",
                    Count(last=(90, None)),
                    definition="responses in {period}",
                    unit="count",
                    family="earlier responses",
                    words="responded {value} times in {period}; typically {typical}",
                ),
                Feature(
                    "campaigns_answered",
                    Distinct(column="campaign_id"),
                    definition="different campaigns answered so far",
                    unit="count",
                    family="earlier responses",
                    words="answered {value} campaigns so far; typically {typical}",
                ),
                Feature(
                    "days_since_response",
                    DaysSinceLast(),
                    definition="days since the last response",
                    unit="days",
                    family="earlier responses",
                    words="last response {value} ago",
                ),
                Feature(
                    "response_amount",
                    Sum(column="amount"),
                    definition="amount of all responses so far",
                    unit="currency",
                    family="earlier responses",
                    words="responses so far were worth {value}; typically {typical}",
                ),
            ),
        ),
    ),
    derived=(
        Feature(
            "response_rate",
            Ratio("campaigns_answered", "contacts_life"),
            definition="campaigns answered over contacts so far",
            unit="share",
            family="earlier responses",
            words="answered {campaigns_answered} campaigns out of {contacts_life} contacts",
        ),
    ),
)
