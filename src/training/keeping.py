"""What retention groups are worth, on a simulated world: true margin of each group's own action against one for all.

By the planted effects, the margin of the year ahead with the action less that without, both less the cost of serving
him, over the same drawn futures. The cost of the contact is not in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..decisions.retention import DANGER, KEEP, LET_GO

if TYPE_CHECKING:
    from ..data.world.truth import Truth

Floats = npt.NDArray[np.float64]
ACTIONS = {"offer": ("retention", 2), "rescue": ("service_rescue", 0)}
OF_GROUP = {KEEP: "offer", DANGER: "rescue", LET_GO: None}
MOST, DRAWS, REPLICATES = 1_000, 24, 500


def kept_margin(truth: Truth, rows: pa.Table, cutoff: datetime, *, seed: int = 0, most: int = MOST) -> dict[str, Any]:
    """True margin a customer of at most `most` of the rows (n, with entity_id and group), by who gets what.

    `own`: each group its own action; `offer` and `rescue`: that action for everybody; `none` is 0 by definition.
    `gain` is own less the better of the two, with a 95 % interval by bootstrap over customers; `groups` has the effect
    of each action on each group.
    """
    from ..data.world.interventions import worth

    chosen = np.sort(np.random.default_rng(seed).permutation(rows.num_rows)[:most])
    rows = rows.take(pa.array(chosen))
    ids = np.array([int(value) for value in rows["entity_id"].to_pylist()])
    group = np.array(rows["group"].to_pylist())
    effect: dict[str, Floats] = {}
    for name, (kind, offer) in ACTIONS.items():
        told = worth(truth, [cutoff], kind, draws=DRAWS, customers=ids.tolist())
        told = told.filter(pa.array(told["offer"].to_numpy() == offer))
        place = np.argsort(told["customer_id"].to_numpy(), kind="stable")
        at = np.searchsorted(told["customer_id"].to_numpy()[place], ids)
        effect[name] = (told["margin_gain"].to_numpy() - told["service_cost_gain"].to_numpy())[place][at]
    own = np.zeros(len(ids))
    for name, action in OF_GROUP.items():
        if action is not None:
            own = np.where(group == name, effect[action], own)
    rng = np.random.default_rng(seed)
    draws = [rng.integers(0, len(ids), len(ids)) for _ in range(REPLICATES)]
    best = max(effect, key=lambda name: effect[name].mean())
    gains = [float((own - effect[best])[drawn].mean()) for drawn in draws]
    low, high = np.quantile(gains, (0.025, 0.975)).tolist()
    by_group = {
        name: {action: float(values[group == name].mean()) for action, values in effect.items()}
        | {"customers": int((group == name).sum())}
        for name in OF_GROUP
        if (group == name).any()
    }
    return {
        "customers": len(ids),
        "own": float(own.mean()),
        **{name: float(values.mean()) for name, values in effect.items()},
        "gain": {"over": best, "estimate": float((own - effect[best]).mean()), "low": low, "high": high},
        "groups": by_group,
    }
