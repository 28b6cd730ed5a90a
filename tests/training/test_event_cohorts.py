"""Cohorts that an event sets off are found by when they come; who comes evenly is none."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from small_project import write_project

from rapport.data.ingest import open_dataset
from rapport.training.event_cohorts import among, find_event_cohorts

MONTHS = [f"{year}-{month:02}" for year in (2023, 2024) for month in range(1, 13)]


def arrivals(seed: int, *, leavers: int) -> tuple[list[str], dict[str, list[str | None]], list[bool]]:
    """100 prospects a month from two regions, and `leavers` school leavers more in each July to September."""
    rng = np.random.default_rng(seed)
    month, occasion, signed = [], [], []
    for name in MONTHS:
        more = leavers if name[-2:] in ("07", "08", "09") else 0
        for n in range(100 + more):
            month.append(name)
            occasion.append("school leaver" if n >= 100 else str(rng.choice(["none", "moved"], p=[0.9, 0.1])))
            signed.append(bool(rng.random() < (0.2 if n >= 100 else 0.5)))
    region: list[str | None] = rng.choice(["north", "south"], len(month)).tolist()
    return month, {"occasion": list(occasion), "region": region}, signed


def test_who_comes_in_bursts_is_a_cohort_and_nobody_else() -> None:
    (found,) = among(*arrivals(0, leavers=20))
    assert (found.attribute, found.value, found.arrivals) == ("occasion", "school leaver", 120)
    assert found.in_bursts == 1.0
    assert set(found.months) == {m for m in MONTHS if m[-2:] in ("07", "08", "09")}
    assert found.converted == pytest.approx(0.2, abs=0.1)
    assert found.others == pytest.approx(0.5, abs=0.1)
    assert "came in 2023-07 to 2023-09 and 2024-07 to 2024-09" in found.words


@pytest.mark.parametrize("seed", range(10))
def test_without_an_event_no_cohort_is_found(seed: int) -> None:
    assert among(*arrivals(seed, leavers=0)) == ()


def test_a_handful_is_no_cohort() -> None:
    assert among(*arrivals(0, leavers=5)) == ()


def test_prospects_are_read_as_the_business_writes_its_days(tmp_path: Path) -> None:
    """Values that differ in capitals are one; months are those of Berlin."""
    month, values, signed = arrivals(0, leavers=20)
    began = [
        datetime(int(m[:4]), int(m[5:]), 1) - timedelta(minutes=30) for m in month
    ]  # in Berlin the month has begun
    spelled = [str(one).upper() if n % 9 == 0 else one for n, one in enumerate(values["occasion"])]
    converted = [at + timedelta(days=9) if done else None for at, done in zip(began, signed, strict=True)]
    told = {"created_at": began, "converted_at": converted}
    tables = {
        "prospects": pa.table({"prospect_id": range(len(month)), **told, "occasion": spelled}),
        "transactions": pa.table({"customer_id": [1], "at": [datetime(2024, 4, 1)], "amount": [10.0]}),
    }
    data = open_dataset(write_project(tmp_path, tables, observed_until="2025-01-01"))
    (found,) = find_event_cohorts(data)
    assert (found.value, found.arrivals, found.in_bursts) == ("school leaver", 120, 1.0)
    assert found.converted == pytest.approx(0.2, abs=0.1)
    data.engine.close()
