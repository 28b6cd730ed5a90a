"""The rows of a task by window: which there are, and their features, built when they are asked for.

Rows are held as spines (keys, cutoff, window_end, target), which are small; features are built one cutoff at a time
and kept only as long as they are needed, so that memory is bounded by the largest cutoff.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..config import TaskConfig
from ..data.dataset import Dataset
from ..data.moments import why_absent
from ..errors import DataError, ModelError
from ..features.snapshot import Snapshots
from ..tasks import declare
from ..tasks.base import Task
from .splits import Windows, assign, lay_out, lay_out_moments, windows_of

Floats = npt.NDArray[np.float64]
Say = Callable[[str], None]
LOOKBACK_SHARE = 0.25  # of the span of the data is left as history before the first cutoff of a laid-out split
FEWEST_POSITIVES = 10


@dataclass(frozen=True)
class WindowFacts:
    """What a window holds, for logs and pages; dates are local."""

    name: str
    first: str
    last: str
    cutoffs: int
    rows: int
    entities: int
    positives: int
    purged: int


class Material:
    """All rows of one task, by window; several outcomes or a treatment are for who asks for them (`several`)."""

    def __init__(self, data: Dataset, name: str, config: TaskConfig, *, seed: int = 0, several: bool = False) -> None:
        self.data, self.config, self.seed = data, config, seed
        self.task: Task = declare(name, config)
        if self.task.target is None:
            raise ModelError(f"{name} is put together from what is known, not trained; `rapport run` draws it up")
        if self.task.outcomes and not several:
            raise ModelError(f"{name} asks which of several things comes about; `rapport run` trains and judges it")
        if self.task.treatment is not None and not several:
            raise ModelError(f"{name} asks what a contact changes; `rapport run` trains and judges it")
        _check_tables(self.task, data)
        self.zone = data.config.zone
        self._outside: dict[str, list[str]] = {}
        if self.task.is_planned:
            self.windows, self.snapshots, self.spines, self.purged = self._planned()
        else:
            self.windows, self.snapshots, self.spines, self.purged = self._at_cutoffs()
        self._check_outcomes()

    # ------------------------------------------------------------------------------ which rows
    def _at_cutoffs(self) -> tuple[Windows, Snapshots, dict[str, pa.Table], dict[str, int]]:
        split, data, horizon = self.config.split, self.data, self.task.horizon
        if split is None:
            lookback = int((data.observed_until - data.first_event) / timedelta(days=1) * LOOKBACK_SHARE)
            windows = lay_out(data.first_event, data.observed_until, horizon, self.zone, lookback=lookback)
        else:
            windows = windows_of(split, self.zone)
        windows.check(horizon, self.zone, data.observed_until)
        snapshots = self._snapshots(windows)
        spines = {name: snapshots.population(cutoffs, with_target=True) for name, cutoffs in windows.named().items()}
        return windows, snapshots, spines, dict.fromkeys(spines, 0)

    def _planned(self) -> tuple[Windows, Snapshots, dict[str, pa.Table], dict[str, int]]:
        """Plans bring their own cutoffs and ends; a row whose end lies after the data, or in the next window, goes."""
        finder = Snapshots(self.data, self.task, blocks=())
        plans = finder.planned(datetime(1, 1, 1), self.data.observed_until, with_target=True)
        begun = plans.filter(pc.greater(plans["cutoff"], _moment(self.data.first_event)))
        rows = begun.filter(pc.less_equal(begun["window_end"], _moment(self.data.observed_until)))
        late = begun.filter(pc.greater(begun["window_end"], _moment(self.data.observed_until)))
        early = plans.filter(pc.less_equal(plans["cutoff"], _moment(self.data.first_event)))
        outside = {"begun before the data": early, "ending after the data": late}
        left_out = {name: found.num_rows for name, found in outside.items()}
        self._outside = {name: self._campaigns(found) for name, found in outside.items() if found.num_rows}
        if rows.num_rows == 0:
            raise DataError(f"{self.task.name}: no campaign began and ended within the data; there is nothing to learn")
        if self.config.split is None:
            windows = lay_out_moments(rows["cutoff"], rows["window_end"])
        else:
            windows = windows_of(self.config.split, self.zone)
        assigned = assign(windows, self.zone, rows["cutoff"], rows["window_end"])
        spines = {name: rows.filter(pa.array(chosen)) for name, chosen in assigned.rows.items()}
        return windows, self._snapshots(windows), spines, {**assigned.purged, **left_out}

    def _campaigns(self, rows: pa.Table) -> list[str]:
        names = pc.unique(rows[self.task.keys[1]]).to_pylist()
        return sorted(map(str, names), key=lambda name: (len(name), name))

    def left_out_words(self) -> tuple[str, ...]:
        """A sentence for each kind of campaign that neither trains nor tests: which, how many rows, and why."""
        return tuple(
            f"Campaign{'s' * (len(names) > 1)} {', '.join(names)} left out, {self.purged[why]:,} rows: {why}."
            for why, names in self._outside.items()
        )

    def _snapshots(self, windows: Windows) -> Snapshots:
        return Snapshots(
            self.data,
            self.task,
            blocks=self.config.blocks,
            exclude=self.config.exclude_features,
            groups=self.config.groups,
            learn_at=windows.train[0],
        )

    def _check_outcomes(self) -> None:
        for name, spine in self.spines.items():
            if spine.num_rows == 0:
                raise DataError(
                    f"{self.task.name}: nobody is eligible in the {name} window ({self.task.population_text}); "
                    "check the split and the population in the config"
                )
            positives = int(pc.sum(spine["target"]).as_py())
            if not FEWEST_POSITIVES <= positives <= spine.num_rows - FEWEST_POSITIVES:
                raise DataError(
                    f"{self.task.name}: the {name} window has {positives} positives among {spine.num_rows} rows "
                    f"({self.task.target_text}); at least {FEWEST_POSITIVES} of either kind are needed: "
                    "check the horizon and the split, or bring more data"
                )

    # ------------------------------------------------------------------------------ with their features
    def table(self, window: str, *, negative_share: float = 1.0, from_whole: bool = False) -> pa.Table:
        """A window's rows with features and target; negatives sampled to a share, the same rows for a seed.

        `from_whole` leaves rows out after their features were built, and gives the same: most of the time goes into
        what all rows share, and the whole window, if it is asked for later, is in the cache then.
        """
        spine = self.spines[window]
        if negative_share >= 1:
            return self.with_features(spine)
        chance = np.random.default_rng([self.seed, len(window)]).random(spine.num_rows)
        kept = pa.array((target_of(spine) == 1) | (chance < negative_share))
        if not from_whole:
            return self.with_features(spine.filter(kept))
        parts = self._parts(spine.append_column("__kept", kept))
        return pa.concat_tables(
            [self.snapshots.stored(part.drop_columns("__kept")).filter(part["__kept"]) for part in parts]
        )

    def with_features(self, spine: pa.Table) -> pa.Table:
        """Some rows of a window's spine with their features."""
        return pa.concat_tables(self._pieces(spine))

    def scored(
        self, window: str, score: Callable[[pa.Table], Mapping[str, Floats]], *, keep: int = 0
    ) -> tuple[pa.Table, pa.Table]:
        """The window's spine with the scores beside it, and `keep` of its rows with features, drawn evenly.

        `score` gets a snapshot of one cutoff (or all plans) and returns arrays (n,) by name.
        """
        spine, scored, kept = self.spines[window], [], []
        share = keep / max(spine.num_rows, 1)
        for number, piece in enumerate(self._pieces(spine)):
            values = score(piece)
            came_of_it = ["target", *(["worth"] if self.task.worth is not None else [])]
            came_of_it += ["treated"] if self.task.treatment is not None else []
            keys = piece.select([*self.task.keys, "cutoff", "window_end", *came_of_it])
            for name, column in values.items():
                keys = keys.append_column(name, pa.array(column))
            scored.append(keys)
            if keep:
                chosen = np.random.default_rng([self.seed, number]).random(piece.num_rows) < share
                kept.append(piece.filter(pa.array(chosen)))
            del piece  # or it would be held while the next one is built
        return pa.concat_tables(scored), pa.concat_tables(kept) if kept else spine.slice(0, 0)

    def _pieces(self, spine: pa.Table) -> Iterator[pa.Table]:
        return (self.snapshots.stored(part) for part in self._parts(spine))

    def _parts(self, spine: pa.Table) -> Iterator[pa.Table]:
        """The rows of a spine whose features are built at once: of one cutoff, or all plans."""
        if self.task.is_planned:
            yield spine
            return
        for cutoff in pc.unique(spine["cutoff"]):
            yield spine.filter(pc.equal(spine["cutoff"], cutoff))

    # ------------------------------------------------------------------------------ facts
    def facts(self) -> tuple[WindowFacts, ...]:
        """The windows in numbers."""
        facts = []
        for name, spine in self.spines.items():
            cutoffs = pc.unique(pc.local_timestamp(pc.assume_timezone(spine["cutoff"], "UTC").cast(_zoned(self.zone))))
            days = sorted(value.date().isoformat() for value in cutoffs.to_pylist())
            entities = pc.count_distinct(spine[self.task.entity]).as_py()
            positives = int(pc.sum(spine["target"]).as_py())
            facts.append(
                WindowFacts(
                    name, days[0], days[-1], len(days), spine.num_rows, entities, positives, self.purged.get(name, 0)
                )
            )
        return tuple(facts)


def target_of(table: pa.Table) -> Floats:
    """The target (n,) as float64."""
    return np.asarray(table["target"].to_numpy(), np.float64)


def _moment(value: datetime) -> pa.Scalar:
    return pa.scalar(value, pa.timestamp("us"))


def _zoned(zone: object) -> pa.DataType:
    return pa.timestamp("us", str(zone))


def _check_tables(task: Task, data: Dataset) -> None:
    missing = [table for table in task.tables if table not in data.columns]
    if missing:
        why = why_absent(missing[0], data.columns)
        raise DataError(f"{task.name} cannot be trained: there is {why}; map it in the config, see `rapport check`")
    money = getattr(task.worth.measure, "column", None) if task.worth is not None else None
    if task.worth is not None and money is not None and money not in data.columns[task.worth.table]:
        raise DataError(
            f"{task.name} needs {task.worth.table}.{money}, which the data do not have: map it (a margin also comes "
            "from products.margin_rate), or set worth_of: amount"
        )
