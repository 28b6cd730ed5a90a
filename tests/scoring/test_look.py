"""One look at a customer: from his own rows alone, the same as a snapshot says, with his newest scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from kiosk import Kiosk, table_of
from small_project import write_project

from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.errors import DataError
from rapport.features.snapshot import Snapshots
from rapport.language.moments import midnight
from rapport.scoring.batch import score
from rapport.scoring.look import Look, _anniversaries, look
from rapport.tasks import declare

DAY = date(2024, 6, 1)


@pytest.fixture(scope="module")
def home(kiosk: Kiosk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where scores of June are published."""
    home = tmp_path_factory.mktemp("look")
    data = _at(kiosk.data, home)
    for day in (date(2024, 5, 1), DAY):
        score(data, "churn", kiosk.bundle("churn"), as_of=day, clock=lambda: datetime(2024, 7, 1, tzinfo=UTC))
    return home


@pytest.fixture(scope="module")
def data(kiosk: Kiosk, home: Path) -> Iterator[Dataset]:
    """A data set of its own, for a look cuts its tables down."""
    opened = _at(open_dataset(kiosk.data.config), home)
    yield opened
    opened.engine.close()


def _at(data: Dataset, home: Path) -> Dataset:
    return replace(data, config=data.config.model_copy(update={"home": home}))


def at(data: Dataset, entity: str, as_of: date | None = DAY) -> Look:
    return look(data.config, entity, as_of, data=data)


def test_facts_are_those_of_a_snapshot(kiosk: Kiosk, data: Dataset) -> None:
    task = declare("churn", kiosk.data.config.task("churn"))
    snapshots = Snapshots(kiosk.data, task, blocks=("rhythm", "spending"))
    rows = snapshots.features(snapshots.population([midnight(DAY, kiosk.data.config.zone)], with_target=False))
    for row in rows.slice(0, 5).to_pylist():
        facts = {fact.feature: fact.value for fact in at(data, row["customer_id"]).facts}
        for name in ("days_since_visit", "gap_mean", "visits_life", "spend_365d"):
            assert facts.get(name) == row[name]


def test_the_newest_scores_by_that_day_stand_with_their_reasons(data: Dataset, home: Path) -> None:
    scored = table_of(home / "scores" / "kiosk" / "churn" / f"as_of={DAY}")
    row = scored.slice(3, 1).to_pylist()[0]
    (standing,) = at(data, row["entity_id"]).standings
    assert (standing.score, standing.as_of) == (row["score"], DAY)
    assert standing.reasons[0] == row["reason_1"]
    (earlier,) = at(data, row["entity_id"], date(2024, 5, 20)).standings
    assert earlier.as_of == date(2024, 5, 1)


def test_nothing_after_that_day_is_seen(data: Dataset) -> None:
    then, later = at(data, "k001", date(2024, 2, 15)), at(data, "k001")
    visits = [next(f.value for f in found.facts if f.feature == "visits_life") for found in (then, later)]
    assert visits[0] < visits[1]
    assert sum(one.times for one in then.favourites) < sum(one.times for one in later.favourites)


def test_whoever_is_not_there_has_neighbours(data: Dataset) -> None:
    with pytest.raises(DataError, match=r"nobody has the id 'k01'; close to it: k001, k010"):
        at(data, "k01")
    with pytest.raises(DataError, match="nobody has the id"):
        at(data, "' OR 1=1 --")


def test_a_day_before_his_first_event(data: Dataset) -> None:
    with pytest.raises(DataError, match=r"nothing is known of customer 'k001' as of 2023-06-01"):
        at(data, "k001", date(2023, 6, 1))


def test_the_text_names_what_he_buys(data: Dataset) -> None:
    found = at(data, "k001")
    assert found.favourites[0].name in found.text
    assert "days since the last visit" in found.text


def test_anniversaries_are_days_of_the_business() -> None:
    row = {"birth_date": datetime(1990, 5, 31, 22)}  # the first moment of 1 June in Berlin, in summer
    (told,) = _anniversaries(row, date(2024, 5, 20), ZoneInfo("Europe/Berlin"))
    assert told == "birthday on 2024-06-01 (the 34.)"
    assert _anniversaries({"birth_date": None}, date(2024, 5, 20), ZoneInfo("UTC")) == ()
    leap = {"acquired_at": datetime(2020, 2, 29, 12)}
    assert "2023-02-28" in _anniversaries(leap, date(2023, 2, 20), ZoneInfo("UTC"))[0]


@pytest.mark.parametrize("entity", ["²", "--5", "k001 ", "K001"])
def test_ids_that_are_nearly_ids(data: Dataset, entity: str) -> None:
    with pytest.raises(DataError, match="nobody has the id"):
        at(data, entity)


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    """Two prospects, of whom one told a lot and the other nothing, and a customer who never bought."""
    told = {"region": ["north", None], "size": [3.0, None], "heard_from": ["a friend", None]}
    arrived = [datetime(2024, 5, 1), datetime(2024, 5, 2)]
    tables = {
        "prospects": pa.table({"prospect_id": ["p-told", "p-silent"], "created_at": arrived, **told}),
        "transactions": pa.table({"customer_id": ["c1"], "at": [datetime(2024, 4, 1)], "amount": [10.0]}),
        "customers": pa.table({"customer_id": ["c1", "c2"], "acquired_at": [datetime(2024, 3, 1)] * 2}),
    }
    opened = open_dataset(write_project(tmp_path_factory.mktemp("strangers"), tables, observed_until="2024-07-01"))
    yield opened
    opened.engine.close()


def test_a_prospect_who_told_nothing_is_shown_with_how_little_is_known(strangers: Dataset) -> None:
    silent, told = at(strangers, "p-silent"), at(strangers, "p-told")
    assert (silent.kind, told.kind) == ("prospect", "prospect")
    assert silent.note.startswith("little is known: ")
    assert {fact.feature for fact in silent.facts} == {"days_since_arrival"}
    assert {"region", "size", "heard_from"} <= {fact.feature for fact in told.facts}
    assert told.note == f"{len(told.facts)} facts are known"


def test_a_customer_who_never_bought_is_said_to_be_unknown(strangers: Dataset) -> None:
    with pytest.raises(DataError, match="nothing is known of customer 'c2' as of 2024-06-01"):
        at(strangers, "c2")


def test_a_day_before_the_first_purchase_is_named(strangers: Dataset) -> None:
    with pytest.raises(DataError, match="customer 'c1' as of 2024-03-15: his first event comes later"):
        at(strangers, "c1", date(2024, 3, 15))
