"""The groups of the parameters of a world.

Rates are per day unless the name says otherwise, money is in units of the world's currency, effects called `*_effect`
act on a logarithmic scale (a hazard or a rate is multiplied by exp(effect x cause)). Each field's number reaches the
compiled step under the name `<group>_<field>` (see rules.py); the formulas stand in the modules that use them.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from ...config import Frozen, Share

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

    mean_rate: Annotated[float, Field(gt=0, le=1)] = 0.075
    shape: Positive = 0.95
    regular: bool = True
    size_spread: Rate = 0.45
    extras: Rate = 1.7
    satisfaction_effect: Rate = 0.5
    price_effect: Rate = 1.5
    competitor_dip: Share = 0.6
    season_height: Share = 0.25
    promotion: Share = 0.12
    step_up: Rate = 0.02


class Dropout(Frozen):
    """Hazards of leaving, by cause (see defection.py); `at_purchase` is the BG/NBD's Beta(a, b) instead."""

    hazard: Rate = 0.0012
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

    failure: Share = 0.035
    hurt: Rate = 1.3
    complaint: Share = 0.45
    resolution: Rate = 0.12
    resolution_late: Rate = 0.01
    relief: Rate = 0.5
    recovery_days: Positive = 120
    contact_rate: Rate = 0.002
    contact_cost: Rate = 6.0
    visit_ratio: Rate = 0.4
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
    rescue_relief: Rate = 1.2


class Prospecting(Frozen):
    """Arrival of prospects and the hazards of their stages."""

    lead: Rate = 0.020
    opportunity: Rate = 0.035
    contract: Rate = 0.035
    interest_spread: Rate = 0.25
    referral_effect: Rate = 0.7
    price_effect: Rate = 0.8
    patience_days: Positive = 110
    cohort_share: Share = 0.2
    founders: Share = Field(
        default=0.3, description="share of the roots of the world who are customers before it starts"
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

    rate: Rate = 0.0005
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
