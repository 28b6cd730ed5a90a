"""What a fitted feature sees at one cutoff: measures and attributes that are cut there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from ..data.engine import Engine
from ..language.compile import compile_together
from ..language.declarations import Group, Made, Visible
from ..language.guards import refuse_foresight
from ..language.moments import Shared
from ..language.sight import Columns, compile_attribute


@dataclass(frozen=True)
class VisibleNow:
    """What a fitted feature sees at one cutoff; what it measures more than once is measured once."""

    cutoff: datetime
    moment: Shared
    engine: Engine
    tables: Columns
    measured: dict[Group, pa.Table] = field(default_factory=dict, compare=False)

    def measure(self, group: Group) -> pa.Table:
        """The group's measures, sorted by key; ConfigError for one that would look ahead."""
        refuse_foresight(group, "of a fitted feature")
        if group not in self.measured:
            rows = self.engine.arrow(compile_together(group, self.moment, self.tables))
            self.measured[group] = rows.sort_by([(key, "ascending") for key in group.key])
        return self.measured[group]

    def attribute(self, table: str, key: tuple[str, ...], column: str) -> pa.Table:
        """The attribute as of the cutoff, for whoever is described then."""
        return self.engine.arrow(compile_attribute(table, key, column, self.moment, self.tables[table]))

    def everywhere(self, count: Callable[[Visible], pa.Table], fit: Callable[[pa.Table], Made]) -> Made:
        """Everybody is at hand, and asked for once."""
        return fit(count(self))
