"""Each thing that can be wrong with the data, one at a time: where it is named, how often, with what example."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small_project import NOW, Columns, at, good_tables, write_project

from rapport.config import load_config
from rapport.data.checks import check
from rapport.data.ingest import open_dataset
from rapport.data.report import Fault, Report
from rapport.errors import ConfigError, DataError


def report_of(tmp_path: Path, data: dict[str, Columns], *arguments: Any, **top: Any) -> Report:
    return check(write_project(tmp_path, data, *arguments, **top), now=NOW)


def spoilt(table: str, *others: str, **columns: Any) -> dict[str, Columns]:
    """One table with some columns replaced, and the others that it is checked against."""
    data = good_tables(table, *others)
    data[table] |= columns
    return data


def only_fault(report: Report, severity: str = "error") -> Fault:
    faults = [fault for fault in report.faults if fault.severity == severity]
    assert len(faults) == 1, report.text()
    assert faults[0].remedy
    return faults[0]


def test_good_tables_keep_the_contract(tmp_path: Path) -> None:
    report = report_of(tmp_path, good_tables())
    assert report.faults == ()
    assert report.rows == {
        "customers": 3,
        "products": 2,
        "campaigns": 2,
        "contacts": 3,
        "responses": 2,
        "transactions": 4,
    }


# ------------------------------------------------------------------------------------------- files and columns
def test_a_missing_file(tmp_path: Path) -> None:
    config = write_project(tmp_path, good_tables())
    (tmp_path / "customers.parquet").unlink()
    fault = only_fault(check(config, now=NOW))
    assert fault.table == "customers"
    assert "customers.parquet" in fault.what
    with pytest.raises(DataError, match=r"customers\.parquet"):
        open_dataset(config)
    assert not list((tmp_path / "home").rglob("*.parquet"))


def test_a_missing_source_of_a_query_is_named_once(tmp_path: Path) -> None:
    entry = {"query": "SELECT c.* FROM customers c JOIN contacts USING (customer_id)"}
    config = write_project(tmp_path, good_tables(), {"customers": entry})
    (tmp_path / "contacts.parquet").unlink()
    fault = only_fault(check(config, now=NOW))
    assert fault.table == "contacts, customers"


def test_a_damaged_file(tmp_path: Path) -> None:
    config = write_project(tmp_path, good_tables())
    file = tmp_path / "transactions.parquet"
    content = file.read_bytes()
    file.write_bytes(content[:4] + b"\xff" * 300 + content[304:])
    assert only_fault(check(config, now=NOW)).table == "transactions"


def test_a_renamed_column(tmp_path: Path) -> None:
    entry = {"source": "transactions", "columns": {"amount": "sales_value"}}
    data = good_tables("transactions")
    data["transactions"]["sale_value"] = data["transactions"].pop("amount")
    fault = only_fault(report_of(tmp_path, data, {"transactions": entry}))
    assert (fault.table, fault.column) == ("transactions", "amount")
    assert "sales_value" in fault.what
    assert "did you mean sale_value" in fault.what


def test_a_required_column_that_is_not_mapped(tmp_path: Path) -> None:
    data = good_tables("transactions")
    data["transactions"]["amounts"] = data["transactions"].pop("amount")
    fault = only_fault(report_of(tmp_path, data))
    assert (fault.table, fault.column) == ("transactions", "amount")
    assert "did you mean amounts" in fault.remedy


def test_contacts_of_nobody(tmp_path: Path) -> None:
    data = good_tables("campaigns", "contacts")
    del data["contacts"]["customer_id"]
    assert "customer_id and prospect_id" in only_fault(report_of(tmp_path, data)).what


# ------------------------------------------------------------------------------------------- values
def test_text_in_an_amount(tmp_path: Path) -> None:
    fault = only_fault(report_of(tmp_path, spoilt("transactions", amount=["10", "free", "20.5", "n/a"])))
    assert (fault.table, fault.column, fault.count) == ("transactions", "amount", 2)
    assert "text" in fault.what
    assert fault.examples[0] == {"customer_id": "1", "at": "2024-04-02 16:00:00 UTC", "amount": "free"}


def test_text_in_an_expression(tmp_path: Path) -> None:
    data = spoilt("transactions", cents=["1000", "450", "free", "800"])
    entry = {"source": "transactions", "columns": {"amount": "cents / 100"}}
    fault = only_fault(report_of(tmp_path, data, {"transactions": entry}))
    assert fault.column == "amount"
    assert "cents holds text in 1 of 4 rows, such as 'free'" in fault.what


def test_a_column_of_another_type(tmp_path: Path) -> None:
    fault = only_fault(report_of(tmp_path, spoilt("transactions", amount=[at("2024-01-01 10:00")] * 4)))
    assert "TIMESTAMP where numbers are expected" in fault.what


@pytest.mark.parametrize("broken", ["31.02.2024", "yesterday", "2024-13-01"])
def test_text_in_a_time(tmp_path: Path, broken: str) -> None:
    fault = only_fault(
        report_of(tmp_path, spoilt("transactions", at=["2024-01-10 09:30", broken, "2024-03-02", "2024-03-03"]))
    )
    assert (fault.column, fault.count, fault.examples[0]["at"]) == ("at", 1, broken)


def test_ids_with_a_fraction(tmp_path: Path) -> None:
    fault = only_fault(report_of(tmp_path, spoilt("transactions", customer_id=[1.0, 1.5, 2.0, 3.0])))
    assert (fault.column, fault.count, fault.examples[0]["customer_id"]) == ("customer_id", 1, "1.5")


@pytest.mark.parametrize("column", ["customer_id", "at", "amount"])
def test_missing_values_where_there_must_be_one(tmp_path: Path, column: str) -> None:
    data = good_tables("transactions")
    data["transactions"][column] = [None, *data["transactions"][column][1:]]
    fault = only_fault(report_of(tmp_path, data))
    assert (fault.column, fault.count) == (column, 1)
    assert fault.examples[0][column] is None


def test_duplicated_customers(tmp_path: Path) -> None:
    fault = only_fault(report_of(tmp_path, spoilt("customers", customer_id=[1, 2, 1])))
    assert (fault.table, fault.column, fault.count) == ("customers", "customer_id", 2)
    assert fault.examples == ({"customer_id": "1"},)


def test_ids_that_differ_in_case_or_by_a_space_are_different(tmp_path: Path) -> None:
    data = spoilt("customers", "transactions", customer_id=["a", "A", "a "])
    data["transactions"]["customer_id"] = ["a", "A", "a ", " a"]
    report = report_of(tmp_path, data)
    assert report.errors == ()
    assert [fault.examples for fault in report.warnings] == [({"customer_id": " a"},)]


def test_duplicated_offers_are_told_by_their_whole_key(tmp_path: Path) -> None:
    data = good_tables("campaigns")
    data["offers"] = {"offer_id": [1, 1, 1, 1], "campaign_id": [7, 7, 8, 8], "product_id": [10, 11, 10, 10]}
    fault = only_fault(report_of(tmp_path, data))
    assert fault.count == 2
    assert fault.examples == ({"offer_id": "1", "campaign_id": "8", "product_id": "10"},)


def test_unknown_ids_stop_where_the_parent_must_be_whole(tmp_path: Path) -> None:
    fault = only_fault(report_of(tmp_path, spoilt("contacts", "campaigns", campaign_id=[7, 99, 99])))
    assert (fault.table, fault.column, fault.count) == ("contacts", "campaign_id", 2)
    assert "1 of them" in fault.what
    fault = only_fault(report_of(tmp_path, spoilt("responses", "contacts", "campaigns", contact_id=["a", "nobody"])))
    assert (fault.table, fault.examples) == ("responses", ({"contact_id": "nobody"},))


def test_unknown_ids_warn_where_the_parent_may_be_partial(tmp_path: Path) -> None:
    data = spoilt("transactions", "products", product_id=[10, 11, 12, None])
    data["customers"] = {"customer_id": [1, 2]}
    report = report_of(tmp_path, data)
    assert report.errors == ()
    assert {(fault.place, fault.count) for fault in report.warnings} == {
        ("transactions.customer_id", 1),
        ("transactions.product_id", 1),
    }


def test_stages_may_be_of_customers_or_prospects(tmp_path: Path) -> None:
    data = good_tables("customers")
    data["prospects"] = {"prospect_id": ["p1"], "created_at": [at("2024-01-01 10:00")]}
    data["stages"] = {
        "entity_id": ["1", "p1", "x"],
        "at": [at("2024-01-02 10:00")] * 3,
        "stage": ["user", "lead", "friend"],
    }
    report = report_of(tmp_path, data)
    assert only_fault(report).column == "stage"
    assert only_fault(report, "warning").examples == ({"entity_id": "x"},)
    assert any("so they are text in customers.customer_id" in note for note in report.notes)


# ------------------------------------------------------------------------------------------- times
def test_times_in_the_future(tmp_path: Path) -> None:
    times = [at("2024-01-10 09:30"), at("2024-07-02 00:00:01"), at("2024-07-01 23:59"), at("2204-01-01 10:00")]
    fault = only_fault(report_of(tmp_path, spoilt("transactions", at=times)))
    assert (fault.column, fault.count, fault.what) == ("at", 2, "lies in the future")


def test_a_purchase_of_today_known_by_its_date_is_not_in_the_future(tmp_path: Path) -> None:
    times = [at("2024-01-10"), at("2024-01-11"), at("2024-01-12"), datetime(NOW.year, NOW.month, NOW.day)]
    assert report_of(tmp_path, spoilt("transactions", at=times)).faults == ()


def test_plans_may_lie_in_the_future(tmp_path: Path) -> None:
    data = good_tables()
    data["campaigns"] |= {
        "starts_at": [at("2024-03-01"), at("2024-08-01")],
        "ends_at": [at("2024-03-20"), at("2024-09-01")],
    }
    data["responses"] = {"contact_id": ["a"], "at": [at("2024-03-05 10:00")]}
    assert report_of(tmp_path, data).faults == ()


def test_events_after_the_observed_world_are_a_warning(tmp_path: Path) -> None:
    fault = only_fault(report_of(tmp_path, good_tables("transactions"), observed_until=datetime(2024, 6, 1)), "warning")
    assert (fault.place, fault.count) == ("transactions.at", 1)


def test_an_end_of_the_world_that_the_data_do_not_reach(tmp_path: Path) -> None:
    data = good_tables("transactions")
    data["transactions"]["at"][3] = at("2024-05-31 10:00")
    assert report_of(tmp_path, data, observed_until=datetime(2024, 6, 5)).faults == ()
    fault = only_fault(report_of(tmp_path, data, observed_until=datetime(2024, 6, 30)), "warning")
    assert "29 days after the last event" in fault.what
    fault = only_fault(report_of(tmp_path, data, observed_until=datetime(2030, 1, 1)))
    assert "future" in fault.what


def test_campaigns_that_end_before_they_start(tmp_path: Path) -> None:
    fault = only_fault(report_of(tmp_path, spoilt("campaigns", ends_at=[at("2024-03-20"), at("2024-04-20")])))
    assert (fault.column, fault.count, fault.what) == ("ends_at", 1, "lies before starts_at")
    assert set(fault.examples[0]) == {"campaign_id", "ends_at", "starts_at"}


def test_a_campaign_of_one_day_is_fine(tmp_path: Path) -> None:
    data = spoilt("campaigns", ends_at=[at("2024-03-01"), at("2024-05-20")])
    assert report_of(tmp_path, data).faults == ()


# ------------------------------------------------------------------------------------------- amounts
def test_negative_quantities_stop_and_zero_ones_warn(tmp_path: Path) -> None:
    report = report_of(tmp_path, spoilt("transactions", quantity=[-1.0, 0.0, 0.0, 1.0]))
    assert (only_fault(report).count, only_fault(report, "warning").count) == (1, 2)


def test_infinite_amounts_warn(tmp_path: Path) -> None:
    report = report_of(tmp_path, spoilt("transactions", amount=[1.0, float("inf"), -float("inf"), 1e13]))
    assert report.errors == ()
    fault = only_fault(report, "warning")
    assert (fault.table, fault.column, fault.count) == ("transactions", "amount", 3)
    assert {example["amount"] for example in fault.examples} == {"inf", "-inf", "10000000000000.0"}


@pytest.mark.parametrize(
    "amounts", [[10.0, float("nan"), 20.0, 8.0], ["10", "NaN", "20", "8"]], ids=["numbers", "text"]
)
def test_what_is_not_a_number_warns_and_what_is_missing_stops(tmp_path: Path, amounts: list[Any]) -> None:
    fault = only_fault(report_of(tmp_path, spoilt("transactions", amount=amounts)), "warning")
    assert (fault.place, fault.count, fault.examples[0]["amount"].lower()) == ("transactions.amount", 1, "nan")
    missing = [amounts[0], None, amounts[1], amounts[3]]
    report = report_of(tmp_path, spoilt("transactions", amount=missing))
    assert (only_fault(report).count, only_fault(report, "warning").count) == (1, 1)


def test_absurd_and_negative_amounts_warn(tmp_path: Path) -> None:
    report = report_of(tmp_path, spoilt("transactions", amount=[10.0, 12.0, 500_000.0, -5.0]))
    assert report.errors == ()
    assert [(fault.column, fault.count) for fault in report.warnings] == [("amount", 1), ("amount", 1)]


# ------------------------------------------------------------------------------------------- tables and tasks
def test_empty_tables_stop_only_the_tasks_that_need_them(tmp_path: Path) -> None:
    data = good_tables("transactions")
    empty = pa.table({name: pa.array([], pa.array(values).type) for name, values in data["transactions"].items()})
    data["transactions"] = empty
    assert only_fault(report_of(tmp_path, data), "warning").place == "transactions"
    assert only_fault(report_of(tmp_path, data, tasks={"churn": {}})).place == "transactions"


def test_what_a_task_needs_and_does_not_find(tmp_path: Path) -> None:
    data = {"transactions": {name: good_tables()["transactions"][name] for name in ("customer_id", "at", "amount")}}
    assert report_of(tmp_path, data, tasks={"churn": {}}).faults == ()
    report = report_of(tmp_path, data, tasks={"churn": {}, "next_offer": {}, "conversion": {}})
    assert {fault.place for fault in report.errors} == {
        "transactions.product_id",
        "products",
        "campaigns",
        "contacts",
        "responses",
    }
    with pytest.raises(DataError, match="next_offer"):
        open_dataset(write_project(tmp_path, data, tasks={"next_offer": {}}))


def test_a_task_that_is_added_later_is_checked_against_what_was_written(tmp_path: Path) -> None:
    data = {"transactions": {name: good_tables()["transactions"][name] for name in ("customer_id", "at", "amount")}}
    open_dataset(write_project(tmp_path, data, tasks={"churn": {}}))
    with pytest.raises(DataError, match="next_offer"):
        open_dataset(write_project(tmp_path, data, tasks={"next_offer": {}}))


def test_tables_that_hang_in_the_air(tmp_path: Path) -> None:
    data = good_tables()
    assert only_fault(report_of(tmp_path, {"responses": data["responses"]})).column == "contact_id"
    assert only_fault(report_of(tmp_path, {"contacts": data["contacts"]})).column == "at"


def test_every_fault_is_named_in_one_go(tmp_path: Path) -> None:
    data = good_tables()
    data["transactions"] |= {"amount": ["x", "1", "2", "3"], "quantity": [-1.0, 1.0, 1.0, 1.0]}
    data["customers"]["customer_id"] = [1, 1, 3]
    data["campaigns"]["ends_at"] = [at("2020-01-01")] * 2
    config = write_project(tmp_path, data, tasks={"conversion": {"of": "prospects"}})
    places = {"transactions.amount", "transactions.quantity", "customers.customer_id", "campaigns.ends_at", "prospects"}
    assert {fault.place for fault in check(config, now=NOW).errors} == places
    with pytest.raises(DataError) as error:
        open_dataset(config)
    assert all(place in str(error.value) for place in places)
    assert not list((tmp_path / "home").rglob("*.parquet"))


# ------------------------------------------------------------------------------------------- configuration, report
def test_an_unknown_key_and_an_unknown_zone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tables\.transactions\.colums: unknown key"):
        write_project(tmp_path, good_tables("transactions"), {"transactions": {"source": "transactions", "colums": {}}})
    with pytest.raises(ConfigError, match="no_such"):
        write_project(
            tmp_path, good_tables("transactions"), {"transactions": {"source": "transactions", "clock": "no_such"}}
        )
    with pytest.raises(ConfigError, match="nowhere"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_report_for_the_eye_and_for_machines(tmp_path: Path) -> None:
    report = report_of(tmp_path, spoilt("transactions", amount=["x" * 90, "1", "2", "3"]))
    text = report.text()
    assert "error: transactions.amount: holds text where a number is expected (1 row)" in text
    assert "e.g. customer_id=1" in text
    assert "x" * 57 + "..." in text
    assert text.endswith("the data of small: 1 error, 0 warnings")
    assert Report.from_json(json.dumps(report.as_json())) == report
