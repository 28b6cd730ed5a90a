"""What a task is: population, target, horizon and metric, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..language.declarations import Pairs, Planned, Population, Requirement


@dataclass(frozen=True)
class Task:
    """One question about every eligible key at a cutoff.

    `keys` identify a row beside its cutoff: the entity first. `ranks_within` is set where rows compete with each other
    for one entity, as offers do. `rule` names the feature columns by which a company would rank without a model, the
    first that is known for a row deciding; `rule_sign` is -1 where small values mean a high risk.
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
    rule_text: str
    rule: tuple[str, ...] = ()
    rule_sign: Literal[1, -1] = 1
    ranks_within: str | None = None
    negative_share: float = 1.0
    top: int | None = None

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
