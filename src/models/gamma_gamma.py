"""Gamma-Gamma: what a visit of a customer is worth, given the few that were seen."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import digamma, gammaln

from ..errors import ModelError
from ..estimation.maximum_likelihood import distinct_rows
from .base import Floats
from .maximum_likelihood import FittedModel


class GammaGamma(FittedModel):
    """Gamma-Gamma (Fader & Hardie 2013): visits of one customer are Gamma(p, nu) worth, nu varies as Gamma(q, gamma).

    It assumes that how much a visit is worth says nothing of how often he comes: look at the correlation of the two.
    """

    name = "gamma_gamma"
    start: ClassVar = {"p": 2.0, "q": 3.0, "gamma": 1.0}

    def fit(self, visits: Any, mean_spend: Any) -> Self:
        """Fit to `visits` (n,) counted in each mean and `mean_spend` (n,) per visit; rows without visits are left out.

        ModelError where a mean of seen visits is not positive, or nothing is left.
        """
        number, spend = _pair(visits, mean_spend)
        number, spend = number[number > 0], spend[number > 0]
        if len(number) == 0:
            raise ModelError("gamma_gamma: no customer has a visit to average over")
        faults = int((~(spend > 0)).sum())
        if faults:
            raise ModelError(
                f"gamma_gamma: {faults} of {len(spend)} customers spent nothing or less on average; leave them out"
            )
        scale = float(spend.mean())
        (x, z), weight = distinct_rows(number, spend / scale)
        found = self.maximise(lambda values: _likelihood(values, x, z), weight)
        self.keep(found.scaled(scale, ("gamma",), found.rows))
        return self

    def expected(self, visits: Any, mean_spend: Any) -> Floats:
        """Expected worth of a future visit, (n,): p (gamma + x z) / (p x + q - 1), between his mean and everyone's.

        Without visits it is everyone's, p gamma / (q - 1); nan where that is not finite (q at most 1).
        """
        p, q, gamma = self.parameters.values()
        number, spend = _pair(visits, mean_spend)
        seen = np.where(number > 0, number * spend, 0.0)
        below = p * number + q - 1
        expected: Floats = np.full(len(below), np.nan)
        np.divide(p * (gamma + seen), below, out=expected, where=below > 0)
        return expected


def _likelihood(values: Floats, x: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Equation 1a of Fader & Hardie (2013): log-likelihood (n,) of a mean z of x visits, and its gradient (n, 3)."""
    p, q, gamma = values
    px, total = p * x, np.log(gamma + x * z)
    rows = (
        gammaln(px + q)
        - gammaln(px)
        - gammaln(q)
        + q * np.log(gamma)
        - np.log(z)
        + px * np.log(x * z)
        - (px + q) * total
    )
    gradient = (
        x * (digamma(px + q) - digamma(px) + np.log(x * z) - total),
        digamma(px + q) - digamma(q) + np.log(gamma) - total,
        q / gamma - (px + q) / (gamma + x * z),
    )
    return rows, np.column_stack(gradient)


def _pair(visits: Any, mean_spend: Any) -> tuple[Floats, Floats]:
    number, spend = (np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in (visits, mean_spend))
    if number.shape != spend.shape:
        raise ValueError(f"visits and mean_spend differ in length: {len(number)} and {len(spend)}")
    if not bool(np.isfinite(number).all()) or bool((number < 0).any()):
        raise ValueError("visits: counts of 0 or more, none missing")
    return number, spend
