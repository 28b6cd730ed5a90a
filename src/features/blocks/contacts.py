"""What was said to a customer, and whether he answered."""

from __future__ import annotations

from ...language.declarations import (
    Block,
    Count,
    DaysSinceLast,
    Distinct,
    Feature,
    Fitted,
    ForTopValues,
    Group,
    Ratio,
    Sum,
)
from .response_rate import MADE, shrunk_response_rate

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
                    Count(last=(30, 90, None), where=MADE),
                    definition="contacts in {period}, but for those held out",
                    unit="count",
                    family="how often he was contacted",
                    words="contacted {value} times in {period}; typically {typical}",
                ),
                Feature(
                    "contacts_by_{value}_{window}",
                    ForTopValues(Count(last=(90,), where=MADE), of="channel", top=4),
                    definition="contacts by {value} in {period}, but for those held out",
                    unit="count",
                    family="how often he was contacted",
                    words="contacted {{value}} times by {value} in {period}; typically {{typical}}",
                ),
                Feature(
                    "days_since_contact",
                    DaysSinceLast(where=MADE),
                    definition="days since the last contact that was made",
                    unit="days",
                    family="how often he was contacted",
                    words="last contacted {value} ago; typically {typical} ago; missing: no contact so far",
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
                    "responses_by_{value}_{window}",
                    ForTopValues(Count(last=(365,)), of="channel", top=4),
                    definition="responses to contacts by {value} in {period}",
                    unit="count",
                    family="earlier responses",
                    words="responded {{value}} times to contacts by {value} in {period}; typically {{typical}}",
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
                    words="last response {value} ago; typically {typical} ago; missing: no response so far",
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
            words="answered {campaigns_answered} campaigns out of {contacts_life} contacts; typically {typical}",
        ),
    ),
    fitted=(
        Fitted(
            CUSTOMER,
            (
                Feature(
                    "response_rate_shrunk",
                    None,
                    definition="share of contacts that he answered, drawn towards that of all where he had few",
                    unit="share",
                    family="earlier responses",
                    words="answers about {value} of all contacts; typically {typical}",
                ),
            ),
            needs=(("contacts", ("customer_id", "at", "made")), ("responses", ("customer_id", "contact_id", "at"))),
            compute=shrunk_response_rate,
        ),
    ),
)
