"""What is known of one customer or prospect, as of any moment: a snapshot of a single row, from his own rows alone.

The same declarations as everywhere else, over tables that hold nobody else, so that it is read in no time. Features
that need everybody (fitted ones, and measures of categories or campaigns) are not among them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlglot import exp

from ..data.buckets import bucket_of
from ..data.contract import TABLES
from ..data.dataset import Dataset, whole
from ..data.moments import define_moments, read_whole
from ..language.compile import compile_together
from ..language.declarations import Block, Count, Feature, FeatureColumn, Group, Population, Seen, Sum
from ..language.moments import Shared
from ..tasks.base import Task, Wording
from .blocks import BLOCKS
from .snapshot import Snapshots

_TABLE = {"customer_id": "customers", "prospect_id": "prospects"}
_FILES = "__files"


@dataclass(frozen=True)
class Known:
    """One entity: its key (`customer_id` or `prospect_id`), the described features and their values by name."""

    key: str
    columns: tuple[FeatureColumn, ...]
    values: dict[str, Any]


class One:
    """The tables of a data set cut down to one entity; `data` must not be used for anybody else meanwhile."""

    def __init__(self, data: Dataset, key: str, entity: int | str) -> None:
        self.data, self.key = data, key
        self.entity = _typed(data, key, entity)
        bucket = bucket_of(self.entity, data.buckets) if data.buckets > 1 else None
        for table, files in data.files.items():
            owners = [name for name in (key, "entity_id") if name in data.columns[table] and TABLES[table].entity]
            own = files if bucket is None or len(files) == 1 else (files[bucket],)
            data.engine.drop(table)
            if not owners:
                data.engine.add_files(table, own)
                continue
            data.engine.add_files(f"{table}{_FILES}", own)
            owner: exp.Expression = exp.column(owners[0], quoted=True)
            if isinstance(self.entity, str):  # also one that could not be an id of these data
                owner = exp.cast(owner, "text")
            mine = exp.EQ(this=owner, expression=exp.convert(self.entity))
            data.engine.materialise(table, exp.select("*").from_(exp.to_table(f"{table}{_FILES}")).where(mine))
        for table in read_whole(data.files):
            data.engine.add_files(whole(table), data.files[table])
        define_moments(data.engine, data.columns, of_all=whole)

    def exists(self) -> bool:
        """True if any table of the entity has a row of it."""
        counts = (exp.select(exp.Count(this=exp.Star())).from_(exp.to_table(table)) for table in self._own)
        return any(self.data.engine.arrow(query).column(0)[0].as_py() for query in counts)

    def known(self, cutoff: datetime, wanted: Sequence[str]) -> Known:
        """The wanted features, those that the data allow, as of a moment (naive UTC)."""
        blocks = [_only(block, frozenset(wanted)) for block in BLOCKS.values()]
        snapshots = Snapshots(self.data, self._task(), blocks=[block for block in blocks if block is not None])
        moment = pa.array([cutoff], pa.timestamp("us"))
        spine = pa.table({self.key: pa.array([self.entity]), "cutoff": moment, "window_end": moment})
        row = snapshots.features(spine).to_pylist()[0]
        return Known(self.key, snapshots.columns, {column.name: row[column.name] for column in snapshots.columns})

    def favourites(self, cutoff: datetime, column: str, most: int = 3) -> list[tuple[str, int, float]]:
        """What a customer buys most: values of a column of his purchases, how often each, and for how much."""
        if not self.data.has("transactions", column):
            return []
        features = (Feature("n", Count(), ""), Feature("amount", Sum(column="amount"), ""))
        group = Group("transactions", ("customer_id", column), features)
        query = compile_together(group, Shared(cutoff, self.data.config.zone), self.data.columns)
        rows = [row for row in self.data.engine.arrow(query).to_pylist() if row[column] is not None]
        rows.sort(key=lambda row: (-row["n"], str(row[column])))
        return [(str(row[column]), int(row["n"]), float(row["amount"])) for row in rows[:most]]

    def row(self) -> dict[str, Any]:
        """The entity's own row (customers or prospects), empty where it has none."""
        table = _TABLE[self.key]
        if table not in self.data.columns:
            return {}
        rows = self.data.engine.arrow(exp.select("*").from_(exp.to_table(table))).to_pylist()
        return rows[0] if rows else {}

    @property
    def _own(self) -> list[str]:
        return [table for table in self.data.files if TABLES[table].entity and self.key in self.data.columns[table]]

    def _task(self) -> Task:
        table = "transactions" if self.key == "customer_id" else "prospects"
        return Task(
            name="look",
            question="Who is this?",
            population_text="one",
            target_text="none",
            keys=(self.key,),
            population=Population(Seen(table, (self.key,))),
            target=None,
            horizon=0,
            blocks=(),
            primary_metric="average_precision",
            rules=(),
            wording=Wording("", "", "", "", "", ""),
        )


def kinds_at_hand(data: Dataset) -> list[str]:
    """The keys by which the data know somebody: `customer_id`, `prospect_id`."""
    return [key for key in _TABLE if any(key in data.columns[table] for table in data.files)]


def _only(block: Block, wanted: frozenset[str]) -> Block | None:
    """The block's wanted features; None where it has none, or only such as need everybody."""
    groups = []
    for group in block.groups:
        kept = tuple(f for f in group.features if f.name in wanted)
        if kept:
            groups.append(replace(group, features=kept))
    derived = tuple(feature for feature in block.derived if feature.name in wanted)
    return replace(block, groups=tuple(groups), derived=derived, fitted=()) if groups else None


def _typed(data: Dataset, key: str, entity: int | str) -> int | str:
    """The id in the type of the data's own ids; one that cannot be such an id stays as it is."""
    types = {data.columns[table][key] for table in data.files if key in data.columns[table]}
    if any("INT" in name for name in types):
        text = str(entity).strip()
        return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else entity
    return str(entity)


def nearest_ids(data: Dataset, key: str, entity: int | str, most: int = 5) -> list[str]:
    """Known ids that look most like one that is not known, by edit distance."""
    tables = [table for table in data.files if key in data.columns[table] and TABLES[table].entity]
    whole = [table for table in tables if table == _TABLE[key]] or tables
    found: dict[str, int] = {}
    for table in whole:
        data.engine.add_files(f"{table}{_FILES}", data.files[table])
        text = exp.cast(exp.column(key, quoted=True), "text")
        distance = exp.alias_(exp.Levenshtein(this=text, expression=exp.Literal.string(str(entity))), "distance")
        ids = exp.select(exp.alias_(text.copy(), "id"), distance).distinct().from_(exp.to_table(f"{table}{_FILES}"))
        ids = ids.where(exp.Not(this=exp.Is(this=text.copy(), expression=exp.Null())))
        rows = data.engine.arrow(ids.order_by("distance", "id").limit(most))
        found |= {str(row["id"]): int(row["distance"]) for row in rows.to_pylist()}
    return sorted(found, key=lambda name: (found[name], name))[:most]
