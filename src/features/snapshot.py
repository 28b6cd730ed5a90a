"""Snapshots: one row per key and cutoff with its features, and in training its target.

`Snapshots` joins what the compiler computes to the spine of a population. The same code builds the many cutoffs of
training and the one cutoff of a nightly job. An Arrow snapshot has the task's keys, `cutoff` and `window_end`
(timestamps, UTC), one column for each feature (float64, int64 or string; null means missing) and, where asked for,
`target` (int8) and, for a task that has one, `worth` (float64).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from ..data.dataset import Dataset
from ..data.engine import DuckDBEngine
from ..errors import ConfigError
from ..language.compile import compile_group
from ..language.declarations import (
    MANY_VALUES,
    Attribute,
    Block,
    Distinct,
    Encoding,
    Feature,
    FeatureColumn,
    Group,
    Measure,
    Planned,
    Requirement,
    Seen,
    Together,
    Visible,
)
from ..language.formulation import Formulation, PlannedPart, plan_group
from ..language.moments import SPINE, Moment, PerRow, Shared, shift, with_edges
from ..language.narrow import compile_bounds, sums_by_source, that_fit
from ..language.parts import Part, outputs
from ..language.population import compile_first_seen, compile_plans, compile_spine, compile_universe
from ..language.sight import (
    edges_needed,
    source_of,
)
from ..tasks.base import Task
from .blocks import BLOCKS
from .cache import SnapshotCache
from .groups import Groups, in_groups
from .joins import derive, join_attributes, join_part
from .own import own_blocks
from .plan import FeaturePlan, Learned, encodings_in_use, plan_features, values_to_learn
from .visible import VisibleNow

DAY = timedelta(days=1)
_TIME = pa.timestamp("us")


class Snapshots:
    """Builds the population and the features of one task from one data set.

    `learned` are the values stored with a model; without them they are learned at `learn_at`, the first training
    cutoff, from what was visible then. `groups` are features that the config tells as one reason. `formulation` is how
    the columns of many cutoffs are computed, where there is a choice; without it, by what is cheaper.
    """

    def __init__(
        self,
        data: Dataset,
        task: Task,
        *,
        blocks: Sequence[str | Block] | None = None,
        exclude: Sequence[str] = (),
        groups: Groups | None = None,
        learned: Learned | None = None,
        learn_at: datetime | None = None,
        formulation: Formulation | None = None,
    ) -> None:
        self.data, self.task, self.formulation = data, task, formulation
        self.engine, self.tables, self.zone = data.engine, data.columns, data.config.zone
        self._blocks = _chosen(task, blocks, own_blocks(data.config))
        self.learned = dict(learned) if learned is not None else self._learn(self._blocks, learn_at)
        plan = plan_features(
            self._blocks, self._population_columns(), self.tables, data.attributes, self.learned, exclude
        )
        self._cache = SnapshotCache(data, plan, self.learned)  # groups change no value
        self.plan: FeaturePlan = replace(plan, columns=in_groups(plan.columns, groups or {}))

    @property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """The dictionary of the features, in the order of the snapshot's columns."""
        return self.plan.columns

    # ------------------------------------------------------------------------------ who
    def population(self, cutoffs: Sequence[datetime], *, with_target: bool) -> pa.Table:
        """The eligible keys at each cutoff, sorted, with `cutoff`, `window_end` and, if asked for, what came of it."""
        moments = sorted(cutoffs) or [self.data.observed_until]
        # Each cutoff by itself: to sort them all together would hold every row twice.
        spines = [
            self._ordered(self._eligible(universe, Shared(cutoff, self.zone), with_target))
            for cutoff, universe in zip(moments, self._universes(moments), strict=True)
        ]
        return pa.concat_tables(spines if cutoffs else [spines[0].slice(0, 0)])

    def planned(self, first: datetime, last: datetime, *, with_target: bool) -> pa.Table:
        """The population of a task over plans: those that begin in [first, last], each at its own cutoff."""
        plans = compile_plans(self._plans, first, last, None)
        return self._ordered(self._eligible(self.engine.arrow(plans), PerRow(), with_target))

    def to_score(self, as_of: datetime) -> pa.Table:
        """The population as of a moment, without targets: for plans, those known and not yet begun."""
        if not self.task.is_planned:
            return self.population([as_of], with_target=False)
        plans = compile_plans(self._plans, as_of, datetime(9999, 1, 1), as_of)
        return self._ordered(self._eligible(self.engine.arrow(plans), PerRow(), with_target=False))

    @property
    def _plans(self) -> Planned:
        universe = self.task.population.universe
        assert isinstance(universe, Planned)
        return universe

    def _universes(self, cutoffs: Sequence[datetime]) -> Iterator[pa.Table]:
        """The keys of the universe at each cutoff, with the cutoff and the end of the target's window."""
        universe = self.task.population.universe
        assert not isinstance(universe, Planned)
        seen = None
        if isinstance(universe, Seen) and len(cutoffs) > 1:  # one look at the events instead of one for each cutoff
            seen = self.engine.arrow(compile_first_seen(universe, self.tables))
        for cutoff in cutoffs:
            if seen is None:
                spine = self.engine.arrow(compile_universe(universe, Shared(cutoff, self.zone), self.tables))
            else:
                spine = seen.filter(pc.less_equal(seen["first_seen"], pa.scalar(cutoff, _TIME))).drop("first_seen")
                spine = spine.append_column("cutoff", pa.repeat(pa.scalar(cutoff, _TIME), spine.num_rows))
            end = pa.scalar(shift(cutoff, self.task.horizon, self.zone), _TIME)
            yield spine.append_column("window_end", pa.repeat(end, spine.num_rows))

    def _eligible(self, spine: pa.Table, moment: Moment, with_target: bool) -> pa.Table:
        target = self.task.outcome if with_target else None
        requirements = self.task.population.requirements
        conditions = (*requirements, *([target] if target else []))
        measures = [measure for condition in conditions for measure in condition.measures]
        if with_target and self.task.worth is not None:
            measures.append(self.task.worth.measure)
        if with_target and self.task.treatment is not None:
            measures += self.task.treatment.measures
        self._set_spine(spine, measures)
        eligible = self.engine.arrow(self._spine_query(target, moment))
        return eligible.select([name for name in eligible.column_names if not name.startswith("edge_")])

    def _spine_query(self, target: Requirement | Together | None, moment: Moment) -> exp.Select:
        """The rows of the spine that are eligible."""
        known = target is not None
        worth, treatment = (self.task.worth, self.task.treatment) if known else (None, None)
        return compile_spine(self.task.population.requirements, target, moment, self.tables, worth, treatment)

    def _set_spine(self, spine: pa.Table, measures: Sequence[Measure]) -> None:
        self.engine.add_table(SPINE, with_edges(spine, edges_needed(measures), self.zone))

    def _ordered(self, spine: pa.Table) -> pa.Table:
        return spine.sort_by([(name, "ascending") for name in ("cutoff", *self.task.keys)])

    def _population_columns(self) -> dict[str, str]:
        columns = dict.fromkeys((*self.task.keys, "cutoff", "window_end"), "")
        universe = self.task.population.universe
        if isinstance(universe, Planned):
            table = self.tables.get(universe.table, {})
            carried = (universe.at, universe.until, *universe.carry)
            columns |= {name: table[name] for name in carried if name in table}
        return columns

    # ------------------------------------------------------------------------------ what is known of them
    def stored(self, spine: pa.Table) -> pa.Table:
        """As `features`, but read from the project's cache where the same was built before, and kept there."""
        found = self._cache.find(spine)
        if found is None:
            found = self.features(spine)
            self._cache.keep(spine, found)
        return found

    def features(self, spine: pa.Table) -> pa.Table:
        """The spine with all features; rows keep their order."""
        spine = spine.append_column("__row", pa.array(np.arange(spine.num_rows)))
        cutoffs = sorted(pc.unique(spine["cutoff"]).to_pylist()) or [self.data.observed_until]
        if self.task.is_planned and len(cutoffs) > 1:
            pieces = [self._with_fitted(_rows_at(spine, c), Shared(c, self.zone)) for c in cutoffs]
            table = self._features_at(pa.concat_tables(pieces), PerRow())
        else:
            table = pa.concat_tables(list(self._by_cutoff(spine, cutoffs)))
        return self._in_order(table, [name for name in spine.column_names if name != "__row"])

    def by_cutoff(self, spine: pa.Table, cutoffs: Sequence[datetime]) -> Iterator[pa.Table]:
        """The rows of each cutoff with all features, one cutoff after the other; rows keep their order."""
        numbered = spine.append_column("__row", pa.array(np.arange(spine.num_rows)))
        for table in self._by_cutoff(numbered, cutoffs):
            yield self._in_order(table, spine.column_names)

    def _by_cutoff(self, spine: pa.Table, cutoffs: Sequence[datetime]) -> Iterator[pa.Table]:
        with self._reduced(cutoffs) as planned:
            for cutoff in cutoffs:
                moment = Shared(cutoff, self.zone)
                yield self._features_at(self._with_fitted(_rows_at(spine, cutoff), moment), moment, planned)

    def _in_order(self, table: pa.Table, kept: Sequence[str]) -> pa.Table:
        names = [*kept, *(column.name for column in self.columns if column.name not in kept)]
        rows = table["__row"]
        in_order = pc.all(pc.greater(rows[1:], rows[:-1])).as_py() is not False  # joins mostly keep the spine's order
        return (table if in_order else table.sort_by("__row")).select(names)

    def formulated(self, cutoffs: Sequence[datetime]) -> list[PlannedPart]:
        """How the columns of each group are computed for many cutoffs."""
        plans: list[PlannedPart] = []
        narrow = self._narrow_sums()
        for group in self.plan.groups:
            plans += plan_group(
                group,
                cutoffs,
                self.zone,
                self.tables,
                first_event=self.data.first_event,
                formulation=self.formulation,
                narrow=narrow.get(source_of(group, self.tables)),
            )
        return plans

    def _narrow_sums(self) -> dict[str, dict[str, str]]:
        """By table, the columns whose sums fit into 64 bits; only DuckDB adds those up faster."""
        if self.engine.dialect != DuckDBEngine.dialect:
            return {}
        found = {}
        for source, types in sums_by_source(self.plan.groups, self.tables).items():
            (bounds,) = self.engine.arrow(compile_bounds(source, list(types))).to_pylist()
            found[source] = that_fit(types, bounds)
        return found

    @contextmanager
    def _reduced(self, cutoffs: Sequence[datetime]) -> Iterator[Sequence[PlannedPart]]:
        """The parts for many cutoffs, with what they read computed for a while."""
        planned = self.formulated(cutoffs) if len(cutoffs) > 1 else []
        steps = {step.name: step.query for part in planned for step in part.steps}
        try:
            for name, query in steps.items():
                self.engine.materialise(name, query)
            yield planned
        finally:
            for name in steps:
                self.engine.drop(name)

    def _features_at(self, spine: pa.Table, moment: Moment, planned: Sequence[PlannedPart] = ()) -> pa.Table:
        """The spine, which has the fitted features already, with all others."""
        return self.engine.arrow(self._features_of(spine, moment, planned))

    def _features_of(self, spine: pa.Table, moment: Moment, planned: Sequence[PlannedPart] = ()) -> exp.Select:
        """The query of the spine's features; the engine knows the spine from then on."""
        measures = [output.measure for group in self.plan.groups for output in outputs(group)]
        self._set_spine(spine, measures)
        parts = [part for each in planned for part in each.at(moment.cutoff)] if isinstance(moment, Shared) else []
        return self._features_query(moment, parts)

    def _features_query(self, moment: Moment, parts: Sequence[Part] = ()) -> exp.Select:
        """The spine's rows with all features but the fitted ones, which the spine brings."""
        query = exp.select("s.*").from_(exp.to_table(SPINE).as_("s"))
        parts = parts or [
            part
            for group in self.plan.groups
            for part in compile_group(group, self._moment_for(group, moment), self.tables)
        ]
        for index, part in enumerate(parts):
            query = join_part(query, part, f"p{index}")
        for index, table in enumerate(self.plan.attributes):
            query = join_attributes(query, table, f"a{index}", self.tables[table.table])
        computed = [feature for feature in self.plan.derived if feature.what != Attribute(feature.name)]
        derived = [exp.alias_(derive(feature), feature.name, quoted=True) for feature in computed]
        if derived:
            query = exp.select("j.*", *derived).from_(query.subquery("j", copy=False))
        return query

    def _moment_for(self, group: Group, moment: Moment) -> Moment:
        """A group through other tables needs the spine's rows, whatever the moment."""
        return PerRow() if group.through else moment

    def _with_fitted(self, spine: pa.Table, moment: Shared) -> pa.Table:
        rows = self._without_outcome(spine)
        for fitted in self.plan.fitted:
            for feature, values in zip(fitted.features, fitted.compute(self._visible(moment), rows), strict=True):
                spine = spine.append_column(feature.name, pa.array(values, from_pandas=True))
        return spine

    def _without_outcome(self, spine: pa.Table) -> pa.Table:
        """What a fitted feature may know of its rows: keys, cutoff and what was planned; not what came of it."""
        allowed = [name for name in self._population_columns() if name != "window_end"]
        return spine.select([name for name in allowed if name in spine.column_names])

    def visible(self, as_of: datetime) -> Visible:
        """What is in sight at a moment, cut there, for what is computed beside the features."""
        return self._visible(Shared(as_of, self.zone))

    def _visible(self, moment: Shared) -> Visible:
        """What fitted features see at a cutoff."""
        return VisibleNow(moment.cutoff, moment, self.engine, self.tables)

    def _learn(self, blocks: Sequence[Block], learn_at: datetime | None) -> Learned:
        wanted = values_to_learn(blocks, self.tables)
        if learn_at is None:
            return {}
        moment = Shared(learn_at, self.zone)
        learned = {}
        for name, (group, what) in wanted.items():
            holders = Feature("holders", Distinct(column=group.key[0]), definition="")
            (part,) = compile_group(Group(group.table, (what.of,), (holders,)), moment, self.tables)
            counted = self.engine.arrow(part.query)
            counted = counted.filter(pc.is_valid(counted[what.of]))
            counted = counted.sort_by([("holders", "descending"), (what.of, "ascending")])
            learned[name] = tuple(str(value) for value in counted[what.of].slice(0, what.top).to_pylist())
        for encoding in encodings_in_use(blocks, self.tables, self._population_columns()):
            learned[encoding.learned_as] = tuple(self._many_valued(encoding, moment))
        return learned

    def _many_valued(self, encoding: Encoding, moment: Shared) -> Iterator[str]:
        """The text attributes that have many values among those who are described at a moment."""
        types = self.tables[encoding.table]
        for column in self.data.attributes.get(encoding.table, ()):
            if types[column] != "VARCHAR":
                continue
            held = self._visible(moment).attribute(encoding.table, encoding.key, column)
            if MANY_VALUES < pc.count_distinct(held["value"]).as_py() <= held.num_rows / 2:
                yield column


def _rows_at(spine: pa.Table, cutoff: datetime) -> pa.Table:
    return spine.filter(pc.equal(spine["cutoff"], pa.scalar(cutoff, _TIME)))


def _chosen(task: Task, blocks: Sequence[str | Block] | None, own: Sequence[Block]) -> tuple[Block, ...]:
    """The task's blocks, or those that are named or given; with them those of the project's own files."""
    known = {**BLOCKS, **{block.name: block for block in own}}
    blocks = task.blocks if blocks is None else blocks
    for unknown in (block for block in blocks if isinstance(block, str) and block not in known):
        raise ConfigError(f"{task.name}: there is no feature block '{unknown}'; there are {', '.join(known)}")
    named = [known[block] if isinstance(block, str) else block for block in blocks]
    return tuple(dict.fromkeys([*named, *own])) if named else ()
