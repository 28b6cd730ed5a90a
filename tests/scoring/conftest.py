"""The kiosk, opened and with its models trained once for all tests of scoring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kiosk import BUCKETS, TASKS, Kiosk, small_buckets, train_small, write_kiosk

from rapport.data import ingest


@pytest.fixture(scope="session")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    folder = tmp_path_factory.mktemp("kiosk")
    patch = small_buckets()
    data = ingest.open_dataset(write_kiosk(folder))
    assert data.buckets == BUCKETS
    models = {name: folder / "models" / name for name in TASKS}
    for name, place in models.items():
        train_small(data, name, place)
    yield Kiosk(data, models, folder)
    patch.undo()
    data.engine.close()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "scores"
