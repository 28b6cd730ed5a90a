"""When a customer comes: how long ago, how regularly, and whether he is overdue by his own habit."""

from __future__ import annotations

from ...language.declarations import (
    Block,
    Commonest,
    CommonestShare,
    DaysSinceFirst,
    DaysSinceLast,
    DaysSinceNthLast,
    Distinct,
    FadingVisits,
    Feature,
    Fitted,
    GapLargest,
    GapMean,
    GapMedian,
    GapShape,
    GapSpread,
    Group,
    Ratio,
    half_life,
)
from .alive import AHEAD, still_a_customer

BLOCK = Block(
    "rhythm",
    groups=(
        Group(
            "transactions",
            ("customer_id",),
            (
                Feature(
                    "days_since_visit",
                    DaysSinceLast(),
                    definition="days since the last visit",
                    unit="days",
                    family="time since the last visit",
                    words="last visit {value} ago; usually comes every {gap_mean:visits_life>=4}; "
                    "half of all customers came within {typical}",
                ),
                Feature(
                    "days_known",
                    DaysSinceFirst(),
                    definition="days since the first visit",
                    unit="days",
                    family="length of the relationship",
                    words="first visit {value} ago; half of all customers are known for at least {typical}",
                ),
                Feature(
                    "gap_mean",
                    GapMean(),
                    definition="mean days between visits",
                    unit="days",
                    family="usual rhythm",
                    words="usually comes every {value:visits_life>=4}, half of all customers every {typical} or less; "
                    "{visits_life} visits so far",
                ),
                Feature(
                    "gap_mean_{window}",
                    GapMean(last=(90,)),
                    definition="mean days between visits in {period}",
                    unit="days",
                    family="usual rhythm",
                    words="{visits_90d} visits in {period}; came every {value:visits_90d>=4}; "
                    "over the whole time every {gap_mean:visits_life>=4}; "
                    "half of all customers came every {typical} or less",
                ),
                Feature(
                    "gap_largest_{window}",
                    GapLargest(last=(90, None)),
                    definition="longest time between two visits in {period}",
                    unit="days",
                    family="longest pause",
                    words="longest pause before a visit in {period}: {value}; typically {typical}",
                ),
                Feature(
                    "active_weeks_{window}",
                    Distinct(column="week", last=(56, 182)),
                    definition="calendar weeks with a visit in {period}",
                    unit="count",
                    family="how often he comes",
                    words="came in {value} different weeks of {period}; typically in {typical}",
                ),
                Feature(
                    "gap_median_{window}",
                    GapMedian(last=(90, None)),
                    definition="median days between visits in {period}",
                    unit="days",
                    family="usual rhythm",
                    words="half of the pauses before visits in {period} were {value} or less; typically {typical}",
                ),
                *(
                    Feature(
                        f"days_since_visit_{nth}",
                        DaysSinceNthLast(nth=nth),
                        definition=f"days within which the last {nth} visits took place",
                        unit="days",
                        family="pace of the last visits",
                        words=f"the last {nth} visits took place within {{value}}; typically within {{typical}}; "
                        f"missing: fewer than {nth} visits",
                    )
                    for nth in (3, 5, 7, 10, 15)
                ),
                *(
                    Feature(
                        f"fading_visits_{fade}d",
                        FadingVisits(fade=fade),
                        definition=f"visits so far, each counting half as much every {half_life(fade)} days",
                        unit="count",
                        family="how often he comes",
                        words="{visits_28d} visits in the last 28 days, typically {visits_28d.typical}; "
                        "{visits_90d} in the last 90; last visit {days_since_visit} ago; "
                        "usually comes every {gap_mean:visits_life>=4}",
                    )
                    for fade in (10, 30, 60)
                ),
                Feature(
                    "gap_spread_{window}",
                    GapSpread(last=(90, None)),
                    definition="spread (standard deviation) of the days between visits in {period}",
                    unit="days",
                    family="regularity",
                    words="{visits_{window}} visits in {period}; the pauses before visits vary by "
                    "{value:visits_{window}>=4}, typically by {typical}",
                ),
                Feature(
                    "regularity",
                    GapShape(last=(365,)),
                    definition="regularity of the visits of the last 365 days (shape of a Gamma): 1 is chance, more is "
                    "clockwork, less is clumps",
                    family="regularity",
                    words="{visits_365d} visits in {period}; regularity of the visits {value:visits_365d>=4}, "
                    "typically {typical} (1 is chance, more is clockwork)",
                ),
                Feature(
                    "favourite_day",
                    Commonest(column="weekday", last=(180,)),
                    definition="day of the week on which most items were bought in the last 180 days",
                    family="when he comes",
                    words="buys most on a {value}, as for {share} of all",
                    kind="category",
                ),
                Feature(
                    "favourite_day_share",
                    CommonestShare(column="weekday", last=(180,)),
                    definition="share of the items of the last 180 days that were bought on the favourite day",
                    unit="share",
                    family="when he comes",
                    words="bought {value} of the items on a {favourite_day}; typically {typical}",
                ),
            ),
        ),
    ),
    derived=(
        Feature(
            "overdue",
            Ratio("days_since_visit", "gap_mean"),
            definition="days since the last visit over the usual days between visits",
            unit="times",
            family="time since the last visit",
            words="last visit {days_since_visit} ago; usually comes every {gap_mean:visits_life>=4}; "
            "half of all customers came within {days_since_visit.typical}",
        ),
        Feature(
            "overdue_lately",
            Ratio("days_since_visit", "gap_mean_90d"),
            definition="days since the last visit over the days between visits of the last 90 days",
            unit="times",
            family="time since the last visit",
            words="last visit {days_since_visit} ago; lately came every {gap_mean_90d:visits_90d>=4}; "
            "half of all customers came within {days_since_visit.typical}",
        ),
        Feature(
            "pause_against_longest",
            Ratio("days_since_visit", "gap_largest_life"),
            definition="days since the last visit over the longest time between two visits so far",
            unit="times",
            family="time since the last visit",
            words="last visit {days_since_visit} ago; the longest pause so far was {gap_largest_life}; "
            "half of all customers came within {days_since_visit.typical}",
        ),
        Feature(
            "irregularity",
            Ratio("gap_spread_life", "gap_mean"),
            definition="spread of the days between visits over their mean",
            unit="times",
            family="regularity",
            words="{visits_life} visits so far; the days between visits vary by "
            "{gap_spread_life:visits_life>=4} around {gap_mean}, "
            "typically by {gap_spread_life.typical} around {gap_mean.typical}",
        ),
        Feature(
            "rhythm_change",
            Ratio("gap_mean_90d", "gap_mean"),
            definition="days between visits in the last 90 days over those of the whole time",
            unit="times",
            family="change in visits",
            words="{visits_90d} visits in the last 90 days; came every {gap_mean_90d:visits_90d>=4}; "
            "over the whole time every {gap_mean:visits_life>=4}; "
            "half of all customers came every {gap_mean_90d.typical} or less",
        ),
        Feature(
            "season_behind",
            Ratio("visits_275d", "visits_365d"),
            definition="share of the last 365 days' visits outside of the 90 days that now lie ahead, a year ago",
            unit="share",
            family="season",
            words="{visits_275d} of {visits_365d} visits of the last year fell outside the season that lies ahead; "
            "typically {typical}",
        ),
    ),
    fitted=(
        Fitted(
            ("customer_id",),
            (
                Feature(
                    "alive",
                    None,
                    definition="probability that he still is a customer, by his visits alone (BG/NBD)",
                    unit="share",
                    family="time since the last visit",
                    words="by his visits alone he still is a customer with {value}; typically with {typical}",
                ),
                Feature(
                    "expected_visits",
                    None,
                    definition=f"visits to be expected in the next {AHEAD} days, by his visits alone (BG/NBD)",
                    unit="count",
                    family="how often he comes",
                    words=f"{{value}} visits are to be expected in {AHEAD} days by his visits so far; "
                    "typically {typical}",
                ),
            ),
            needs=(("transactions", ("customer_id", "at")),),
            compute=still_a_customer,
        ),
    ),
)
