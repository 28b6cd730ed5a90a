"""What is known about a prospect: his attributes, how long he has been known, and what was said to him."""

from __future__ import annotations

from ...language.declarations import Block, Count, DaysSinceLast, EveryAttribute, Feature, Fitted, Group
from .a_year_ago import conversion_a_year_ago
from .response_rate import MADE

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
                    Count(last=(30, None), where=MADE),
                    definition="contacts with the prospect in {period}, but for those held out",
                    unit="count",
                    family="contacts with the prospect",
                    words="contacted {value} times in {period}; typically {typical}",
                ),
                Feature(
                    "days_since_prospect_contact",
                    DaysSinceLast(where=MADE),
                    definition="days since the last contact with the prospect that was made",
                    unit="days",
                    family="contacts with the prospect",
                    words="last contacted {value} ago; typically {typical} ago; missing: no contact so far",
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
    fitted=(
        Fitted(
            PROSPECT,
            (
                Feature(
                    "converted_a_year_ago",
                    None,
                    definition="share of the prospects of a year ago who converted in the 90 days after",
                    unit="share",
                    family="season",
                    words="a year ago {value} of the prospects converted within 90 days; typically {typical}",
                ),
            ),
            needs=(("arrivals", ("prospect_id", "at")), ("conversions", ("prospect_id", "at"))),
            compute=conversion_a_year_ago,
        ),
    ),
)
