"""What a first stage of candidates would keep: of the offers that were bought, how many a short list of a rule has.

A two-stage ranker first draws candidates for each customer (popular, personal, bought together) and ranks only those.
With some hundred categories all of them are ranked here, which loses nothing; these shares say what a first stage would
lose, and so from which number of products on it pays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .metrics.counts import FloatArray, encode

Mask = npt.NDArray[np.bool_]
UNION = "all"


def in_short_list(score: FloatArray, lists: Any, size: int) -> Mask:
    """True (n,) for the first `size` rows of each list by score; equal scores in the order of the rows."""
    code, _ = encode(lists)
    order = np.lexsort((np.arange(len(code)), -score, code))
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    kept = np.zeros(len(order), np.bool_)
    kept[order] = place < size
    return kept


def candidate_recall(
    target: FloatArray, sources: Mapping[str, FloatArray], lists: Any, size: int = 20
) -> dict[str, tuple[float, float]]:
    """For each source and all together: the share of positives that are candidates, and the share of rows that are.

    `target` (n,) of 0 and 1, `sources` scores (n,) by name, `lists` (n,) the list of each row. The share of positives
    is a mean over lists that have one, nan where none has.
    """
    code, number = encode(lists)
    bought = np.bincount(code, target, number)
    masks = {name: in_short_list(score, lists, size) for name, score in sources.items()}
    masks[UNION] = np.logical_or.reduce(list(masks.values()))
    found = {}
    for name, mask in masks.items():
        caught = np.bincount(code, target * mask, number)
        some = bought > 0
        share = float(np.mean(caught[some] / bought[some])) if some.any() else float("nan")
        found[name] = (share, float(mask.mean()))
    return found
