"""What a task is: population, target, horizon and metric, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..language.declarations import Pairs, Planned, Population, Requirement


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

    `words` gives a word for each of the feature's values; without them the output is the feature times the probability.
    """

    name: str
    column: str
    words: tuple[tuple[float, str], ...] = ()


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
    training, never in evaluation.
    """

    name: str
    question: str
    population_text: str
    target_text: str
    keys: tuple[str, ...]
    population: Population
    target: Requirement
    horizon: int
    blocks: tuple[str, ...]
    primary_metric: Literal["average_precision", "map_at_10"]
    rules: tuple[RuleOfThumb, ...]
    wording: Wording
    ranks_within: str | None = None
    negative_share: float = 1.0
    top: int | None = None
    outputs: tuple[Output, ...] = ()
    rank_by: str | None = None

    def __post_init__(self) -> None:
        if not self.target.condition.measure.looks_ahead:
            raise ValueError(f"the target of {self.name} must look ahead: give its measure `ahead` or `until`")

    @property
    def entity(self) -> str:
        """The key whose rows belong together: the customer, or the prospect."""
        return self.keys[0]

    @property
    def is_planned(self) -> bool:
        """True where each row has its own cutoff and its own end, from a table of plans."""
        return isinstance(self.population.universe, Planned)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that the population and the target cannot do without."""
        universe = self.population.universe
        seen = [universe.left.table, universe.right.table] if isinstance(universe, Pairs) else [universe.table]
        needed = [*seen, *(requirement.table for requirement in self.population.requirements), self.target.table]
        return tuple(dict.fromkeys(needed))
