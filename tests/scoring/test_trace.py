"""From a score back to where it came from."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from kiosk import Kiosk, table_of

from rapport.errors import OutputError
from rapport.scoring.batch import score
from rapport.scoring.trace import trace

DAY = date(2024, 4, 1)


def test_a_damaged_part_is_named(kiosk: Kiosk, tmp_path: Path) -> None:
    place = score(
        kiosk.data,
        "churn",
        kiosk.bundle("churn"),
        as_of=DAY,
        out=tmp_path,
        clock=lambda: datetime(2024, 7, 1, tzinfo=UTC),
    ).folder
    entity = table_of(place)["entity_id"][0].as_py()
    assert trace(kiosk.data.config, "churn", entity, folder=tmp_path).entity == entity
    for part in place.glob("part-*.parquet"):
        part.write_bytes(b"\0" * part.stat().st_size)
    with pytest.raises(OutputError, match=r"part-000.parquet was changed since.*score that day again"):
        trace(kiosk.data.config, "churn", entity, folder=tmp_path)
    (place / "part-000.parquet").unlink()
    with pytest.raises(OutputError, match=r"part-000.parquet is missing"):
        trace(kiosk.data.config, "churn", entity, folder=tmp_path)
