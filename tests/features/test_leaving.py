"""What happened about the last visit, by hand."""

from __future__ import annotations

from math import exp

import pytest
from hand_made import at, bought, company

from rapport.config import ChurnConfig
from rapport.data.engine import DuckDBEngine
from rapport.features.snapshot import Snapshots
from rapport.tasks import declare

NOW = at("2024-06-01")
TASK = declare("churn", ChurnConfig(active_within=200))


def happened(customer: int, when: str, kind: str) -> dict[str, object]:
    return {"customer_id": customer, "at": at(when), "kind": kind}


def test_closeness_to_the_last_visit_fades_and_what_came_after_is_told_apart(engine: DuckDBEngine) -> None:
    data = company(
        transactions=[bought(n, f"2024-03-{day:02}") for n in (1, 2, 3) for day in (1, 31)],
        interactions=[
            happened(1, "2024-03-01", "failure"),  # thirty days before the last visit
            happened(2, "2024-03-31 08:00", "failure"),  # on its day, after it
            happened(2, "2024-04-10", "complaint"),
            happened(2, "2024-07-10", "complaint"),  # not known yet
        ],
    ).dataset(engine)
    snapshots = Snapshots(data, TASK, blocks=["leaving"])
    one, two, three = snapshots.features(snapshots.population([NOW], with_target=False)).to_pylist()
    assert one["failure_at_last_visit_30d"] == pytest.approx(exp(-1))
    assert one["failure_at_last_visit_90d"] == pytest.approx(exp(-1 / 3))
    assert (two["failure_at_last_visit_30d"], two["failure_since_last_visit"]) == (1.0, 0.0)
    assert (two["complaint_at_last_visit_30d"], two["complaint_since_last_visit"]) == (1.0, 1.0)
    assert {value for name, value in three.items() if "last_visit" in name} == {0.0}
