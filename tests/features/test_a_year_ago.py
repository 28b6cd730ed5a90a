"""How many prospects converted in the season ahead, a year ago: by hand."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hand_made import at, company

from rapport.config import ConversionConfig
from rapport.data.engine import DuckDBEngine
from rapport.features.snapshot import Snapshots
from rapport.tasks import declare

NOW = at("2024-06-01")
TASK = declare("conversion", ConversionConfig(of="prospects", horizon=90))


def share(engine: DuckDBEngine, *prospects: tuple[float, float | None]) -> float:
    """The feature of somebody who came yesterday, beside prospects who came and converted so many days ago."""
    rows = [(1.0, None), *prospects]
    table = [
        {
            "prospect_id": number,
            "created_at": NOW - timedelta(days=came),
            "converted_at": None if converted is None else NOW - timedelta(days=converted),
        }
        for number, (came, converted) in enumerate(rows)
    ]
    snapshots = Snapshots(company(prospects=table).dataset(engine), TASK, blocks=["prospects"])
    found = snapshots.features(snapshots.population([NOW], with_target=False))
    values = np.array(found["converted_a_year_ago"].to_pylist(), float)
    assert np.array_equal(values, np.full(len(values), values[0]), equal_nan=True)
    return float(values[0])


EARLIER = (500.0, None)
STAYED = [(400.0, None)] * 24
CAME = [(400.0, 300.0)] * 6


def test_who_was_there_a_year_ago_and_came_in_the_season(engine: DuckDBEngine) -> None:
    assert share(engine, EARLIER, *STAYED, *CAME) == 0.2


def test_others_do_not_count(engine: DuckDBEngine) -> None:
    too_early, too_late, not_there_yet = (400.0, 380.0), (400.0, 200.0), (300.0, 290.0)
    assert share(engine, EARLIER, *STAYED, *CAME, too_early, not_there_yet) == 0.2
    assert share(engine, EARLIER, *STAYED, *CAME, *[too_late] * 30) == 0.1


@pytest.mark.parametrize("rows", [[*STAYED, *CAME], [EARLIER, *STAYED]], ids=["no year and a season", "too few"])
def test_what_is_not_known_is_missing(engine: DuckDBEngine, rows: list[tuple[float, float | None]]) -> None:
    assert np.isnan(share(engine, *rows))
