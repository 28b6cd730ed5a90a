"""Training of a task that asks how long it takes until somebody leaves: hazards over rows and periods.

Who has left is who is not in the task's population any more, as it was known at that moment: so the same declaration
says who is asked about and what leaving means. Training sees what was known when the next window began; who was still
there then, or at the end of the data, is censored. The model is held against the Kaplan-Meier curve of the training
rows (the rule), proportional hazards, and the truth where the data come from a simulated world.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..config import LeavingConfig
from ..data.dataset import Dataset
from ..errors import DataError
from ..features.groups import check_groups
from ..features.snapshot import Snapshots
from ..language.declarations import FeatureColumn
from ..language.moments import shift
from ..models.calibration import entity_folds
from ..models.encoding import Encoder
from ..models.hazard import HazardModel, Periods, fit_trees
from ..models.proportional_hazards import ProportionalHazards
from ..registry.lookup import Resolved
from ..registry.tracking import start_run
from ..tasks import declare
from ..tasks.base import Task
from .ceiling import open_truth, true_curves
from .diet import diet
from .material import FEWEST_POSITIVES, LOOKBACK_SHARE
from .metrics.survival import kaplan_meier
from .registering import register_model
from .splits import Windows, lay_out, windows_of
from .survival import SurvivalJudged, judge_survival

Say = Callable[[str], None]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
MOST_PERIODS = 150_000  # rows and periods that the trees are fitted to; more are drawn from by the seed
MOST_EXACT = 2_000  # test rows for which the truth is asked


@dataclass(frozen=True)
class Lives:
    """Rows (n) with features, and the period in which each left (`event`) or the last he was seen through."""

    rows: pa.Table
    time: Ints
    event: Bools

    def take(self, chosen: npt.NDArray[np.intp]) -> Lives:
        """Some of the rows."""
        return Lives(self.rows.take(pa.array(chosen)), self.time[chosen], self.event[chosen])


@dataclass(frozen=True)
class TrainedLeaving:
    """A registered version, how good it is, and from how many rows, of whom so many left, it was learned."""

    task: Task
    model: HazardModel
    judged: SurvivalJudged
    rows: int
    left: int
    left_out: tuple[str, ...]
    registered: Resolved
    run_id: str


def train_leaving(data: Dataset, name: str, *, seed: int | None = None, say: Say = lambda text: None) -> TrainedLeaving:
    """Train, judge and register a task with `every`.

    DataError where a horizon reaches past the data, or too few leave.
    """
    config = data.config.task(name)
    assert isinstance(config, LeavingConfig)
    task = declare(name, config)
    seed = data.config.seed if seed is None else seed
    threads = data.config.threads
    windows = _windows(data, config, task)
    with start_run(data.config, name, fingerprint=data.fingerprint) as run:
        say("building the training rows")
        snapshots = Snapshots(
            data,
            task,
            blocks=config.blocks,
            exclude=config.exclude_features,
            groups=config.groups,
            learn_at=windows.train[0],
        )
        check_groups(snapshots.columns, config.groups, name)
        run.log_params({"config": data.config.resolved(), "seed": seed})
        run.log_dict(data.config.resolved(), "config.yaml")
        lives = {window: follow(snapshots, cutoffs, _end(data, windows, window))
                 for window, cutoffs in windows.named().items()}  # fmt: skip
        training = lives["train"]
        _check(task, training)
        kept = diet(training.rows, snapshots.columns).kept
        say(f"fitting to {training.rows.num_rows:,} rows, of whom {int(training.event.sum()):,} left")
        model, raw = _fit(task, config, kept, training, lives.get("calibration"), seed=seed, threads=threads)
        say("fitting proportional hazards beside it")
        periods = Periods.of(training.time, training.event)
        peer = ProportionalHazards.fit(kept, training.rows, periods, model.periods, seed=seed)
        say("judging it on the test window")
        tested = lives["test"]
        known = kaplan_meier(training.time, training.event, model.periods)
        curves = {
            "test": model.curves(tested.rows),
            "baseline.test": np.tile(known, (tested.rows.num_rows, 1)),
            "proportional_hazards.test": peer.curves(tested.rows),
        }
        truth = open_truth(data.config)
        exact = np.arange(tested.rows.num_rows)
        if truth is not None:
            say("asking the truth for the ceiling")
            exact = np.sort(np.random.default_rng(seed).permutation(exact)[:MOST_EXACT])
            few = tested.take(exact)
            curves["ceiling.test"] = true_curves(truth, config, few.rows, model.periods)
        judged = judge_survival(
            curves, tested.time, tested.event, tested.rows[task.entity], exact, model.horizons, config.every,
            replicates=config.bootstrap, seed=seed,
        )  # fmt: skip
        run.log_metrics(judged.metrics)
        run.log_dict(judged.as_dict(), "judgement.json")
        say("registering")
        registered = register_model(snapshots, model, run, raw_scores=raw, windows=windows, grade=judged.letter)
    left = int(training.event.sum())
    rows = training.rows.num_rows
    return TrainedLeaving(task, model, judged, rows, left, snapshots.plan.left_out, registered, run.id)


# ------------------------------------------------------------------------------------------- who left when
def follow(snapshots: Snapshots, cutoffs: Sequence[datetime], until: datetime) -> Lives:
    """The population at each cutoff with features, followed to the horizon or up to `until`, whichever is first."""
    task, zone = snapshots.task, snapshots.zone
    tables, times, events = [], [], []
    known: dict[datetime, pa.Array] = {}
    for cutoff in cutoffs:
        spine = snapshots.population([cutoff], with_target=False)
        who = spine[task.entity].combine_chunks()
        time, event = np.zeros(len(who), np.int64), np.zeros(len(who), bool)
        for period in range(1, task.horizon // task.every + 1):
            moment = shift(cutoff, period * task.every, zone)
            if moment > until:
                break
            if moment not in known:
                known[moment] = snapshots.population([moment], with_target=False)[task.entity].combine_chunks()
            still = np.asarray(pc.is_in(who, value_set=known[moment]), bool)
            time[~event] = period
            event |= ~still
        tables.append(snapshots.stored(spine))
        times.append(time)
        events.append(event)
    return Lives(pa.concat_tables(tables), np.concatenate(times), np.concatenate(events))


def _windows(data: Dataset, config: LeavingConfig, task: Task) -> Windows:
    """The windows; DataError where the first test cutoff has not even the first horizon of the data before it."""
    zone = data.config.zone
    if config.split is None:
        lookback = int((data.observed_until - data.first_event) / timedelta(days=1) * LOOKBACK_SHARE)
        windows = lay_out(data.first_event, data.observed_until, task.horizon, zone, lookback=lookback)
    else:
        windows = windows_of(config.split, zone)
    for name, what in (("train", "the next window begins"), ("test", "the data end")):
        first, end = windows.named()[name][0], _end(data, windows, name)
        needed = task.horizon if name == "train" else config.horizons[0]
        if shift(first, needed, zone) > end:
            days = (end - first).days
            raise DataError(
                f"{task.name}: a horizon of {needed} days reaches past the data: from the first cutoff of the {name} "
                f"window it is {days} days until {what}; shorten `horizons`, or take earlier cutoffs in `split`"
            )
    return windows


def _end(data: Dataset, windows: Windows, name: str) -> datetime:
    return windows.end_of(name) or data.observed_until


def _check(task: Task, training: Lives) -> None:
    if training.rows.num_rows == 0:
        raise DataError(f"{task.name}: nobody is eligible ({task.population_text}); check the split in the config")
    left, stayed = int(training.event.sum()), int((~training.event).sum())
    if min(left, stayed) < FEWEST_POSITIVES:
        raise DataError(
            f"{task.name}: not enough data: of {training.rows.num_rows} training rows {left} left and {stayed} did "
            f"not ({task.target_text}); at least {FEWEST_POSITIVES} of either kind are needed"
        )


# ------------------------------------------------------------------------------------------- fitting
def _fit(
    task: Task,
    config: LeavingConfig,
    columns: Sequence[FeatureColumn],
    training: Lives,
    calibration: Lives | None,
    *,
    seed: int,
    threads: int | None,
) -> tuple[HazardModel, Floats]:
    """The calibrated model, and raw scores of rows that its trees have not seen.

    Without a calibration window the trees are calibrated on those that were fitted without a row's own entity.
    """
    encoder = Encoder.fit(columns, training.rows)
    matrix = encoder.encode(training.rows)
    entities = training.rows[task.entity].to_numpy(zero_copy_only=False)
    periods = Periods.of(training.time, training.event)
    if len(periods.row) > MOST_PERIODS:
        drawn = np.random.default_rng(seed).choice(len(periods.row), MOST_PERIODS, replace=False)
        periods = periods.take(np.sort(drawn))

    def model_of(chosen: Periods, rounds: int | None) -> HazardModel:
        text = fit_trees(config.learner, encoder, matrix, chosen, entities, seed=seed, threads=threads, rounds=rounds)
        return HazardModel(encoder, text, config.every, config.horizons, threads=threads)

    model = model_of(periods, None)
    if calibration is not None and calibration.event.any():
        looked, seen = encoder.encode(calibration.rows), Periods.of(calibration.time, calibration.event)
        calibrated = model.calibrated(model.raw_hazards(looked, seen), seen.left)
        return calibrated, calibrated.score_matrix(looked)
    raw = np.empty(len(periods.row))
    for rest, fold in entity_folds(entities[periods.row], seed=seed, folds=3):
        raw[fold] = model_of(periods.take(rest), model.rounds).raw_hazards(matrix, periods.take(fold))
    calibrated = model.calibrated(raw, periods.left)
    return calibrated, calibrated.score_matrix(matrix)
