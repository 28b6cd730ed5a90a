"""Compiled kernels that fill tables with contributions.

On the path to a leaf of value v let the m distinct features be j, with z_j the cover ratio of j (the product of the
children's shares of their parents' training rows) and o_j = 1 if the row meets every condition on j, else 0.
Path-dependent TreeSHAP (Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for
trees") weighs the subsets of the path by Shapley's weights, which are integrals of t^s (1-t)^(m-1-s), so that

    phi_f = v (o_f - z_f) * integral over t in [0, 1] of the product over j != f of (t o_j + (1 - t) z_j) dt.

The integrand is a polynomial of degree m - 1: Gauss-Legendre with ceil(m / 2) nodes is exact. It depends on the row
only through the m bits o, hence finite tables: Yang 2021, "Fast TreeSHAP" v2; Nadel & Wettenstein 2025, "Woodelf".
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .tables_program import FILL_TILE, MAX_BITS, MAX_NODES, Quadrature


def gauss_legendre() -> Quadrature:
    """Nodes and weights on [0, 1] for every number of nodes that a key can need."""
    node, weight = np.zeros((MAX_NODES + 1, MAX_NODES)), np.zeros((MAX_NODES + 1, MAX_NODES))
    for q in range(1, MAX_NODES + 1):
        x, w = np.polynomial.legendre.leggauss(q)
        node[q, :q], weight[q, :q] = (x + 1) / 2, w / 2
    return Quadrature(node, weight)


@njit(cache=True, nogil=True)
def fill(keys, leaves, first, count, quadrature, product, meets, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sum the contributions of leaves `first` .. `first + count - 1` for each key, into out (slots, keys)."""
    for low in range(0, keys.shape[0], FILL_TILE):
        n = min(FILL_TILE, keys.shape[0] - low)
        key = keys[low : low + n]
        for slot in range(out.shape[0]):
            out[slot, low : low + n] = 0.0
        for leaf in range(first, first + count):
            start = leaves.start[leaf]
            m = leaves.start[leaf + 1] - start
            q = (m + 1) >> 1
            for k in range(q):
                product[k, :n] = quadrature.weight[q, k] * leaves.value[leaf]
            for j in range(m):
                ones, zeros = leaves.ones[start + j], leaves.zeros[start + j]
                z, o = leaves.ratio[start + j], meets[j]
                for i in range(n):
                    o[i] = np.float64(((key[i] ^ ones) & (ones | zeros)) == np.uint32(0))
                for k in range(q):
                    t, g = quadrature.node[q, k], product[k]
                    rest = (1.0 - t) * z
                    for i in range(n):
                        g[i] *= rest + t * o[i]
            for j in range(m):
                z, o, total = leaves.ratio[start + j], meets[j], out[leaves.slot[start + j]]
                for k in range(q):  # (o - z) / (t o + (1 - t) z) is `never` where o = 0, `never + gain` where o = 1
                    t, g = quadrature.node[q, k], product[k]
                    never = -1.0 / (1.0 - t)
                    gain = (1.0 - z) / (t + (1.0 - t) * z) - never
                    for i in range(n):
                        total[low + i] += g[i] * (never + gain * o[i])


@njit(cache=True, nogil=True)
def fill_tables(dense, leaves, quadrature, tables):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Fill tables for all of their keys; `dense` has one line each: bits, offset, slots, first leaf, leaves."""
    product, meets = np.empty((MAX_NODES, FILL_TILE)), np.empty((MAX_BITS, FILL_TILE))
    for entry in range(dense.shape[0]):
        bits, offset, slots, first, count = dense[entry]
        size = 1 << bits
        out = tables[offset : offset + slots * size].reshape(slots, size)
        fill(np.arange(size).astype(np.uint32), leaves, first, count, quadrature, product, meets, out)
