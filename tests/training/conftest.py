"""A small shop whose churn is quickly learned, in one registry for all tests of this folder."""

from __future__ import annotations

import pytest
from shop import write_shop
from training_shop import with_trees

from rapport.config import load_config
from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """250 customers; give it a name of its own (`training_shop.renamed`) before models are registered."""
    folder = tmp_path_factory.mktemp("training")
    config = load_config(write_shop(folder / "shop", customers=250))
    data = open_dataset(config.model_copy(update={"home": folder / "home", "threads": 1}))
    return with_trees(data, 40)
