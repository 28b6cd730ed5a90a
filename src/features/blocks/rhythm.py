"""When a customer comes: how long ago, how regularly, and whether he is overdue by his own habit."""

from __future__ import annotations

from ...language.declarations import (
    Block,
    DaysSinceFirst,
    DaysSinceLast,
    DaysSinceNthLast,
    Distinct,
    FadingVisits,
    Feature,
    GapLargest,
    GapMean,
    GapMedian,
    GapSpread,
    Group,
    Ratio,
)

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
                    words="last visit {value} ago; usually comes every {gap_mean}",
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
                    words="usually comes every {value}; half of all customers every {typical} or less",
                ),
                Feature(
                    "gap_mean_{window}",
                    GapMean(last=(90,)),
                    definition="mean days between visits in {period}",
                    unit="days",
                    family="usual rhythm",
                    words="came every {value} in {period}; over the whole time every {gap_mean}",
                ),
                Feature(
                    "gap_largest_{window}",
                    GapLargest(last=(90, None)),
                    definition="longest time between two visits in {period}",
                    unit="days",
                    family="longest pause",
                    words="longest pause between visits in {period}: {value}; typically {typical}",
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
                    "gap_median",
                    GapMedian(),
                    definition="median days between visits",
                    unit="days",
                    family="usual rhythm",
                    words="half of the times between visits were {value} or less; typically {typical}",
                ),
                *(
                    Feature(
                        f"days_since_visit_{nth}",
                        DaysSinceNthLast(nth=nth),
                        definition=f"days within which the last {nth} visits took place",
                        unit="days",
                        family="pace of the last visits",
                        words=f"the last {nth} visits took place within {{value}}; typically within {{typical}}",
                    )
                    for nth in (3, 5, 7, 10, 15)
                ),
                *(
                    Feature(
                        f"fading_visits_{fade}d",
                        FadingVisits(fade=fade),
                        definition=f"visits so far, fading with age by a factor of e every {fade} days",
                        unit="count",
                        family="how often he comes",
                        words="{visits_28d} visits in the last 28 days; {visits_90d} in the last 90; "
                        "last visit {days_since_visit} ago",
                    )
                    for fade in (10, 30, 60)
                ),
                Feature(
                    "gap_spread",
                    GapSpread(),
                    definition="spread (standard deviation) of the days between visits",
                    unit="days",
                    family="regularity",
                    words="the days between visits vary by {value}; typically by {typical}",
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
            words="last visit {days_since_visit} ago; usually comes every {gap_mean}",
        ),
        Feature(
            "overdue_lately",
            Ratio("days_since_visit", "gap_mean_90d"),
            definition="days since the last visit over the days between visits of the last 90 days",
            unit="times",
            family="time since the last visit",
            words="last visit {days_since_visit} ago; lately came every {gap_mean_90d}",
        ),
        Feature(
            "pause_against_longest",
            Ratio("days_since_visit", "gap_largest_life"),
            definition="days since the last visit over the longest time between two visits so far",
            unit="times",
            family="time since the last visit",
            words="last visit {days_since_visit} ago; the longest pause so far was {gap_largest_life}",
        ),
        Feature(
            "irregularity",
            Ratio("gap_spread", "gap_mean"),
            definition="spread of the days between visits over their mean",
            unit="times",
            family="regularity",
            words="the days between visits vary by {gap_spread} around {gap_mean}",
        ),
        Feature(
            "rhythm_change",
            Ratio("gap_mean_90d", "gap_mean"),
            definition="days between visits in the last 90 days over those of the whole time",
            unit="times",
            family="change in visits",
            words="came every {gap_mean_90d} in the last 90 days; over the whole time every {gap_mean}",
        ),
    ),
)
