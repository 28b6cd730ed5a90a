"""Questions that are scores and not trained models: drawn up from what is known, tracked and registered all the same.

There is no outcome to judge by, and so no grade: what such a score is good for is shown elsewhere, by what became of
those who had it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa

from ..config import LoyaltyConfig, QualityConfig, SegmentsConfig
from ..data.dataset import Dataset
from ..errors import DataError
from ..features.groups import check_groups
from ..features.snapshot import Snapshots
from ..models.scorecard import Scorecard
from ..models.scoring_model import ScoringModel
from ..models.tails import Tails
from ..registry.lookup import Resolved
from ..registry.tracking import start_run
from ..registry.versions import set_alias
from ..tasks import declare
from ..tasks.base import Task
from ..tasks.risk import QUEUES
from .ceiling import open_truth, share_of_abusers
from .evaluate import Interval
from .registering import register_model
from .relationship import Quality, follow_quality
from .segmenting import Segments, draw_up_moments, draw_up_segments
from .splits import windows_of
from .traits import shown

Say = Callable[[str], None]


@dataclass(frozen=True)
class DrawnUp:
    """A registered version of a score, the rows (n) it was drawn up from, its metrics, and what segments are like.

    `traits`, on a simulated world: by trait its rank correlation with the planted strength, and of how many rows;
    `quality`: the months of the relationship.
    """

    task: Task
    model: ScoringModel
    rows: pa.Table
    left_out: tuple[str, ...]
    registered: Resolved
    run_id: str
    metrics: dict[str, float]
    segments: Segments | None = None
    traits: dict[str, tuple[Interval, int]] = field(default_factory=dict)
    quality: Quality | None = None


def draw_up(data: Dataset, name: str, *, seed: int | None = None, say: Say = lambda text: None) -> DrawnUp:
    """Draw up and register the score of a task without a target.

    It is drawn up from the cutoffs of the split's training window, else from the end of the data (segments: from a time
    before it, so that they can be watched since). DataError where nobody is eligible then, ModelError where the data
    have nothing of what the score needs.
    """
    config = data.config.task(name)
    task = declare(name, config)
    cutoffs = [data.observed_until]
    later: list[datetime] = []
    if isinstance(config, SegmentsConfig):
        cutoffs, later = draw_up_moments(data, config)
    elif config.split is not None:
        cutoffs = list(windows_of(config.split, data.config.zone).train)
    with start_run(data.config, name, fingerprint=data.fingerprint) as run:
        say("building the rows")
        snapshots = Snapshots(
            data,
            task,
            blocks=config.blocks,
            exclude=config.exclude_features,
            groups=config.groups,
            learn_at=min(cutoffs),
        )
        check_groups(snapshots.columns, config.groups, name)
        spine = snapshots.population(cutoffs, with_target=False)
        if spine.num_rows == 0:
            raise DataError(f"{name}: nobody is eligible ({task.population_text}); check the split in the config")
        rows = snapshots.features(spine)
        run.log_params({"config": data.config.resolved(), "seed": data.config.seed if seed is None else seed})
        run.log_dict(data.config.resolved(), "config.yaml")
        say("drawing up the score")
        segments: Segments | None = None
        quality: Quality | None = None
        traits: dict[str, tuple[Interval, int]] = {}
        model: ScoringModel
        if task.behaviour:
            segments = draw_up_segments(data, task, config, snapshots, rows, later, seed=data.config.seed)
            model = segments.model
            run.log_dict(segments.as_dict(), "segments.json")
        elif task.tails:
            model = Tails.fit(task.tails, snapshots.columns, rows)
        else:
            model = Scorecard.fit(task.traits, snapshots.columns, rows)
            if isinstance(config, QualityConfig):
                say("following the months")
                quality = follow_quality(data, task, config)
                run.log_dict(quality.as_dict(), "quality.json")
            known = open_truth(data.config) if isinstance(config, LoyaltyConfig) else None
            traits = {} if known is None else shown(known, model, _once(task, rows), seed=data.config.seed)
        scores = model.raw_score(rows)
        metrics = {"rows": float(rows.num_rows), "mean_score": float(np.mean(scores))}
        metrics |= {f"rank_correlation.{trait}": found.estimate for trait, (found, _) in traits.items()}
        truth = open_truth(data.config) if task.tails else None
        if truth is not None:
            metrics |= share_of_abusers(truth, rows, scores, QUEUES)
        run.log_metrics(metrics)
        say("registering")
        registered = register_model(snapshots, model, run, raw_scores=scores)
        # There is nothing by which a card could be promoted: the newest one is in use.
        set_alias(data.config, name, "champion", str(registered.version))
    return DrawnUp(task, model, rows, snapshots.plan.left_out, registered, run.id, metrics, segments, traits, quality)


def _once(task: Task, rows: pa.Table) -> pa.Table:
    """The last row of each entity: rows come in order of cutoffs."""
    _, place = np.unique(rows[task.entity].to_numpy(zero_copy_only=False)[::-1], return_index=True)
    return rows.take(pa.array(np.sort(rows.num_rows - 1 - place)))
