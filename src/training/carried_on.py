"""What rules without a trained model foretell in money: an average carried on, BG/NBD with Gamma-Gamma."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..errors import ModelError
from ..models.base import Floats
from ..models.buy_till_you_die import BgNbd
from ..models.encoding import numbers
from ..models.gamma_gamma import GammaGamma
from ..models.histories import Histories
from ..tasks.base import AmountRule

MOST_FITTED = 20_000  # histories that a fit looks at: an even sample of more


def amounts(rule: AmountRule, table: pa.Table, horizon: int) -> Floats:
    """What a rule foretells for the rows of a snapshot of one cutoff, (n,); zero where it knows nothing of a row.

    NaN for all rows where the rule cannot be fitted to them.
    """
    first, *others = (numbers(table, column) for column in rule.columns)
    if rule.kind == "buy_till_you_die":
        return _buy_till_you_die(first, *others, horizon=horizon)
    days = others[0] if others else np.full(len(first), float(rule.days or horizon))
    with np.errstate(divide="ignore", invalid="ignore"):
        amount = first / days * horizon
    return np.where(np.isfinite(amount), amount, 0.0)


def _buy_till_you_die(visits: Floats, since_last: Floats, known: Floats, money: Floats, *, horizon: int) -> Floats:
    """BG/NBD's expected visits (Fader, Hardie & Lee 2005) times Gamma-Gamma's worth of one (Fader & Hardie 2013).

    Both are fitted to these very rows, (n,) each, which tell of nothing after their cutoff: visits so far, days since
    the last and since the first, and the amount so far. All visits count in the mean worth, the first among them.
    """
    x = np.where(known - since_last > 0, visits - 1.0, 0.0)
    histories = Histories(np.maximum(x, 0.0), np.where(x > 0, known - since_last, 0.0), np.maximum(known, 1e-3))
    mean = money / np.maximum(visits, 1.0)
    fitted = np.arange(0, len(x), -(-len(x) // MOST_FITTED))
    paid = fitted[mean[fitted] > 0]
    try:
        coming = BgNbd().fit(Histories(*(values[fitted] for values in vars(histories).values())))
        spending = GammaGamma().fit(visits[paid], mean[paid])
    except ModelError:  # too few came twice, or nobody paid: there is no such rule then
        return np.full(len(x), np.nan)
    worth = spending.expected(np.where(mean > 0, visits, 0.0), np.maximum(mean, 0.0))
    return np.asarray(coming.expected(histories, float(horizon)) * worth)
