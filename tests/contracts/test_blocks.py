"""Every feature block, one by one: described for a reader, typed for a model, and left out aloud where data lack."""

from __future__ import annotations

import pytest

from rapport.data.moments import origin_of
from rapport.explain.words import ReasonWriter
from rapport.features.battery import engine, every_task
from rapport.features.battery_data import made_up_company
from rapport.features.battery_words import assert_described, assert_typed, columns_of_block
from rapport.features.blocks import BLOCKS
from rapport.features.plan import FeaturePlan, plan_features
from rapport.features.snapshot import Snapshots
from rapport.language.declarations import Block, EveryAttribute, ForTopValues, Group
from rapport.language.sight import Columns
from rapport.tasks import Task

COMPANY = made_up_company()
with engine() as _opened:
    _DATA = COMPANY.dataset(_opened)
    TABLES: Columns = _DATA.columns
ROWS = {
    **dict.fromkeys(
        ("customer_id", "prospect_id", "campaign_id", "category", "line", "tier", "cutoff", "window_end"), ""
    ),
    **dict.fromkeys(("starts_at", "ends_at", "campaign_kind"), ""),
}
LEARNED = {
    feature.name: ("x",)
    for block in BLOCKS.values()
    for group in block.groups
    for feature in group.features
    if isinstance(feature.what, ForTopValues)
}
ENCODED = {encoding.table: encoding for block in BLOCKS.values() for encoding in block.encodings[:1]}
every_block = pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
every_group = pytest.mark.parametrize(
    ("block", "group"),
    [
        pytest.param(block, group, id=f"{name}-{group.table}-{'-'.join(group.key)}-{position}")
        for name, block in BLOCKS.items()
        for position, group in enumerate(block.groups)
    ],
)


def plan(block: Block, tables: Columns = TABLES, attributes: dict[str, tuple[str, ...]] | None = None) -> FeaturePlan:
    """The block by itself, for rows that have every key."""
    known = COMPANY.attributes if attributes is None else attributes
    there = {name: extra for name, extra in known.items() if name in tables}
    learned = LEARNED | {one.learned_as: ("x",) for one in ENCODED.values() if "x" in there.get(one.table, ())}
    return plan_features([block], ROWS, tables, there, learned)


@every_block
def test_described(block: Block) -> None:
    assert_described([block])


@every_block
def test_names_are_keys_of_the_registry(block: Block) -> None:
    assert BLOCKS[block.name] is block


@every_block
def test_the_made_up_company_has_all_that_the_block_reads(block: Block) -> None:
    """Else the battery would pass over it in silence: add the table or column to `battery_data`."""
    own = [text for text in plan(block).left_out if ": there is no " not in text]
    assert own == []


@every_block
def test_the_dictionary_lists_every_column_of_the_plan(block: Block) -> None:
    """What `columns_of_block` says of a block is what the plan makes of it, but for attributes of few values."""
    encoded = {encoding.table: ("x",) for encoding in block.encodings if encoding in ENCODED.values()}
    planned = {column.name for column in plan(block, attributes=encoded).columns}
    needed = {text.split(".")[1].split(":")[0] for text in plan(block).left_out}  # derived from other blocks
    assert planned == {column.name for column in columns_of_block(block)} - needed


@pytest.mark.parametrize("task", every_task(), ids=lambda task: f"{task.name} of {task.entity}")
def test_types_and_words_of_every_task(task: Task) -> None:
    with engine() as opened:
        snapshots = Snapshots(COMPANY.dataset(opened), task, learn_at=COMPANY.cutoffs[0])
        table = snapshots.features(snapshots.to_score(COMPANY.cutoffs[-1]))
    assert table.num_rows > 0
    assert_typed(table, snapshots.columns)
    writer = ReasonWriter(snapshots.columns, {}, "USD")
    row = table.to_pylist()[0]
    for column in snapshots.columns:
        text = writer.write(column.name, row)
        assert text
        assert "{" not in text.replace("it's {odd}", "").replace("it's {so}", "")


def test_every_block_is_of_some_task() -> None:
    used = {name for task in every_task() for name in task.blocks}
    assert set(BLOCKS) <= used


# ------------------------------------------------------------------------------------------- what lacks is said
@every_group
def test_without_its_table_a_group_is_left_out_and_said(block: Block, group: Group) -> None:
    for missing in filter(None, (group.table, group.through)):
        tables = {name: columns for name, columns in TABLES.items() if name != missing}
        found = plan(block, tables)
        assert all(missing not in (kept.table, kept.through) for kept in found.groups)
        assert all(missing != attributes.table for attributes in found.attributes)
        assert f"{block.name}: no table {origin_of(missing)}" in found.left_out


@every_group
def test_without_its_key_or_time_a_group_is_left_out_and_said(block: Block, group: Group) -> None:
    time = [] if isinstance(group.features[0].what, EveryAttribute) else ["known_at" if group.planned else "at"]
    for missing in (*(key for key in group.key if key in TABLES[group.table]), *time):
        columns = {name: kind for name, kind in TABLES[group.table].items() if name != missing}
        through = {name: kind for name, kind in TABLES.get(group.through or "", {}).items() if name != missing}
        found = plan(block, {**TABLES, group.table: columns} | ({group.through: through} if group.through else {}))
        assert group.features[0].name not in {f.name for kept in found.groups for f in kept.features}
        assert f"{block.name}: {origin_of(group.table)} has no {missing}" in found.left_out


@every_group
def test_without_a_column_its_features_are_left_out_and_said(block: Block, group: Group) -> None:
    keys_and_times = {*group.key, "at", "known_at", *([group.on] if group.through else [])}
    for missing in set(TABLES[group.table]) - keys_and_times:
        columns = {name: kind for name, kind in TABLES[group.table].items() if name != missing}
        attributes = {name: tuple(c for c in extra if c != missing) for name, extra in COMPANY.attributes.items()}
        whole, less = plan(block), plan(block, {**TABLES, group.table: columns}, attributes)
        lost = {column.name for column in whole.columns} - {column.name for column in less.columns}
        said = [text for text in less.left_out if text not in whole.left_out]
        if lost - {name for extra in COMPANY.attributes.values() for name in extra}:
            assert any(text.endswith(f": {origin_of(group.table)} has no {missing}") for text in said), said
        else:
            assert said == []


def test_offers_by_category_alone_leave_out_what_needs_products() -> None:
    """Offers need not name products; what a campaign's products would tell is left out, its categories are kept."""
    offers = {name: kind for name, kind in TABLES["offers"].items() if name != "product_id"}
    found = plan(BLOCKS["campaigns"], {**TABLES, "offers": offers})
    names = {column.name for column in found.columns}
    assert "offered_categories_spend_30d" in names
    assert "offered_spend_30d" not in names
    assert "campaign_offers" in names
