"""Snapshots of one moment for millions: bucket by bucket, and within a bucket in pieces of bounded size.

The features are those of `Snapshots`, to the bit. Whatever does not depend on the piece (sums by customer, say) is
computed once a bucket, and whatever does not depend on the bucket (the popularity of a category) once in all, and
kept in the engine as a temporary table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from sqlglot import exp

from ..data.dataset import Dataset, whole
from ..language.compile import compile_together
from ..language.declarations import Group, Made, Pairs, Requirement, Seen, Together, Visible
from ..language.guards import refuse_foresight
from ..language.loop import VISITS
from ..language.moments import SPINE, Moment, Shared, shift
from ..language.parts import Part
from ..language.population import compile_seen
from ..language.sight import compile_attribute
from ..tasks.base import Task
from .plan import Learned
from .snapshot import Snapshots
from .visible import VisibleNow

ROWS = 200_000  # of a piece, about
ROW = "__row"


@dataclass(frozen=True)
class _VisibleInBucket(VisibleNow):
    """What a fitted feature sees of a bucket; what it measures there is measured once."""

    stream: SnapshotStream = field(kw_only=True)

    def measure(self, group: Group) -> pa.Table:
        """The group's measures, sorted by key."""
        refuse_foresight(group, "of a fitted feature")
        rows = self._kept(compile_together(group, self.moment, self.tables))
        return rows.sort_by([(key, "ascending") for key in group.key])

    def attribute(self, table: str, key: tuple[str, ...], column: str) -> pa.Table:
        """The attribute as of the cutoff, for whoever is described then."""
        return self._kept(compile_attribute(table, key, column, self.moment, self.tables[table]))

    def _kept(self, query: exp.Select) -> pa.Table:
        return self.engine.arrow(exp.select("*").from_(exp.to_table(self.stream.keep(query))))

    def everywhere(self, count: Callable[[Visible], pa.Table], fit: Callable[[pa.Table], Made]) -> Made:
        """Made of the counts of all buckets, added up, once for all buckets and pieces."""
        return self.stream.made(count, fit, self.moment)


class SnapshotStream(Snapshots):
    """The population of a task as of a moment with its features, piece by piece.

    `allowed` gets ids of the task's entity (n,) and says which of them may be in the population: True or False (n,).
    While it is in use, the names of the data set's tables stand for one bucket; `close` gives them back.
    """

    def __init__(
        self,
        data: Dataset,
        task: Task,
        *,
        blocks: Sequence[str] | None,
        learned: Learned,
        rows: int = ROWS,
        allowed: Callable[[pa.ChunkedArray], pa.ChunkedArray] | None = None,
    ) -> None:
        super().__init__(data, task, blocks=blocks, learned=learned)
        if data.buckets > 1:
            self.tables = data.register_whole()
        self._rows = rows
        self._allowed = allowed
        self._bucket: int | None = None
        self._queries: dict[str, exp.Select] = {}
        self._computed: set[str] = set()
        self._of_all: set[str] = set()
        self._written: dict[tuple[object, ...], tuple[exp.Select, tuple[str, ...]]] = {}
        self._made: dict[tuple[object, ...], Any] = {}

    def close(self) -> None:
        """Forget what was kept; the tables' names stand for all of them again."""
        self._forget(self._computed | {SPINE})
        self._register(None, hold=False)

    # ------------------------------------------------------------------------------ rows
    def count(self, as_of: datetime, bucket: int) -> int:
        """Number of rows of a bucket."""
        return sum(spine.num_rows for spine in self._spines(as_of, bucket))

    def pieces(self, as_of: datetime, bucket: int) -> Iterator[pa.Table]:
        """The rows of a bucket with their features, sorted by keys; at least one piece, which may be empty.

        Where values compete for an entity, all rows of an entity lie in the same piece.
        """
        for query, names in self.queries(as_of, bucket):
            yield self.engine.arrow(query).sort_by(ROW).select(names)

    def queries(self, as_of: datetime, bucket: int) -> Iterator[tuple[exp.Select, list[str]]]:
        """The query of each piece, to be run before the next one is asked for, and the names of the piece's columns.

        Its rows come in no particular order; the column `ROW` numbers them.
        """
        moment = Shared(as_of, self.zone)
        for spine in self._spines(as_of, bucket):
            numbered = spine.append_column(ROW, pa.array(np.arange(spine.num_rows)))
            features = [column.name for column in self.columns if column.name not in spine.column_names]
            yield self._features_of(self._with_fitted(numbered, moment), moment), [*spine.column_names, *features]

    def _spines(self, as_of: datetime, bucket: int) -> Iterator[pa.Table]:
        self._look_at(bucket)
        universe = self.task.population.universe
        if isinstance(universe, Pairs):
            yield from self._pairs(universe, Shared(as_of, self.zone))
            return
        spine = self._of_the_allowed(self.to_score(as_of))
        for start in range(0, max(spine.num_rows, 1), self._rows):
            yield spine.slice(start, self._rows)

    def _pairs(self, universe: Pairs, moment: Shared) -> Iterator[pa.Table]:
        """Every combination of some keys of the left side with all of the right one, and of them the eligible ones."""
        left, right = (self._seen(side, moment) for side in (universe.left, universe.right))
        left = self._of_the_allowed(left.sort_by([(key, "ascending") for key in universe.left.key]))
        some = max(self._rows // max(right.num_rows, 1), 1)
        for start in range(0, max(left.num_rows, 1), some):
            chosen = left.slice(start, some)
            n, m = chosen.num_rows, right.num_rows
            pairs = chosen.take(pa.array(np.repeat(np.arange(n), m)))
            tiled = right.take(pa.array(np.tile(np.arange(m), n)))
            for key in universe.right.key:
                pairs = pairs.append_column(key, tiled[key])
            end = shift(moment.cutoff, self.task.horizon, self.zone)
            for name, value in (("cutoff", moment.cutoff), ("window_end", end)):
                pairs = pairs.append_column(name, pa.repeat(pa.scalar(value, pa.timestamp("us")), n * m))
            yield self._ordered(self._eligible(pairs, moment, with_target=False))

    def _of_the_allowed(self, rows: pa.Table) -> pa.Table:
        return rows if self._allowed is None else rows.filter(self._allowed(rows[self.task.entity]))

    def _seen(self, side: Seen, moment: Shared) -> pa.Table:
        name = self.keep(compile_seen(side, moment, self.tables))
        return self.engine.arrow(exp.select("*").from_(exp.to_table(name)))

    def _look_at(self, bucket: int) -> None:
        if self._bucket == bucket:
            return
        self._forget(self._computed - self._of_all)
        self._bucket = bucket
        self._register(bucket)

    def _forget(self, names: set[str]) -> None:
        for name in names:
            self.engine.drop(name)
        self._computed -= names

    def _register(self, bucket: int | None, *, hold: bool = True) -> None:
        self.data.register(bucket if self.data.buckets > 1 else None, hold=hold)

    # ------------------------------------------------------------------------------ what is kept
    def keep(self, query: exp.Select) -> str:
        """Name of a table with the rows of a query that does not read the spine, computed where it is not there yet.

        Visits are kept too, for several parts read them.
        """
        query = query.transform(self._with_visits)
        text = self.engine.sql(query)
        name = f"kept_{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"
        if name not in self._queries:
            everybody = {whole(table) for table in self.data.columns} | self._of_all
            self._queries[name] = query
            if all(table.name in everybody for table in query.find_all(exp.Table)):
                self._of_all.add(name)
        self._compute(name)
        return name

    def _with_visits(self, node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Subquery) and node.alias == VISITS and not _reads_spine(node):
            return exp.to_table(self.keep(node.this)).as_(VISITS)
        return node

    def _compute(self, name: str) -> None:
        if name not in self._computed:
            for table in self._queries[name].find_all(exp.Table):
                if table.name in self._queries:
                    self._compute(table.name)
            self.engine.materialise(name, self._queries[name])
            self._computed.add(name)

    def _prepared(self, key: tuple[object, ...], query: Callable[[], exp.Select]) -> exp.Select:
        """A query over the spine whose other subqueries are kept; written once, for writing it takes a while."""
        if key not in self._written:
            names: list[str] = []

            def kept(node: exp.Expression) -> exp.Expression:
                if not isinstance(node, exp.Subquery) or _reads_spine(node):
                    return node
                names.append(self.keep(node.this))
                return exp.to_table(names[-1]).as_(node.alias)

            self._written[key] = query().transform(kept, copy=False), tuple(names)
        tree, needed = self._written[key]
        for name in needed:
            self._compute(name)
        return tree

    def _features_query(self, moment: Moment, parts: Sequence[Part] = ()) -> exp.Select:
        return self._prepared(("features", moment), lambda: super(SnapshotStream, self)._features_query(moment))

    def _spine_query(self, target: Requirement | Together | None, moment: Moment) -> exp.Select:
        return self._prepared(
            ("spine", target is None, moment), lambda: super(SnapshotStream, self)._spine_query(target, moment)
        )

    # ------------------------------------------------------------------------------ for fitted features
    def made(self, count: Callable[[Visible], pa.Table], fit: Callable[[pa.Table], Made], moment: Shared) -> Made:
        """What `Visible.everywhere` gives; every bucket is read for it, once."""
        key = (count, fit, moment)
        if key not in self._made:
            self._made[key] = fit(self._counted(count, moment))
        made: Made = self._made[key]
        return made

    def _counted(self, count: Callable[[Visible], pa.Table], moment: Shared) -> pa.Table:
        current = self._bucket or 0
        tables = [count(self._visible(moment))]  # first of the bucket at hand, whose measures are kept for its rows
        for bucket in (other for other in range(self.data.buckets) if other != current):
            self._register(bucket, hold=False)
            tables.append(count(VisibleNow(moment.cutoff, moment, self.engine, self.tables)))
        if len(tables) > 1:
            self._register(self._bucket)
        together = pa.concat_tables(tables)
        others = together.column_names[:-1]
        summed = together.group_by(others).aggregate([("n", "sum")])
        return summed.select([*others, "n_sum"]).rename_columns([*others, "n"])

    def _visible(self, moment: Shared) -> Visible:
        return _VisibleInBucket(moment.cutoff, moment, self.engine, self.tables, stream=self)


def _reads_spine(tree: exp.Expression) -> bool:
    return any(table.name == SPINE for table in tree.find_all(exp.Table))
