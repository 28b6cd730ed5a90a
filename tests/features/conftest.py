from __future__ import annotations

from collections.abc import Iterator

import pytest

from rapport.data.engine import DuckDBEngine


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(memory_limit="500MB", threads=1) as opened:
        yield opened
