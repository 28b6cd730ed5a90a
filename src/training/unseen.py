"""The newest rows that models have not seen: neither learned from, nor calibrated or chosen on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..data.clock import utc_to_local
from ..data.dataset import Dataset
from ..errors import GateError
from ..features.own import check_same
from ..features.snapshot import Snapshots
from ..models.bundle import Bundle
from ..tasks.base import Task
from .material import target_of
from .splits import midnight
from .walk import local_dates

CUTOFFS = 3
FEWEST_POSITIVES = 10


@dataclass(frozen=True)
class Unseen:
    """Scored rows: the task's keys, cutoff, window_end, target, and a column of probabilities for each model.

    `first` and `last` are local dates of cutoffs; `sample` has some rows with the features of each model, by name.
    """

    rows: pa.Table
    first: str
    last: str
    sample: Mapping[str, pa.Table]


def unseen_rows(
    data: Dataset, task: Task, models: Mapping[str, Bundle], *, keep: int = 20_000, seed: int = 0
) -> Unseen:
    """Score the newest rows of a task, whose outcome is known, by models that have not seen them.

    With a fixed horizon these are the last 3 cutoffs, half a horizon apart, whose targets ended with the data; of plans
    all that have begun since and have ended. A model has seen what lies before its test window: nothing of that window
    was used to make it. GateError where a model was made for other keys or another horizon, where the data no longer
    give its features, or where no rows are left; ModelError where its own features are not those of its training.
    """
    for name, bundle in models.items():
        _check(name, bundle, task)
    since = max(datetime.fromisoformat(bundle.metadata["windows"]["test"][0]) for bundle in models.values())
    builders = _builders(data, task, models)
    for name, bundle in models.items():
        _check_features(name, bundle, task, builders[name])
    spine = _spine(data, task, next(iter(builders.values())), since)
    positives = int(target_of(spine).sum())
    if not FEWEST_POSITIVES <= positives <= spine.num_rows - FEWEST_POSITIVES:
        local = utc_to_local(since, data.config.zone).date()
        raise GateError(
            f"{task.name}: one of the models has seen the data up to {local}, and since then there are {positives} "
            f"positives among {spine.num_rows} rows with a known outcome; at least {FEWEST_POSITIVES} of either kind "
            "are needed: wait for newer data"
        )
    rows, samples = [], {name: list[pa.Table]() for name in models}
    for number, part in enumerate(_parts(task, spine)):
        chosen = np.random.default_rng([seed, number]).random(part.num_rows) < keep / spine.num_rows
        scored = part.select([*task.keys, "cutoff", "window_end", "target"])
        for builder, names in _shared(builders):
            features = builder.features(part)
            for name in names:
                scored = scored.append_column(name, pa.array(models[name].predict(features)["score"]))
                samples[name].append(features.filter(pa.array(chosen)))
        rows.append(scored)
    days = local_dates(pc.unique(spine["cutoff"]).to_pylist(), data.config.zone)
    sample = {name: pa.concat_tables(parts) for name, parts in samples.items()}
    return Unseen(pa.concat_tables(rows), str(days[0]), str(days[-1]), sample)


def _check(name: str, bundle: Bundle, task: Task) -> None:
    made_for = (bundle.metadata["task"], tuple(bundle.metadata["keys"]), bundle.metadata["horizon"])
    if made_for != (task.name, task.keys, task.horizon):
        theirs, ours = f"{made_for[0]} of {', '.join(made_for[1])}", f"{task.name} of {', '.join(task.keys)}"
        raise GateError(
            f"the {name} (version {bundle.version}) was trained for {theirs} over {made_for[2]} days, and the "
            f"configuration says {ours} over {task.horizon}: they cannot be compared; train a version with the "
            "present configuration"
        )


def _check_features(name: str, bundle: Bundle, task: Task, snapshots: Snapshots) -> None:
    """A model can be compared only where the data still give all that it reads."""
    check_same(snapshots.data.config, bundle.metadata.get("own_features", {}), task.name)
    kinds = {column.name: column.kind for column in snapshots.columns}
    absent = [column.name for column in bundle.columns if kinds.get(column.name) != column.kind]
    if not absent:
        return
    why = "; ".join(snapshots.plan.left_out[:3])
    todo = "train another with the present configuration"
    if name == "champion":
        todo = (
            "roll back to a version that can do without them (`rapport rollback`), or, if they are gone for good, take "
            "the alias champion off in the registry and train again: the next version is the champion then"
        )
    raise GateError(
        f"{task.name}: the data give {len(absent)} of the {len(bundle.columns)} features of the {name} (version "
        f"{bundle.version}) no more, such as '{absent[0]}'{f' ({why})' if why else ''}; nothing was compared or "
        f"changed: map the tables as when it was trained, or {todo}"
    )


def _spine(data: Dataset, task: Task, snapshots: Snapshots, since: datetime) -> pa.Table:
    """The newest rows with a known outcome; maybe none."""
    if task.is_planned:
        begun = snapshots.planned(since, data.observed_until, with_target=True)
        return begun.filter(pc.less_equal(begun["window_end"], pa.scalar(data.observed_until, pa.timestamp("us"))))
    zone, step = data.config.zone, max(1, task.horizon // 2)
    latest = utc_to_local(data.observed_until, zone).date() - timedelta(days=task.horizon)
    cutoffs = [midnight(latest - timedelta(days=step * back), zone) for back in range(CUTOFFS)][::-1]
    spine = snapshots.population(cutoffs, with_target=True)
    return spine.filter(pc.greater_equal(spine["cutoff"], pa.scalar(since, pa.timestamp("us"))))


def _parts(task: Task, spine: pa.Table) -> Iterator[pa.Table]:
    """The rows of one cutoff at a time, which bounds memory; plans all at once, for they have a cutoff each."""
    if task.is_planned:
        yield spine
        return
    for cutoff in pc.unique(spine["cutoff"]):
        yield spine.filter(pc.equal(spine["cutoff"], cutoff))


def _builders(data: Dataset, task: Task, models: Mapping[str, Bundle]) -> dict[str, Snapshots]:
    """What builds the features of each model; models that learned the same values share one."""
    made: dict[str, Snapshots] = {}
    for name, bundle in models.items():
        learned = {key: tuple(values) for key, values in bundle.metadata["learned"].items()}
        same = (other for other in made.values() if other.learned == learned)
        made[name] = next(same, None) or Snapshots(data, task, learned=learned)
    return made


def _shared(builders: Mapping[str, Snapshots]) -> list[tuple[Snapshots, list[str]]]:
    distinct = list({id(builder): builder for builder in builders.values()}.values())
    return [(builder, [name for name, own in builders.items() if own is builder]) for builder in distinct]
