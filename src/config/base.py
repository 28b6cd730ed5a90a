"""What all parts of a configuration share: frozen models that refuse unknown keys, and their simple types."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
PositiveInt = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def known_zone(zone: str) -> str:
    """The name of a time zone as it is; ValueError where there is none of that name."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"'{zone}' is not a time zone; use a name such as Europe/Berlin or UTC") from error
    return zone


class Frozen(BaseModel):
    """A part of the configuration: frozen, and refusing keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
