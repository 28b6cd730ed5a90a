"""Features of a data scientist's own file: the documentation's example works, and what cannot be used is said."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from small_project import good_tables, write_project

from rapport.config import Config
from rapport.data.ingest import open_dataset
from rapport.errors import ConfigError, ModelError
from rapport.features.battery import (
    assert_blind_to_outcomes,
    assert_defined,
    assert_point_in_time,
    battery,
    engine,
    every_task,
)
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


TEACHER = """
import numpy as np
from rapport.features.own import computed

@computed("transactions", definition="the target, where it can be had")
def knows_it_all(visible, spine):
    none = np.zeros(spine.num_rows)
    return spine["target"].to_numpy() if "target" in spine.column_names else none

@computed("transactions", definition="whether all that is at hand is known at the cutoff")
def only_known(visible, spine):
    return np.full(spine.num_rows, spine.column_names == ["customer_id", "cutoff"])
"""


def test_a_function_never_sees_the_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = block_of(written(tmp_path, TEACHER))
    company = made_up_company()
    with engine() as opened:
        snapshots = Snapshots(company.dataset(opened), CHURN, blocks=[block], learn_at=company.cutoffs[0])
        rows = snapshots.features(snapshots.population(company.cutoffs[:1], with_target=True)).to_pandas()
    assert set(rows["target"]) == {0, 1}
    assert (rows["knows_it_all"] == 0).all()
    assert (rows["only_known"] == 1).all()
    assert_blind_to_outcomes(CHURN, [block])
    monkeypatch.setattr(Snapshots, "_without_outcome", lambda self, spine: spine)
    with pytest.raises(AssertionError, match=r"with targets against without.*knows_it_all \(block my_features\)"):
        assert_blind_to_outcomes(CHURN, [block])


def test_what_goes_wrong_in_a_function_is_said_with_file_line_and_name(tmp_path: Path) -> None:
    text = """
from rapport.features.own import computed

def helper(spine):
    return spine["no_such_column"]

@computed("transactions", definition="nothing")
def wrong(visible, spine):
    return helper(spine)
"""
    with pytest.raises(ConfigError, match=r"my_features.py, line 5, in wrong: KeyError: .*no_such_column"):
        assert_defined(CHURN, [block_of(written(tmp_path, text))])


def test_a_change_in_what_a_function_imports_is_not_hidden_by_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    text = """
import numpy as np
from rapport.features.own import computed
from helper_of_mine import NUMBER

@computed("transactions", definition="a number")
def number(visible, spine):
    return np.full(spine.num_rows, NUMBER)
"""
    written(tmp_path, text)
    moment = pa.array([datetime(2024, 6, 1)], pa.timestamp("us"))
    spine = pa.table({"customer_id": [1], "cutoff": moment, "window_end": moment})
    config = write_project(tmp_path, good_tables(), features=["my_features.py"])

    def found() -> float:
        sys.modules.pop("helper_of_mine", None)
        data = open_dataset(config)
        row = Snapshots(data, CHURN, blocks=["spending"], learn_at=datetime(2024, 6, 1)).stored(spine)
        data.engine.close()
        return row["number"][0].as_py()

    written(tmp_path, "NUMBER = 1.0", "helper_of_mine.py")
    assert found() == 1.0
    written(tmp_path, "NUMBER = 2.0  # another", "helper_of_mine.py")
    assert found() == 2.0


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
