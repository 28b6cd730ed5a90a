"""The parameters of the simulated world: typed, frozen, and checked before anything is written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, model_validator

from ...config import Frozen, Share
from ...errors import ConfigError
from .groups import (
    Buying,
    Contacting,
    Dirt,
    Dropout,
    Growth,
    Life,
    Prospecting,
    Rate,
    References,
    SecondLife,
    Service,
    Switches,
    Trouble,
)


class WorldConfig(Frozen):
    """All parameters of a world but its size and its seed."""

    start: date = date(2022, 1, 1)
    end: date = date(2025, 1, 1)
    segments: Annotated[int, Field(ge=1, le=50)] = 5
    segment_noise: Rate = 0.3
    new_segment_day: int = Field(
        default=-1, description="day from which one more segment forms among prospects; -1 for none"
    )
    new_segment_share: Share = 0.3
    switches: Switches = Switches()
    buying: Buying = Buying()
    dropout: Dropout = Dropout()
    second_life: SecondLife = SecondLife()
    service: Service = Service()
    contacting: Contacting = Contacting()
    prospecting: Prospecting = Prospecting()
    growth: Growth = Growth()
    trouble: Trouble = Trouble()
    references: References = References()
    life: Life = Life()
    dirt: Dirt = Dirt()

    @model_validator(mode="after")
    def _ordered(self) -> WorldConfig:
        if self.end <= self.start:
            raise ValueError(f"the world ends ({self.end}) before it starts ({self.start})")
        if self.days < 60 or self.days > 7_300:
            raise ValueError(f"the world lasts {self.days} days; give it 60 days to 20 years")
        return self

    @property
    def days(self) -> int:
        """Length of the world in days; day t covers [start + t, start + t + 1)."""
        return (self.end - self.start).days

    @classmethod
    def pure(
        cls, r: float, alpha: float, a: float, b: float, *, start: date = date(2022, 1, 1), end: date = date(2023, 7, 1)
    ) -> WorldConfig:
        """A BG/NBD world and nothing else: visit rates Gamma(r, alpha per day), dropout at a purchase Beta(a, b).

        Everybody is acquired, with a first purchase, in the first sixth of the world. Source: Fader, Hardie and Lee,
        "Counting your customers" the easy way, Marketing Science 24 (2005).
        """
        return cls(
            start=start,
            end=end,
            segments=1,
            segment_noise=0,
            switches=Switches(**dict.fromkeys(Switches.model_fields, False)),
            buying=Buying(mean_rate=r / alpha, shape=r, regular=False, step_up=0),
            dropout=Dropout(at_purchase=True, a=a, b=b),
        )


def world_config(raw: WorldConfig | dict[str, Any] | None) -> WorldConfig:
    """A validated WorldConfig from plain values; ConfigError naming every fault."""
    if isinstance(raw, WorldConfig):
        return raw
    try:
        return WorldConfig.model_validate(raw or {})
    except ValidationError as error:
        lines = [
            f"  {'.'.join(str(part) for part in fault['loc']) or '(top)'}: {fault['msg']}" for fault in error.errors()
        ]
        raise ConfigError("the world's parameters cannot be:\n" + "\n".join(lines)) from error


def named_values(pairs: Iterable[str]) -> dict[str, Any]:
    """Parameters out of texts such as "segments=4" or "buying.mean_rate=0.1", for `world_config`.

    Values are read as YAML. Raises ConfigError for a text without a value.
    """
    parameters: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        try:
            value = yaml.safe_load(text) if equals else None
        except yaml.YAMLError:
            value = None
        if value is None:
            raise ConfigError(f"world: '{pair}' is no parameter; write name=value, such as buying.mean_rate=0.1")
        *groups, key = name.strip().split(".")
        place = parameters
        for group in groups:
            place = place.setdefault(group, {})
            if not isinstance(place, dict):
                raise ConfigError(f"world: '{pair}' goes into {group}, which was given a value of its own")
        place[key] = value
    return parameters
