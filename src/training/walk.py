"""The folds of a backtest: all windows moved back in time, a training on each, the test rows scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..config import Config, SplitConfig, TaskConfig
from ..data.clock import utc_to_local
from ..models.classifier import BoostedClassifier
from ..registry.versions import aliases, load
from .fitting import Fitted, fit
from .material import Floats, Material

EXPLAINED_ROWS = 2_000


class Walk:
    """Moves the windows of the newest fold back, one `step` (days) at a time."""

    def __init__(self, newest: Material) -> None:
        self.zone = newest.zone
        self.base = {window: local_dates(cutoffs, self.zone) for window, cutoffs in newest.windows.named().items()}
        test, horizon = self.base["test"], newest.task.horizon
        self.step = horizon or (test[-1] - test[0]).days + 1
        first_event = utc_to_local(newest.data.first_event, self.zone).date()
        history = min(2 * horizon, (self.base["train"][0] - first_event).days)
        self.earliest = first_event + timedelta(days=max(history, 1))

    def split(self, back: int) -> SplitConfig | None:
        """The windows so many steps back, or None where no training window is left.

        Training cutoffs need two horizons of data before them (or as much as the newest fold's first one has). Test
        cutoffs that the fold after has too are left to it.
        """
        moved = {
            window: tuple(day - timedelta(days=self.step * back) for day in dates)
            for window, dates in self.base.items()
        }
        later = self.base["test"][0] - timedelta(days=self.step * (back - 1))
        moved["train"] = tuple(day for day in moved["train"] if day >= self.earliest)
        moved["test"] = tuple(day for day in moved["test"] if day < later)
        return SplitConfig(**moved) if moved["train"] else None


@dataclass(frozen=True)
class Look:
    """One fold, trained and scored.

    `tested` has keys, cutoff, target, score, the rule's scores (`rule:rank`, `rule:probability`) and whether the
    entity was trained on (`known`); `drivers` each group's share of the mean absolute contributions.
    """

    test: tuple[date, ...]
    trained_until: date
    tested: pa.Table
    rule: str
    rule_words: str
    trees: int
    drivers: dict[str, float]


def look(material: Material, rule: str | None) -> Look:
    """Train on a fold's windows and score its test rows, beside the rule of that name, or the one chosen here."""
    fitted = fit(material)
    name = rule if rule in fitted.rules.fitted else fitted.rules.chosen
    chosen = fitted.rules.fitted[name]

    def score(rows: pa.Table) -> dict[str, Floats]:
        probability = fitted.model.calibrator.apply(fitted.explainer.raw_score(rows))
        return {"score": probability, "rule:rank": chosen.score(rows), "rule:probability": chosen.predict(rows)}

    tested, explained = material.scored("test", score, keep=EXPLAINED_ROWS)
    entity = material.task.entity
    trained_on = pc.unique(material.spines["train"][entity])
    return Look(
        test=local_dates(material.windows.test, material.zone),
        trained_until=local_dates(material.windows.train, material.zone)[-1],
        tested=tested.append_column("known", pc.is_in(tested[entity], value_set=trained_on)),
        rule=name,
        rule_words=fitted.rules.words[name],
        trees=fitted.model.rounds,
        drivers=_drivers(fitted, explained),
    )


def without_search(config: Config, name: str) -> TaskConfig:
    """The task's configuration with the champion's hyperparameters, where there is a champion, and no search.

    A champion that is a ranker walks as one, a classifier as one: the choice is not made again.
    """
    own = config.task(name)
    learner = own.learner
    if "champion" in aliases(config, name):
        champion = load(config, name, threads=config.threads).model
        if isinstance(champion, BoostedClassifier):
            learner = champion.config.model_copy(update={"n_estimators": own.learner.n_estimators})
    once = {"trials": 0, "try_ranker": False}
    return own.model_copy(update={"learner": learner, "tuning": own.tuning.model_copy(update=once)})


def local_dates(cutoffs: Sequence[datetime], zone: ZoneInfo) -> tuple[date, ...]:
    """The local days of cutoffs (naive UTC), in order."""
    return tuple(sorted({utc_to_local(cutoff, zone).date() for cutoff in cutoffs}))


def _drivers(fitted: Fitted, explained: pa.Table) -> dict[str, float]:
    groups = fitted.explainer.group_contributions(fitted.explainer.contributions(explained))
    size = np.abs(groups).mean(axis=0)
    share = size / size.sum() if size.any() else size
    return dict(zip(fitted.explainer.groups, share.tolist(), strict=True))
