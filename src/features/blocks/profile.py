"""What is known about a customer beside what he does: the attributes of the customers' table."""

from __future__ import annotations

from ...language.declarations import Block, DaysSinceLast, EveryAttribute, Feature, Group, MissingShare

BLOCK = Block(
    "profile",
    groups=(
        Group(
            "customers",
            ("customer_id",),
            (
                Feature(
                    "{value}",
                    EveryAttribute(),
                    definition="{value}, as stored with the customer",
                    family="who he is",
                    words="{value}: {{value}}",
                ),
                Feature(
                    "profile_missing",
                    MissingShare(),
                    definition="share of what could be stored with the customer that is not known",
                    unit="share",
                    family="who he is",
                    words="{value} of what could be known of him is not known; typically {typical}",
                ),
            ),
        ),
        Group(
            "customer_history",
            ("customer_id",),
            (
                Feature(
                    "{value}",
                    EveryAttribute(),
                    definition="{value}, as it was at the time",
                    family="who he is",
                    words="{value}: {{value}}",
                ),
            ),
        ),
        Group(
            "births",
            ("customer_id",),
            (
                Feature(
                    "age_days",
                    DaysSinceLast(),
                    definition="age of the customer",
                    unit="days",
                    family="who he is",
                    words="is {value} old; typically {typical}",
                ),
            ),
        ),
    ),
)
