"""The parameters of the simulated world: typed, frozen, and checked before anything is written.

Rates are per day unless the name says otherwise, money is in units of the world's currency, effects called `*_effect`
act on a logarithmic scale (a hazard or a rate is multiplied by exp(effect x cause)). Each field's number reaches the
compiled step function under the name `<group>_<field>` (see `rules`).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from ...config import Frozen, Share
from ...errors import ConfigError

Rate = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class Switches(Frozen):
    """What lives in the world; each part can be switched off."""

    seasons: bool = True
    growth: bool = True
    inflation: bool = True
    competitors: bool = True
    campaigns: bool = True
    prospects: bool = True
    service: bool = True
    defection: bool = True
    life_events: bool = True
    second_lives: bool = True
    trouble: bool = True
    referrals: bool = True
    subscriptions: bool = True
    late_rows: bool = True
    missing_values: bool = True
    dirty_values: bool = True


class Buying(Frozen):
    """Rate of visits and what a basket holds.

    rate_i ~ Gamma(shape, mean mean_rate), times the segment's factor; basket sizes are lognormal over customers.
    """

    mean_rate: Positive = 0.048
    shape: Positive = 0.85
    regular: bool = True
    size_spread: Rate = 0.45
    extras: Rate = 1.1
    satisfaction_effect: Rate = 0.5
    price_effect: Rate = 1.5
    competitor_dip: Share = 0.6
    season_height: Share = 0.25
    promotion: Share = 0.12
    step_up: Rate = 0.02


class Dropout(Frozen):
    """Hazards of leaving, by cause (see defection.py); `at_purchase` is the BG/NBD's Beta(a, b) instead."""

    hazard: Rate = 0.0009
    spread: Rate = 0.6
    pushed_share: Share = 0.06
    unmet_share: Share = 0.28
    pulled_share: Share = 0.24
    bought_share: Share = 0.26
    moved_share: Share = 0.16
    satisfaction_effect: Rate = 1.6
    trouble_effect: Rate = 2.5
    cost_effect: Rate = 1.0
    competitor_effect: Rate = 2.5
    price_effect: Rate = 14.0
    life_event_effect: Rate = 3.8
    tenure_effect: Rate = 0.3
    breadth_effect: Rate = 0.08
    contact_effect: Rate = 0.9
    at_purchase: bool = False
    a: Positive = 0.8
    b: Positive = 2.4

    @model_validator(mode="after")
    def _shares(self) -> Dropout:
        total = self.pushed_share + self.unmet_share + self.pulled_share + self.bought_share + self.moved_share
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the five shares of the causes sum to {total:g}, they must sum to 1")
        return self


class SecondLife(Frozen):
    """Return of lost customers and what their second life is like."""

    spontaneous: Rate = 0.00025
    offer_odds: Rate = 0.22
    satisfaction_effect: Rate = 0.5
    tenure_effect: Rate = 0.25
    rate_factor: Positive = 0.8
    hazard_factor: Positive = 1.3
    survey_answered: Share = 0.35
    survey_wrong: Share = 0.15
    survey_after: Annotated[int, Field(gt=0)] = 90


class Service(Frozen):
    """Failures, complaints, contacts with the service, surveys."""

    failure: Share = 0.03
    hurt: Rate = 1.3
    complaint: Share = 0.45
    resolution: Rate = 0.12
    resolution_late: Rate = 0.01
    relief: Rate = 0.5
    recovery_days: Positive = 120
    contact_rate: Rate = 0.002
    contact_cost: Rate = 6.0
    visit_ratio: Rate = 0.3
    survey_rate: Rate = 0.0008
    fall_day: int = Field(default=-1, description="first day of a planted fall of service quality; -1 for none")
    fall_region: Annotated[int, Field(ge=0, le=5)] = 0
    fall_factor: Positive = 4.0


class Contacting(Frozen):
    """Campaigns: who is targeted, the randomised hold-out, and what a contact does."""

    target_share: Share = 0.35
    holdout: Share = 0.25
    window_days: Annotated[int, Field(gt=0, le=60)] = 21
    persuadable_effect: Rate = 0.9
    put_off_effect: Rate = 0.6
    category_boost: Rate = 1.5
    redemption: Share = 0.8
    acquisition_effect: Rate = 0.8


class Prospecting(Frozen):
    """Arrival of prospects and the hazards of their stages."""

    lead: Rate = 0.020
    opportunity: Rate = 0.035
    contract: Rate = 0.035
    interest_spread: Rate = 0.5
    referral_effect: Rate = 0.7
    price_effect: Rate = 1.5
    patience_days: Positive = 110
    cohort_share: Share = 0.2
    founders: Share = Field(
        default=0.12, description="share of the roots of the world who are customers before it starts"
    )


class Growth(Frozen):
    """Drift of the whole market."""

    prospects_per_year: Rate = 0.2
    inflation_per_year: Rate = 0.03
    price_rise: Rate = 0.1
    competitor_campaigns_per_year: Rate = 5.0


class Trouble(Frozen):
    """Abuse: the share of customers who will, and how fast they start."""

    share: Share = 0.03
    onset: Rate = 0.006
    returned: Share = 0.04
    returned_by_abuser: Share = 0.5
    unpaid: Share = 0.004
    unpaid_by_abuser: Share = 0.6


class References(Frozen):
    """Referrals: the mean rate, and how unequal it is."""

    rate: Rate = 0.0003
    spread: Rate = 1.2
    stars: Share = Field(default=0.01, description="customers who are worth more as references than as buyers")
    star_factor: Positive = 15.0


class Life(Frozen):
    """Events in a customer's life (a move, a child) that change his needs."""

    rate_per_year: Rate = 0.15
    lasts_days: Positive = 180
    told: Share = 0.5


class Dirt(Frozen):
    """How files differ from the truth."""

    late: Share = 0.02
    late_days: Positive = 12.0
    missing: Share = 0.06
    zero_quantity: Share = 0.003
    odd_text: Share = 0.01
    default_birth_date: Share = 0.01
    breaking: Share = Field(
        default=0.0, description="rows that break the contract: duplicates, negative quantities, unknown ids"
    )


class WorldConfig(Frozen):
    """All parameters of a world but its size and its seed."""

    start: date = date(2022, 1, 1)
    end: date = date(2025, 1, 1)
    segments: Annotated[int, Field(ge=1, le=50)] = 5
    segment_noise: Rate = 0.6
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


def _numbers(config: WorldConfig) -> dict[str, float]:
    groups = (name for name in WorldConfig.model_fields if isinstance(getattr(config, name), Frozen))
    return {f"{group}_{key}": float(value) for group in groups for key, value in getattr(config, group)}


#: One flat record of all numbers of the parameters, as the compiled step function reads them.
RULES = np.dtype([(name, np.float64) for name in _numbers(WorldConfig())])


def rules(config: WorldConfig) -> np.ndarray:
    """The parameters as an array of one RULES record; switched-off parts have their rates set to zero."""
    record = np.zeros(1, RULES)
    numbers = _numbers(config)
    off = {
        "competitors": ("dropout_competitor_effect", "buying_competitor_dip"),
        "service": ("service_failure", "service_contact_rate", "service_visit_ratio", "service_survey_rate"),
        "life_events": ("life_rate_per_year",),
        "second_lives": ("second_life_spontaneous", "second_life_offer_odds"),
        "trouble": ("trouble_share", "trouble_onset", "trouble_returned", "trouble_unpaid"),
        "referrals": ("references_rate",),
        "defection": ("dropout_hazard",),
    }
    for switch, names in off.items():
        if not getattr(config.switches, switch):
            numbers |= dict.fromkeys(names, 0.0)
    for name, value in numbers.items():
        record[name] = value
    return record


Stage = Literal["target", "lead", "opportunity", "contract", "user"]
STAGES: tuple[Stage, ...] = ("target", "lead", "opportunity", "contract", "user")
CAUSES = ("pushed_away", "unmet_need", "pulled_away", "bought_away", "moved_away")
TRAITS = ("regular", "broad", "referring", "immune", "tolerant")
KINDS = ("complaint", "service", "visit", "referral", "survey", "failure")
CHANNELS = ("email", "post", "phone", "app")
CHANNEL_COSTS = (0.05, 0.8, 2.5, 0.02)
RESPONSES = ("persuadable", "sure_thing", "lost_cause", "put_off")
TROUBLES = ("none", "returns", "does_not_pay", "redeems_by_trick")
REGIONS = ("north", "east", "south", "west", "centre", "coast")
