"""What customers with similar purchases buy: the customers' purchases of categories, drawn through few dimensions.

With x the logs of a customer's visits by category, X the matrix of all customers, and V the first right singular
vectors of X, the value is (x V V')_c, as in PureSVD (Cremonesi, Koren & Turrin 2010). V comes from X'X, whose entries
are sums of whole numbers (logs in thousandths): so it can be added up over buckets of customers, in any order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from ...language.declarations import Feature, Group, Visible, Visits
from .co_purchase import index

Floats = npt.NDArray[np.float64]
DIMENSIONS, DAYS = 20, 365
_BOUGHT = Group("transactions", ("customer_id", "category"), (Feature("n", Visits(last=(DAYS,)), definition=""),))
_UNIT = 1000.0


def similar_customers(visible: Visible, spine: pa.Table) -> list[Floats]:
    """The strength of each row's category for its customer; missing without purchases in the last year."""
    categories, projection = visible.everywhere(count_products, _projection)
    owners, bought = _matrix(visible, categories)
    entities = spine["customer_id"].combine_chunks().dictionary_encode()
    held = index(entities.dictionary, owners)
    row, column = entities.indices.to_numpy(), index(spine["category"], categories)
    known = (held >= 0)[row] & (column >= 0)
    if not known.any():
        return [np.full(spine.num_rows, np.nan)]
    strength = (bought[np.maximum(held, 0)] / _UNIT) @ projection
    return [np.where(known, strength[row, column], np.nan)]


def count_products(visible: Visible) -> pa.Table:
    """X'X in millionths: `category`, `other` (strings), `n` (int64)."""
    categories = pc.unique(visible.measure(_BOUGHT)["category"]).drop_null()
    categories = pa.array(sorted(categories.to_pylist()), pa.string())
    _, bought = _matrix(visible, categories)
    gram = (bought.T @ bought).tocoo()
    names = [categories.take(pa.array(index)) for index in (gram.row, gram.col)]
    return pa.table({"category": names[0], "other": names[1], "n": pa.array(gram.data.astype(np.int64))})


def _matrix(visible: Visible, categories: pa.Array) -> tuple[pa.Array, sparse.csr_array]:
    """The customers at hand, and the logs of their visits by category in whole thousandths (customers, categories)."""
    pairs = visible.measure(_BOUGHT)
    pairs = pairs.filter(pc.and_(pc.greater(pairs["n"], 0), pc.is_in(pairs["category"], categories)))
    customers = pairs["customer_id"].combine_chunks().dictionary_encode()
    logs = np.rint(np.log1p(pairs["n"].to_numpy().astype(np.float64)) * _UNIT)
    shape = (len(customers.dictionary), len(categories))
    cells = (logs, (customers.indices.to_numpy(), index(pairs["category"], categories)))
    matrix = sparse.csr_array(cells, shape=shape)
    matrix.sort_indices()
    return customers.dictionary, matrix


def _projection(counted: pa.Table) -> tuple[pa.Array, Floats]:
    """The categories in order, and V V' (categories, categories)."""
    categories = pa.array(sorted(pc.unique(counted["category"]).to_pylist()), pa.string())
    gram = np.zeros((len(categories), len(categories)))
    gram[index(counted["category"], categories), index(counted["other"], categories)] = counted["n"].to_numpy()
    if not len(categories):
        return categories, gram
    _, vectors = np.linalg.eigh(gram / _UNIT**2)
    first = vectors[:, -DIMENSIONS:]
    return categories, first @ first.T
