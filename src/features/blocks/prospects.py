"""What is known about a prospect: his attributes, how long he has been known, and what was said to him."""

from __future__ import annotations

from ...language.declarations import Block, Count, DaysSinceLast, EveryAttribute, Feature, Group

PROSPECT = ("prospect_id",)

BLOCK = Block(
    "prospects",
    groups=(
        Group(
            "arrivals",
            PROSPECT,
            (
                Feature(
                    "days_since_arrival",
                    DaysSinceLast(),
                    definition="days since the prospect became known",
                    unit="days",
                    family="time since arrival",
                    words="known for {value}; typically {typical}",
                ),
            ),
        ),
        Group(
            "contacts",
            PROSPECT,
            (
                Feature(
                    "prospect_contacts_{window}",
                    Count(last=(30, None)),
                    definition="contacts with the prospect in {period}",
                    unit="count",
                    family="contacts with the prospect",
                    words="contacted {value} times in {period}; typically {typical}",
                ),
                Feature(
                    "days_since_prospect_contact",
                    DaysSinceLast(),
                    definition="days since the last contact with the prospect",
                    unit="days",
                    family="contacts with the prospect",
                    words="last contacted {value} ago; typically {typical} ago",
                ),
            ),
        ),
        Group(
            "responses",
            PROSPECT,
            (
                Feature(
                    "prospect_responses",
                    Count(),
                    definition="responses of the prospect so far",
                    unit="count",
                    family="responses of the prospect",
                    words="responded {value} times so far; typically {typical}",
                ),
            ),
        ),
        Group(
            "prospects",
            PROSPECT,
            (
                Feature(
                    "{value}",
                    EveryAttribute(),
                    definition="{value}, as stored with the prospect",
                    family="who he is",
                    words="{value}: {{value}}",
                ),
            ),
        ),
    ),
)
