"""How many new customers somebody will bring within a year, and what those bring in their first.

With r_i customers brought in E_i days (from his first visit to his last sign of life, and of the silence since as much
as he is likely to be alive), rates that differ between customers as Gamma(a, b), and the time that he is expected to
stay of the year ahead, s_i, from the BG/NBD of `alive`:

    expected = (a + r_i) / (b + E_i) x 365 s_i x worth of one

a and b by maximum likelihood of the negative binomial counts (Greenwood and Yule 1920). The worth of one is what those
bring who were referred and are known for two years at most, over the days they are known, times 365: so that younger
and older than a year keep the balance. Fitted anew at each cutoff to what is visible there; missing where nobody was
brought yet.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import digamma, gammaln

from ...errors import ModelError
from ...estimation import bg_nbd
from ...estimation.maximum_likelihood import maximise
from ...language.declarations import Count, DaysSinceLast, Distinct, Feature, Group, Sum, Visible
from ..aligned import aligned
from .alive import HISTORY, as_histories, count_histories, rhythm_of_all

Floats = npt.NDArray[np.float64]
CUSTOMER = ("customer_id",)
MARGIN, SALES = "margin", "amount"
YEAR = 365.0
YOUNG = 730.0  # days that those are known at most who tell what one is worth
_BROUGHT = Group(
    "referrals",
    CUSTOMER,
    (Feature("brought", Count(), definition=""), Feature("last_brought", DaysSinceLast(), definition="")),
)
_CAME = Group("acquisitions", CUSTOMER, (Feature("referred", Distinct(column="referred_by"), definition=""),))
_MONEY = {
    money: Group("transactions", CUSTOMER, (Feature("money", Sum(column=money), definition=""),))
    for money in (MARGIN, SALES)
}
_COUNT, _DAYS, _CENTS = "customers", "days", "cents"


def _expected(money: str, visible: Visible, spine: pa.Table) -> list[Floats]:
    """What is to be expected of each row's references, (n,); missing where nothing can be fitted."""
    rhythm = visible.everywhere(count_histories, rhythm_of_all)
    fitted = visible.everywhere(_counts[money], _fitted)
    if rhythm is None or fitted is None:
        return [np.full(spine.num_rows, np.nan)]
    a, b, worth = fitted
    histories = visible.measure(HISTORY)
    x, last, age = as_histories(histories)
    brought, days = _exposure(visible, histories)
    pace = (rhythm[0] + x) / (rhythm[1] + age)
    stays = np.clip(bg_nbd.expected(rhythm, x, last, age, YEAR) / (pace * YEAR), 0.0, 1.0)
    found = (a + brought) / (b + days) * YEAR * stays * worth
    return [aligned(pa.table({"customer_id": histories["customer_id"], "found": found}), "found", spine)]


def _count(money: str, visible: Visible) -> pa.Table:
    """Customers by those they `brought` and `days` of exposure, and sums of days and money: `n` (int64) of `what`."""
    histories = visible.measure(HISTORY)
    brought, days = _exposure(visible, histories)
    counted = pa.table({"brought": brought.astype(np.int64), "days": np.ceil(days).astype(np.int64)})
    counted = counted.group_by(["brought", "days"]).aggregate([([], "count_all")]).rename_columns(["r", "e", "n"])
    known = histories["first"].to_numpy().astype(np.float64)
    young = (np.nan_to_num(aligned(visible.measure(_CAME), "referred", histories)) > 0) & (known <= YOUNG)
    earned = np.nan_to_num(aligned(visible.measure(_MONEY[money]), "money", histories))[young]
    sums = {_DAYS: int(known[young].sum()), _CENTS: int(np.round(earned * 100).sum())}
    parts = [_part(_COUNT, counted["r"], counted["e"], counted["n"])]
    parts += [_part(what, pa.array([0]), pa.array([0]), pa.array([total], pa.int64())) for what, total in sums.items()]
    return pa.concat_tables(parts)


def _part(what: str, brought: pa.Array, days: pa.Array, n: pa.Array) -> pa.Table:
    kinds = pa.repeat(pa.scalar(what, pa.string()), len(n))
    return pa.table({"what": kinds, "brought": brought, "days": days, "n": pc.cast(n, pa.int64())})


def _exposure(visible: Visible, histories: pa.Table) -> tuple[Floats, Floats]:
    """Customers brought (n,), and the days (n,), at least one, in which he could have brought them."""
    found = visible.measure(_BROUGHT)
    brought = np.nan_to_num(aligned(found, "brought", histories))
    silent = histories["last"].to_numpy().astype(np.float64)
    silent = np.fmin(silent, aligned(found, "last_brought", histories))
    rhythm = visible.everywhere(count_histories, rhythm_of_all)
    alive = 0.0 if rhythm is None else bg_nbd.alive(rhythm, *as_histories(histories))
    return brought, np.maximum(histories["first"].to_numpy().astype(np.float64) - silent * (1 - alive), 1.0)


def _fitted(counted: pa.Table) -> tuple[float, float, float] | None:
    """a, b (days) and the worth of one who is brought; None while that cannot be told."""
    totals = {
        what: int(pc.sum(counted.filter(pc.equal(counted["what"], what))["n"]).as_py() or 0) for what in (_DAYS, _CENTS)
    }
    rows = counted.filter(pc.equal(counted["what"], _COUNT)).sort_by([("brought", "ascending"), ("days", "ascending")])
    r, days, weight = (rows[name].to_numpy().astype(np.float64) for name in ("brought", "days", "n"))
    if not totals[_DAYS] or not (r > 0).any():
        return None
    scale = float(weight @ days / weight.sum())

    def likelihood(values: Floats) -> tuple[Floats, Floats]:
        a, b = values
        e = days / scale
        rows = gammaln(a + r) - gammaln(a) + a * (np.log(b) - np.log(b + e)) + r * (np.log(e) - np.log(b + e))
        by_a = digamma(a + r) - digamma(a) + np.log(b) - np.log(b + e)
        return rows, np.column_stack((by_a, a / b - (a + r) / (b + e)))

    try:
        found = maximise(likelihood, weight, {"a": 0.5, "b": 1.0}, iterations=500, what="referrals").values
    except ModelError:  # too few were brought to tell how rates differ: then nobody has a value
        return None
    return found["a"], found["b"] * scale, totals[_CENTS] / 100 / totals[_DAYS] * YEAR


_counts: dict[str, Callable[[Visible], pa.Table]] = {money: partial(_count, money) for money in _MONEY}
expected_of_references: dict[str, Callable[[Visible, pa.Table], list[Floats]]] = {
    money: partial(_expected, money) for money in _MONEY
}
"""The compute functions of the block, by the column of transactions that is the money."""
