"""How a model treats the groups of an attribute: who is flagged, who is found, who is flagged in vain.

Four figures a group, each with an interval by bootstrap over entities and with its distance from all other rows
together, on the same draws. *Flagged* are the highest scores of the test, a fifth of all rows.

- `flagged`: share of the group's rows that are flagged (statistical parity)
- `found`: of its positives (equality of opportunity: Hardt, Price & Srebro 2016)
- `false_alarms`: of its negatives (with `found`: equalised odds)
- `overstated`: mean probability less the share of positives (calibration within groups: Kleinberg et al. 2016)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..explain.review import FairGroup, Figure
from ..explain.review_words import joined
from .attributes import FEWEST, MISSING, Grouped, unknown_alike
from .material import Floats
from .metrics.counts import encode
from .resample import draws

FLAGGED = 0.2  # of all test rows
REPLICATES = 500
Name = Literal["flagged", "found", "false_alarms", "overstated"]
NAMES: tuple[Name, ...] = get_args(Name)
# Each figure is a quotient of two sums over rows: the columns of `_sums`.
_ROWS, _POSITIVES, _NEGATIVES, _FLAGGED, _FOUND, _ALARMS, _OVER = range(7)
_QUOTIENT = {
    "flagged": (_FLAGGED, _ROWS),
    "found": (_FOUND, _POSITIVES),
    "false_alarms": (_ALARMS, _NEGATIVES),
    "overstated": (_OVER, _ROWS),
}


def fairness(
    attributes: Sequence[Grouped], probability: Floats, target: Floats, entities: Any, *, seed: int = 0
) -> tuple[FairGroup, ...]:
    """The figures of every group of every attribute; `probability`, `target` and `entities` are (n,) of the test.

    Groups "not known" of several attributes that are the same rows are one.
    """
    if not attributes:
        return ()
    entity, number = encode(entities, "entities")
    flagged = _highest(probability)
    values = np.stack(
        [np.ones(len(target)), target, 1 - target, flagged, flagged * target, flagged * (1 - target),
         probability - target], axis=1,
    )  # fmt: skip
    alike = unknown_alike(attributes)
    found = []
    for attribute in attributes:
        groups = len(attribute.names)
        by_entity: Floats = np.stack(
            [
                np.bincount(entity * groups + attribute.code, column, number * groups).astype(np.float64)
                for column in values.T
            ],
            axis=1,
        ).reshape(number, groups, -1)
        drawn = np.concatenate(
            [np.einsum("re,egc->rgc", often, by_entity, optimize=True) for often in draws(number, REPLICATES, 1, seed)]
        )
        exact = by_entity.sum(axis=0)
        for code, name in enumerate(attribute.names):
            together = alike[attribute.attribute] if name == MISSING else (attribute.attribute,)
            if not together:
                continue
            rows, positives = int(exact[code, _ROWS]), int(exact[code, _POSITIVES])
            happened = positives / max(rows, 1)
            found.append(
                FairGroup(
                    attribute.attribute,
                    name if len(together) == 1 else f"{name} (the same rows by {joined(list(together[1:]))})",
                    rows,
                    positives,
                    promised=float(happened + exact[code, _OVER] / max(rows, 1)),
                    happened=happened,
                    figures=_figures(exact, drawn, by_entity, code)
                    if min(positives, rows - positives) >= FEWEST
                    else (),
                )
            )
    return tuple(found)


def spreads(groups: Sequence[FairGroup]) -> dict[str, float]:
    """For MLflow: the largest less the smallest value of each figure, over the groups of each attribute."""
    values: dict[str, list[float]] = {}
    for group in groups:
        for figure in group.figures:
            values.setdefault(f"fairness.{group.attribute.replace(' ', '_')}.{figure.name}_spread", []).append(
                figure.value
            )
    return {name: max(found) - min(found) for name, found in values.items() if len(found) > 1}


def _highest(probability: Floats) -> Floats:
    """1 for the fifth of all rows with the highest scores; ties at its edge are all in or all out, as is nearer."""
    edge = np.quantile(probability, 1 - FLAGGED, method="inverted_cdf")
    above, with_edge = probability > edge, probability >= edge
    nearer = abs(above.mean() - FLAGGED) < abs(with_edge.mean() - FLAGGED) and above.any()
    return (above if nearer else with_edge).astype(np.float64)


def _figures(exact: Floats, drawn: Floats, by_entity: Floats, code: int) -> tuple[Figure, ...]:
    """The figures of one group, from sums `exact` (g, c), `drawn` (replicates, g, c) and `by_entity` (e, g, c)."""
    figures = []
    others = exact.sum(axis=0) - exact[code]
    others_drawn = drawn.sum(axis=1) - drawn[:, code]
    for name in NAMES:
        top, below = _QUOTIENT[name]
        value, around = _over(exact[code, top], exact[code, below]), _over(drawn[:, code, top], drawn[:, code, below])
        rest = _over(others[top], others[below])
        gaps = around - _over(others_drawn[:, top], others_drawn[:, below])
        low, high = _band(around)
        gap_low, gap_high = _band(gaps)
        if name != "overstated" and value in (0, 1) and gap_low is not None and gap_high is not None:
            slack = _unseen(int((by_entity[:, code, below] > 0).sum()))
            low, high = (0.0, slack) if value == 0 else (1 - slack, 1.0)
            gap_low, gap_high = (gap_low, gap_high + slack) if value == 0 else (gap_low - slack, gap_high)
        known = np.isfinite(rest) and gap_low is not None
        gap = {"gap": float(value - rest), "gap_low": gap_low, "gap_high": gap_high} if known else {}
        figures.append(Figure(name, float(value), low, high, **gap))
    return tuple(figures)


def _unseen(n: int) -> float:
    """The largest share of which nothing is seen among n entities, once in 40 times (Clopper & Pearson 1934).

    Where none or all are counted, every bootstrap sample says the same: its interval would have no width.
    """
    return float(1 - 0.025 ** (1 / max(n, 1)))


def _over(top: Any, below: Any) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(below) > 0, np.asarray(top) / np.asarray(below), np.nan)


def _band(values: Floats) -> tuple[float | None, float | None]:
    known = values[np.isfinite(values)]
    if len(known) < len(values) / 2:
        return None, None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
