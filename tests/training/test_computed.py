"""A score that is put together: drawn up, registered and put out like a model."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from small_project import write_project
from training_shop import renamed

from rapport.config import LoyaltyConfig
from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.errors import ModelError
from rapport.features.snapshot import Snapshots
from rapport.models.scorecard import Scorecard
from rapport.registry.versions import aliases, load
from rapport.scoring.batch import score
from rapport.scoring.monitor import monitor
from rapport.tasks import declare
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


def test_features_of_ones_own_must_be_those_it_was_drawn_up_with(loyal: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    text = (
        "from rapport.features.own import feature\n"
        "from rapport.language.declarations import Count\n"
        'many = feature(Count(last=60), "items of the last 60 days", unit="count")\n'
    )
    file.write_text(text)
    settings = {"name": "own_card", "features": ("mine.py",), "folder": tmp_path}
    data = replace(loyal, config=loyal.config.model_copy(update=settings))
    draw_up(data, "loyalty")
    bundle = load(data.config, "loyalty")
    file.write_text(text.replace("last=60", "last=61"))
    with pytest.raises(ModelError, match=r"mine.py is not the file with which the model was trained"):
        score(data, "loyalty", bundle)


def test_it_cannot_be_trained(loyal: Dataset) -> None:
    with pytest.raises(ModelError, match="put together"):
        train(loyal, "loyalty")


def test_a_trait_is_missing_where_little_was_seen(tmp_path: Path) -> None:
    """1 bought once; 2 bought twelve things in a rhythm; 3 met five failures and complained of one, 4 met two.

    5 and 6 bought on thirty days each; 5 came to look fifteen times besides, and 4 once.
    """
    days = {1: [5], 2: range(0, 72, 6), 3: [3, 9, 20], 4: [3, 9, 20], 5: range(30), 6: range(30)}
    begin = datetime(2024, 5, 1, 10)
    bought = [(who, begin + timedelta(days=day), 10 + day // 6 % 2) for who, all_of in days.items() for day in all_of]
    kinds = [(3, "failure")] * 5 + [(3, "complaint"), (4, "failure"), (4, "failure")]
    kinds += [(5, "visit")] * 15 + [(4, "visit")]
    content = {
        "products": {"product_id": [10, 11], "category": ["tea", "soap"], "line": ["food", "home"]},
        "transactions": {
            "customer_id": [who for who, _, _ in bought],
            "at": [when for _, when, _ in bought],
            "product_id": [what for _, _, what in bought],
            "amount": [1.0] * len(bought),
        },
        "interactions": {
            "customer_id": [who for who, _ in kinds],
            "at": [begin + timedelta(days=20, hours=hour) for hour in range(len(kinds))],
            "kind": [kind for _, kind in kinds],
        },
    }
    config = write_project(tmp_path, content, time_zone="UTC", observed_until="2024-07-20", tasks={"loyalty": {}})
    data = open_dataset(config)
    task = declare("loyalty", config.task("loyalty"))
    snapshots = Snapshots(data, task, learn_at=data.observed_until)
    rows = snapshots.features(snapshots.population([data.observed_until], with_target=False))
    card = Scorecard.fit(task.traits, snapshots.columns, rows)
    known = {name: [value is not None for value in values.to_pylist()] for name, values in card.outputs(rows).items()}
    assert rows["customer_id"].to_pylist() == [1, 2, 3, 4, 5, 6]
    assert np.argsort(card.outputs(rows)["trait_repeat_purchase"].to_numpy())[0] == 0
    assert [value is None for value in rows["regularity"].to_pylist()] == [True, False, False, False, False, False]
    assert known["trait_breadth"] == [False, True, False, False, True, True]
    assert known["trait_tolerance"] == [False, False, True, False, False, False]
    assert known["trait_immunity"] == [False, False, False, False, True, True]
    assert rows["looks_per_purchase"].to_pylist()[4:] == [pytest.approx(0.5), 0.0]
    assert np.diff(card.outputs(rows)["trait_immunity"].to_numpy(zero_copy_only=False)[4:]) > 0
    assert rows["complaints_per_failure"].to_pylist()[2] == pytest.approx(0.2)
    assert rows["spread_of_lines_life"].to_pylist()[1] == pytest.approx(2.0, abs=0.1)
