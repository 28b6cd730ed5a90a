"""The guards of a scoring job: the data before the work, what came of it before anything is published."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from ..config import ScoringLimits
from ..data.dataset import Dataset
from ..errors import ModelError
from ..language.declarations import FeatureColumn
from ..models.bundle import Bundle
from .comparable import FEWEST_PLANS
from .findings import Finding, judged, judged_columns
from .job import Job
from .manifest import Manifest
from .profile import SCORE, ColumnProfile, Profile, noise

DAY = timedelta(days=1)
JUMP_WITHIN = timedelta(days=7)  # over a longer time a season or a campaign moves features, and nothing is wrong


def check_features(
    task: str, bundle: Bundle, columns: Sequence[FeatureColumn], left_out: Sequence[str]
) -> list[Finding]:
    """Hold the features that the data give against those that the model was trained with.

    ModelError where one is absent or of another kind; a finding where one is defined otherwise than in training.
    """
    here = {column.name: column for column in columns}
    absent = [column.name for column in bundle.columns if column.name not in here]
    if absent:
        why = "; ".join(left_out[:3])
        raise ModelError(
            f"{task}: the data give {len(absent)} of the model's {len(bundle.columns)} features no more, such as "
            f"'{absent[0]}'" + (f" ({why})" if why else "") + "; map the tables as in training, or train again"
        )
    for column in bundle.columns:
        if here[column.name].kind != column.kind:
            raise ModelError(
                f"{task}: feature '{column.name}' is a {here[column.name].kind} now and was a {column.kind} in "
                "training; map its column as in training, or train again"
            )
    said = [(column, here[column.name]) for column in bundle.columns]
    changed = [old.name for old, new in said if (old.definition, old.unit) != (new.definition, new.unit)]
    if not changed:
        return []
    text = f"{len(changed)} features are defined otherwise than in training, such as '{changed[0]}'; train again"
    return [Finding("warn", "definitions", text)]


def check_before(
    data: Dataset, job: Job, limits: ScoringLimits, previous: Manifest | None, now: datetime
) -> list[Finding]:
    """What can be said before the work: data that end too early, a clock that went backwards."""
    behind = (job.cutoff - data.observed_until) / DAY
    text = f"the data end {behind:.1f} days before the moment of the scores: what came after looks like silence"
    findings = judged(limits.days_behind, "days_behind", behind, text)
    if previous is not None and previous.scored_at > now:
        findings.append(
            Finding(
                "warn",
                "clock",
                f"the clock says {now:%Y-%m-%d %H:%M:%S} UTC, before the last scores were made "
                f"({previous.scored_at:%Y-%m-%d %H:%M:%S}): the clock of this machine went backwards",
            )
        )
    return findings


def check_after(
    profile: Profile,
    rows: int,
    limits: ScoringLimits,
    as_of: date,
    previous: Manifest | None,
    earlier: Profile | None = None,
) -> list[Finding]:
    """What the population looks like against training and against the last job (whose profile is `earlier`)."""
    features = [column for column in profile.columns if column.kind != SCORE]
    findings = [] if few_plans(profile) else _drift(profile, features, limits, as_of, previous, earlier)
    risen = [(column.name, column.missing_rise) for column in features]
    findings += judged_columns(limits.missing_rise, "missing_rise", risen, "more missing values than in training")
    unseen = [(column.name, column.unseen) for column in features]
    findings += judged_columns(limits.unseen_share, "unseen_share", unseen, "values never seen in training")
    if previous is not None and previous.rows:
        change = rows / previous.rows - 1
        text = f"{rows:,} rows are scored, {change:+.0%} against {previous.rows:,} as of {previous.job.as_of}"
        findings += judged(limits.population_change, "population_change", abs(change), text)
    return findings


def few_plans(profile: Profile) -> bool:
    """True where so few campaigns are scored that they differ from others, and nothing is wrong."""
    return profile.plans is not None and profile.plans < FEWEST_PLANS


def _drift(
    profile: Profile,
    features: Sequence[ColumnProfile],
    limits: ScoringLimits,
    as_of: date,
    previous: Manifest | None,
    earlier: Profile | None,
) -> list[Finding]:
    drifted = [(c.name, c.psi) for c in features if not c.grows and c.psi > noise(profile, c)]
    findings = judged_columns(limits.feature_psi, "feature_psi", drifted, "drift since training")
    lately = previous is not None and as_of - previous.job.as_of <= JUMP_WITHIN
    if previous is not None and lately and earlier is not None and not few_plans(earlier):
        before = {column.name: column for column in earlier.columns}
        jumps = [(column, column.jump(before[column.name])) for column in features if column.name in before]
        jumped = [(column.name, psi) for column, psi in jumps if psi > noise(profile, column, earlier.counted)]
        text = f"a jump since the scores as of {previous.job.as_of}"
        findings += judged_columns(limits.feature_jump, "feature_jump", jumped, text)
    for column in profile.columns:
        if column.kind == SCORE and column.psi > noise(profile, column):
            text = f"the scores drifted since the calibration window (PSI {column.psi:.2f})"
            findings += judged(limits.score_psi, "score_psi", column.psi, text)
    return findings
