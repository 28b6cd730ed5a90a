"""The share of contacts that a customer answers, drawn towards that of all where few contacts say little.

Contacts that were held out do not count: nothing was said.

(responses + strength x mean) / (contacts + strength): the mean of a Beta prior with the mean of everybody, worth
`STRENGTH` contacts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...language.declarations import Column, Count, Distinct, Feature, Group, Visible
from ..aligned import aligned

CUSTOMER = ("customer_id",)
MADE = Column("made") == True  # noqa: E712
STRENGTH = 5.0
_CONTACTS = Group("contacts", CUSTOMER, (Feature("contacts", Count(where=MADE), definition=""),))
_ANSWERS = Group("responses", CUSTOMER, (Feature("answers", Distinct(column="contact_id"), definition=""),))


def shrunk_response_rate(visible: Visible, spine: pa.Table) -> list[npt.NDArray[np.float64]]:
    """The rate of each row's customer; missing while nobody was contacted."""
    mean = visible.everywhere(count_contacts, _mean)
    if mean is None:
        return [np.full(spine.num_rows, np.nan)]
    contacts, answers = (np.nan_to_num(aligned(visible.measure(group), name, spine)) for name, group in _KINDS.items())
    return [(answers + STRENGTH * mean) / (np.maximum(contacts, answers) + STRENGTH)]


def count_contacts(visible: Visible) -> pa.Table:
    """Contacts and answered contacts in all: `kind` (string), `n` (int64)."""
    totals = [int(pc.sum(visible.measure(group)[name]).as_py() or 0) for name, group in _KINDS.items()]
    return pa.table({"kind": list(_KINDS), "n": pa.array(totals, pa.int64())})


def _mean(counted: pa.Table) -> float | None:
    """The rate of all customers together; None while nobody was contacted."""
    totals = {kind: sum(counted.filter(pc.equal(counted["kind"], kind))["n"].to_pylist()) for kind in _KINDS}
    return min(totals["answers"] / totals["contacts"], 1.0) if totals["contacts"] else None


_KINDS = {"contacts": _CONTACTS, "answers": _ANSWERS}
