"""What comes through a customer's references: those whom he will bring within a year, and what they bring in theirs."""

from __future__ import annotations

from ...language.declarations import Block, Feature, Fitted
from .brought import MARGIN, SALES, expected_of_references

CUSTOMER = ("customer_id",)
_NEEDS = ("customer_id", "at")


def _fitted(name: str, money: str) -> Fitted:
    what = "margin" if money is MARGIN else "sales"
    return Fitted(
        CUSTOMER,
        (
            Feature(
                name,
                None,
                definition=f"{what} to be expected, in a year, of those whom he will bring in the next 365 days",
                unit="currency",
                family="referrals",
                words="through those whom he will bring within a year {value} are to be expected; typically {typical}",
            ),
        ),
        needs=(
            ("transactions", (*_NEEDS, money)),
            ("referrals", _NEEDS),
            ("acquisitions", (*_NEEDS, "referred_by")),
        ),
        compute=expected_of_references[money],
    )


BLOCK = Block("references", fitted=(_fitted("reference_margin", MARGIN), _fitted("reference_spend", SALES)))
