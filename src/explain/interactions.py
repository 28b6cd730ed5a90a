"""How much two features do together beyond what each does alone: exact interaction values of trees.

On the path to a leaf of value v let z_j be the cover ratio of feature j, and o_j = 1 if the row meets every condition
on j, else 0 (see `tables_kernels`). The Shapley interaction index (Fujimoto, Kojadinovic & Marichal 2006; for trees
Lundberg et al. 2020) weighs the second differences of the path's value by integrals of t^s (1 - t)^(m - 2 - s):

    Phi_ab = v / 2 (o_a - z_a) (o_b - z_b) * integral over t in [0, 1] of the product over j != a, b of
    (t o_j + (1 - t) z_j) dt,

summed over the leaves on whose path both lie. Gauss-Legendre with as many nodes as the degree needs is exact. As shap
has it, Phi_ab = Phi_ba is half of the effect, and a feature's contribution is the sum of its row of the matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.base import Floats
from .tables_cut import share
from .trees import MISSING_NAN, MISSING_ZERO, Forest, TablesDoNotApply, Tree, parse_forest

_ZERO = float(np.float32(1e-35))  # what LightGBM takes for zero
Flags = NDArray[np.bool_]
Met = dict[int, tuple[float, Flags]]  # by feature of a path: cover ratio z, and the rows (n,) that meet its conditions


class Interactions:
    """The interaction values of one model. Every tree is walked with all rows at once: made for thousands of rows."""

    def __init__(self, forest: Forest) -> None:
        self.forest = forest
        self._features = [frozenset(tree.split_feature.tolist()) for tree in forest.trees]

    @classmethod
    def from_booster(cls, model: Any) -> Interactions:
        """Read a booster; TablesDoNotApply for none, and for other shapes (several outputs, linear trees, averages)."""
        if model is None:
            raise TablesDoNotApply("the model has no trees")
        return cls(parse_forest(model if isinstance(model, str) else model.model_to_string()))

    def pair(self, X: Floats, a: int, b: int) -> Floats:
        """Phi_ab (n,) in log-odds for rows X (n, p), encoded as the model reads them; twice it is the whole effect."""
        return self.with_others(X, a, (b,))[:, 0]

    def with_others(self, X: Floats, a: int, others: Sequence[int]) -> Floats:
        """Phi_ab (n, len(others)) of one feature with each of several others."""
        total = np.zeros((len(X), len(others)))
        for tree, features in zip(self.forest.trees, self._features, strict=True):
            wanted = [k for k, b in enumerate(others) if b != a and b in features]
            if a not in features or not wanted:
                continue
            for value, met in _leaves(tree, X):
                if a in met:
                    for k in wanted:
                        if others[k] in met:
                            total[:, k] += _term(value, met, a, others[k])
        return total


def strongest_partner(
    interactions: Interactions, X: Floats, a: int, others: Sequence[int]
) -> tuple[int, Floats] | None:
    """The feature among `others` that a works with most by mean |Phi|, with Phi (n,); None where it is alone."""
    found = interactions.with_others(X, a, others)
    size = np.abs(found).mean(axis=0)
    if not len(others) or not size.max() > 0:
        return None
    best = int(np.argmax(size))
    return others[best], found[:, best]


def _leaves(tree: Tree, X: Floats) -> Iterator[tuple[float, Met]]:
    """Value and path of each leaf."""
    everyone = np.ones(len(X), np.bool_)
    stack: list[tuple[int, Met]] = [(0 if tree.splits else -1, {})]
    while stack:
        node, met = stack.pop()
        if node < 0:
            yield float(tree.leaf_value[~node]), met
            continue
        feature, left = int(tree.split_feature[node]), goes_left(tree, node, X)
        ratio, rows = met.get(feature, (1.0, everyone))
        for child, side in ((int(tree.left_child[node]), left), (int(tree.right_child[node]), ~left)):
            stack.append((child, met | {feature: (ratio * share(tree, node, child), rows & side)}))


def goes_left(tree: Tree, node: int, X: Floats) -> Flags:
    """Which rows (n,) of X (n, p) go left at a split."""
    value = X[:, tree.split_feature[node]]
    missing = np.isnan(value)
    if tree.categorical[node]:
        code = np.where(missing | (np.abs(value) > 2**31), -1.0, value).astype(np.int64)
        return np.asarray(np.isin(code, tree.categories[node]))  # a fraction is cut off: -0.5 is the code 0
    if tree.missing_type[node] == MISSING_ZERO:
        missing |= np.abs(value) <= _ZERO
    elif tree.missing_type[node] != MISSING_NAN:
        value, missing = np.where(missing, 0.0, value), np.zeros_like(missing)
    with np.errstate(invalid="ignore"):
        left: Flags = np.where(missing, tree.default_left[node], value <= tree.threshold[node])
    return left


def _term(value: float, met: Met, a: int, b: int) -> Floats:
    """What one leaf adds to Phi_ab (n,)."""
    (z_a, o_a), (z_b, o_b) = met[a], met[b]
    rest = [pair for feature, pair in met.items() if feature not in (a, b)]
    x, w = np.polynomial.legendre.leggauss(len(rest) // 2 + 1)
    mean = np.zeros(len(o_a))
    for t, weight in zip((x + 1) / 2, w / 2, strict=True):
        product = np.full(len(o_a), weight)
        for z, o in rest:
            product *= np.where(o, t + (1 - t) * z, (1 - t) * z)
        mean += product
    return value / 2 * ((o_a - z_a) * (o_b - z_b)) * mean
