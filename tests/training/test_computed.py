"""A score that is put together: drawn up, registered and put out like a model."""

from __future__ import annotations

from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from training_shop import renamed

from rapport.config import LoyaltyConfig
from rapport.data.dataset import Dataset
from rapport.errors import ModelError
from rapport.registry.versions import aliases, load
from rapport.scoring.batch import score
from rapport.scoring.monitor import monitor
from rapport.training.computed import draw_up
from rapport.training.experiment import train
from rapport.training.promote import promote


@pytest.fixture(scope="module")
def loyal(shop: Dataset) -> Dataset:
    data = renamed(shop, "loyal")
    tasks = data.config.tasks.model_copy(update={"loyalty": LoyaltyConfig()})
    return replace(data, config=data.config.model_copy(update={"tasks": tasks}))


def test_it_is_drawn_up_registered_and_put_out(loyal: Dataset) -> None:
    drawn = draw_up(loyal, "loyalty")
    assert aliases(loyal.config, "loyalty")["champion"] == drawn.registered.version
    report = score(loyal, "loyalty", load(loyal.config, "loyalty"))
    table = pq.read_table(report.folder, partitioning=None)
    assert table.num_rows == report.rows > 100
    assert "trait_repeat_purchase" in table.column_names
    assert set(table["reason_1"].is_valid().to_pylist()) == {True}
    best = table.sort_by([("score", "descending")]).slice(0, 20)["trait_repeat_purchase"].to_pylist()
    assert min(best) > 50


def test_the_newest_card_is_always_in_use(loyal: Dataset) -> None:
    drawn = draw_up(loyal, "loyalty")
    assert aliases(loyal.config, "loyalty")["champion"] == drawn.registered.version
    with pytest.raises(ModelError, match="nothing to promote"):
        promote(loyal, "loyalty")
    with pytest.raises(ModelError, match="foretells nothing"):
        monitor(loyal, "loyalty")


def test_it_cannot_be_trained(loyal: Dataset) -> None:
    with pytest.raises(ModelError, match="put together"):
        train(loyal, "loyalty")
