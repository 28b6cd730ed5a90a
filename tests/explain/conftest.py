"""A review as training would make it, from generated households."""

from datetime import date

import numpy as np
import pytest

from rapport.explain import illustrations, pictures
from rapport.explain.review import (
    Check,
    Cohort,
    Customer,
    FairGroup,
    Figure,
    Measure,
    Picture,
    Provenance,
    Reason,
    ReasonCohort,
    Review,
    Score,
    Subject,
    Window,
    spread_rows,
)
from rapport.language.declarations import FeatureColumn

FAMILIES = {
    "Time since the last visit": ("days since the last visit", "days"),
    "Rhythm of visits": ("usual days between visits", "days"),
    "Spending": ("spent", "currency"),
    "Breadth of the basket": ("different categories bought", ""),
    "Coupons": ("coupons redeemed", ""),
    "Campaigns": ("campaigns received", ""),
    "Household": ("people in the household", ""),
    "Time of day": ("share of visits in the evening", "share"),
    "Store brand": ("share of store brand", "share"),
    "Length of the relationship": ("days since the first visit", "days"),
}
SUBJECT = Subject("household", "households", "bought nothing", "households that lapse", "households that stay")


def sigmoid(raw):
    return 1 / (1 + np.exp(-raw))


def figures(value, gap, *, beyond):
    """The figures of one group; its distance from the others lies beyond chance, or within."""
    wide = 0.03 if beyond else 0.3
    return tuple(
        Figure(name, value, value - 0.01, value + 0.01, gap, gap - wide, gap + wide)
        for name in ("flagged", "found", "false_alarms", "overstated")
    )


def make_review(rows=5000, customers=30):
    random = np.random.default_rng(7)
    columns = tuple(
        FeatureColumn(f"f{i}_{w}d", "block", family, "number", unit, w, f"{what}, last {w} days", "")
        for i, (family, (what, unit)) in enumerate(FAMILIES.items())
        for w in (30, 90, 180)
    )
    weight = np.array([(1.0, 0.85, -0.6, -0.45, -0.35, -0.25, 0.15, 0.12, 0.08, -0.3)[i // 3] for i in range(30)])
    latent = np.repeat(random.normal(size=(rows, 10)), 3, axis=1)
    values = np.exp(0.7 * (0.8 * latent + 0.6 * random.normal(size=(rows, 30)))) * 20
    values[random.random(values.shape) < 0.03] = np.nan
    standard = np.nan_to_num((np.log(values / 20)) / 0.7)
    contributions = np.tanh(standard * 0.8) * weight * 0.75
    base = -2.6
    raw = base + contributions.sum(axis=1)
    probability = sigmoid(raw)
    target = (random.random(rows) < probability).astype(int)
    rule = values[:, 0] * 0 + np.nan_to_num(np.round(values[:, 0])) + random.normal(size=rows) * 10

    drivers, sums = illustrations.drivers(columns, contributions, values)
    bins, words = illustrations.calibration_story(target, probability, SUBJECT)
    stability = pictures.over_cutoffs(
        ["2017-11-06", "2017-11-20", "2017-12-04"],
        [(0.44, 0.38, 0.5), (0.42, 0.37, 0.48), (0.45, 0.4, 0.51)],
        [(0.31, 0.27, 0.36), (0.32, 0.27, 0.37), (0.29, 0.25, 0.33)],
    )
    order = np.argsort(probability)
    sample = spread_rows(probability, customers)
    percentile = 100 * np.argsort(order) / (rows - 1)

    def reasons(row):
        largest = sorted(sums, key=lambda family: -abs(sums[family][row]))[:5]
        return tuple(
            Reason(
                family,
                f"{FAMILIES[family][0]}: {values[row, 3 * list(FAMILIES).index(family)]:.0f}; half have 20 or less",
                sums[family][row],
                sigmoid(raw[row] - sums[family][row]),
            )
            for family in largest
        )

    return Review(
        config="complete_journey",
        task="churn",
        question="Which households will stop buying?",
        purpose="For each household that bought in the last eight weeks, the chance that it buys nothing in the next "
        "28 days. The shop calls those at risk before they are gone.",
        population="Households with at least one purchase in the 56 days before the forecast.",
        target="No purchase at all in the 28 days after the forecast.",
        horizon="28 days",
        grade="B",
        subject=SUBJECT,
        rule="days since the last visit against the usual gap",
        positive_share=float(target.mean()),
        windows=(
            Window("training", "10 April 2017", "17 July 2017", 8, 14230, 2301, 1822),
            Window("calibration", "14 August 2017", "28 August 2017", 2, 3641, 1987, 452),
            Window("validation", "25 September 2017", "9 October 2017", 2, 3702, 2012, 467),
            Window("test", "6 November 2017", "4 December 2017", 3, rows, 2044, int(target.sum())),
        ),
        measures=(
            Measure("average_precision", 0.437, 0.401, 0.472, 0.306, 0.277, 0.339, 0.131, 0.098, 0.162, 0.61, True),
            Measure("roc_auc", 0.868, 0.852, 0.884, 0.801, 0.781, 0.82, 0.067, 0.051, 0.083),
            Measure("capture_at_20pct", 0.634, 0.6, 0.667, 0.521, 0.486, 0.555, 0.113, 0.079, 0.146),
            Measure("lift_at_10pct", 4.1, 3.8, 4.4, 3.1, 2.8, 3.4, 1.0, 0.6, 1.3),
            Measure("ece", 0.009, 0.006, 0.016, 0.048, 0.04, 0.057, 0.039, 0.03, 0.047),
        ),
        calibration=bins,
        calibration_words=words,
        pictures=(*illustrations.quality_pictures(target, probability, rule, SUBJECT),),
        drivers=drivers,
        driver_pictures=illustrations.driver_pictures(columns, contributions, values),
        cohorts=(
            Cohort("Age group", "65+", 412, 61, 0.31, 0.36, -0.05, -0.09, -0.01),
            Cohort("Visits in 90 days", "1 to 2", 640, 201, 0.52, 0.53, -0.01, -0.05, 0.03),
            Cohort("Age group", "35-44", 1204, 130, 0.44, 0.3, 0.14, 0.08, 0.2),
            Cohort("Age group", "unknown", 2310, 320, 0.43, 0.31, 0.12, 0.07, 0.17),
            Cohort("Visits in 90 days", "3 or more", 4360, 480, 0.4, 0.25, 0.15, 0.1, 0.2),
            Cohort("Income", "250K+", 22, 2),
        ),
        fairness=tuple(
            FairGroup("age", value, n, n // 8, 0.14, 0.125, figures)
            for value, n, figures in (
                ("45-54", 1204, figures(0.02, -0.18, beyond=True)),
                ("65+", 2310, figures(0.31, 0.11, beyond=True)),
                ("not known", 640, figures(0.2, 0.0, beyond=False)),
                ("19-24", 22, ()),
            )
        ),
        reason_groups=tuple(FAMILIES)[:6],
        reason_cohorts=tuple(
            ReasonCohort(kind, value, 500, 0.3, happened, tuple(np.linspace(size, -size, 6)))
            for kind, value, happened, size in (
                ("score", "tenth 1 (highest scores)", 0.52, 1.4),
                ("score", "tenth 10 (lowest scores)", 0.01, -1.2),
                ("error", "false alarms", 0.0, 0.9),
                ("error", "misses", 1.0, 0.1),
                ("age", "65+", 0.2, 0.4),
            )
        ),
        error_words="Of the fifth with the highest scores, 58 % were false alarms.",
        stability=(
            Picture(
                "stability_test",
                pictures.to_svg(stability),
                "Better than the rule at 3 of 3 forecasts",
                "Average precision at three forecasts, model above rule each time.",
            ),
        ),
        limits=(
            "One year of data: what happens at Christmas was seen only once.",
            "Demographics are known for 801 of 2,469 households.",
            "The intervals speak of these three forecasts, not of years that differ from 2017.",
        ),
        knots=tuple((float(x), float(sigmoid(x))) for x in np.linspace(-9, 6, 60)),
        customers=tuple(
            Customer(str(1000 + int(i)), (Score(probability[i], percentile[i], base, raw[i], reasons(i)),))
            for i in sample
        ),
        scored=2105,
        checklist=(
            Check("Better than the rule, beyond chance?", True, "Gain 13.1 points, 9.8 to 16.2."),
            Check("Percentages as good as their word?", True, "Mean gap 0.9 points, below the limit of 2."),
            Check("No sign of a leak?", True, "AUC 0.868, below the alarm at 0.97; no feature alone separates."),
            Check("Groups treated fairly?", None, "It is worse for one age group. Is that acceptable for this use?"),
            Check("Does the use fit the purpose?", None),
        ),
        provenance=Provenance(
            "rapport.complete_journey.churn",
            "3",
            "5f0c2a9be1d34c7b",
            "sha256:9a1e…",
            "beb4628",
            "2 January 2018, 10:15",
            "31 December 2017",
            "31 December 2017",
            str(date(2018, 1, 2)),
            "champion, unreviewed",
        ),
        next_scoring="Scores hold for the 28 days after 31 December 2017; score again after 28 January 2018.",
    )


@pytest.fixture(scope="session")
def fake_review():
    return make_review()
