"""The simulated world as files: size, bytes, contract, refusals, and what the switches switch."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from rapport.config import Config, load_config
from rapport.data.checks import check
from rapport.data.contract import TABLES
from rapport.data.locations import locate
from rapport.data.world import WorldConfig, blocks, write_world
from rapport.data.world.groups import Switches
from rapport.data.world.project import project_world
from rapport.errors import ConfigError, DataError
from rapport.models.buy_till_you_die import BgNbd
from rapport.models.histories import Histories

WRITTEN = set(TABLES) - {"customer_history"}  # nobody's attributes change in the world
CONFIG = Path(__file__).parents[2] / "configs" / "world.yaml"


def table(folder: Path, name: str) -> pd.DataFrame:
    return pq.read_table(folder / f"{name}.parquet").to_pandas()


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("worlds") / "world", customers=700, seed=5)


def test_every_table_of_the_contract_is_there(world: Path) -> None:
    assert {path.stem for path in world.glob("*.parquet")} == WRITTEN
    assert len(table(world, "customers")) == 700
    assert table(world, "customers")["customer_id"].is_unique
    assert all(len(table(world, name)) > 0 for name in WRITTEN)


def test_the_world_keeps_the_contract(world: Path, tmp_path: Path) -> None:
    raw = yaml.safe_load(CONFIG.read_text())
    raw["sources"] = {name: str(world / f"{name}.parquet") for name in TABLES}
    (tmp_path / "world.yaml").write_text(yaml.safe_dump(raw))
    report = check(load_config(tmp_path / "world.yaml"))
    assert report.errors == ()


def test_the_configuration_names_every_table_and_three_tasks() -> None:
    config = load_config(CONFIG)
    assert set(config.tables) == WRITTEN
    assert set(config.tasks.named()) >= {"churn", "conversion", "next_offer"}


def test_the_truth_is_out_of_reach(world: Path) -> None:
    with pytest.raises(DataError, match="truth"):
        locate("people", str(world / "truth" / "people.parquet"), world)


def test_same_seed_same_bytes_whatever_the_chunks_and_threads(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = digests(world)
    monkeypatch.setattr(blocks, "_ROWS_A_PERSON", 1)  # the log is full again and again
    write_world(tmp_path / "again", customers=700, seed=5, threads=1)
    assert digests(tmp_path / "again") == expected
    write_world(tmp_path / "other", customers=700, seed=6)
    assert digests(tmp_path / "other")["transactions.parquet"] != expected["transactions.parquet"]


def test_events_fit_together(world: Path) -> None:
    contacts, responses = table(world, "contacts"), table(world, "responses")
    campaigns, prospects = table(world, "campaigns").set_index("campaign_id"), table(world, "prospects")
    answered = responses.merge(contacts, on="contact_id", suffixes=("", "_contact"), validate="many_to_one")
    assert len(answered) == len(responses)
    assert answered["treated"].all(), "who was held out cannot answer"
    assert (answered["at"] > answered["at_contact"]).all()
    assert (answered["at"] <= answered["campaign_id"].map(campaigns["ends_at"])).all()
    assert (contacts["customer_id"].isna() != contacts["prospect_id"].isna()).all()
    assert (contacts["at"] >= contacts["known_at"]).all()
    assert contacts["treated"].mean() == pytest.approx(0.75, abs=0.03)
    converted = prospects.dropna(subset=["converted_at"])
    assert (converted["converted_at"] > converted["created_at"]).all()
    stages = table(world, "stages").pivot(index="entity_id", columns="stage", values="at")
    for earlier, later in (
        ("target", "lead"),
        ("lead", "opportunity"),
        ("opportunity", "contract"),
        ("contract", "user"),
    ):
        both = stages.dropna(subset=[earlier, later])
        assert (both[earlier] < both[later]).all()
        assert stages.loc[stages[later].notna(), earlier].notna().all()
    assert set(stages.index[stages["contract"].notna()]) == set(converted["prospect_id"])


def test_resolutions_belong_to_complaints(world: Path) -> None:
    interactions = table(world, "interactions")
    solved = interactions[interactions["resolved_at"].notna()]
    assert set(solved["kind"]) == {"complaint"}
    assert (solved["resolved_at"] > solved["at"]).all()
    assert len(solved) > 0.7 * (interactions["kind"] == "complaint").sum()


def test_dirt_can_be_switched_off(world: Path, tmp_path: Path) -> None:
    switches = dict.fromkeys(("late_rows", "missing_values", "dirty_values"), False)
    clean = write_world(tmp_path / "clean", customers=700, seed=5, parameters={"switches": switches})
    dirty_lines, lines = table(world, "transactions"), table(clean, "transactions")
    assert (dirty_lines["known_at"] > dirty_lines["at"]).mean() == pytest.approx(0.02, abs=0.01)
    assert (lines["known_at"] == lines["at"]).all()
    assert (dirty_lines["quantity"] == 0).any()
    assert (lines["quantity"] > 0).all()
    assert len(lines) >= len(dirty_lines), "what would be known only after the end is not in the files"
    dirty, tidy = table(world, "customers"), table(clean, "customers")
    assert dirty["income_band"].isna().any()
    assert tidy.drop(columns="referred_by").notna().all(axis=None)
    assert set(tidy["region"]) < set(dirty["region"].dropna())


def _gone(folder: Path, switch: str) -> bool:
    """Whether what the switch stands for is absent from the files."""
    kinds = set(table(folder, "campaigns")["kind"])
    market, turns = table(folder / "truth", "market"), set(table(folder / "truth", "turns")["turn"])
    actions, channels = set(table(folder, "interactions")["kind"]), table(folder, "prospects")["acquisition_channel"]
    looks = {
        "seasons": lambda: market["season"].eq(1).all(),
        "inflation": lambda: market["price_home"].eq(1).all(),
        "competitors": lambda: "competitor" not in kinds,
        "campaigns": lambda: kinds <= {"competitor"} and len(table(folder, "contacts")) == 0,
        "prospects": lambda: set(channels.dropna().str.strip().str.lower()) == {"referral"},  # nobody else comes
        "service": lambda: actions <= {"referral", "service"},  # to tell of a life event
        "defection": lambda: "left" not in turns,
        "life_events": lambda: "life_event" not in turns,
        "second_lives": lambda: "came_back" not in turns,
        "trouble": lambda: "trouble" not in turns and len(table(folder, "returns")) == 0,
        "referrals": lambda: "referred" not in turns and table(folder, "customers")["referred_by"].isna().all(),
        "subscriptions": lambda: set(table(folder, "subscriptions")["plan"]) == {"card"},
        "late_rows": lambda: table(folder, "transactions").eval("known_at == at").all(),
        "missing_values": lambda: table(folder, "customers")["income_band"].notna().all(),
        "dirty_values": lambda: table(folder, "transactions")["quantity"].gt(0).all(),
    }
    return bool(looks[switch]())


@pytest.mark.parametrize("switch", [name for name in Switches.model_fields if name != "growth"])
def test_every_part_can_be_switched_off(world: Path, tmp_path: Path, switch: str) -> None:
    assert not _gone(world, switch)
    assert _gone(write_world(tmp_path / "w", customers=256, seed=5, parameters={"switches": {switch: False}}), switch)


def test_growth_brings_more_prospects_every_year(tmp_path: Path) -> None:
    shares = []
    for on in (True, False):
        parameters = {
            "switches": {"growth": on},
            "growth": {"prospects_per_year": 2.0},
            "prospecting": {"cohort_share": 0},
        }
        folder = write_world(tmp_path / str(on), customers=700, seed=5, parameters=parameters)
        shares.append((table(folder, "prospects")["created_at"] >= "2024-01-01").mean())
    assert shares[0] > shares[1] + 0.05
    assert shares[1] == pytest.approx(1 / 3, abs=0.06)


def test_what_breaks_the_contract_comes_only_when_asked_for(tmp_path: Path) -> None:
    spoilt = write_world(tmp_path / "spoilt", customers=300, seed=1, parameters={"dirt": {"breaking": 0.05}})
    customers, lines = table(spoilt, "customers"), table(spoilt, "transactions")
    assert customers["customer_id"].duplicated().any()
    assert (lines["quantity"] < 0).any()
    assert not lines["product_id"].isin(table(spoilt, "products")["product_id"]).all()


@pytest.mark.parametrize(
    ("customers", "parameters", "words"),
    [
        (100, {"buying": {"mean_rate": -0.1}}, "buying.mean_rate"),
        (100, {"start": "2024-01-01", "end": "2023-01-01"}, "ends .* before it starts"),
        (100, {"dropout": {"moved_share": 0.9}}, "must sum to 1"),
        (100, {"wings": 2}, "wings"),
        (3, {"segments": 4}, "more than 3 customers"),
        (0, {}, "at least one"),
        (100, {"prospecting": {"founders": 0, "contract": 0}}, "nobody becomes a customer"),
    ],
)
def test_impossible_worlds_are_refused(
    tmp_path: Path, customers: int, parameters: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        write_world(tmp_path / "world", customers=customers, seed=1, parameters=parameters)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not an empty folder"):
        write_world(tmp_path, customers=100, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_a_project_writes_its_world_once_and_refuses_another_one(tmp_path: Path) -> None:
    raw = yaml.safe_load(CONFIG.read_text())
    raw["world"] = {"folder": "made", "customers": 300, "seed": 4, "parameters": {"switches": {"dirty_values": False}}}
    raw["sources"] = {name: f"made/{name}.parquet" for name in TABLES}

    def written() -> Config:
        (tmp_path / "world.yaml").write_text(yaml.safe_dump(raw))
        return load_config(tmp_path / "world.yaml")

    assert check(written()).errors == ()
    folder = project_world(written())
    assert folder == (tmp_path / "made").resolve()
    assert len(table(folder, "customers")) == 300
    assert not table(folder, "transactions")["quantity"].eq(0).any()
    raw["world"]["seed"] = 5
    with pytest.raises(ConfigError, match=r"another world .*seed"):
        check(written())
    raw["world"] |= {"folder": "other", "parameters": {"wings": 2}}
    with pytest.raises(ConfigError, match="wings"):
        project_world(written())
    assert not (tmp_path / "other").exists()


def test_a_pure_world_gives_its_parameters_back(tmp_path: Path) -> None:
    planted = {"r": 0.8, "alpha": 10.0, "a": 0.8, "b": 2.5}
    folder = write_world(tmp_path / "pure", customers=4_000, seed=3, parameters=WorldConfig.pure(**planted))
    visits = table(folder, "transactions").groupby(["customer_id", "order_id"])["at"].min().reset_index()
    each = visits.groupby("customer_id")["at"].agg(["min", "max", "size"])
    days = pd.Timedelta(days=1)
    end = pd.Timestamp("2023-07-01")
    histories = Histories(each["size"] - 1, (each["max"] - each["min"]) / days, (end - each["min"]) / days)
    estimate = BgNbd().fit(histories).estimate
    deviations = {name: (estimate.values[name] - value) / estimate.errors[name] for name, value in planted.items()}
    assert max(abs(z) for z in deviations.values()) < 3, deviations


def test_the_best_fifth_makes_most_of_the_sales(tmp_path: Path) -> None:
    folder = write_world(tmp_path / "world", customers=3_000, seed=9)
    lines = table(folder, "transactions")
    one_year = lines[(lines["at"] >= "2023-01-01") & (lines["at"] < "2024-01-01")]
    for sales in (lines, one_year):
        by_customer = np.sort(sales.groupby("customer_id")["amount"].sum().to_numpy())[::-1]
        share = by_customer[: len(by_customer) // 5].sum() / by_customer.sum()
        assert 0.65 < share < 0.75
