"""What a task is: population, target, horizon and metric, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from ..language.declarations import Pairs, Planned, Population, Requirement, Together, Worth


@dataclass(frozen=True)
class RuleOfThumb:
    """How a company would rank without a model: by feature columns.

    `column`: by one column, `sign` -1 where small values are likely ones. `overdue`: by days since the last visit
    (first column) over the usual gap (second). `count_then`: by a count, and among equal counts by a second column.
    """

    kind: Literal["column", "overdue", "count_then"]
    columns: tuple[str, ...]
    words: str
    sign: Literal[1, -1] = 1


@dataclass(frozen=True)
class Output:
    """A column that stands beside the score in the scores file, from a feature column where the data have it.

    `words` gives a word for each of the feature's values; without them the output is the feature times the probability,
    or, with `known`, the feature itself, less that of the column `less` where the data have it.
    """

    name: str
    column: str
    words: tuple[tuple[float, str], ...] = ()
    known: bool = False
    less: str = ""


@dataclass(frozen=True)
class AmountRule:
    """How a company would foretell money without a model, by feature columns.

    `pace`: an amount so far (first column) over the days it took (second column, or `days`), times the horizon.
    `buy_till_you_die`: visits to be expected of his frequency, recency and age, times the worth to be expected of one;
    columns are his visits so far, the days since the last and since the first, and the amount so far.
    """

    name: str
    kind: Literal["pace", "buy_till_you_die"]
    columns: tuple[str, ...]
    words: str
    days: int | None = None


@dataclass(frozen=True)
class Evidence:
    """A feature that speaks for a trait, or against it where `sign` is -1."""

    feature: str
    sign: Literal[1, -1] = 1


@dataclass(frozen=True)
class Trait:
    """One side of a scorecard: its name, what it means, and the features that show it."""

    name: str
    definition: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Outcome:
    """One of several things that may come about: its name, and what makes it so."""

    name: str
    requirement: Requirement


@dataclass(frozen=True)
class Wording:
    """What the task is called in sentences that people read."""

    entity: str
    entities: str
    outcome: str
    positives: str
    negatives: str
    purpose: str


@dataclass(frozen=True)
class Task:
    """One question about every eligible key at a cutoff.

    `keys` identify a row beside its cutoff: the entity first. `horizon` is in days; 0 where each row brings its own
    end. `ranks_within` names the key whose values compete for an entity, as offers do, and `top` how many of them are
    put out, and `rank_by` by which of the `outputs` (default: the score). Negatives are sampled to `negative_share` in
    training, never in evaluation. `worth` is the money that comes of a row within the target's time: a task that has
    one foretells it beside the probability, and is held against `worth_rules`. With `outcomes` the question is which of
    several things comes about, and the target says that one of them does; `ordered`: the first of them is the furthest
    on one way, the last to come no further. With a `treatment`, the question is what that does to the target, where
    chance decided who got it. A task without a target is not trained: its `traits` make a scorecard, its `behaviour`
    (features) makes groups, or what lies far in its `tails` is unusual; with `every` it asks how long it takes until
    somebody is no longer in the population, which is looked at every so many days up to the horizon. `metrics` are
    judged and shown beside those of every task. `caution` stands on every row and on the page: what the score must not
    be used for.
    """

    name: str
    question: str
    population_text: str
    target_text: str
    keys: tuple[str, ...]
    population: Population
    target: Requirement | Together | None
    horizon: int
    blocks: tuple[str, ...]
    primary_metric: Literal["average_precision", "map_at_10", "worth_rmse", "macro_roc_auc", "concordance", "qini"]
    rules: tuple[RuleOfThumb, ...]
    wording: Wording
    every: int = 0
    ranks_within: str | None = None
    negative_share: float = 1.0
    top: int | None = None
    outputs: tuple[Output, ...] = ()
    rank_by: str | None = None
    worth: Worth | None = None
    worth_rules: tuple[AmountRule, ...] = ()
    traits: tuple[Trait, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    ordered: bool = False
    treatment: Requirement | None = None
    behaviour: tuple[str, ...] = ()
    tails: tuple[Evidence, ...] = ()
    metrics: tuple[str, ...] = ()
    caution: str = ""

    def __post_init__(self) -> None:
        if any(not outcome.requirement.condition.measure.looks_ahead for outcome in self.outcomes):
            raise ValueError(f"the outcomes of {self.name} must look ahead: give their measures `ahead` or `until`")
        if self.target is None:
            return
        if not all(measure.looks_ahead for measure in self.target.measures):
            raise ValueError(f"the target of {self.name} must look ahead: give its measure `ahead` or `until`")

    @property
    def entity(self) -> str:
        """The key whose rows belong together: the customer, or the prospect."""
        return self.keys[0]

    def labels(self, rows: pa.Table) -> list[str]:
        """What each row is about beside its entity: the offer, the campaign, the line and tier; empty where nothing."""
        others = [rows[key].to_pylist() for key in self.keys[1:]]
        return [", ".join(map(str, of)) for of in zip(*others, strict=True)] if others else [""] * rows.num_rows

    @property
    def outcome(self) -> Requirement | Together:
        """The target of a task that has one."""
        if self.target is None:
            raise ValueError(f"{self.name} is put together from what is known: it has no target")
        return self.target

    @property
    def ranking_metric(self) -> str:
        """The metric by which scores are compared: the primary one, or where that is of money, average precision."""
        return "average_precision" if self.primary_metric.startswith("worth_") else self.primary_metric

    @property
    def is_planned(self) -> bool:
        """True where each row has its own cutoff and its own end, from a table of plans."""
        return isinstance(self.population.universe, Planned)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that the population and the target cannot do without."""
        universe = self.population.universe
        seen = [universe.left.table, universe.right.table] if isinstance(universe, Pairs) else [universe.table]
        needed = [*seen, *(table for requirement in self.population.requirements for table in requirement.tables)]
        needed += [*self.target.tables] if self.target is not None else []
        needed += [*self.treatment.tables] if self.treatment is not None else []
        needed += [self.worth.table] if self.worth is not None else []
        return tuple(dict.fromkeys(needed))
