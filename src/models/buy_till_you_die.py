"""Models of customers who buy at random until they silently stop: BG/NBD and Pareto/NBD.

From frequency x, recency t_x and age T alone (`Histories`) they say how likely a customer still is one, how many visits
he will make, and how likely at least one is. They ask for no features, and are what every model of value must beat.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from scipy.special import digamma, gammaln

from ..errors import ModelError
from ..estimation import bg_nbd
from ..estimation.maximum_likelihood import distinct_rows
from .base import Floats
from .histories import Histories
from .maximum_likelihood import FittedModel

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_DEPTH = 45.0  # e^-45 is below the last digit


class BuyTillYouDie(FittedModel, ABC):
    """A model fitted by maximum likelihood; all times in the unit of the histories it was fitted to."""

    times: ClassVar[tuple[str, ...]]

    def fit(self, histories: Histories) -> Self:
        """Fit by maximum likelihood over the distinct (x, t_x, T).

        Time is scaled to a mean age of 1 for the search, and back. ModelError where the likelihood has no maximum
        (nobody came twice, say).
        """
        if not bool((histories.frequency > 0).any()):
            raise ModelError(f"{self.name}: none of {len(histories)} customers came a second time; there is no rhythm")
        scale = float(histories.age.mean())
        (x, last, age), weight = distinct_rows(histories.frequency, histories.recency, histories.age)
        pieces = list(Histories(x, last / scale, age / scale).pieces())

        def likelihood(values: Floats) -> tuple[Floats, Floats]:
            parts = [self.likelihood(values, piece) for piece in pieces]
            return np.concatenate([rows for rows, _ in parts]), np.concatenate([slopes for _, slopes in parts])

        found = self.maximise(likelihood, weight)
        # the density of x visits is in 1 / time to the power of x
        self.keep(found.scaled(scale, self.times, float(weight @ x)))
        return self

    @abstractmethod
    def likelihood(self, values: Floats, histories: Histories) -> tuple[Floats, Floats]:
        """Log-likelihood of each history (n,) and its gradient (n, 4) at parameters in the order of `start`."""

    @abstractmethod
    def alive(self, histories: Histories) -> Floats:
        """Probability that each is still a customer at the end of observation, (n,)."""

    @abstractmethod
    def expected(self, histories: Histories, ahead: float) -> Floats:
        """Expected number of visits in (T, T + ahead], (n,)."""

    @abstractmethod
    def active(self, histories: Histories, ahead: float) -> Floats:
        """Probability of at least one visit in (T, T + ahead], (n,)."""


class BgNbd(BuyTillYouDie):
    """BG/NBD (Fader, Hardie & Lee 2005): Poisson visits at rates Gamma(r, alpha); after each he leaves for good.

    Chances to leave differ between customers as Beta(a, b). Someone who never came again is surely alive.
    """

    name = "bg_nbd"
    start: ClassVar = bg_nbd.START
    times = ("alpha",)

    def likelihood(self, values: Floats, histories: Histories) -> tuple[Floats, Floats]:
        """See the base class."""
        return bg_nbd.likelihood(values, histories.frequency, histories.recency, histories.age)

    def alive(self, histories: Histories) -> Floats:
        """See `bg_nbd.alive`."""
        return bg_nbd.alive(self._values, histories.frequency, histories.recency, histories.age)

    def expected(self, histories: Histories, ahead: float) -> Floats:
        """See `bg_nbd.expected`."""
        return bg_nbd.expected(self._values, histories.frequency, histories.recency, histories.age, ahead)

    def active(self, histories: Histories, ahead: float) -> Floats:
        """See `bg_nbd.active`."""
        return bg_nbd.active(self._values, histories.frequency, histories.recency, histories.age, ahead)

    @property
    def _values(self) -> Floats:
        return np.array(list(self.parameters.values()))


class ParetoNbd(BuyTillYouDie):
    """Pareto/NBD (Schmittlein, Morrison & Colombo 1987): visits as in BG/NBD; he may leave at any moment.

    Lifetimes are exponential, at rates Gamma(s, beta). The integral over the unseen moment of leaving is taken by
    Gauss-Legendre quadrature on a logarithmic scale of time, instead of by hypergeometric functions, which lose all
    digits where visits are many.
    """

    name = "pareto_nbd"
    start: ClassVar = {"r": 0.5, "alpha": 0.3, "s": 0.5, "beta": 0.3}
    times = ("alpha", "beta")

    def likelihood(self, values: Floats, histories: Histories) -> tuple[Floats, Floats]:
        """L = G(r + x) alpha^r beta^s / G(r) ((alpha + T)^-(r + x) (beta + T)^-s + s I), I as in `_left` (G: gamma).

        The first term is of those who are still alive, the second of those who left after t_x (Fader & Hardie 2005).
        """
        r, alpha, s, beta = values
        x, age = histories.frequency, histories.age
        stayed = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
        left, moment, share = self._left(values, histories)
        left = left + np.log(s)
        either = np.logaddexp(stayed, left)
        rows = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + either
        w_stayed, w_left = np.exp(stayed - either), np.exp(left - either)

        def mean(values: Floats) -> Floats:
            return np.asarray((share * values).sum(axis=1))

        log_alpha, log_beta = mean(np.log(alpha + moment)), mean(np.log(beta + moment))
        by_alpha, by_beta = mean(1 / (alpha + moment)), mean(1 / (beta + moment))
        gradient = (
            digamma(r + x) - digamma(r) + np.log(alpha) - w_stayed * np.log(alpha + age) - w_left * log_alpha,
            r / alpha - (r + x) * (w_stayed / (alpha + age) + w_left * by_alpha),
            np.log(beta) - w_stayed * np.log(beta + age) + w_left * (1 / s - log_beta),
            s / beta - w_stayed * s / (beta + age) - w_left * (s + 1) * by_beta,
        )
        return rows, np.column_stack(gradient)

    def _left(self, values: Floats, histories: Histories) -> tuple[Floats, Floats, Floats]:
        """Log of I = integral from t_x to T of (alpha + u)^-(r + x) (beta + u)^-(s + 1) du, (n,), and how it arises.

        With m = r + s + x and y = m log((alpha + u) / (alpha + t_x)), I = (alpha + t_x)^-m / m times the integral over
        y of e^-y ((alpha + u) / (beta + u))^(s + 1). Also given: the moments u of the nodes, and their shares of I,
        (n, nodes).
        """
        r, alpha, s, beta = values
        visits = r + histories.frequency
        power = visits + s
        begin = np.log(alpha + histories.recency)
        longest = power * (np.log(alpha + histories.age) - begin)
        # the integrand falls at least as e^(-y (visits - 1) / power): beyond this nothing is left of it
        longest = np.minimum(longest, _DEPTH * power / np.maximum(visits - 1, 1e-9))
        y = longest[:, None] / 2 * (1 + _NODES)
        moment = np.exp(begin[:, None] + y / power[:, None]) - alpha
        log_height = (s + 1) * (np.log(alpha + moment) - np.log(beta + moment)) - y
        top = log_height.max(axis=1)
        height = _WEIGHTS * np.exp(log_height - top[:, None])
        total = height.sum(axis=1)
        with np.errstate(divide="ignore"):
            log_half = np.log(longest / 2)  # -inf where he came on the last day: he cannot have left since
        return log_half + top + np.log(total) - np.log(power) - power * begin, moment, height / total[:, None]

    def alive(self, histories: Histories) -> Floats:
        """The share of the first term in the likelihood."""
        return np.concatenate([self._alive(piece) for piece in histories.pieces()])

    def _alive(self, histories: Histories) -> Floats:
        values = np.array(list(self.parameters.values()))
        r, alpha, s, beta = values
        stayed = -(r + histories.frequency) * np.log(alpha + histories.age) - s * np.log(beta + histories.age)
        left = self._left(values, histories)[0] + np.log(s)
        return np.asarray(np.exp(stayed - np.logaddexp(stayed, left)))

    def expected(self, histories: Histories, ahead: float) -> Floats:
        """P(alive) (r + x) / (alpha + T) times the time that he is expected to stay of the time ahead."""
        r, alpha, s, beta = self.parameters.values()
        longer = np.log1p(ahead / (beta + histories.age))
        stay = (beta + histories.age) * (longer if abs(s - 1) < 1e-9 else -np.expm1((1 - s) * longer) / (s - 1))
        return np.asarray(self.alive(histories) * (r + histories.frequency) / (alpha + histories.age) * stay)

    def active(self, histories: Histories, ahead: float) -> Floats:
        """P(alive) times the integral over his next visit's moment, before which he must not have left."""
        return np.concatenate([self._active(piece, ahead) for piece in histories.pieces()])

    def _active(self, histories: Histories, ahead: float) -> Floats:
        r, alpha, s, beta = self.parameters.values()
        x, age = histories.frequency[:, None], histories.age[:, None]
        # y = (r + x) log((alpha + T + u) / (alpha + T)): e^-y is the chance of no visit by u
        longest = np.minimum((r + x) * np.log1p(ahead / (alpha + age)), _DEPTH)
        y = longest / 2 * (1 + _NODES)
        moment = (alpha + age) * np.expm1(y / (r + x))
        height = _WEIGHTS * np.exp(-y - s * np.log1p(moment / (beta + age)))
        return np.asarray(self.alive(histories) * longest[:, 0] / 2 * height.sum(axis=1))
