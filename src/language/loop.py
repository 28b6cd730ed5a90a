"""The plans of parts that look at events at one moment: the loop over cutoffs, and cutoffs that are columns of a spine.

Every sum runs over exact decimals or integers, never over floating-point numbers: so a value does not depend on the
order in which rows arrive, on threads, or on the engine, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from .declarations import (
    Commonest,
    CommonestShare,
    Count,
    DaysSinceFirst,
    DaysSinceLast,
    DaysSinceNthLast,
    DaysUntil,
    Distinct,
    EffectiveNumber,
    FadingVisits,
    GapLargest,
    GapMean,
    GapMedian,
    GapShape,
    GapSpread,
    Largest,
    Latest,
    Mean,
    Measure,
    NewValues,
    Sum,
    TopShare,
    Visits,
)
from .expressions import (
    ONE,
    ZERO,
    case_when,
    conditions,
    days,
    div,
    equal,
    filtered,
    known,
    number,
    plain,
    predicates,
    ratio,
    seconds,
    total,
    typed,
    wide,
)
from .parts import Output, Part, columns_of
from .sight import Sight

SECONDS_A_DAY = "86400e0"
LEAST_SPREAD = "1e-3"  # of the logs of gaps: below it, the shape of their distribution knows no bounds
VISITS = "visits"  # the name of events reduced to visits
FADING_UNIT = "1e6"  # weights are summed as millionths, so that the sum is exact


def part_of(measure: Measure) -> tuple[str, ...]:
    """Measures of the same part share one pass: the plan that computes them, and what they must have in common."""
    match measure:
        case Visits() | FadingVisits() | DaysSinceNthLast():
            return ("visits", repr(measure.where))
        case GapMean() | GapMedian() | GapSpread() | GapShape() | GapLargest():
            return ("visits", repr(measure.where))
        case Distinct() | NewValues():
            return ("distinct", measure.column, repr(measure.where))
        case EffectiveNumber() | Commonest() | CommonestShare():
            return ("spread", measure.column, repr(measure.where))
        case TopShare():
            return ("share", measure.column, measure.of, repr(measure.where))
    return ("direct",)


def _direct(sight: Sight, members: Sequence[Output]) -> exp.Select:
    needed = {name for output in members for name in columns_of(output.measure)}
    events = sight.events([output.measure for output in members], needed)
    values = [output.named(_aggregate(sight, output)) for output in members]
    return exp.select(*sight.keys, *values).from_(events).group_by(*sight.keys)


def _aggregate(sight: Sight, output: Output) -> exp.Expression:
    measure, seen = output.measure, sight.within(output.measure, output.window)
    match measure:
        case Count():
            return filtered(exp.Count(this=exp.Star()), seen)
        case Sum():
            return number(exp.Coalesce(this=filtered(_total(sight, measure.column), seen), expressions=[ZERO.copy()]))
        case Mean():
            count = exp.Count(this=exp.column(measure.column))
            return ratio(filtered(_total(sight, measure.column), seen), filtered(count, seen))
        case Largest():
            return number(filtered(exp.Max(this=exp.column(measure.column)), seen))
        case DaysSinceLast():
            return days(filtered(exp.Max(this=exp.column("at")), seen), sight.cutoff())
        case DaysSinceFirst():
            return days(filtered(exp.Min(this=exp.column("at")), seen), sight.cutoff())
        case DaysUntil():
            return days(sight.cutoff(), filtered(exp.Max(this=exp.column(measure.column)), seen))
        case Latest():
            value = exp.column(measure.column)
            order = exp.Struct(expressions=[exp.column("at"), value.copy()])
            latest = filtered(exp.ArgMax(this=value, expression=order), [*seen, known(value)])
            return plain(latest, sight.columns[sight.group.table][measure.column])
    raise TypeError(f"{type(measure).__name__} is not a direct aggregate")


def _visits(sight: Sight, members: Sequence[Output]) -> exp.Select:
    """Events reduced to visits, with the gap to the visit before; a gap belongs to the windows of its later visit."""
    measures = [output.measure for output in members]
    where = measures[0].where
    visit = "order_id" if "order_id" in sight.columns[sight.group.table] else "at"
    needed = {visit} | {predicate.column for predicate in predicates(where)}
    gaps_wanted = any(
        isinstance(measure, GapMean | GapMedian | GapSpread | GapShape | GapLargest) for measure in measures
    )
    events = sight.events(measures, needed, whole_past=gaps_wanted)
    carried = [*sight.keys, *sight.edges(measures)]
    if visit == "at":
        visits = exp.select(*carried, "at").from_(events).where(*conditions(where)).group_by(*carried, "at")
    else:  # the last event, not the first: it lies in a window whether or not the visit began before the window did
        visits = exp.select(*carried, exp.alias_(exp.Max(this=exp.column("at", "v")), "at")).from_(events)
        no_order = exp.Is(this=exp.column(visit), expression=exp.Null())
        visits = visits.where(*conditions(where))
        visits = visits.group_by(*carried, visit, case_when(no_order, exp.column("at", "v")))
    columns = [exp.column("at"), *([_gap(sight)] if gaps_wanted else [])]
    if any(isinstance(measure, DaysSinceNthLast) for measure in measures):
        columns.append(_nth_last(sight))
    gaps = exp.select(*carried, *columns).from_(visits.subquery(VISITS)).subquery("g")
    values = [
        output.named(over_visits(output, sight.since(output.measure, output.window), sight.cutoff()))
        for output in members
    ]
    return exp.select(*sight.keys, *values).from_(gaps).group_by(*sight.keys)


def _gap(sight: Sight) -> exp.Expression:
    """Whole seconds from the visit before to each visit, as a column `gap`."""
    before = _from_the_last(sight, exp.Lead(this=exp.column("at")))
    return exp.alias_(seconds(before, exp.column("at")), "gap")


def _nth_last(sight: Sight) -> exp.Expression:
    """The number of each visit counted from the last, as a column `nth`."""
    return exp.alias_(_from_the_last(sight, exp.RowNumber()), "nth")


def _from_the_last(sight: Sight, function: exp.Expression) -> exp.Expression:
    """A function of a key's visits from the last to the first; in one order, so that one sort is enough."""
    latest_first = exp.Order(expressions=[exp.Ordered(this=exp.column("at"), desc=True)])
    return exp.Window(this=function, partition_by=[exp.column(key) for key in sight.keys], order=latest_first)


def over_visits(output: Output, seen: Sequence[exp.Expression], cutoff: exp.Expression) -> exp.Expression:
    """A measure of visits at `at`, each with the `gap` before it (and its number from the last one, `nth`)."""
    gap = exp.column("gap")
    count, summed = filtered(exp.Count(this=gap), seen), filtered(exp.Sum(this=gap), seen)
    day = exp.Literal.number(SECONDS_A_DAY)
    match output.measure:
        case Visits():
            return filtered(exp.Count(this=exp.Star()), seen)
        case GapMean():
            return div(ratio(summed, count), day)
        case DaysSinceNthLast(nth=nth):
            is_nth = equal(exp.column("nth"), exp.Literal.number(nth))
            return days(filtered(exp.Max(this=exp.column("at")), [*seen, is_nth]), cutoff)
        case FadingVisits(fade=fade):
            age = exp.Neg(this=exp.paren(div(days(exp.column("at"), cutoff), exp.Literal.number(fade))))
            weight = exp.Round(this=exp.Mul(this=exp.Exp(this=age), expression=exp.Literal.number(FADING_UNIT)))
            weights = filtered(exp.Sum(this=typed(weight, "bigint")), seen)
            return div(number(exp.Coalesce(this=weights, expressions=[ZERO.copy()])), exp.Literal.number(FADING_UNIT))
        case GapMedian():
            return div(number(filtered(exp.Median(this=gap), seen)), day)
        case GapLargest():
            return div(number(filtered(exp.Max(this=gap), seen)), day)
        case GapSpread():
            squared = filtered(exp.Sum(this=exp.Mul(this=wide(gap), expression=gap)), seen)
            return spread(squared, summed, count)
        case GapShape():
            return _gamma_shape(gap, seen)
    raise TypeError(f"{type(output.measure).__name__} is not measured over visits")


def _gamma_shape(gap: exp.Expression, seen: Sequence[exp.Expression]) -> exp.Expression:
    """(3 - s + sqrt((s - 3)^2 + 24 s)) / 12 s with s = ln(mean) - mean(ln), the logs summed as millionths."""
    positive = [*seen, exp.GT(this=gap.copy(), expression=ZERO.copy())]
    count = number(filtered(exp.Count(this=gap.copy()), positive))
    log = case_when(exp.GT(this=gap.copy(), expression=ZERO.copy()), exp.Ln(this=number(gap)))
    scaled = typed(exp.Round(this=exp.Mul(this=log, expression=_millions())), "bigint")
    mean = div(number(filtered(exp.Sum(this=gap.copy()), positive)), count)
    mean_log = div(div(number(filtered(exp.Sum(this=scaled), positive)), _millions()), count.copy())
    least = exp.Literal.number(LEAST_SPREAD)
    s = exp.Greatest(this=exp.Sub(this=exp.Ln(this=mean), expression=mean_log), expressions=[least])
    below = exp.paren(exp.Sub(this=s.copy(), expression=exp.Literal.number("3e0")))
    root = exp.Sqrt(
        this=exp.Add(
            this=exp.Mul(this=below, expression=below.copy()),
            expression=exp.Mul(this=exp.Literal.number("24e0"), expression=s.copy()),
        )
    )
    shape = div(
        exp.paren(exp.Sub(this=root, expression=below.copy())),
        exp.paren(exp.Mul(this=exp.Literal.number("12e0"), expression=s.copy())),
    )
    return case_when(exp.GT(this=count.copy(), expression=ONE.copy()), shape)


def spread(squared: exp.Expression, summed: exp.Expression, count: exp.Expression) -> exp.Expression:
    """The sample standard deviation in days of gaps in seconds, from whole numbers; missing for a single gap."""
    scaled = exp.Sub(
        this=exp.Mul(this=squared, expression=count),
        expression=exp.Mul(this=wide(summed), expression=summed.copy()),
    )
    pairs = exp.Mul(this=count.copy(), expression=exp.paren(exp.Sub(this=count.copy(), expression=ONE.copy())))
    enough = exp.GT(this=count.copy(), expression=ONE.copy())
    return case_when(enough, div(exp.Sqrt(this=ratio(exp.paren(scaled), pairs)), exp.Literal.number(SECONDS_A_DAY)))


def _distinct(sight: Sight, members: Sequence[Output]) -> exp.Select:
    """Each value reduced to its last time, and where new ones are asked for, to its first ever."""
    measures = [output.measure for output in members]
    column, where = _column(measures[0]), measures[0].where
    new = any(isinstance(measure, NewValues) for measure in measures)
    events = sight.events(measures, columns_of(measures[0]), whole_past=new)
    carried, at = [*sight.keys, *sight.edges(measures)], exp.column("at", "v")
    times = [exp.alias_(exp.Max(this=at), "at"), *([exp.alias_(exp.Min(this=at.copy()), "first_at")] if new else [])]
    seen = exp.select(*carried, *times).from_(events).where(known(exp.column(column)), *conditions(where))
    seen = seen.group_by(*carried, column)
    values = [output.named(filtered(exp.Count(this=exp.Star()), _seen_since(sight, output))) for output in members]
    return exp.select(*sight.keys, *values).from_(seen.subquery("d")).group_by(*sight.keys)


def _seen_since(sight: Sight, output: Output) -> list[exp.Expression]:
    """That a value was last seen in the window, or for the first time."""
    since = sight.since(output.measure, output.window)
    if isinstance(output.measure, NewValues):
        return [exp.GT(this=exp.column("first_at"), expression=edge.expression) for edge in since]
    return since


def _spread(sight: Sight, members: Sequence[Output]) -> exp.Select:
    """Events counted by value, once for each window."""
    measures = [output.measure for output in members]
    column = _column(measures[0])
    events = sight.events(measures, columns_of(measures[0]))
    counts = [
        output.named(filtered(exp.Count(this=exp.Star()), sight.within(output.measure, output.window)))
        for output in members
    ]
    by_value = exp.select(*sight.keys, *counts).from_(events).where(known(exp.column(column)))
    by_value = by_value.select(exp.column(column)).group_by(*sight.keys, column).subquery("b")
    values = [_of_counts(sight, output) for output in members]
    return exp.select(*sight.keys, *values).from_(by_value).group_by(*sight.keys)


def _of_counts(sight: Sight, output: Output) -> exp.Expression:
    """A measure over the counts of events by value, one row a value."""
    match output.measure:
        case EffectiveNumber():
            return _effective_number(output)
        case CommonestShare():
            count = exp.column(output.name, quoted=True)
            return output.named(ratio(exp.Max(this=count), exp.Sum(this=count.copy())))
        case Commonest(column=column):
            count, value = exp.column(output.name, quoted=True), exp.column(column)
            order = exp.Struct(expressions=[count, value.copy()])
            some = [exp.GT(this=count.copy(), expression=ZERO.copy())]
            commonest = filtered(exp.ArgMax(this=value, expression=order), some)
            return output.named(plain(commonest, sight.columns[sight.group.table][column]))
    raise TypeError(f"{type(output.measure).__name__} is not measured over counts by value")


def _effective_number(output: Output) -> exp.Expression:
    """e^H with H = ln N - (sum of n ln n) / N over the values' counts n; the terms are summed as millionths."""
    count = number(exp.column(output.name, quoted=True))
    some = exp.GT(this=count, expression=ZERO.copy())
    scaled = exp.Mul(this=exp.Mul(this=count.copy(), expression=exp.Ln(this=count.copy())), expression=_millions())
    terms = exp.Sum(this=case_when(some, typed(exp.Round(this=scaled), "bigint")))
    events = number(exp.Sum(this=exp.column(output.name, quoted=True)))
    mean = div(div(number(terms), _millions()), events)
    entropy = exp.Greatest(
        this=exp.Sub(this=exp.Ln(this=events.copy()), expression=mean), expressions=[number(ZERO.copy())]
    )
    return output.named(case_when(exp.GT(this=events.copy(), expression=ZERO.copy()), exp.Exp(this=entropy)))


def _millions() -> exp.Expression:
    return exp.Literal.number(FADING_UNIT)


def _share(sight: Sight, members: Sequence[Output]) -> exp.Select:
    measures = [output.measure for output in members]
    measure = measures[0]
    assert isinstance(measure, TopShare)
    events = sight.events(measures, columns_of(measure))
    total_of = _total(sight, measure.column)
    sums = [output.named(filtered(total_of.copy(), sight.within(measure, output.window))) for output in members]
    named = exp.alias_(known(exp.column(measure.of)), "__named")
    by_value = exp.select(*sight.keys, named, *sums).from_(events).group_by(*sight.keys, measure.of).subquery("b")
    return exp.select(*sight.keys, *map(_largest_share, members)).from_(by_value).group_by(*sight.keys)


def _largest_share(output: Output) -> exp.Expression:
    return output.named(share_of_largest(exp.column(output.name, quoted=True), exp.column("__named")))


def share_of_largest(sums: exp.Expression, is_named: exp.Expression) -> exp.Expression:
    """The largest of the sums that have a name over all of them; missing where these are not positive."""
    positive = exp.GT(this=exp.Sum(this=sums), expression=ZERO.copy())
    return case_when(positive, ratio(filtered(exp.Max(this=sums.copy()), [is_named]), exp.Sum(this=sums.copy())))


def _total(sight: Sight, column: str) -> exp.Expression:
    return total(column, sight.columns[sight.group.table][column])


def _column(measure: Measure) -> str:
    assert isinstance(measure, Distinct | NewValues | EffectiveNumber | Commonest | CommonestShare)
    return measure.column


PLANS: dict[str, Callable[[Sight, Sequence[Output]], exp.Select]] = {
    "direct": _direct,
    "visits": _visits,
    "distinct": _distinct,
    "spread": _spread,
    "share": _share,
}


def loop_parts(sight: Sight, members: Sequence[Output]) -> list[Part]:
    """The parts at one moment: columns that can share one look at the events."""
    shared: dict[tuple[str, ...], list[Output]] = {}
    for output in members:
        shared.setdefault(part_of(output.measure), []).append(output)
    return [Part(sight.keys, tuple(some), PLANS[plan[0]](sight, some)) for plan, some in shared.items()]
