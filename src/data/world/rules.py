"""The numbers of the parameters as one flat record, as the compiled step reads them."""

from __future__ import annotations

import numpy as np

from ...config import Frozen
from .parameters import WorldConfig


def _numbers(config: WorldConfig) -> dict[str, float]:
    groups = (name for name in WorldConfig.model_fields if isinstance(getattr(config, name), Frozen))
    return {f"{group}_{key}": float(value) for group in groups for key, value in getattr(config, group)}


#: a field `<group>_<name>` for each number of the parameters
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
