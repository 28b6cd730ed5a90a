"""How well a scorecard shows what is planted: rank correlation of each trait with its true strength, on a world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ..models.scorecard import Scorecard
from .evaluate import Interval

if TYPE_CHECKING:
    from ..data.world.truth import Truth

REPLICATES = 200
FEWEST = 30  # customers of whom a trait must be known


def shown(truth: Truth, card: Scorecard, rows: pa.Table, *, seed: int = 0) -> dict[str, tuple[Interval, int]]:
    """By trait: Spearman's correlation with the planted strength, with a 95 % interval, and of how many it is known.

    `rows` (n) have customer_id, one row each, and the card's features. Who lacks the trait does not count; a trait
    that is known of too few is left out.
    """
    from scipy.stats import rankdata

    from ..data.world.ceilings import strengths

    planted, found = strengths(truth, rows["customer_id"]), {}
    rng = np.random.default_rng(seed)
    for name, values in card.outputs(rows).items():
        trait = name.removeprefix("trait_")
        score = np.asarray(values.to_numpy(zero_copy_only=False), float)
        true = planted.get(trait, np.full(len(score), np.nan))
        known = ~np.isnan(score) & ~np.isnan(true)
        n = int(known.sum())
        if n < FEWEST or len(np.unique(score[known])) < 2:
            continue
        a, b = rankdata(score[known]), rankdata(true[known])
        draws = [rng.integers(0, n, n) for _ in range(REPLICATES)]
        low, high = np.quantile([_correlation(a[chosen], b[chosen]) for chosen in draws], (0.025, 0.975)).tolist()
        found[trait] = (Interval(_correlation(a, b), low, high), n)
    return found


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0
