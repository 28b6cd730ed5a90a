"""How a company's own table is mapped onto the data contract."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from .base import Frozen, known_zone


class TableMapping(Frozen):
    """How one canonical table is read from the company's own.

    `source` names an entry of `sources`; `columns` maps each canonical column to a source column or to an SQL
    expression over them. Instead of `source`, `query` may hold a SELECT over the names in `sources`.
    """

    source: str | None = None
    query: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    clock: Annotated[str, AfterValidator(known_zone)] | None = Field(
        None, description="zone of timestamps without one; default: the business time zone"
    )
    ignore: tuple[str, ...] = Field((), description="attributes that must not become features")

    @model_validator(mode="after")
    def _one_origin(self) -> TableMapping:
        if (self.source is None) == (self.query is None):
            raise ValueError("give either `source` or `query`")
        return self
