"""How many prospects converted in the season that lies ahead, a year ago.

Of those who had arrived in the 90 days up to a year before the cutoff and had not converted by then, the share that
converted in the 90 days after: what the season does to all of them alike. Missing while the data do not reach back so
far, or tell of fewer than `FEWEST` such prospects.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...language.declarations import DaysSinceLast, Feature, Group, Visible
from ..aligned import aligned

PROSPECT = ("prospect_id",)
YEAR, SEASON, FEWEST = 365, 90, 30
_ARRIVAL = Group("arrivals", PROSPECT, (Feature("arrived", DaysSinceLast(), definition=""),))
_CONVERSION = Group("conversions", PROSPECT, (Feature("converted", DaysSinceLast(), definition=""),))
_PEOPLE, _CAME, _BEFORE = "prospects", "converted", "earlier"


def conversion_a_year_ago(visible: Visible, spine: pa.Table) -> list[npt.NDArray[np.float64]]:
    """The share, the same for every row of the spine."""
    return [np.full(spine.num_rows, visible.everywhere(count_a_year_ago, _share))]


def count_a_year_ago(visible: Visible) -> pa.Table:
    """Prospects of a year ago, those of them who converted in the season, and who had arrived before: `n` (int64)."""
    arrivals = visible.measure(_ARRIVAL)
    arrived = np.asarray(arrivals["arrived"].to_numpy(), np.float64)
    converted = aligned(visible.measure(_CONVERSION), "converted", arrivals, "prospect_id")
    there = (arrived >= YEAR) & (arrived < YEAR + SEASON) & ~(converted >= YEAR)
    came = there & (converted >= YEAR - SEASON)
    counts = [int(chosen.sum()) for chosen in (there, came, arrived >= YEAR + SEASON)]
    return pa.table({"kind": [_PEOPLE, _CAME, _BEFORE], "n": pa.array(counts, pa.int64())})


def _share(counted: pa.Table) -> float:
    total = {kind: sum(counted.filter(pc.equal(counted["kind"], kind))["n"].to_pylist()) for kind in (_PEOPLE, _CAME)}
    reaches_back = sum(counted.filter(pc.equal(counted["kind"], _BEFORE))["n"].to_pylist()) > 0
    return total[_CAME] / total[_PEOPLE] if reaches_back and total[_PEOPLE] >= FEWEST else float("nan")
