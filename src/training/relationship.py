"""Quality of the relationship over time: troubles a visit, month by month, for everybody and for each group.

A control chart of rates: with x_m complaints and failures in n_m visits of month m, the months before (at most a year,
those that were flagged left out) say what is usual, X in N. A month is flagged where so many troubles or more would
come with a probability below `alpha` if nothing had changed, given their number in both times:

    x_m | x_m + X  ~  Binomial(x_m + X, n_m / (n_m + N))

(Przyborowski and Wilenski, "Homogeneity of results in testing samples from Poisson series", Biometrika 1940). Troubles
come in pairs, since a complaint may follow each failure: all counts are divided by the dispersion of the months
before (Pearson's chi-squared over its degrees of freedom, McCullagh and Nelder 1989; at least 2, that of pairs).
With alpha = 0.0005, six groups and everybody make one false flag in some twenty-five years.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..config import QualityConfig
from ..data.dataset import Dataset
from ..features.blocks.relationship import MONTH
from ..features.snapshot import Snapshots
from ..language.moments import shift, to_local
from ..models.encoding import numbers
from ..tasks.base import Task

Floats = npt.NDArray[np.float64]
EVERYBODY = "everybody"
FEWEST_MONTHS, MOST_MONTHS = 6, 12  # before a month can be judged, and by which it is
FEWEST_TROUBLES = 5
PAIRS = 2.0  # dispersion of a count of pairs that come by chance


@dataclass(frozen=True)
class Month:
    """One month of a group, up to a local day: visits, troubles, what was usual a visit, and whether it is flagged.

    `usual` is None, and nothing is flagged, as long as too little is known of the months before.
    """

    until: str
    visits: float
    troubles: float
    usual: float | None
    flagged: bool

    @property
    def rate(self) -> float:
        """Troubles a visit."""
        return self.troubles / self.visits if self.visits else 0.0


@dataclass(frozen=True)
class Quality:
    """The series of each group, by its name, such as `region=west`; empty where the data have no interactions."""

    series: dict[str, tuple[Month, ...]]

    @property
    def alerts(self) -> tuple[str, ...]:
        """The groups whose last month is flagged, in words."""
        return tuple(
            f"service of {group} has got worse: {last.rate:.1%} of visits brought trouble in the {MONTH} days up to "
            f"{last.until}, {last.usual:.1%} are usual"
            for group, months in self.series.items()
            if (last := months[-1]).flagged
        )

    @property
    def words(self) -> str:
        """One sentence on how much is known."""
        if not self.series:
            return "not enough data: without complaints or failures nothing tells how well customers are served"
        judged = sum(month.usual is not None for months in self.series.values() for month in months)
        flags = sum(month.flagged for months in self.series.values() for month in months)
        return f"{len(self.series)} groups followed, {judged} months judged, {flags} flagged"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"series": {group: [asdict(month) for month in months] for group, months in self.series.items()},
                "alerts": list(self.alerts), "words": self.words}  # fmt: skip


def follow_quality(data: Dataset, task: Task, config: QualityConfig) -> Quality:
    """The series of the `watched` months up to the end of the data, by each attribute in `by`."""
    zone, end = data.config.zone, data.observed_until
    steps = [shift(end, -MONTH * back, zone) for back in range(config.watched - 1, -1, -1)]
    moments = [moment for moment in steps if shift(moment, -MONTH, zone) >= data.first_event]
    snapshots = Snapshots(data, task, blocks=["relationship", "profile"], learn_at=end)
    names = [column.name for column in snapshots.columns]
    if "month_troubles" not in names or not moments:
        return Quality({})
    counts: dict[str, dict[str, tuple[float, float]]] = {}
    days = [to_local(moment, zone).date().isoformat() for moment in moments]
    for moment, day in zip(moments, days, strict=True):
        rows = snapshots.features(snapshots.population([moment], with_target=False))
        for group, visits, troubles in _counted(rows, [name for name in config.by if name in names]):
            counts.setdefault(group, {})[day] = (visits, troubles)
    return Quality({group: chart(days, found, alpha=config.alpha) for group, found in sorted(counts.items())})


def chart(days: Sequence[str], counts: dict[str, tuple[float, float]], *, alpha: float) -> tuple[Month, ...]:
    """The control chart of one group: its visits and troubles by day, those in `days` in order."""
    months: list[Month] = []
    for day in days:
        visits, troubles = counts.get(day, (0.0, 0.0))
        before = [month for month in months if month.visits > 0 and not month.flagged][-MOST_MONTHS:]
        n, x = np.array([[month.visits, month.troubles] for month in before]).reshape(-1, 2).T
        if len(before) < FEWEST_MONTHS or x.sum() < FEWEST_TROUBLES or visits == 0:
            months.append(Month(day, visits, troubles, None, False))
            continue
        usual = float(x.sum() / n.sum())
        dispersion = max(float(((x - usual * n) ** 2 / (usual * n)).sum() / (len(n) - 1)), PAIRS)
        chance = _at_least(troubles / dispersion, float(x.sum()) / dispersion, visits / (visits + float(n.sum())))
        months.append(Month(day, visits, troubles, usual, chance < alpha))
    return tuple(months)


def _at_least(now: float, before: float, share: float) -> float:
    """P(X >= now) of X ~ Binomial(now + before, share); counts need not be whole."""
    from scipy.stats import beta

    return float(beta.cdf(share, now, before + 1)) if now > 0 else 1.0


def _counted(rows: pa.Table, by: Sequence[str]) -> list[tuple[str, float, float]]:
    """Visits and troubles of everybody and of each value of each attribute; how it is spelled does not matter."""
    visits, troubles = (np.nan_to_num(numbers(rows, name)) for name in ("month_visits", "month_troubles"))
    found = [(EVERYBODY, float(visits.sum()), float(troubles.sum()))]
    for name in by:
        spelled = pc.utf8_lower(pc.utf8_trim_whitespace(rows[name].cast(pa.string())))
        values = spelled.to_numpy(zero_copy_only=False)
        for value in sorted({value for value in values if value is not None}):
            mine = values == value
            found.append((f"{name}={value}", float(visits[mine].sum()), float(troubles[mine].sum())))
    return found
