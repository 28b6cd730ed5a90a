"""What a group of features must not ask for: its author cannot look ahead, not even by mistake."""

from __future__ import annotations

from ..errors import ConfigError
from .declarations import ForTopValues, Group, Measure
from .parts import columns_of

PLANNED = {
    "campaigns": ("campaign_id", "kind", "starts_at", "ends_at", "known_at"),
    "offers": ("offer_id", "campaign_id", "product_id", "category", "discount", "known_at"),
    "contacts": (
        *("contact_id", "customer_id", "prospect_id", "campaign_id", "offer_id", "channel", "at", "known_at"),
        *("campaign_kind", "starts_at", "ends_at"),
    ),
}
"""The columns of plans that are known before what is planned happens; the others say what came of it."""


def refuse_foresight(group: Group, block: str) -> None:
    """Raise ConfigError where a feature of the group would see what is not known at the cutoff."""
    for feature in group.features:
        what = feature.what.measure if isinstance(feature.what, ForTopValues) else feature.what
        if not isinstance(what, Measure):
            continue
        place = f"feature '{feature.name}' of block '{block}'"
        if what.looks_ahead:
            raise ConfigError(f"{place} looks ahead; only a target may: use `last` instead of `ahead` and `until`")
        if group.planned:
            _refuse_outcomes(group, what, place)


def _refuse_outcomes(group: Group, what: Measure, place: str) -> None:
    planned = PLANNED.get(group.table)
    if planned is None:
        raise ConfigError(f"{place} reads {group.table} as plans; only {', '.join(PLANNED)} can be")
    if what.last != (None,):
        raise ConfigError(f"{place} has a window, but plans lie ahead as well: leave out `last`, or `planned`")
    unknown = sorted(columns_of(what) - set(planned))
    if unknown:
        raise ConfigError(
            f"{place} reads {group.table}.{unknown[0]}, which no plan tells; plans tell {', '.join(planned)}"
        )
