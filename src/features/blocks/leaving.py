"""What happened about the last visit: of whom nothing was seen since, it is there that reasons to stay away lie.

How close the last failure, complaint or other contact lay to the last visit: exp(-d / fade) with d the days from it
to the visit, 0 where it came at the visit or after; and whether it came after. What never happened counts as far away.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ...language.declarations import Block, Column, DaysSinceLast, Feature, Fitted, Group, Visible, half_life
from ..aligned import aligned

CUSTOMER = ("customer_id",)
FADES = (30, 90)
KINDS = {  # of interactions, with what they are called, and their families
    "failure": ("failure of product or service", "failures"),
    "complaint": ("complaint", "complaints"),
    "service": ("request for service", "use of the service"),
    "visit": ("visit without a purchase", "looking around"),
    "survey": ("answer to a survey", "surveys"),
}
_VISIT = Group("transactions", CUSTOMER, (Feature("visit", DaysSinceLast(), definition=""),))
_EVENTS = Group(
    "interactions",
    CUSTOMER,
    tuple(Feature(kind, DaysSinceLast(where=Column("kind") == kind), definition="") for kind in KINDS),
)
_SAME_DAY = 0.5  # an interaction within half a day of the visit belongs to it


def about_the_last_visit(visible: Visible, spine: pa.Table) -> list[npt.NDArray[np.float64]]:
    """For each kind its closeness to the last visit, by fade, and whether it came after; missing without a visit."""
    visit = aligned(visible.measure(_VISIT), "visit", spine)
    events = visible.measure(_EVENTS)
    found = []
    for kind in KINDS:
        before = aligned(events, kind, spine) - visit
        found += [np.where(np.isnan(before), 0.0, np.exp(-np.maximum(before, 0.0) / fade)) for fade in FADES]
        found.append((before < -_SAME_DAY).astype(np.float64))
    return [np.where(np.isnan(visit), np.nan, values) for values in found]


def _features() -> tuple[Feature, ...]:
    made = []
    for kind, (name, family) in KINDS.items():
        made += [
            Feature(
                f"{kind}_at_last_visit_{fade}d",
                None,
                definition=f"how close the last {name} lay to the last visit: 1 at it or since, half as close for "
                f"every {half_life(fade)} days between, 0 for never",
                family=family,
                words=f"the last {name} before the last visit: closeness {{value}} (1: at it, 0: never or long ago); "
                "typically {typical}",
            )
            for fade in FADES
        ]
        made.append(
            Feature(
                f"{kind}_since_last_visit",
                None,
                definition=f"1 where the last {name} came after the last visit, else 0",
                family=family,
                words=f"{name} since the last visit: {{value}} (1 is yes); typically {{typical}}",
            )
        )
    return tuple(made)


BLOCK = Block(
    "leaving",
    fitted=(
        Fitted(
            CUSTOMER,
            _features(),
            needs=(("transactions", ("customer_id", "at")), ("interactions", ("customer_id", "at", "kind"))),
            compute=about_the_last_visit,
        ),
    ),
)
