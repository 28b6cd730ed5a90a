from __future__ import annotations

import pytest

from rapport.config import Config
from rapport.data.contract import TABLES, task_needs
from rapport.data.schema import Table


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_names_within_a_table_are_there(table: Table) -> None:
    assert len(set(table.names)) == len(table.names)
    joined_later = {"responses": {"customer_id", "prospect_id"}}
    for name in (*table.key, *table.entity, *([table.event] if table.event else [])):
        assert name in table.names or name in joined_later.get(table.name, ())
    for column in table.columns:
        assert not column.not_before or table[column.not_before].type == "timestamp"
        assert (column.type == "id") == bool(column.domain)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_parents_stand_before_their_children_and_share_the_ids_domain(table: Table) -> None:
    order = list(TABLES)
    for column in table.columns:
        for parent, key in column.references.parents if column.references else ():
            assert order.index(parent) <= order.index(table.name)
            assert key in TABLES[parent].key
            assert TABLES[parent][key].domain == column.domain or table.name == "stages"


def test_what_tasks_need_is_in_the_contract() -> None:
    tasks = {"churn": {}, "conversion": {"of": "prospects"}, "next_offer": {}}
    for conversion in ("campaigns", "prospects"):
        tasks["conversion"] = {"of": conversion}
        config = Config.model_validate({"name": "a", "sources": {}, "tables": {}, "tasks": tasks})
        needs = task_needs(config)
        assert list(needs) == ["churn", "conversion", "next_offer"]
        for need in (need for some in needs.values() for need in some):
            assert set(need.columns) <= set(TABLES[need.table].names)


def test_an_unknown_column_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        TABLES["transactions"]["nothing"]
