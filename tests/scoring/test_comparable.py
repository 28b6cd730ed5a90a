"""What differs from training because time went on is no drift, and a jump from one night to the next is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from kiosk import Kiosk

from rapport.config import Limit, ScoringLimits
from rapport.features.snapshot import Snapshots
from rapport.models.bundle import Bundle
from rapport.scoring.batch import score
from rapport.scoring.comparable import growing
from rapport.scoring.drift import drift
from rapport.scoring.guards import check_after
from rapport.scoring.manifest import read_manifest
from rapport.scoring.results import read_profile
from rapport.tasks import declare

NOTHING = dict.fromkeys(ScoringLimits.model_fields, Limit())
TRAINED = {"train": ["2024-04-10T00:00:00", "2024-04-20T00:00:00"]}  # 100 and 110 days after the first event
FIRST = datetime(2024, 1, 1)


@pytest.fixture(scope="module")
def plan(kiosk: Kiosk):  # type: ignore[no-untyped-def]
    task = declare("churn", kiosk.data.config.task("churn"))
    return Snapshots(kiosk.data, task, blocks=["rhythm", "profile"]).plan


def test_features_of_the_whole_past_grow_and_those_of_a_window_do_not(plan) -> None:  # type: ignore[no-untyped-def]
    found = growing(plan, TRAINED, FIRST, FIRST + timedelta(days=200))
    assert {"days_known", "days_since_visit_5", "gap_largest_life"} <= found
    assert "active_weeks_182d" in found  # longer than the past that training had
    assert not {"active_weeks_56d", "gap_mean_90d", "gap_largest_90d", "region"} & found
    ratios = {feature.name: feature.what for feature in plan.derived if feature.name in found}
    assert "rhythm_change" in ratios


def test_with_about_as_much_past_as_in_training_everything_is_compared(plan) -> None:  # type: ignore[no-untyped-def]
    assert growing(plan, TRAINED, FIRST, FIRST + timedelta(days=130)) == frozenset()
    assert growing(plan, {}, FIRST, FIRST + timedelta(days=999)) == frozenset()  # a model that does not say


def _trained_early(kiosk: Kiosk) -> Bundle:
    bundle = kiosk.bundle("churn")
    return replace(bundle, metadata={**bundle.metadata, "windows": {"train": ["2024-03-01T00:00:00"]}})


def test_what_grows_is_marked_and_no_guard_cries(kiosk: Kiosk, out: Path) -> None:
    folder = score(kiosk.data, "churn", _trained_early(kiosk), out=out).folder
    profile = read_profile(folder)
    grows = {column.name for column in profile.columns if column.grows}
    assert "days_known" in grows
    limits = ScoringLimits(**{**NOTHING, "feature_psi": Limit(warn=0.0)})  # type: ignore[arg-type]
    unmarked = replace(profile, columns=tuple(replace(column, grows=False) for column in profile.columns))
    (finding,) = check_after(unmarked, 100, limits, date(2024, 6, 29), None)
    assert "days_known" in finding.text
    assert not any(
        name in one.text for one in check_after(profile, 100, limits, date(2024, 6, 29), None) for name in grows
    )
    report = drift(kiosk.data.config, "churn", out=out)
    assert {line.name for line in report.lines if line.level == "grows"} == grows
    assert report.lines[0].name not in grows


def test_few_campaigns_say_nothing_of_their_features(kiosk: Kiosk, out: Path) -> None:
    folder = score(kiosk.data, "conversion", kiosk.bundle("conversion"), out=out).folder
    profile = read_profile(folder)
    assert profile.plans == 1
    limits = ScoringLimits(**{**NOTHING, "feature_psi": Limit(warn=0.0), "score_psi": Limit(warn=0.0)})  # type: ignore[arg-type]
    assert check_after(profile, 60, limits, date(2024, 6, 12), None) == []
    assert check_after(replace(profile, plans=9), 60, limits, date(2024, 6, 12), None) != []
    assert "1 campaigns: too few" in drift(kiosk.data.config, "conversion", out=out).text


def test_a_jump_since_last_night_is_told_and_one_since_last_month_is_not(kiosk: Kiosk, out: Path) -> None:
    folder = score(kiosk.data, "churn", _trained_early(kiosk), as_of=date(2024, 6, 1), out=out).folder
    earlier, previous = read_profile(folder), read_manifest(folder)
    days = earlier.column("days_known")
    moved = replace(days, counts=(sum(days.counts), *(0,) * (len(days.counts) - 1)))
    profile = replace(earlier, columns=tuple(moved if c.name == "days_known" else c for c in earlier.columns))
    limits = ScoringLimits(**{**NOTHING, "feature_jump": Limit(warn=0.5)})  # type: ignore[arg-type]
    (finding,) = check_after(profile, 100, limits, date(2024, 6, 2), previous, earlier)
    assert finding.text.startswith("a jump since the scores as of 2024-06-01 in 1 feature: days_known")
    assert check_after(profile, 100, limits, date(2024, 7, 2), previous, earlier) == []
    assert check_after(earlier, 100, limits, date(2024, 6, 2), previous, earlier) == []
