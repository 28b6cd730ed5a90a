"""What all tests share: who runs which file, one thread a computation, and a store of runs that is made once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from rapport.config import Config
from rapport.registry import store

# Before anything imports numpy: a worker has a core to itself, and threads that take all cores wait for one another.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

TOGETHER = {
    "tests/cli/": "the run of the shop",
    "tests/contracts/test_engines.py": "a Spark",
    "tests/data/test_engine_spark.py": "a Spark",
}
"""Folders and files whose tests share what takes long to make: they run on one worker, and it is made once."""

FIRST = ("tests/cli/", "tests/contracts/", "tests/notebooks/", "tests/training/")
"""What takes longest is begun first, so that no worker waits for the other at the end."""


class Together(LoadFileScheduling):  # type: ignore[misc]
    """A worker takes a file at a time, or all the files that share something."""

    def _split_scope(self, nodeid: str) -> str:
        shared = (name for begin, name in TOGETHER.items() if nodeid.startswith(begin))
        return next(shared, super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together | None:
    """The scheduler of `--dist loadfile`."""
    return Together(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the tests into the order in which they are begun."""

    def place(item: pytest.Item) -> int:
        return next((i for i, begin in enumerate(FIRST) if item.nodeid.startswith(begin)), len(FIRST))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def stores_made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new store is a copy of one that MLflow has made: making one takes seconds, and there are many homes."""
    honest, made = store.store_uri, tmp_path_factory.mktemp("store") / "mlflow.db"

    def with_tables(config: Config) -> str:
        uri = honest(config)
        file = Path(uri.removeprefix("sqlite:///"))
        if uri.startswith("sqlite:///") and file.parent.is_dir() and not file.exists():
            if not made.exists():
                from mlflow import MlflowClient

                MlflowClient(f"sqlite:///{made}").search_experiments()
            shutil.copyfile(made, file)
        return uri

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "store_uri", with_tables)
        yield
