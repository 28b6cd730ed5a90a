"""What is sold: lines of categories, three tiers of rising price and margin, two products each; and what goes together.

A visit has a mission m out of M (a customer's mix W_im) and a plenty E, which is the square of a standard normal number
(of mean 1: most baskets are small, a few are large). Category c is in the basket with probability

    pi_ic = sum over m of W_im [a_imc + (1 - a_imc) (1 - L(e_i G_mc v_ic))],    L(x) = E[exp(-x E)] = 1 / sqrt(1 + 2 x)

with v_ic the customer's interest relative to its mean (population.py; times season and life event), a_imc = A_mc v_ic
normalised over c (the thing he came for) and e_i the extras per visit. Within a mission and a plenty categories are
independent; the mix of missions is what makes them go together (`affinities` gives the lift of each pair for an average
customer).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: line -> category -> price of the lowest tier
CATALOGUE: dict[str, dict[str, float]] = {
    "pantry": {"coffee": 5.2, "pasta": 2.4, "snacks": 3.1, "wine": 7.5},
    "household": {"cleaning": 4.1, "laundry": 6.3, "paper": 3.6, "light": 8.9},
    "beauty": {"skin_care": 9.8, "hair_care": 6.4, "fragrance": 17.0, "make_up": 11.5},
    "fashion": {"basics": 12.0, "outerwear": 32.0, "shoes": 28.0, "accessories": 15.0},
    "home": {"kitchen": 18.0, "bedding": 19.0, "garden": 16.0, "tools": 14.0},
    "media": {"books": 9.9, "games": 18.0, "audio": 22.0, "toys": 14.5},
}
LINES = tuple(CATALOGUE)
CATEGORIES = tuple(category for line in CATALOGUE.values() for category in line)
N_LINES, N_CATEGORIES, N_TIERS, N_VARIANTS, N_MISSIONS = len(LINES), len(CATEGORIES), 3, 2, 6
LINE_OF = np.repeat(np.arange(N_LINES), N_CATEGORIES // N_LINES)
TIER_PRICE = (1.0, 1.45, 2.2)
TIER_MARGIN = (0.22, 0.30, 0.38)


#: the catalogue as the compiled step reads it
RANGE = np.dtype(
    [
        ("price", np.float64, (N_CATEGORIES, N_TIERS, N_VARIANTS)),  # money, before inflation
        ("margin", np.float64, (N_TIERS,)),  # share of the price
        ("anchor", np.float64, (N_MISSIONS, N_CATEGORIES)),  # A_mc
        ("extras", np.float64, (N_MISSIONS, N_CATEGORIES)),  # G_mc, of sum 1 over c
        ("line_of", np.int64, (N_CATEGORIES,)),
    ]
)


def product_range() -> NDArray[Any]:
    """The catalogue as an array of one RANGE record; the same in every world."""
    base = np.array([price for line in CATALOGUE.values() for price in line.values()])
    variants = np.array([0.94, 1.08])
    price = np.round(base[:, None, None] * np.array(TIER_PRICE)[None, :, None] * variants, 2)
    anchor = np.full((N_MISSIONS, N_CATEGORIES), 0.15)
    extras = np.full((N_MISSIONS, N_CATEGORIES), 0.25)
    for mission in range(N_MISSIONS):
        # a mission goes to one line, and takes things along from a part of the next but one
        for category in range(N_CATEGORIES):
            if LINE_OF[category] == mission:
                anchor[mission, category] = 1.0
                extras[mission, category] = 2.2
            elif LINE_OF[category] == (mission + 2) % N_LINES and category % 4 in (mission % 4, (mission + 1) % 4):
                extras[mission, category] = 2.6
    goods = np.zeros(1, RANGE)
    goods["price"], goods["margin"], goods["anchor"], goods["line_of"] = price, TIER_MARGIN, anchor, LINE_OF
    goods["extras"] = extras / extras.sum(axis=1, keepdims=True)
    return goods


def product_table() -> pa.Table:
    """The contract's table `products`."""
    price = product_range()["price"][0]
    rows = [(c, t, v) for c in range(N_CATEGORIES) for t in range(N_TIERS) for v in range(N_VARIANTS)]
    return pa.table(
        {
            "product_id": pa.array([product_id(c, t, v) for c, t, v in rows], pa.int64()),
            "category": [CATEGORIES[c] for c, _, _ in rows],
            "line": [LINES[LINE_OF[c]] for c, _, _ in rows],
            "tier": pa.array([t + 1 for _, t, _ in rows], pa.int64()),
            "price": [float(price[c, t, v]) for c, t, v in rows],
            "margin_rate": [TIER_MARGIN[t] for _, t, _ in rows],
        }
    )


def product_id(category: int, tier: int, variant: int) -> int:
    """The id of a product: 1 and up, in the order of categories, tiers, variants."""
    return (category * N_TIERS + tier) * N_VARIANTS + variant + 1


def left_out(x: Floats) -> Floats:
    """L(x): probability that what comes along with the intensity x does not, over the plenty of visits."""
    return np.asarray(1 / np.sqrt(1 + 2 * x))


def affinities(extras: float) -> pa.Table:
    """True lift of each pair of categories in the baskets of an average customer: P(c and d) / (P(c) P(d))."""
    goods = product_range()[0]
    anchor = goods["anchor"] / goods["anchor"].sum(axis=1, keepdims=True)
    x = extras * goods["extras"]
    along = 1 - left_out(x)
    inside = anchor + (1 - anchor) * along
    # both: one is the anchor and the other comes along, or both come along
    both = anchor[:, :, None] * along[:, None, :] + along[:, :, None] * anchor[:, None, :]
    together = along[:, :, None] + along[:, None, :] - 1 + left_out(x[:, :, None] + x[:, None, :])
    both += (1 - anchor[:, :, None] - anchor[:, None, :]) * together
    joint, single = both.mean(axis=0), inside.mean(axis=0)
    lift = joint / np.outer(single, single)
    first, second = np.triu_indices(N_CATEGORIES, 1)
    names = np.array(CATEGORIES)
    return pa.table({"category": names[first], "other": names[second], "lift": lift[first, second]})
