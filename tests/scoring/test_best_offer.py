"""The best offer for winning a customer back, from offers that were drawn by lot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from hand_made import at, bought, company

from rapport.config import Config, WinbackConfig
from rapport.data.dataset import Dataset
from rapport.data.engine import DuckDBEngine
from rapport.scoring.best_offer import NAMES, BestOffers, Trials, best_by_cause
from rapport.scoring.job import Job
from rapport.tasks import declare


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(memory_limit="500MB", threads=1) as opened:
        yield opened


KINDS = (object, object, bool)
WORD, THIRD = "without a discount", "30% off"


def trials(adds: dict[tuple[str, str], float], each: int = 400, seed: int = 0) -> Trials:
    """`each` customers a cause and arm, who bring 10 with a spread of 10 and, with an offer, so much more."""
    rng = np.random.default_rng(seed)
    parts = [
        (cause, offer, treated, rng.normal(10 + adds[cause, offer] * treated, 10, each))
        for cause, offer in adds
        for treated in (True, False)
    ]
    repeated = ([part[k] for part in parts for _ in range(each)] for k in range(3))
    cause, offer, treated = (np.array(values, kind) for values, kind in zip(repeated, KINDS, strict=True))
    worth = np.concatenate([part[3] for part in parts])
    return Trials(cause, offer, treated, worth, np.full(len(worth), 0.5))


def test_each_cause_gets_the_offer_that_adds_most_after_its_cost() -> None:
    found = best_by_cause(
        trials({("unmet", WORD): 20.0, ("unmet", THIRD): 8.0, ("bought", WORD): 1.0, ("bought", THIRD): 15.0})
    )
    unmet, bought_away = found["unmet"], found["bought"]
    assert unmet is not None
    assert bought_away is not None
    assert (unmet.offer, bought_away.offer) == (WORD, THIRD)
    assert unmet.low < 19.5 < unmet.high
    assert unmet.adds == pytest.approx(19.5, abs=1.5)  # 20, less the cost of half a unit


def test_an_offer_that_adds_nothing_is_not_named() -> None:
    assert set(best_by_cause(trials({("unmet", WORD): 0.0, ("bought", WORD): 0.4})).values()) == {None}


def test_causes_stated_by_few_are_drawn_towards_everybody() -> None:
    many, few = trials({("unmet", WORD): 5.0}), trials({("moved", WORD): 60.0}, each=31, seed=1)
    joined = Trials(*(np.concatenate((getattr(many, name), getattr(few, name))) for name in vars(many)))
    found = best_by_cause(joined)
    moved = found["moved"]
    assert moved is not None
    assert 5.0 < moved.adds < 62.0
    alone = best_by_cause(trials({("moved", WORD): 60.0}, each=29, seed=1))
    assert set(alone.values()) == {None}  # too few to say anything of them, or of all


def test_who_agrees_is_not_surer_than_all_together() -> None:
    same = {(cause, WORD): 5.0 for cause in ("a", "b", "c")}
    found = best_by_cause(trials(same))
    everybody = found[""]
    assert everybody is not None
    for cause in "abc":
        one = found[cause]
        assert one is not None
        assert one.high - one.low >= 0.99 * (everybody.high - everybody.low)


# ------------------------------------------------------------------------------------------- from tables
CAMPAIGN = at("2024-03-01")
TASK = declare("winback", WinbackConfig(silent_for=30, horizon=30))


def shop(engine: DuckDBEngine, *, kind: str = "winback") -> Dataset:
    """200 lost customers, all drawn for one campaign; half are held out; who got 30 % off came back and spent 40."""
    rows: list[Any] = [bought(n, "2023-12-01") for n in range(200)]
    rows += [bought(n, "2024-03-10", amount=Decimal(39 + n % 3)) for n in range(0, 100, 2)]
    contacts = [
        {
            "contact_id": n,
            "customer_id": n,
            "at": CAMPAIGN + timedelta(hours=1),
            "known_at": CAMPAIGN,
            "starts_at": CAMPAIGN,
            "campaign_kind": kind,
            "offer_id": 1 if n % 2 == 0 else 2,
            "treated": n < 100,
        }
        for n in range(200)
    ]
    offers = [{"offer_id": 1, "discount": Decimal("0.3")}, {"offer_id": 2, "discount": Decimal(0)}]
    return company(transactions=rows, contacts=contacts, offers=offers).dataset(engine)


def found(data: Dataset, day: str) -> BestOffers:
    raw = {"name": "made_up", "time_zone": "UTC", "sources": {}, "tables": {}, "tasks": {"winback": {}}}
    job = SimpleNamespace(task="winback", cutoff=at(day))
    return BestOffers.of(replace(data, config=Config.model_validate(raw)), TASK, cast(Job, job))


ROWS = pa.table({"entity_id": [1, 2, 3], "reason_1": ["", "", ""]})


def test_the_offer_that_won_customers_back_stands_beside_every_row(engine: DuckDBEngine) -> None:
    rows = found(shop(engine), "2024-03-31").beside(ROWS)
    assert rows["best_offer"].to_pylist() == [THIRD] * 3
    assert rows["best_offer_adds"].to_numpy() == pytest.approx(40, abs=0.5)
    assert rows.column_names == ["entity_id", *NAMES, "reason_1"]


def test_before_the_horizon_of_the_trial_has_ended_nothing_is_known_of_it(engine: DuckDBEngine) -> None:
    """The last purchase of the trial lies 9 days after its beginning: only the horizon decides."""
    assert found(shop(engine), "2024-03-30").beside(ROWS) is ROWS


def test_an_offer_that_was_never_made_is_never_the_best(engine: DuckDBEngine) -> None:
    data = shop(engine)
    half_off = [{"offer_id": 1, "discount": Decimal("0.3")}, {"offer_id": 3, "discount": Decimal("0.5")}]
    engine.add_table("offers", company(offers=half_off).tables["offers"])
    rows = found(data, "2024-03-31").beside(ROWS)
    assert rows["best_offer"].to_pylist() == [THIRD] * 3  # what is drawn and not described is known by its id alone
    assert rows["best_offer_adds"].to_numpy() == pytest.approx(40, abs=0.5)


def test_offers_of_other_campaigns_say_nothing_of_winning_back(engine: DuckDBEngine) -> None:
    assert found(shop(engine, kind="retention"), "2024-05-01").beside(ROWS) is ROWS


def test_without_contacts_there_is_no_best_offer(engine: DuckDBEngine) -> None:
    data = company(transactions=[bought(1, "2024-01-01")]).dataset(engine)
    assert found(data, "2024-05-01").beside(ROWS) is ROWS
