"""What is to be expected of those whom a customer will bring."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hand_made import at, bought, company

from rapport.config import ValueConfig
from rapport.data.engine import DuckDBEngine
from rapport.features.snapshot import Snapshots
from rapport.tasks import declare

NOW = at("2024-06-01")
TASK = declare("value", ValueConfig())
BRING = {1: 6, 2: 3, 3: 1, 4: 1, 5: 2, 6: 1}


def references(engine: DuckDBEngine, bring: dict[int, int], *, spend: int = 20) -> dict[int, float]:
    """60 customers who come at random and may leave; `bring` says how many newcomers each brought, who buy twice."""
    rng = np.random.default_rng(0)
    rows, people, newcomer = [], [], 1_000
    for n in range(1, 61):
        when, last = at("2023-06-01"), NOW - timedelta(days=1)
        while when < last:
            rows.append(bought(n, when.isoformat(), amount=Decimal(5)))
            if rng.random() < 0.15 and n > len(BRING):
                break
            when += timedelta(days=rng.exponential(30 if n % 3 else 90))
        people.append({"customer_id": n, "acquired_at": at("2023-06-01"), "referred_by": None})
        for k in range(bring.get(n, 0)):
            newcomer += 1
            came = at("2023-09-01") + timedelta(days=20 * k)
            people.append({"customer_id": newcomer, "acquired_at": came, "referred_by": n})
            rows += [
                bought(newcomer, (came + timedelta(days=d)).isoformat(), amount=Decimal(spend)) for d in (0, 30 + k)
            ]
    data = company(transactions=rows, customers=people).dataset(engine)
    snapshots = Snapshots(data, TASK, blocks=["references"])
    table = snapshots.features(snapshots.population([NOW], with_target=False))
    return dict(
        zip(table["customer_id"].to_pylist(), np.array(table["reference_spend"].to_pylist(), float), strict=True)
    )


def test_who_brought_more_will_bring_more_and_who_brought_nobody_a_little(engine: DuckDBEngine) -> None:
    found = references(engine, BRING)
    assert found[1] > found[2] > found[3] > found[7] > 0


def test_twice_the_money_is_twice_the_worth(engine: DuckDBEngine) -> None:
    once, twice = references(engine, BRING), references(engine, BRING, spend=40)
    assert twice[1] == pytest.approx(2 * once[1], rel=1e-9)


def test_where_nobody_was_brought_nothing_is_known(engine: DuckDBEngine) -> None:
    assert np.isnan(list(references(engine, {}).values())).all()
