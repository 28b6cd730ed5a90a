"""What shows a trait of loyalty, and is not known before enough was seen of it.

Over how many lines and categories somebody spreads his items says little of who bought a few of them, how often he
complains of failures little of who met one or two, and how often he only comes to look little of who bought a few
times: below `FEWEST_ITEMS`, `FEWEST_FAILURES` and `FEWEST_PURCHASES` these are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ...language.declarations import (
    Block,
    Column,
    Count,
    EffectiveNumber,
    Feature,
    Fitted,
    Group,
    Measure,
    Visible,
    Visits,
)
from ..aligned import aligned

CUSTOMER = ("customer_id",)
FEWEST_ITEMS, FEWEST_FAILURES, FEWEST_PURCHASES = 10, 5, 20
_KIND = Column("kind")
Compute = Callable[[Visible, pa.Table], Sequence[npt.NDArray[np.float64]]]


def _group(table: str, **measures: Measure) -> Group:
    return Group(table, CUSTOMER, tuple(Feature(name, what, definition="") for name, what in measures.items()))


def _spread(column: str) -> Compute:
    group = _group("transactions", spread=EffectiveNumber(column=column), items=Count())

    def compute(visible: Visible, spine: pa.Table) -> list[npt.NDArray[np.float64]]:
        measured = visible.measure(group)
        spread, items = (aligned(measured, name, spine) for name in ("spread", "items"))
        return [np.where(items >= FEWEST_ITEMS, spread, np.nan)]

    return compute


_TROUBLE = _group(
    "interactions", failures=Count(where=_KIND == "failure"), complaints=Count(where=_KIND == "complaint")
)


def _complaint_share(visible: Visible, spine: pa.Table) -> list[npt.NDArray[np.float64]]:
    measured = visible.measure(_TROUBLE)
    failures, complaints = (aligned(measured, name, spine) for name in ("failures", "complaints"))
    enough = failures >= FEWEST_FAILURES
    return [np.where(enough, complaints / np.where(enough, failures, 1.0), np.nan)]


_LOOKS = _group("interactions", looks=Count(where=_KIND == "visit"))
_PURCHASES = _group("transactions", purchases=Visits())


def _looks(visible: Visible, spine: pa.Table) -> list[npt.NDArray[np.float64]]:
    """Who never came to look, where others did, has none; where nobody did, such visits are not written down."""
    if not visible.everywhere(_count_looks, _any):
        return [np.full(spine.num_rows, np.nan)]
    looks = np.nan_to_num(aligned(visible.measure(_LOOKS), "looks", spine))
    purchases = aligned(visible.measure(_PURCHASES), "purchases", spine)
    enough = purchases >= FEWEST_PURCHASES
    return [np.where(enough, looks / np.where(enough, purchases, 1.0), np.nan)]


def _count_looks(visible: Visible) -> pa.Table:
    looks = int(np.nansum(visible.measure(_LOOKS)["looks"].to_numpy().astype(np.float64)))
    return pa.table({"kind": ["visit"], "n": [looks]})


def _any(counted: pa.Table) -> bool:
    return bool((counted["n"].to_numpy() > 0).any())


def _spread_feature(plural: str) -> Feature:
    return Feature(
        f"spread_of_{plural}_life",
        None,
        definition=f"over how many {plural} items spread so far (e to their entropy), from {FEWEST_ITEMS} items on",
        unit="count",
        family="variety of products",
        words=f"spread his items over some {{value}} {plural} so far; typically {{typical}}",
    )


BLOCK = Block(
    "traits",
    fitted=(
        Fitted(CUSTOMER, (_spread_feature("categories"),), (("transactions", ("category",)),), _spread("category")),
        Fitted(CUSTOMER, (_spread_feature("lines"),), (("transactions", ("line",)),), _spread("line")),
        Fitted(
            CUSTOMER,
            (
                Feature(
                    "complaints_per_failure",
                    None,
                    definition=f"complaints for each failure that he met so far, from {FEWEST_FAILURES} failures on",
                    unit="",
                    family="patience with failures",
                    words="complained {value} times for each failure that he met; typically {typical}",
                ),
            ),
            (("interactions", ("kind",)),),
            _complaint_share,
        ),
        Fitted(
            CUSTOMER,
            (
                Feature(
                    "looks_per_purchase",
                    None,
                    definition=(
                        f"visits without a purchase for each purchase so far, from {FEWEST_PURCHASES} purchases on"
                    ),
                    unit="",
                    family="looking around",
                    words="came to look without buying {value} times for each purchase; typically {typical}",
                ),
            ),
            (("interactions", ("kind",)), ("transactions", ())),
            _looks,
        ),
    ),
)
