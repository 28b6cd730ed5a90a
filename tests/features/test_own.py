"""Features of a data scientist's own file: the documentation's example works, and what cannot be used is said."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from rapport.config import Config
from rapport.errors import ConfigError, ModelError
from rapport.features.battery import assert_defined, assert_point_in_time, battery, engine, every_task
from rapport.features.battery_data import made_up_company
from rapport.features.own import block_of, check_same, checksums, own_blocks
from rapport.features.snapshot import Snapshots

DOCS = Path(__file__).parents[2] / "docs" / "own_features.md"
CHURN = every_task()[0]


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)


def written(folder: Path, text: str, name: str = "my_features.py") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def without_flaw(text: str, better: str) -> str:
    """The example with its last function replaced, as the text tells."""
    return text[: text.index("@computed")] + better


def test_the_example_of_the_documentation_works(tmp_path: Path) -> None:
    flawed, better, test = examples()
    block = block_of(written(tmp_path, without_flaw(flawed, better)))
    with engine() as opened:
        data = made_up_company().dataset(opened)
        cutoff = made_up_company().cutoffs[-1]
        snapshots = Snapshots(data, CHURN, blocks=["spending", block], learn_at=cutoff)
        rows = snapshots.features(snapshots.to_score(cutoff))
    own = {column.name: column for column in snapshots.columns if column.block == "my_features"}
    assert list(own) == ["dear_items_30d", "dear_items_180d", "sent_back", "many_visits", "sent_back_share"]
    assert own["dear_items_30d"].words == "{value} items of more than 20 in the last 30 days; typically {typical}"
    assert own["many_visits"].words == "visits so far, on a logarithmic scale: {value}; typically {typical}"
    found = rows.to_pandas()
    assert (found["dear_items_30d"] <= found["items_30d"]).all()
    assert found["dear_items_180d"].sum() > 0
    np.testing.assert_allclose(found["many_visits"], np.log1p(found["visits_life"]))
    bought = found["spend_180d"] != 0
    np.testing.assert_allclose(found["sent_back_share"][bought], (found["sent_back"] / found["spend_180d"])[bought])
    assert "battery" in test


def test_the_battery_runs_over_a_file_in_one_line(tmp_path: Path) -> None:
    text = "from rapport.features.own import feature\nfrom rapport.language.declarations import Count\n"
    battery(written(tmp_path, text + 'known = feature(Count(), "arrivals", table="arrivals", key="prospect_id")'))()


def test_the_battery_finds_a_function_that_reads_more_than_it_may(tmp_path: Path) -> None:
    text = """
from sqlglot import exp
from rapport.features.own import computed

@computed("transactions", definition="all items, past and future")
def peek(visible, spine):
    rows = visible._visible.engine.arrow(exp.select("customer_id").from_("transactions"))["customer_id"].to_pylist()
    return [rows.count(customer) for customer in spine["customer_id"].to_pylist()]
"""
    with pytest.raises(AssertionError, match=r"peek \(block my_features\)"):
        assert_point_in_time(CHURN, [block_of(written(tmp_path, text))], ways=("deleted",))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("my_features.py", None, "my_features.py is not readable in the folder of the configuration"),
        ("my_features.py", "", "my_features.py declares none"),
        ("my_features.py", "x = (", "my_features.py, line 1: SyntaxError"),
        ("my_features.py", "\n\nx = 1 / 0", "my_features.py, line 3: ZeroDivisionError: division by zero"),
        ("rhythm.py", "", "rhythm.py is the name of a block of the package"),
        ("My Features.py", "", "rename the file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    file = tmp_path / name if text is None else written(tmp_path, text, name)
    with pytest.raises(ConfigError, match=re.escape(said)):
        block_of(file)


def test_a_measure_that_looks_ahead_is_refused(tmp_path: Path) -> None:
    text = "from rapport.features.own import feature\nfrom rapport.language.declarations import Count\n"
    block = block_of(written(tmp_path, text + 'soon = feature(Count(ahead=7), "items to come")'))
    with pytest.raises(ConfigError, match="feature 'soon' of block 'my_features' looks ahead"):
        assert_defined(CHURN, [block])


def test_a_function_must_give_a_number_for_each_row(tmp_path: Path) -> None:
    text = "from rapport.features.own import computed\n"
    text += '@computed("transactions", definition="nothing")\ndef none(visible, spine):\n    return [1.0]\n'
    with pytest.raises(ConfigError, match=r"none gave numbers of shape \(1,\) for"):
        assert_defined(CHURN, [block_of(written(tmp_path, text))])


def test_a_model_knows_the_file_it_was_trained_with(tmp_path: Path) -> None:
    written(tmp_path, "from rapport.features.own import feature")
    raw = {"name": "shop", "sources": {}, "tables": {}, "features": ["my_features.py"], "folder": tmp_path}
    config = Config.model_validate(raw)
    trained = checksums(config)
    check_same(config, trained, "churn")
    check_same(config, {}, "churn")
    written(tmp_path, "from rapport.features.own import computed")
    with pytest.raises(ModelError, match=r"my_features.py is not the file with which the model was trained"):
        check_same(config, trained, "churn")
    with pytest.raises(ModelError, match=r"my_features.py, which this configuration does not name"):
        check_same(config.model_copy(update={"features": ()}), trained, "churn")


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    text = "from rapport.features.own import feature\nfrom rapport.language.declarations import Count\n"
    (tmp_path / "other").mkdir()
    for folder in (tmp_path, tmp_path / "other"):
        written(folder, text + 'many = feature(Count(), "items")')
    raw = {"name": "shop", "sources": {}, "tables": {}, "features": ["my_features.py", "other/my_features.py"]}
    with pytest.raises(ConfigError, match=r"two files are called my_features.py"):
        own_blocks(Config.model_validate(raw | {"folder": tmp_path}))
