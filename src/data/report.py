"""What the checks found: faults with their place, count, examples and remedy, for the eye and for a machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .schema import Severity


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with the data.

    `what` says it in words that follow the place ("transactions.amount: ..."), `count` is the number of rows (None
    where it is no matter of rows), `examples` holds up to three of them with the columns that tell.
    """

    severity: Severity
    table: str
    column: str | None
    what: str
    remedy: str
    count: int | None = None
    examples: tuple[Mapping[str, str | None], ...] = ()

    @property
    def place(self) -> str:
        """Table and column."""
        return self.table if self.column is None else f"{self.table}.{self.column}"

    def text(self) -> str:
        """The fault in up to five lines."""
        count = "" if self.count is None else f" ({self.count:,} row{'s' if self.count != 1 else ''})"
        lines = [f"{self.severity}: {self.place}: {self.what}{count}"]
        for example in self.examples:
            lines.append("    e.g. " + ", ".join(f"{key}={_shown(value)}" for key, value in example.items()))
        return "\n".join([*lines, f"    -> {self.remedy}"])


@dataclass(frozen=True)
class Report:
    """All faults of a configuration's data.

    `rows` counts the rows of each readable table, `notes` says how dates were read and the like.
    """

    config: str
    faults: tuple[Fault, ...] = ()
    rows: Mapping[str, int] | None = None
    notes: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[Fault, ...]:
        """Faults that stop the work."""
        return tuple(fault for fault in self.faults if fault.severity == "error")

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """Faults that let it go on."""
        return tuple(fault for fault in self.faults if fault.severity == "warning")

    def text(self) -> str:
        """The whole report for a terminal: tables, notes, errors, warnings, and a last line that sums up."""
        lines = [f"{table}: {count:,} rows" for table, count in (self.rows or {}).items()]
        lines += [f"note: {note}" for note in self.notes]
        lines += [fault.text() for fault in (*self.errors, *self.warnings)]
        return "\n".join([*lines, self.summary()])

    def summary(self) -> str:
        """One line: how many errors and warnings."""
        if not self.faults:
            return f"the data of {self.config} keep the contract"
        return f"the data of {self.config}: {_number(len(self.errors), 'error')}, " + _number(
            len(self.warnings), "warning"
        )

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        faults = [
            {
                "severity": fault.severity,
                "table": fault.table,
                "column": fault.column,
                "what": fault.what,
                "count": fault.count,
                "examples": [dict(example) for example in fault.examples],
                "remedy": fault.remedy,
            }
            for fault in self.faults
        ]
        return {"config": self.config, "rows": dict(self.rows or {}), "notes": list(self.notes), "faults": faults}

    @classmethod
    def from_json(cls, text: str) -> Report:
        """A report as `json.dumps(report.as_json())` wrote it."""
        raw = json.loads(text)
        faults = tuple(Fault(**{**fault, "examples": tuple(fault["examples"])}) for fault in raw["faults"])
        return cls(raw["config"], faults, raw["rows"], tuple(raw["notes"]))


def _shown(value: str | None) -> str:
    return "(missing)" if value is None else value if len(value) <= 60 else value[:57] + "..."


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
