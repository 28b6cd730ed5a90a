"""What is known about a customer beside what he does: the attributes of the customers' table."""

from __future__ import annotations

from ...language.declarations import Block, EveryAttribute, Feature, Group

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
            ),
        ),
    ),
)
