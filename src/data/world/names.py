"""The words of the world, in the order of their codes."""

from __future__ import annotations

STAGES = ("target", "lead", "opportunity", "contract", "user")
CAUSES = ("pushed_away", "unmet_need", "pulled_away", "bought_away", "moved_away")
TRAITS = ("regular", "broad", "referring", "immune", "tolerant")
KINDS = ("complaint", "service", "visit", "referral", "survey", "failure")
CHANNELS = ("email", "post", "phone", "app")
CHANNEL_COSTS = (0.05, 0.8, 2.5, 0.02)
RESPONSES = ("persuadable", "sure_thing", "lost_cause", "put_off")
TROUBLES = ("none", "returns", "does_not_pay", "redeems_by_trick")
REGIONS = ("north", "east", "south", "west", "centre", "coast")
