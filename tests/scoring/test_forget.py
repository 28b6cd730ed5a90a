"""One customer out of everything that is kept, and never back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from kiosk import Kiosk, copy_of, small_buckets, table_of
from small_project import write_project
from sqlglot import exp

from rapport.config import Config, PlanConfig
from rapport.data.dataset import Dataset
from rapport.data.forgotten import read_forgotten
from rapport.data.ingest import open_dataset
from rapport.errors import DataError, OutputError
from rapport.explain.review import Customer, Review, Score, write
from rapport.scoring.batch import score
from rapport.scoring.forget import forget
from rapport.scoring.parts import Part, fault_of
from rapport.scoring.planning import plan
from rapport.scoring.results import results, scores_folder
from rapport.scoring.sinks import table_name

NOW = datetime(2024, 7, 1, 3, tzinfo=UTC)
HIM = "k077"
DAYS = (date(2024, 3, 1), date(2024, 4, 1))


def _at_home(kiosk: Kiosk, home: Path) -> Config:
    scoring = kiosk.data.config.scoring.model_copy(update={"sinks": (f"duckdb:{home}/warehouse.duckdb",)})
    return kiosk.data.config.model_copy(update={"home": home, "scoring": scoring})


@pytest.fixture
def config(kiosk: Kiosk, furnished: Path, tmp_path: Path) -> Config:
    """The kiosk with a home of its own, in which everything knows him."""
    return _at_home(kiosk, copy_of(furnished, tmp_path / "home"))


@pytest.fixture(scope="module")
def furnished(kiosk: Kiosk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with his rows in all places, to be copied."""
    config = _at_home(kiosk, tmp_path_factory.mktemp("furnished") / "home")
    data = _open(config)
    for day in DAYS:
        score(data, "churn", kiosk.bundle("churn"), as_of=day, clock=lambda: NOW)
    score(data, "next_offer", kiosk.bundle("next_offer"), as_of=DAYS[0], clock=lambda: NOW)
    data.engine.close()
    review = Review(
        config="kiosk",
        task="churn",
        question="Who leaves?",
        population="all",
        target="none",
        horizon="14 days",
        grade="C",
        customers=tuple(Customer(name, (Score(0.5, 0.0, 50.0, 0.0),)) for name in (HIM, "k078")),
    )
    run = config.home / "mlruns" / "artifacts" / "rapport.kiosk.churn" / "0" / "artifacts"
    run.mkdir(parents=True)
    (run / "review.json").write_text(review.to_json())
    rows = pa.table({"customer_id": [HIM, "k078", None], "score": [0.1, 0.2, 0.3]})
    pq.write_table(rows, run / "test_scores.parquet")
    for file in (config.home / "features/kiosk/churn/train.parquet", config.home / "quarantine/kiosk/bad.parquet"):
        file.parent.mkdir(parents=True)
        pq.write_table(rows, file)
    (config.home / "reports/kiosk").mkdir(parents=True)
    write(review, config.home / "reports/kiosk/churn.html")
    (config.home / "reports/kiosk/decided").mkdir()
    write(review, config.home / "reports/kiosk/decided/churn_v1_approved.html")
    others = replace(review, customers=review.customers[1:])
    write(others, config.home / "reports/kiosk/decided/churn_v2_rejected.html")
    return config.home


def _open(config: Config) -> Dataset:
    patch = small_buckets()
    data = open_dataset(config)
    patch.undo()
    return data


def places_of(identity: str, home: Path) -> set[str]:
    """The files below a home that hold an id, in a cell or in their text."""
    found = set()
    for file in (path for path in home.rglob("*") if path.is_file()):
        if file.suffix == ".parquet":
            table = pq.read_table(file, partitioning=None)
            texts = [c for c in table.columns if pa.types.is_string(c.type)]
            here = any(pc.any(pc.match_substring(column, identity)).as_py() for column in texts)
        elif file.suffix == ".duckdb":
            with duckdb.connect(str(file), read_only=True) as connection:
                tables = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
                here = any(identity in str(connection.execute(f"FROM {name}").fetchall()) for name in tables)
        else:
            here = identity.encode() in file.read_bytes()
        found |= {file.relative_to(home).as_posix()} if here else set()
    return found


def test_he_is_nowhere_and_does_not_come_back(kiosk: Kiosk, config: Config) -> None:
    before = places_of(HIM, config.home)
    assert {name.partition("/")[0] for name in before} == {
        *(".cache", "scores", "mlruns", "features", "quarantine", "reports", "warehouse.duckdb")
    }
    neighbours = table_of(results(scores_folder(config, "churn"))[DAYS[0]])
    report = forget(config, HIM, by="the data protection officer", now=NOW)
    assert places_of(HIM, config.home) == set()
    assert report.rows["scores"] == 2 + 3
    assert report.rows["test scores"] == report.rows["features"] == report.rows["stored reviews"] == 1
    assert report.pages == ["churn"]
    assert [path.name for path in (config.home / "reports/kiosk/decided").iterdir()] == ["churn_v2_rejected.html"]
    assert HIM not in report.text
    left = table_of(results(scores_folder(config, "churn"))[DAYS[0]])
    assert left.equals(neighbours.filter(pc.not_equal(neighbours["entity_id"], HIM)))
    data = _open(config)
    assert data.fingerprint != kiosk.data.fingerprint
    assert data.rows("transactions") < kiosk.data.rows("transactions")
    again = score(data, "churn", kiosk.bundle("churn"), as_of=DAYS[1], force=True, clock=lambda: NOW)
    assert again.rows == table_of(again.folder).num_rows > 50
    data.engine.close()
    assert places_of(HIM, config.home) == set()


def test_the_record_says_when_and_by_whom_but_not_who(config: Config) -> None:
    forget(config, HIM, by="the data protection officer", now=NOW)
    record = json.loads((config.home / "forgotten/kiosk.json").read_text())
    (entry,) = record["forgotten"]
    assert (entry["kind"], entry["at"], entry["by"]) == ("customer", NOW.isoformat(), "the data protection officer")
    assert read_forgotten(config).has("customer", HIM)
    assert not read_forgotten(config).has("prospect", HIM)
    again = forget(config, HIM, now=NOW)
    assert (again.known, again.rows) == (True, {})
    assert json.loads((config.home / "forgotten/kiosk.json").read_text()) == record


def test_a_result_that_is_rewritten_stays_whole(config: Config) -> None:
    forget(config, HIM, now=NOW)
    for task, days in (("churn", DAYS), ("next_offer", DAYS[:1])):
        for day in days:
            folder = results(scores_folder(config, task))[day]
            manifest = json.loads((folder / "_manifest.json").read_text())
            assert manifest["rows"] == table_of(folder).num_rows
            assert sorted(path.name for path in folder.iterdir()) == sorted(
                ["_manifest.json", "_profile.json", *(part["file"] for part in manifest["parts"])]
            )
    with duckdb.connect(str(config.home / "warehouse.duckdb"), read_only=True) as connection:
        name = table_name("kiosk", "churn")
        assert connection.execute(f"SELECT count(*) FROM {name} WHERE entity_id = '{HIM}'").fetchall() == [(0,)]
        assert connection.execute(f"SELECT count(DISTINCT entity_id) > 50 FROM {name}").fetchall() == [(True,)]


def test_an_unknown_id_is_recorded_and_nothing_else_happens_to_scores(config: Config) -> None:
    before = table_of(results(scores_folder(config, "churn"))[DAYS[0]])
    report = forget(config, "k07", now=NOW)  # the beginning of many ids, and the id of nobody
    assert report.rows == {}
    assert table_of(results(scores_folder(config, "churn"))[DAYS[0]]).equals(before)


def test_a_damaged_result_is_named(config: Config) -> None:
    folder = results(scores_folder(config, "churn"))[DAYS[0]]
    (folder / "part-001.parquet").write_bytes(b"PAR1")
    with pytest.raises(OutputError, match=r"part-001.parquet is cut short"):
        forget(config, HIM, now=NOW)
    assert read_forgotten(config).has("customer", HIM)  # nothing will read him, whatever else went wrong


def test_a_damaged_list_stops_everything(config: Config) -> None:
    forget(config, HIM, now=NOW)
    (config.home / "forgotten/kiosk.json").write_text("{")
    with pytest.raises(DataError, match=r"the list of the forgotten, .*kiosk.json, cannot be read"):
        open_dataset(config)


def test_nobody_is_no_id(config: Config) -> None:
    with pytest.raises(DataError, match="give an id"):
        forget(config, "")


def test_numbers_prospects_and_references(tmp_path: Path) -> None:
    """Integer ids; a customer takes the prospect that he was with him; who was recruited by him stays."""
    moment = datetime(2024, 5, 1, 12)
    tables = {
        "customers": {"customer_id": [7, 8, 77], "referred_by": [None, 7, 8]},
        "prospects": {"prospect_id": ["p1", "p2"], "created_at": [moment] * 2, "customer_id": [7, None]},
        "transactions": {"customer_id": [7, 8, 77], "at": [moment] * 3, "amount": [1.0, 2.0, 3.0]},
        "stages": {"entity_id": ["p1", "p2", "7"], "at": [moment] * 3, "stage": ["lead"] * 3},
    }
    config = write_project(tmp_path, tables)  # type: ignore[arg-type]
    open_dataset(config).engine.close()
    forget(config, "7", now=NOW)
    data = open_dataset(config)
    found = {table: data.engine.arrow(exp.select("*").from_(table)).to_pydict() for table in tables}
    data.engine.close()
    customers = dict(zip(found["customers"]["customer_id"], found["customers"]["referred_by"], strict=True))
    assert customers == {"8": None, "77": "8"}
    assert found["prospects"]["prospect_id"] == ["p2"]
    assert sorted(found["transactions"]["customer_id"]) == ["77", "8"]
    assert found["stages"]["entity_id"] == ["p2"]


ACTIONS = {
    "rescue_call": {
        "task": "churn",
        "direction": "longer",
        "channel": "phone",
        "cost": 0.01,
        "lever": 0.5,
        "worth": 4e4,
    },
}


def test_he_is_in_no_plan_and_in_no_list_of_a_channel(kiosk: Kiosk, config: Config, tmp_path: Path) -> None:
    settings = PlanConfig.model_validate(
        {"actions": ACTIONS, "budget": 1e6, "channels": {"phone": 10**6}, "holdout": 0}
    )
    data = replace(kiosk.data, config=config.model_copy(update={"plan": settings}))
    published = [plan(data, as_of=DAYS[0]).folder, plan(data, as_of=DAYS[0], out=tmp_path / "elsewhere").folder]
    before = [pq.read_table(folder / "part-000.parquet", partitioning=None) for folder in published]
    lists = [(folder / "phone.csv").read_text().splitlines() for folder in published]
    assert all(any(HIM in line for line in lines) for lines in lists)
    half = published[0].with_name(".as_of=2024-02-01.new")
    half.mkdir()
    (half / "phone.csv").write_text(f"{HIM},half done")
    report = forget(config, HIM, out=[tmp_path / "elsewhere"], now=NOW)
    assert report.rows["plans"] == 2
    assert places_of(HIM, config.home) == places_of(HIM, tmp_path / "elsewhere") == set()
    for folder, rows, lines in zip(published, before, lists, strict=True):
        left = pq.read_table(folder / "part-000.parquet", partitioning=None)
        assert left.equals(rows.filter(pc.not_equal(rows["entity_id"], HIM)))
        assert (folder / "phone.csv").read_text().splitlines() == [line for line in lines if HIM not in line]
        manifest = json.loads((folder / "_manifest.json").read_text())
        assert manifest["rows"] == left.num_rows
        assert fault_of(folder, Part(**manifest["parts"][0])) is None
