"""How a relationship went in the last month: visits, and what went wrong. Months are what quality is followed by."""

from __future__ import annotations

from ...language.declarations import Block, Column, Count, Feature, Group, Visits

CUSTOMER = ("customer_id",)
MONTH = 30

BLOCK = Block(
    "relationship",
    groups=(
        Group(
            "interactions",
            CUSTOMER,
            (
                Feature(
                    "month_troubles",
                    Count(last=(MONTH,), where=Column("kind").is_in("complaint", "failure")),
                    definition=f"complaints and failures in the last {MONTH} days",
                    unit="count",
                    family="troubles of the month",
                    words=f"had {{value}} complaints and failures in the last {MONTH} days; typically {{typical}}",
                ),
            ),
        ),
        Group(
            "transactions",
            CUSTOMER,
            (
                Feature(
                    "month_visits",
                    Visits(last=(MONTH,)),
                    definition=f"visits in the last {MONTH} days",
                    unit="count",
                    family="visits of the month",
                    words=f"came {{value}} times in the last {MONTH} days; typically {{typical}}",
                ),
            ),
        ),
    ),
)
