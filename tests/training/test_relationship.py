"""Quality of the relationship month by month: a planted fall is flagged soon, and hardly anything else ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from math import comb
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_project import write_project

from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.registry.versions import load
from rapport.scoring.batch import score
from rapport.training.computed import DrawnUp, draw_up
from rapport.training.relationship import chart

ALPHA = 0.0005
DAYS = [str(month) for month in range(30)]
REGIONS = ("north", "south", "west")
BEGIN, END, FALL = datetime(2023, 1, 1), datetime(2024, 7, 1), datetime(2024, 4, 5)


def series(rng: np.random.Generator, factor: float = 1.0, since: int = 99) -> dict[str, tuple[float, float]]:
    """Some 150 visits a month, of which one in twenty brings trouble, and every other trouble a complaint besides."""
    found = {}
    for month, day in enumerate(DAYS):
        visits = rng.poisson(150)
        failures = rng.binomial(visits, 0.05 * (factor if month >= since else 1.0))
        found[day] = (float(visits), float(failures + rng.binomial(failures, 0.5)))
    return found


def test_a_fall_is_flagged_within_two_months_and_false_flags_are_rare() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        months = chart(DAYS, series(rng, 4.0, since=20), alpha=ALPHA)
        assert any(month.flagged for month in months[20:22])
        assert not any(month.flagged for month in months[:20])
    calm = [chart(DAYS, series(rng), alpha=ALPHA) for _ in range(200)]
    judged = sum(month.usual is not None for months in calm for month in months)
    flags = sum(month.flagged for months in calm for month in months)
    assert judged == 200 * (len(DAYS) - 6)
    assert flags / judged * 12 * 7 < 0.5  # false flags a year of seven groups


def test_a_month_by_hand() -> None:
    """Six months of 100 visits and 4 troubles, then 18: in pairs, P(X >= 9) of X ~ Binomial(9 + 12, 1/7) = 0.0016."""
    counts = dict.fromkeys("abcdef", (100.0, 4.0)) | {"g": (100.0, 18.0)}
    by_hand = sum(comb(21, k) * 6 ** (21 - k) for k in range(9, 22)) / 7**21
    *before, last = chart(list("abcdefg"), counts, alpha=by_hand * 1.001)
    assert [month.usual for month in before] == [None] * 6
    assert last.usual == pytest.approx(0.04)
    assert last.flagged
    assert not chart(list("abcdefg"), counts, alpha=by_hand * 0.999)[-1].flagged


def test_what_was_flagged_is_not_usual_later() -> None:
    counts = dict.fromkeys("abcdef", (100.0, 4.0)) | dict.fromkeys("ghi", (100.0, 40.0))
    months = chart(list("abcdefghi"), counts, alpha=ALPHA)
    assert [month.flagged for month in months[6:]] == [True] * 3
    assert months[-1].usual == pytest.approx(0.04)


def spelled(who: int) -> str:
    """The region of a customer; now and then it is typed in otherwise."""
    region = REGIONS[who % 3]
    return region.upper() if who % 7 == 0 else f" {region}" if who % 11 == 0 else region


def tables() -> dict[str, Any]:
    """Customers of three regions come each week; from the fall on, service in the west is ten times as bad."""
    rng = np.random.default_rng(1)
    bought: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    for who in range(120):
        when = BEGIN + timedelta(days=float(rng.uniform(0, 7)))
        while when < END:
            bought.append({"customer_id": who, "at": when, "amount": 5.0})
            worse = 10 if REGIONS[who % 3] == "west" and when > FALL else 1
            if rng.random() < 0.03 * worse:
                said.append({"customer_id": who, "at": when + timedelta(hours=1), "kind": "failure"})
            when += timedelta(days=float(rng.uniform(5, 9)))
    customers = {"customer_id": list(range(120)), "region": [spelled(who) for who in range(120)]}
    rows = {name: pa.Table.from_pylist(content) for name, content in (("transactions", bought), ("interactions", said))}
    return {"customers": customers, **rows}


@pytest.fixture(scope="module")
def company(shop: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    tasks = {"quality": {"by": ["region"], "watched": 18}}
    folder = tmp_path_factory.mktemp("quality")
    config = write_project(folder, tables(), time_zone="UTC", observed_until="2024-07-01", tasks=tasks)
    return open_dataset(config.model_copy(update={"name": "served", "home": shop.config.home}))


@pytest.fixture(scope="module")
def drawn(company: Dataset) -> DrawnUp:
    return draw_up(company, "quality")


def test_the_group_whose_service_fell_is_named_and_no_other(drawn: DrawnUp) -> None:
    assert drawn.quality is not None
    flagged = {group: [month.until for month in months if month.flagged]
               for group, months in drawn.quality.series.items()}  # fmt: skip
    assert set(flagged) == {"everybody", "region=north", "region=south", "region=west"}
    assert min(flagged["region=west"]) in ("2024-05-02", "2024-06-01")
    assert not flagged["region=north"] + flagged["region=south"]
    assert any("region=west has got worse" in text for text in drawn.quality.alerts)


def test_every_customer_has_a_score_with_reasons(company: Dataset, drawn: DrawnUp) -> None:
    report = score(company, "quality", load(company.config, "quality"))
    table = pq.read_table(report.folder, partitioning=None)
    assert table.num_rows == 120
    assert table["reason_1"].null_count == 0
    assert {"trait_service", "trait_rhythm"} <= set(table.column_names)
    west = [who % 3 == 2 for who in table["entity_id"].to_pylist()]
    served = table["trait_service"].to_numpy()
    assert served[west].mean() < served[np.logical_not(west)].mean() - 15


def test_without_interactions_it_says_that_nothing_is_known(company: Dataset) -> None:
    data = replace(company, columns={name: kinds for name, kinds in company.columns.items() if name not in
                                     ("interactions", "issues")})  # fmt: skip
    found = draw_up(data, "quality").quality
    assert found is not None
    assert found.series == {}
    assert found.words.startswith("not enough data")
