"""What is known about a customer beside what he does: the attributes of the customers' table, and who is like him."""

from __future__ import annotations

from functools import partial

from ...language.declarations import Block, DaysSinceLast, Encoding, EveryAttribute, Feature, Group, MissingShare
from .alike import CUSTOMER, Alike

_ALIKE = (
    Feature(
        "{value}_others",
        None,
        definition="how many other customers have the same {value}, as known then",
        unit="count",
        family="others like him",
        words="{{value}} other customers have the same {value}; typically {{typical}}",
    ),
    Feature(
        "{value}_active",
        None,
        definition="share of the other customers with the same {value} who bought in the last 90 days, drawn towards "
        "that of all customers where they are few",
        unit="share",
        family="others like him",
        words="{{value}} of the others with the same {value} bought in the last 90 days; typically {{typical}}",
    ),
    Feature(
        "{value}_spend",
        None,
        definition="what the other customers with the same {value} spent in the last 365 days (geometric mean), drawn "
        "towards that of all customers where they are few",
        unit="currency",
        family="others like him",
        words="others with the same {value} spent about {{value}} in the last 365 days; typically {{typical}}",
    ),
)

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
    encodings=tuple(
        Encoding(
            table,
            CUSTOMER,
            _ALIKE,
            needs=(("transactions", ("customer_id", "at", "amount")),),
            compute=partial(Alike, table),
        )
        for table in ("customers", "customer_history")
    ),
)
