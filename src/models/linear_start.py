"""The logistic regression from which boosting may start: trees then learn only what a weighted sum cannot say.

Where positives are few, trees grown from nothing spend most of their leaves on redrawing straight lines, and each
leaf sees few of them. A heavily penalised logistic regression draws those lines from all rows at once.

The sum stays explained exactly: in a sum every feature has its own term, so its contribution is that term less the
term's training mean (Lundberg & Lee 2017, linear SHAP for independent features), and contributions of trees and sum
add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .base import Floats

UPDATES = 200  # at most; Newton's method takes fewer than 20


@dataclass(frozen=True)
class Term:
    """What one feature adds to the raw score; every kind of it has mean 0 over the training rows.

    A number x adds `offset + slope * s` with s = sign(x) ln(1 + |x|), held inside `low` and `high`, the range seen in
    training: a straight line is not to be trusted beyond. A category adds `values[code]`. `missing` is added where
    there is no value.
    """

    missing: float
    slope: float = 0.0
    offset: float = 0.0
    low: float = 0.0
    high: float = 0.0
    values: tuple[float, ...] | None = None

    def of(self, column: Floats) -> Floats:
        """What it adds for each value of an encoded column (n,)."""
        absent = np.isnan(column)
        if self.values is None:
            scaled = np.clip(_signed_log(np.where(absent, 0.0, column)), self.low, self.high)
            return np.where(absent, self.missing, self.offset + self.slope * scaled)
        table = np.array([*self.values, self.missing])
        return np.asarray(table[np.where(absent, len(self.values), column).astype(np.int64)])


@dataclass(frozen=True)
class LinearStart:
    """A fitted logistic regression over the encoded features (p,): `intercept` plus a term for each."""

    intercept: float
    terms: tuple[Term, ...]

    @classmethod
    def fit(
        cls,
        matrix: Floats,
        target: Floats,
        *,
        categories: Mapping[int, int],
        penalty: float,
        weight: Floats | None = None,
    ) -> LinearStart:
        """Fit to an encoded matrix (n, p) and a target (n,) of 0 and 1.

        `categories` has the number of values of each category column by its position. `penalty` is that of half the
        squared coefficients, of columns scaled to variance 1, against the summed log loss: its square root is to a
        coefficient what so many rows would say.
        """
        from sklearn.linear_model import LogisticRegression

        drawn = [_Design.of(matrix[:, p], categories.get(p)) for p in range(matrix.shape[1])]
        design = np.column_stack([np.zeros(len(matrix)), *(column for part in drawn for column in part.columns)])
        learner = LogisticRegression(C=1 / penalty, solver="newton-cholesky", max_iter=UPDATES)
        learner.fit(design, target, sample_weight=weight)
        coefficients = np.split(learner.coef_[0, 1:], np.cumsum([len(part.columns) for part in drawn])[:-1])
        terms = tuple(part.term(own) for part, own in zip(drawn, coefficients, strict=True))
        return cls(float(learner.intercept_[0]), terms)

    def contributions(self, matrix: Floats) -> Floats:
        """What each feature adds, (n, p), for an encoded matrix (n, p); the bias is `intercept`."""
        out = np.empty(matrix.shape)
        for position, term in enumerate(self.terms):
            out[:, position] = term.of(np.ascontiguousarray(matrix[:, position]))
        return out

    def raw_score(self, matrix: Floats) -> Floats:
        """Log-odds (n,). A row's score does not depend, to the bit, on the rows beside it."""
        return np.asarray(self.contributions(matrix).sum(axis=1) + self.intercept)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` makes an equal one from them."""
        terms = [
            {"missing": t.missing, "slope": t.slope, "offset": t.offset, "low": t.low, "high": t.high}
            if t.values is None
            else {"missing": t.missing, "values": list(t.values)}
            for t in self.terms
        ]
        return {"intercept": self.intercept, "terms": terms}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> LinearStart:
        """Read what `to_json` gave; KeyError, TypeError or ValueError for anything else."""
        terms = []
        for entry in content["terms"]:
            numbers = {name: float(value) for name, value in entry.items() if name != "values"}
            values = tuple(float(value) for value in entry["values"]) if "values" in entry else None
            terms.append(Term(**numbers, values=values))
        return cls(float(content["intercept"]), tuple(terms))


@dataclass(frozen=True)
class _Design:
    """The columns of one feature, each with mean 0 and variance 1, and how they came about.

    A number has itself and, where some are missing, an indicator of that; a category has an indicator a value and one
    of missing. Columns that never vary are left out.
    """

    columns: Sequence[Floats]
    means: Sequence[float]
    scales: Sequence[float]
    kinds: Sequence[int]  # the code of a category's value; NUMBER or MISSING
    low: float
    high: float
    values: int | None

    NUMBER = -1
    MISSING = -2

    @classmethod
    def of(cls, column: Floats, values: int | None) -> _Design:
        absent = np.isnan(column)
        low = high = 0.0
        raw: dict[int, Floats] = {cls.MISSING: absent.astype(np.float64)}
        if values is not None:
            raw |= {code: (column == code).astype(np.float64) for code in range(values)}
        elif (seen := column[np.isfinite(column)]).size:
            low, high = (float(v) for v in _signed_log(np.array([seen.min(), seen.max()])))
            scaled = np.clip(_signed_log(np.where(absent, 0.0, column)), low, high)
            raw[cls.NUMBER] = np.where(absent, scaled[~absent].mean(), scaled)
        kinds = [kind for kind, drawn in raw.items() if drawn.std() > 1e-9]
        means, scales = [float(raw[kind].mean()) for kind in kinds], [float(raw[kind].std()) for kind in kinds]
        columns = [(raw[kind] - mean) / scale for kind, mean, scale in zip(kinds, means, scales, strict=True)]
        return cls(columns, means, scales, kinds, low, high, values)

    def term(self, coefficients: Floats) -> Term:
        """The feature's term, its coefficients (columns,) brought back to the feature's own scale."""
        slopes = dict(zip(self.kinds, coefficients / np.array(self.scales), strict=True))
        base = -float(sum(slopes[kind] * mean for kind, mean in zip(self.kinds, self.means, strict=True)))
        if self.values is not None:
            values = tuple(float(base + slopes.get(code, 0.0)) for code in range(self.values))
            return Term(missing=float(base + slopes.get(self.MISSING, 0.0)), values=values)
        slope = float(slopes.get(self.NUMBER, 0.0))
        typical = self.means[self.kinds.index(self.NUMBER)] if self.NUMBER in self.kinds else 0.0
        missing = float(base + slope * typical + slopes.get(self.MISSING, 0.0))
        return Term(missing=missing, slope=slope, offset=base, low=self.low, high=self.high)


def _signed_log(values: Floats) -> Floats:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
