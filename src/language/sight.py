"""Which events a measure may see: every time condition of the project is written here, or in `pieces`.

A `Sight` stands for the events of one table and key at one moment. With a `Shared` moment, the cutoff and the edges
of windows are literals; with `PerRow`, events are joined to the spine and carry its cutoff and edges along.

Where the tables' names stand for one bucket of customers, a key that names nobody (a category, a campaign) is measured
over everybody's events, which have a name of their own (`data.dataset.whole`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from ..data.contract import ENTITY_DOMAINS
from ..data.dataset import whole
from .declarations import Group, Measure
from .expressions import case_when, conditions, days, equal, is_time, plain, typed
from .moments import SPINE, Moment, PerRow, edge_name

Columns = Mapping[str, Mapping[str, str]]
_SINCE = {"customers": "acquired_at", "prospects": "created_at"}


def edges_needed(measures: Sequence[Measure]) -> list[int]:
    """Offsets in days from the cutoff that the measures look at: negative ones into the past."""
    past = {-window for measure in measures for window in measure.last if window is not None}
    return sorted(past | {measure.ahead for measure in measures if measure.ahead is not None})


def source_of(group: Group, columns: Columns) -> str:
    """The table to read: everybody's, where the key names nobody and the tables at hand are one bucket's."""
    everybody = whole(group.table)
    names_somebody = any(key in ENTITY_DOMAINS for key in group.key)
    return group.table if names_somebody or everybody not in columns else everybody


class Sight:
    """The events of a group's table in sight at a moment, as a subquery with keys, `at` and the needed columns."""

    def __init__(self, group: Group, moment: Moment, columns: Columns) -> None:
        self.group, self.moment, self.columns = group, moment, columns
        self.per_row = isinstance(moment, PerRow)
        self.keys = (*group.key, *(("cutoff",) if self.per_row else ()))

    def edges(self, measures: Sequence[Measure]) -> list[str]:
        """The spine's edge columns that ride along with the events."""
        return [edge_name(days) for days in edges_needed(measures)] if self.per_row else []

    def cutoff(self) -> exp.Expression:
        """The cutoff, as seen from outside the subquery."""
        return exp.column("cutoff") if self.per_row else self.moment.at()

    def within(self, measure: Measure, window: int | None) -> list[exp.Expression]:
        """The conditions of one measure and window on the events in sight."""
        return [*conditions(measure.where), *self.since(measure, window)]

    def since(self, measure: Measure, window: int | None) -> list[exp.Expression]:
        """The condition that an event lies in the window: after its open beginning."""
        if window is None or measure.looks_ahead or self.group.planned:
            return []
        edge = exp.column(edge_name(-window)) if self.per_row else self.moment.edge(-window)
        return [exp.GT(this=exp.column("at"), expression=edge)]

    def events(self, measures: Sequence[Measure], needed: set[str], *, whole_past: bool = False) -> exp.Subquery:
        """The events that any of the measures may see; with `whole_past`, not cut at the longest window."""
        table = self.columns[self.group.table]
        event = exp.to_table(source_of(self.group, self.columns)).as_("e")
        at = "at" if "at" in table else "known_at"
        selected = [exp.alias_(exp.column(at, "e"), "at")]
        selected += [exp.column(name, "e") for name in sorted(needed - {"at", *self.keys})]
        if self.per_row:
            until = sorted({measure.until for measure in measures if measure.until})
            carried = [*self.keys, *self.edges(measures), *until]
            query = exp.select(*(exp.column(name, "s") for name in carried), *selected)
            query = query.from_(exp.select(*map(exp.column, carried)).distinct().from_(SPINE).subquery("s"))
            query = self._join(query, event)
        else:
            query = exp.select(*(exp.column(key, "e") for key in self.keys), *selected).from_(event)
        return query.where(*self._visible(measures, table, whole_past)).subquery("v")

    def _join(self, query: exp.Select, event: exp.Expression) -> exp.Select:
        """The spine's keys joined to their events: directly, or through the products that a campaign offers."""
        if self.group.through is None:
            return query.join(event, on=exp.and_(*(_same(key, "e") for key in self.group.key)))
        own = [key for key in self.group.key if key in self.columns[self.group.table]]
        offered = [key for key in self.group.key if key not in own]
        on = self.group.on
        terms = exp.select(*offered, on, exp.alias_(exp.Min(this=exp.column("known_at")), "known_at"))
        terms = terms.from_(exp.to_table(self.group.through)).group_by(*offered, on)
        known = exp.LTE(this=exp.column("known_at", "o"), expression=self.moment.at())
        query = query.join(terms.subquery("o"), on=exp.and_(*(_same(key, "o") for key in offered), known))
        among = equal(exp.column(on, "e"), exp.column(on, "o"))
        return query.join(event, on=exp.and_(*(_same(key, "e") for key in own), among))

    def _visible(self, measures: Sequence[Measure], table: Mapping[str, str], whole_past: bool) -> list[exp.Expression]:
        at, known_at, cutoff = exp.column("at", "e"), exp.column("known_at", "e"), self.moment.at()
        if self.group.planned:
            return [exp.LTE(this=known_at, expression=cutoff)]
        if any(measure.looks_ahead for measure in measures):
            (target,) = measures
            end = exp.column(target.until, "s") if target.until else self.moment.edge(target.ahead or 0)
            return [exp.GT(this=at, expression=cutoff), exp.LTE(this=at, expression=end)]
        visible: list[exp.Expression] = [exp.LTE(this=at, expression=cutoff)]
        if "known_at" in table:  # an event without one was known when it happened
            visible.append(exp.LTE(this=exp.Coalesce(this=known_at, expressions=[at.copy()]), expression=cutoff))
        windows = [window for measure in measures for window in measure.last]
        if not whole_past and None not in windows:
            longest = max(window for window in windows if window is not None)
            visible.append(exp.GT(this=at, expression=self.moment.edge(-longest)))
        return visible


def attributes_in_sight(table: str, alias: str, columns: Mapping[str, str]) -> list[exp.Expression]:
    """The conditions under which a row that describes a key of the spine, aliased `s`, exists at the row's cutoff.

    A row without the date is taken to have been there always.
    """
    since = _SINCE.get(table)
    if since not in columns:
        return []
    begun = exp.LTE(this=exp.column(since, alias), expression=exp.column("cutoff", "s"))
    return [exp.or_(exp.Is(this=exp.column(since, alias), expression=exp.Null()), begun)]


def valid_in_sight(
    table: str, key: Sequence[str], columns: Mapping[str, str], spine: exp.Expression | None = None
) -> exp.Subquery:
    """Of a table with intervals of validity, the row of each key of the spine that was valid and known at its cutoff.

    The latest beginning counts, and of rows with one beginning the one that came to be known last. A row that has
    ended by the cutoff is no row.
    """
    begun, cutoff = exp.column("valid_from", "h"), exp.column("cutoff", "k")
    known: exp.Expression = begun.copy()
    if "known_at" in columns:
        known = exp.Coalesce(this=exp.column("known_at", "h"), expressions=[begun.copy()])
    order = [exp.Ordered(this=value, desc=True, nulls_first=False) for value in (begun.copy(), known.copy())]
    ties = [exp.Ordered(this=exp.column(name, "h", quoted=True), nulls_first=False) for name in sorted(columns)]
    partition = [exp.column(name, "k") for name in (*key, "cutoff")]
    rank = exp.Window(this=exp.RowNumber(), partition_by=partition, order=exp.Order(expressions=[*order, *ties]))
    kept = [exp.column(name, "h", quoted=True) for name in columns if name not in key]
    keys = exp.select(*key, "cutoff").distinct().from_(spine or exp.to_table(SPINE)).subquery("k")
    same = (equal(exp.column(name, "h"), exp.column(name, "k")) for name in key)
    seen = exp.select(*(column.copy() for column in partition), *kept, exp.alias_(rank, "__rank")).from_(keys)
    seen = seen.join(exp.to_table(table).as_("h"), on=exp.and_(*same))
    seen = seen.where(exp.LTE(this=begun, expression=cutoff), exp.LTE(this=known, expression=cutoff.copy()))
    chosen = exp.select("*").from_(seen.subquery("r")).where(equal(exp.column("__rank"), exp.Literal.number(1)))
    if "valid_to" in columns:
        end = exp.column("valid_to")
        lasts = exp.GT(this=end, expression=exp.column("cutoff"))
        chosen = chosen.where(exp.or_(exp.Is(this=end.copy(), expression=exp.Null()), lasts))
    return chosen.subquery("valid")


def compile_attribute(
    table: str, key: Sequence[str], column: str, moment: Moment, columns: Mapping[str, str]
) -> exp.Select:
    """An attribute of every key that a table describes at one cutoff: the key and `value`, where there is one."""
    cutoff = exp.alias_(moment.at(), "cutoff")
    value = exp.column(column, "a", quoted=True)
    source: exp.Expression = exp.to_table(table)
    if "valid_from" in columns:
        everybody = exp.select(*key, cutoff.copy()).distinct().from_(exp.to_table(table)).subquery("e")
        source = valid_in_sight(table, key, columns, everybody)
    query = exp.select(*(exp.column(name, "a") for name in key), exp.alias_(value, "value"))
    query = query.from_(source.as_("a")).join(exp.select(cutoff).subquery("s"), join_type="cross")
    there = [exp.not_(exp.Is(this=one.copy(), expression=exp.Null())) for one in (value, exp.column(key[0], "a"))]
    return query.where(*there, *attributes_in_sight(table, "a", columns))


def attribute_in_sight(value: exp.Expression, type_name: str) -> exp.Expression:
    """An attribute as of the spine's cutoff: a date as its age in days, missing where it lies after the cutoff."""
    if not is_time(type_name):
        return plain(value, type_name)
    cutoff = exp.column("cutoff", "s")
    moment = typed(value, "timestampntz")
    return case_when(exp.LTE(this=moment, expression=cutoff), days(moment.copy(), cutoff.copy()))


def _same(key: str, table: str) -> exp.Expression:
    return equal(exp.column(key, table), exp.column(key, "s"))
