"""What goes with what a customer buys: item-to-item co-occurrence over the baskets of the last 90 days.

With n(b) customers having b in their basket and n(b, c) having both, P(c | b) = n(b, c) / n(b). A customer's values are
means over his basket, as in Linden, Smith and York (2003). Counts are whole numbers and every customer's mean is summed
by itself, so that values do not depend on who else is at hand, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from ...language.declarations import Count, Feature, Group, Visible

BASKET_DAYS = 90
_RECENT = Group("transactions", ("customer_id", "category"), (Feature("n", Count(last=(BASKET_DAYS,)), definition=""),))


def co_purchase(visible: Visible, spine: pa.Table) -> list[npt.NDArray[np.float64]]:
    """The mean over the customer's basket of P(c | b), and of the lift P(c | b) / P(c); missing without a basket."""
    categories, conditional, lift = visible.everywhere(count_together, _conditions)
    baskets = _baskets(visible, categories)
    entities = spine["customer_id"].combine_chunks().dictionary_encode()
    held = index(entities.dictionary, baskets.owners)
    row, column = entities.indices.to_numpy(), index(spine["category"], categories)
    known = (held >= 0)[row] & (column >= 0)
    if not known.any():
        return [np.full(spine.num_rows, np.nan) for _ in (conditional, lift)]
    some = baskets.matrix[np.maximum(held, 0)]
    size = np.maximum(np.diff(some.indptr), 1)[:, None]
    return [np.where(known, ((some @ weights) / size)[row, column], np.nan) for weights in (conditional, lift)]


def count_together(visible: Visible) -> pa.Table:
    """Customers by pairs of categories in their baskets; a category with itself: who has it; neither: who has any.

    Columns `category` and `other` (strings, missing in the row that counts all), and `n` (int64).
    """
    pairs = visible.measure(_RECENT)
    categories = pa.array(sorted(pc.unique(pairs["category"]).drop_null().to_pylist()), pa.string())
    baskets = _baskets(visible, categories)
    counts = (baskets.matrix.T @ baskets.matrix).tocoo()
    nothing = pa.nulls(1, pa.string())
    return pa.table(
        {
            "category": pa.concat_arrays([categories.take(pa.array(counts.row)), nothing]),
            "other": pa.concat_arrays([categories.take(pa.array(counts.col)), nothing]),
            "n": pa.array(np.append(counts.data, len(baskets.owners)).astype(np.int64)),
        }
    )


@dataclass(frozen=True)
class _Baskets:
    """Who has what: `matrix` (owners, categories) is 1 where the owner bought the category lately."""

    owners: pa.Array
    matrix: sparse.csr_array


def _baskets(visible: Visible, categories: pa.Array) -> _Baskets:
    pairs = visible.measure(_RECENT)
    pairs = pairs.filter(pc.and_(pc.greater(pairs["n"], 0), pc.is_in(pairs["category"], categories)))
    customers = pairs["customer_id"].combine_chunks().dictionary_encode()
    row, column = customers.indices.to_numpy(), index(pairs["category"], categories)
    shape = (len(customers.dictionary), len(categories))
    matrix = sparse.csr_array((np.ones(len(row), np.float64), (row, column)), shape=shape)
    matrix.sort_indices()
    return _Baskets(customers.dictionary, matrix)


def _conditions(counted: pa.Table) -> tuple[pa.Array, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The categories in order, and P(c | b) and the lift, by b and c (categories, categories)."""
    of_all = pc.is_null(counted["category"])
    customers = pc.sum(counted.filter(of_all)["n"]).as_py() or 0
    counted = counted.filter(pc.invert(of_all))
    categories = pa.array(sorted(pc.unique(counted["category"]).to_pylist()), pa.string())
    together = np.zeros((len(categories), len(categories)))
    together[index(counted["category"], categories), index(counted["other"], categories)] = counted["n"].to_numpy()
    alone = np.maximum(np.diag(together), 1.0)
    conditional = together / alone[:, None]
    return categories, conditional, conditional / (alone / max(customers, 1))[None, :]


def index(values: pa.Array | pa.ChunkedArray, among: pa.Array) -> npt.NDArray[np.int64]:
    """Position of each value in `among`, -1 where it is not there."""
    return np.asarray(pc.fill_null(pc.index_in(values, among), -1), np.int64)
