"""How well the best customers of tomorrow are named today: capture, and the rates of the 20-55 and 80-15 rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .counts import FloatArray, as_floats, sort_blocks
from .ranking import cumulative_gain


def capture(amount: Any, score: Any, share: float = 0.2) -> float:
    """Share of the total amount (later purchases, sales, margin) that the top `share` of rows by score makes.

    The cumulative gain of an amount; the oracle is the capture of the amount ranked by itself. nan where the total
    is zero; a constant score captures `share`.
    """
    return cumulative_gain(amount, score, share)


@dataclass(frozen=True)
class TopMisses:
    """The rates of Malthouse and Blattberg (2005), "Can we predict customer lifetime value?".

    `missed_top`: of the truly best 20 %, the share that was not predicted there (they found about 55 %: the 20-55
    rule). `false_top`: of the other 80 %, the share that was predicted to be best (about 15 %: the 80-15 rule).
    """

    missed_top: float
    false_top: float


def top_misses(amount: Any, score: Any, share: float = 0.2) -> TopMisses:
    """Who was wrongly left out of the predicted top, and who was wrongly put there.

    With top memberships m (predicted) and t (true), each summing to share * n: missed_top = 1 - sum(m t) / (share n),
    false_top = sum(m (1 - t)) / ((1 - share) n). Rows tied at the border share the places that are left evenly.
    For a random score missed_top is 1 - share and false_top is share.
    """
    if not 0 < share < 1:
        raise ValueError(f"share: the top is a part of the rows in (0, 1); this is {share:g}")
    truth, predicted = as_floats(amount, "amount"), as_floats(score, "score")
    both = float(_membership(truth, share) @ _membership(predicted, share))
    size = share * len(truth)
    return TopMisses(missed_top=1 - both / size, false_top=(size - both) / (len(truth) - size))


def _membership(values: FloatArray, share: float) -> FloatArray:
    """How far each row belongs to the top `share`, (n,): 1, 0, or the part that is left for the ties at the border."""
    blocks = sort_blocks(np.zeros(len(values)), values)
    counts = blocks.count()
    room = share * len(values) - (counts.rows_above[0] - counts.rows[0])
    part: FloatArray = np.clip(room / counts.rows[0], 0, 1)
    return part[blocks.of_row]
