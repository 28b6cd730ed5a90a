"""The battery that every feature block and every task passes.

A block of your own joins with one line in a module of tests:

    test_my_block = battery(MY_BLOCK)
    test_my_file = battery("my_features.py")

It builds the block's features (and those of other blocks from which they are derived) for a task of each kind of rows
that has its keys, on a made-up company that is hard on features, and asserts that

- what is not known at a cutoff, deleted, scrambled or doubled, moves no feature and no population by a bit: in training
  with many cutoffs, in scoring with one, and in whatever was learned at the first training cutoff;
- targets see (cutoff, end of the horizon] and nothing else, and no feature sees them;
- neither the order of rows, nor threads, nor the machine's time zone, nor the formulation of a query moves a bit;
- every feature is defined for somebody without any history, and for somebody with one event;
- names, types, definitions, units and words are there, and in order.

Every function raises AssertionError and says which feature of which block moved, and where.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.compute as pc

from ..config import TasksConfig
from ..data.engine import DuckDBEngine, Engine
from ..language.declarations import Block, Ratio
from ..language.formulation import Formulation
from ..language.moments import PerRow, Shared
from ..language.parts import is_zero_without_events, outputs
from ..language.population import compile_spine
from ..tasks import Task, declare
from .battery_data import Company, made_up_company
from .battery_spoil import WAYS, Way, shuffled, spoil, spoil_outside
from .battery_words import assert_described, assert_typed, columns_of_block
from .blocks import BLOCKS
from .own import block_of
from .plan import Learned
from .snapshot import Snapshots

NewEngine = Callable[..., AbstractContextManager[Engine]]
"""Opens an engine; it is called with nothing, or with another number of `threads`."""
ELSEWHERE = "Asia/Shanghai"
_SETTINGS: dict[str, dict[str, Any]] = {
    "next_offer": {"min_buyers": 3},
    "value": {"horizon": 30},
    "risk": {"horizon": 90, "returns_from": 1, "returned_share": 0.01},
    "up_sell": {"horizon": 110, "active_within": 400, "not_bought_within": 30},
    "winback": {"horizon": 30, "silent_for": 20},
    "defection": {"horizon": 90, "silent_for": 10, "silent_at_most": 200, "causes": ("price", "service")},
}


def battery(*own: Block | str | Path) -> Callable[[], None]:
    """A test of blocks, or of files with own features, to be named `test_...` in a test module."""
    blocks = [block if isinstance(block, Block) else block_of(Path(block)) for block in own]

    def test() -> None:
        assert_described(blocks)
        kinds: dict[object, Task] = {}  # features depend on keys and cutoffs, not on who is in a population
        for task in every_task():
            if any(_reaches(block, task) for block in blocks):
                kinds.setdefault((frozenset(task.keys), task.is_planned), task)
        assert kinds, f"no task has the keys of {', '.join(block.name for block in blocks)}"
        for task in kinds.values():
            for check in (assert_point_in_time, assert_blind_to_outcomes, assert_same_everywhere, assert_defined):
                check(task, [*_needed_by(blocks), *blocks])

    return test


def _reaches(block: Block, task: Task) -> bool:
    keys = [*(group.key for group in block.groups), *(fitted.key for fitted in block.fitted)]
    keys += [encoding.key for encoding in block.encodings]
    return not keys or any(set(key) <= set(task.keys) for key in keys)


def _needed_by(blocks: Sequence[Block]) -> list[Block]:
    """The blocks of the package from whose features some of these are derived."""
    ratios = [feature.what for block in blocks for feature in block.derived if isinstance(feature.what, Ratio)]
    wanted = {name for ratio in ratios for name in (ratio.numerator, ratio.denominator)}
    own = {block.name for block in blocks}
    others = [block for block in BLOCKS.values() if block.name not in own]
    return [block for block in others if wanted & {column.name for column in columns_of_block(block)}]


@cache
def every_task() -> tuple[Task, ...]:
    """Every task of the package with its defaults, in every kind of it; little is asked of so small a company."""
    tasks = []
    for name, field in TasksConfig.model_fields.items():
        config = next(kind for kind in get_args(field.annotation) if kind is not type(None))
        kinds = get_args(config.model_fields["of"].annotation) if "of" in config.model_fields else ()
        for settings in [{"of": kind} for kind in kinds] or [{}]:
            tasks.append(declare(name, config(**settings, **_SETTINGS.get(name, {}))))
    return tuple(tasks)


def blocks_to_look_at(task: Task) -> list[Block]:
    """The blocks whose features are looked at with a task: each kind of key once, so that nothing is computed twice.

    All of them for the first task and for plans, whose rows bring their own cutoffs; else those with a key that no
    earlier task has, and those from which they are derived.
    """
    earlier = [set(other.keys) for other in every_task()[: every_task().index(task)]]
    if set(task.keys) in earlier:
        return []
    if task.is_planned or not earlier:
        return list(BLOCKS.values())

    def is_new(block: Block) -> bool:
        keys = [*(set(group.key) for group in block.groups), *(set(fitted.key) for fitted in block.fitted)]
        return any(key <= set(task.keys) and not any(key <= other for other in earlier) for key in keys)

    new = [block for block in BLOCKS.values() if is_new(block)]
    return [*_needed_by(new), *new]


def engine(threads: int = 1) -> DuckDBEngine:
    """The engine on which the battery runs, unless another is given."""
    return DuckDBEngine(memory_limit="500MB", threads=threads)


# ------------------------------------------------------------------------------------------- what is built
@dataclass(frozen=True)
class Built:
    """A snapshot, the values that were learned for it, and the block of each feature."""

    table: pa.Table
    learned: Learned
    blocks: dict[str, str]

    def at(self, cutoff: datetime) -> pa.Table:
        """The rows of one cutoff."""
        return self.table.filter(pc.equal(self.table["cutoff"], pa.scalar(cutoff, pa.timestamp("us"))))


def train(
    task: Task,
    blocks: Sequence[Block],
    company: Company,
    new: NewEngine = engine,
    formulation: Formulation | None = None,
) -> Built:
    """The snapshot of many cutoffs, without targets; top values are learned at the first of them."""
    with new() as opened:
        data, cutoffs = company.dataset(opened), company.cutoffs
        snapshots = Snapshots(data, task, blocks=blocks, learn_at=cutoffs[0], formulation=formulation)
        if task.is_planned:
            spine = snapshots.planned(cutoffs[0], cutoffs[-1], with_target=False)
        else:
            spine = snapshots.population(cutoffs, with_target=False)
        return _built(snapshots, spine)


def score(task: Task, blocks: Sequence[Block], company: Company, learned: Learned, new: NewEngine = engine) -> Built:
    """The snapshot as of the last cutoff, with what was learned before."""
    with new() as opened:
        snapshots = Snapshots(company.dataset(opened), task, blocks=blocks, learned=learned)
        return _built(snapshots, snapshots.to_score(company.cutoffs[-1]))


def _built(snapshots: Snapshots, spine: pa.Table) -> Built:
    table = snapshots.features(spine)
    assert table.select(spine.column_names).equals(spine), "features changed or reordered the population's rows"
    return Built(table, snapshots.learned, {column.name: column.block for column in snapshots.columns})


# ------------------------------------------------------------------------------------------- no look ahead
def assert_point_in_time(
    task: Task,
    blocks: Sequence[Block],
    company: Company | None = None,
    new: NewEngine = engine,
    ways: Sequence[Way] = WAYS,
) -> None:
    """What is not known at a cutoff moves no feature and no population by a bit, in training and in scoring."""
    company = company or made_up_company()
    first, last = company.cutoffs[0], company.cutoffs[-1]
    trained = train(task, blocks, company, new)
    scored = score(task, blocks, company, trained.learned, new)
    assert trained.at(first).num_rows, f"{task.name}: nobody is eligible; nothing is shown"
    if not task.is_planned:  # plans are scored before they begin, and learned from when they do
        assert_equal(trained.at(last), scored.table, task, trained.blocks, f"{task.name}: training against scoring")
    for way in ways:
        where = f"{task.name}: rows that are not known at the cutoff were {way}"
        spoilt = train(task, blocks, company.with_tables(spoil(company.tables, first, way)), new)
        assert spoilt.learned == trained.learned, f"{where}: other values were learned at the first training cutoff"
        assert_equal(trained.at(first), spoilt.at(first), task, trained.blocks, f"{where} (training)")
        spoilt = score(task, blocks, company.with_tables(spoil(company.tables, last, way, 1)), trained.learned, new)
        assert_equal(scored.table, spoilt.table, task, trained.blocks, f"{where} (scoring)")


def assert_blind_to_outcomes(
    task: Task, blocks: Sequence[Block], company: Company | None = None, new: NewEngine = engine
) -> None:
    """That the rows bring their targets and worths, as they do in training, moves no feature by a bit."""
    if task.target is None:
        return
    company = company or made_up_company()
    first, last = company.cutoffs[0], company.cutoffs[-1]
    with new() as opened:
        snapshots = Snapshots(company.dataset(opened), task, blocks=blocks, learn_at=first)
        if task.is_planned:
            spine = snapshots.planned(first, last, with_target=True)
        else:
            spine = snapshots.population([first], with_target=True)
        outcomes = [name for name in ("target", "worth") if name in spine.column_names]
        with_them, without = _built(snapshots, spine), _built(snapshots, spine.drop(outcomes))
    where = f"{task.name}: with targets against without"
    assert_equal(without.table, with_them.table.drop(outcomes), task, without.blocks, where)


def assert_target_in_window(
    task: Task, company: Company | None = None, new: NewEngine = engine, ways: Sequence[Way] = WAYS
) -> None:
    """Targets are the same whatever happened up to the cutoff, or after the end of the horizon; and worths."""
    if task.target is None:
        return
    company = company or made_up_company()
    spine = train(task, [], company, new).table
    for cutoff, end in sorted({(row["cutoff"], row["window_end"]) for row in spine.to_pylist()}):
        rows = spine.filter(pc.equal(spine["cutoff"], pa.scalar(cutoff, pa.timestamp("us"))))
        outcomes = _outcomes(task, company, rows, new)
        assert len({target for target, _ in outcomes.values()}) == 2, (
            f"{task.name}: all outcomes at {cutoff} are alike; nothing is shown"
        )
        for way in ways:
            spoilt = company.with_tables(spoil_outside(company.tables, cutoff, end, way))
            others = _outcomes(task, spoilt, rows, new)
            moved = [key for key in outcomes if outcomes[key] != others[key]]
            assert not moved, (
                f"{task.name}: rows outside ({cutoff}, {end}] were {way}, and {len(moved)} targets moved, such as that "
                f"of {dict(zip(task.keys, moved[0], strict=True))}"
            )


def _outcomes(task: Task, company: Company, spine: pa.Table, new: NewEngine) -> dict[tuple[Any, ...], Any]:
    with new() as opened:
        snapshots = Snapshots(company.dataset(opened), task, blocks=())
        measures = [*task.outcome.measures, *([task.worth.measure] if task.worth is not None else [])]
        snapshots._set_spine(spine, measures)
        cutoff = spine["cutoff"][0].as_py()
        moment = PerRow() if task.is_planned else Shared(cutoff, company.zone)
        rows = opened.arrow(compile_spine((), task.outcome, moment, snapshots.tables, task.worth)).to_pylist()
    return {tuple(row[key] for key in task.keys): (row["target"], row.get("worth")) for row in rows}


# ------------------------------------------------------------------------------------------- the same everywhere
def assert_same_everywhere(
    task: Task, blocks: Sequence[Block], company: Company | None = None, new: NewEngine = engine
) -> None:
    """Order of rows, threads, the machine's time zone and the formulation do not move a bit."""
    company = company or made_up_company()
    before = train(task, blocks, company, new)
    with machine_zone(ELSEWHERE):
        other = train(task, blocks, company.with_tables(shuffled(company.tables)), partial(new, threads=3))
    where = f"{task.name}: shuffled rows, three threads, in {ELSEWHERE}"
    assert_equal(before.table, other.table, task, before.blocks, where)
    for formulation in get_args(Formulation):
        if not task.is_planned:
            other = train(task, blocks, company, new, formulation)
            assert_equal(before.table, other.table, task, before.blocks, f"{task.name}: {formulation}")
    with new() as opened:
        snapshots = Snapshots(company.dataset(opened), task, blocks=blocks, learned=before.learned)
        kept = [name for name in before.table.column_names if name not in before.blocks]
        fitted = [feature.name for one in snapshots.plan.fitted for feature in one.features]
        kept += [name for name in (*fitted, "campaign_kind", *task.keys) if name in before.table.column_names]
        rows = before.table.select(list(dict.fromkeys(kept)))
        rows = rows.append_column("__row", pa.array(range(rows.num_rows)))
        per_row = snapshots._features_at(rows, PerRow()).sort_by("__row").select(before.table.column_names)
        assert_equal(before.table, per_row, task, before.blocks, f"{task.name}: one query for all cutoffs")


@contextmanager
def machine_zone(zone: str) -> Iterator[None]:
    """The machine's own time zone, as processes see it, changed for a while."""
    before = os.environ.get("TZ")
    try:
        os.environ["TZ"] = zone
        time.tzset()
        yield
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


# ------------------------------------------------------------------------------------------- little or no history
def assert_defined(
    task: Task, blocks: Sequence[Block], company: Company | None = None, new: NewEngine = engine
) -> None:
    """Without history, counts and sums are zero and other measures missing; with one event no value is infinite."""
    company = company or made_up_company()
    spine = train(task, [], company, new).table.slice(0, 1)
    nobody = spine
    carried = {key for block in blocks for group in block.groups for key in group.key} & set(spine.column_names)
    for key in dict.fromkeys((*task.keys, *sorted(carried))):
        unknown = pa.array(["nobody" if pa.types.is_string(spine[key].type) else -1], spine[key].type)
        nobody = nobody.set_column(nobody.column_names.index(key), key, unknown)
    with new() as opened:
        snapshots = Snapshots(company.dataset(opened), task, blocks=blocks, learn_at=company.cutoffs[0])
        (row,) = snapshots.features(nobody).to_pylist()
        for group in snapshots.plan.groups:
            for output in outputs(group):
                expected = 0 if is_zero_without_events(output.measure) else None
                assert row[output.name] == expected, f"{output.name} of nobody is {row[output.name]}, not {expected}"
        assert snapshots.features(spine.slice(0, 0)).num_rows == 0
        assert_typed(snapshots.features(spine.slice(0, 0)), snapshots.columns)
        learned = snapshots.learned
    few = {name: _one_of(table, spine.to_pylist()[0]) for name, table in company.tables.items()}
    with new() as opened:
        snapshots = Snapshots(company.with_tables(few).dataset(opened), task, blocks=blocks, learned=learned)
        assert_typed(snapshots.features(spine), snapshots.columns)


def _one_of(table: pa.Table, row: dict[str, Any]) -> pa.Table:
    """One row of the table, that of the same keys if there is one."""
    for key in set(row) & set(table.column_names) - {"cutoff"}:
        same = table.filter(pc.equal(table[key], pa.scalar(row[key], table[key].type)))
        table = same if same.num_rows else table
    return table.slice(0, 1)


# ------------------------------------------------------------------------------------------- equal to the bit
def assert_equal(before: pa.Table, after: pa.Table, task: Task, blocks: dict[str, str], where: str) -> None:
    """Two snapshots of the same rows are equal to the bit; else the features that moved are named."""
    rows = [*task.keys, "cutoff"]
    keys = before.select(rows).to_pylist()
    assert keys == after.select(rows).to_pylist(), (
        f"{where}: the population changed from {before.num_rows} rows to {after.num_rows}; "
        f"{_difference(keys, after.select(rows).to_pylist())}"
    )
    assert before.column_names == after.column_names, (
        f"{where}: other columns: {sorted(set(before.column_names) ^ set(after.column_names))}"
    )
    moved = [name for name in before.column_names if not before[name].equals(after[name])]
    if moved:
        name = moved[0]
        pairs = zip(keys, before[name].to_pylist(), after[name].to_pylist(), strict=True)
        key, was, became = next(pair for pair in pairs if pair[1] != pair[2])
        named = ", ".join(f"{name} (block {blocks[name]})" if name in blocks else name for name in moved)
        raise AssertionError(f"{where}: {len(moved)} columns moved: {named}. {name} of {key} was {was} and is {became}")


def _difference(before: list[Any], after: list[Any]) -> str:
    gone = [row for row in before if row not in after]
    come = [row for row in after if row not in before]
    return f"gone: {gone[:2]}, come: {come[:2]}"
