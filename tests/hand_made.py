"""A company of a few rows that are written down in a test; what a row does not say is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from rapport.features.battery_data import Company, schema_of

Row = Mapping[str, Any]


def at(text: str) -> datetime:
    """A naive UTC time from its ISO text."""
    return datetime.fromisoformat(text)


def bought(customer: int | None, when: str, category: str | None = None, **more: Any) -> Row:
    """A purchase of 1.00."""
    return {"customer_id": customer, "at": at(when), "category": category, "amount": Decimal(1), **more}


def company(
    zone: str = "UTC", attributes: Mapping[str, tuple[str, ...]] | None = None, **tables: Sequence[Row]
) -> Company:
    """The tables' rows as a company; tables that are not named are not there."""
    made = {name: pa.Table.from_pylist([dict(row) for row in rows], schema_of(name)) for name, rows in tables.items()}
    return Company(made, attributes or {}, ZoneInfo(zone), ())
