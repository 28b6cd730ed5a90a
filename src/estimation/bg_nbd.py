"""BG/NBD (Fader, Hardie & Lee 2005) as functions of arrays: customers buy at random until they silently stop.

Visits are Poisson at rates Gamma(r, alpha); after each visit a customer leaves for good with a chance from Beta(a, b).
Of each customer three numbers are read, (n,) each, in one unit of time: `x` repeat visits, `last` from his first visit
to his last, `age` from his first visit to now. `parameters` are r, alpha, a, b.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.special import digamma, gammaln, hyp2f1

from .maximum_likelihood import Floats

START = {"r": 0.5, "alpha": 0.3, "a": 0.5, "b": 2.0}
_LARGE = 20.0  # of a or r: beyond, the closed form of the expectation overflows for some histories
_NODES = 64


def likelihood(parameters: Floats, x: Floats, last: Floats, age: Floats) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer (n,) and its gradient (n, 4); the two terms of the paper are added as logs."""
    r, alpha, a, b = parameters
    repeat = x > 0
    chances = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    stayed = -(r + x) * np.log(alpha + age)
    before = np.where(repeat, b + x - 1, 1.0)
    left = np.where(repeat, np.log(a) - np.log(before) - (r + x) * np.log(alpha + last), -np.inf)
    either = np.logaddexp(stayed, left)
    rows = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + chances + either
    w_stayed, w_left = np.exp(stayed - either), np.exp(left - either)
    gradient = (
        digamma(r + x) - digamma(r) + np.log(alpha) - w_stayed * np.log(alpha + age) - w_left * np.log(alpha + last),
        r / alpha - (r + x) * (w_stayed / (alpha + age) + w_left / (alpha + last)),
        digamma(a + b) - digamma(a + b + x) + w_left / a,
        digamma(a + b) - digamma(a + b + x) + digamma(b + x) - digamma(b) - w_left / before,
    )
    return rows, np.column_stack(gradient)


def alive(parameters: Floats, x: Floats, last: Floats, age: Floats) -> Floats:
    """1 / (1 + [x > 0] a / (b + x - 1) ((alpha + T) / (alpha + t_x))^(r + x)) (Fader, Hardie & Lee 2008)."""
    r, alpha, a, b = parameters
    grown = (r + x) * (np.log(alpha + age) - np.log(alpha + last))
    odds = np.log(a) - np.log(np.where(x > 0, b + x - 1, 1.0)) + grown
    return np.where(x > 0, 1 / (1 + np.exp(np.minimum(odds, 700))), 1.0)


def expected(parameters: Floats, x: Floats, last: Floats, age: Floats, ahead: float) -> Floats:
    """Expected visits in the time ahead: equation 10 of the paper, its hypergeometric function in Euler's form.

    That form stays small for large x. Its terms overflow where a is large (nearly everybody leaves after a visit or
    two) or r is (all come at the same rate); there the mean over the chance to leave is taken by quadrature instead.
    """
    r, alpha, a, b = parameters
    still = alive(parameters, x, last, age)
    if max(a, r) > _LARGE:
        return np.asarray(still * _expected_if_alive(parameters, x, age, ahead))
    # at a = 1 and at a + b = 1 the expression is its own limit
    a = a + 1e-7 if abs(a - 1) < 1e-7 else a
    b = b + 1e-7 if abs(a + b - 1) < 1e-7 else b
    z = ahead / (alpha + age + ahead)
    remaining = (1 - z) ** (a - 1) * _hypergeometric(a + b - 1 - r, a - 1, a + b + x - 1, z)
    return np.asarray((a + b + x - 1) / (a - 1) * (1 - remaining) * still)


def _expected_if_alive(parameters: Floats, x: Floats, age: Floats, ahead: float) -> Floats:
    """Mean of (1 - (1 + p ahead / (alpha + T))^-(r + x)) / p over p of Beta(a, b + x), by Gauss-Jacobi quadrature.

    Who is alive and leaves with chance p makes (1 - e^(-rate p ahead)) / p visits; his rate is averaged in closed form.
    """
    r, alpha, a, b = parameters
    found = np.empty(len(x))
    for visits in np.unique(x):
        rows = np.flatnonzero(x == visits)
        chance, weight = _beta_nodes(a, b + visits)
        fewer = np.log1p(np.multiply.outer(ahead / (alpha + age[rows]), chance))
        # Not a matrix product: its last bit would depend on how many rows there are.
        found[rows] = (-np.expm1(-(r + visits) * fewer) / chance * weight).sum(axis=1)
    return found


def _beta_nodes(a: float, b: float) -> tuple[Floats, Floats]:
    """Nodes in (0, 1) and weights (adding to 1) for means over Beta(a, b), by Golub & Welsch (1969): no gamma function.

    They are the eigenvalues of the recurrence of the Jacobi polynomials, a tridiagonal matrix.
    """
    first, second = b - 1, a - 1
    both = first + second
    k = np.arange(1.0, _NODES)
    twice = 2 * k + both
    middle = np.append((second - first) / (both + 2), (second - first) * both / (twice * (twice + 2)))
    last = np.where(k > 1, (k + both) / np.where(k > 1, twice - 1, 1.0), 1.0)  # at k = 1 the two are equal, maybe 0
    beside = 4 * k * (k + first) * (k + second) * last / (twice**2 * (twice + 1))
    values, vectors = eigh_tridiagonal(middle, np.sqrt(beside))
    return np.clip((1 + values) / 2, 1e-12, 1.0), vectors[0] ** 2


def active(parameters: Floats, x: Floats, last: Floats, age: Floats, ahead: float) -> Floats:
    """P(alive) (1 - ((alpha + T) / (alpha + T + ahead))^(r + x)): who is alive stays at least until he comes."""
    r, alpha = parameters[0], parameters[1]
    waited = (r + x) * np.log1p(ahead / (alpha + age))
    return np.asarray(alive(parameters, x, last, age) * -np.expm1(-waited))


def _hypergeometric(a: float, b: float, c: Floats, z: Floats) -> Floats:
    """2F1(a, b; c; z) for c (n,) and z (n,) in [0, 1): scipy's, and where c is large the series itself.

    There scipy overflows when c - a - b is an integer, and the series falls fast.
    """
    value = np.asarray(hyp2f1(a, b, c, z))
    large = c >= 20
    if large.any():
        base, power = c[large], z[large]
        term, total = np.ones(len(base)), np.ones(len(base))
        for k in range(10_000):
            term = term * ((a + k) * (b + k) / (k + 1)) / (base + k) * power
            total = total + term
            if bool((np.abs(term) <= 1e-17 * np.abs(total)).all()):
                break
        value[large] = total
    return value
