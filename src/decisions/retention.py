"""Whom to keep, whom to help, whom to let go: everybody at risk of leaving, put into one of three groups by a rule.

With the potential v = expected worth - cost of serving him (both for the same time ahead), in this order:

    let go         v < least_worth: no potential even after the cost of serving him; no money
    in danger      complaints or failures lately: signs of leaving that can be mended; a service rescue
    worth keeping  none of these, and loyalty of at least `loyal_from`, or not known; an offer of higher value
    let go         the rest: neither anything to mend nor loyalty to build on
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..config import RetentionConfig

Floats = npt.NDArray[np.float64]
KEEP, DANGER, LET_GO = "worth_keeping", "in_danger", "let_go"
GROUPS = (KEEP, DANGER, LET_GO)


def groups_of(
    rule: RetentionConfig, worth: Floats, service_cost: Floats, troubles: Floats, loyalty: Floats
) -> pa.Table:
    """The group of everybody at risk (n): `group`, `treatment`, `potential` and `why`, by what is known.

    A worth that is not known (nan) is no ground to let anybody go; a cost or troubles that are not known count as none.
    """
    potential = worth - np.nan_to_num(service_cost)
    poor = potential < rule.least_worth
    troubled = np.nan_to_num(troubles) >= rule.troubles_from
    loyal = ~(loyalty < rule.loyal_from)
    place = np.select([poor, troubled, loyal], [2, 1, 0], 2)
    why = [
        _why(rule, *facts)
        for facts in zip(poor.tolist(), troubled.tolist(), loyal.tolist(), potential, troubles, loyalty, strict=True)
    ]
    treatments = {KEEP: rule.offer, DANGER: rule.rescue, LET_GO: None}
    return pa.table(
        {
            "group": pa.array(GROUPS, pa.string()).take(pa.array(place)),
            "treatment": pa.array([treatments[name] for name in GROUPS], pa.string()).take(pa.array(place)),
            "potential": pa.array(potential, pa.float64(), from_pandas=True),
            "why": pa.array(why, pa.string()),
        }
    )


def _why(
    rule: RetentionConfig, poor: bool, troubled: bool, loyal: bool, potential: float, troubles: float, loyalty: float
) -> str:
    if poor:
        return f"would bring {potential:,.2f} after the cost of serving him, less than {rule.least_worth:,.2f}"
    if troubled:
        return f"{troubles:.0f} complaints and failures in the last {rule.within_days} days"
    known = "how loyal is not known" if np.isnan(loyalty) else f"loyalty {100 * loyalty:.0f} of 100"
    if loyal:
        return f"{known}, and nothing went wrong lately"
    return f"{known}, less than {100 * rule.loyal_from:.0f}, and nothing went wrong that could be mended"
