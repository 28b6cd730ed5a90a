"""What the guards of a job have to say: warnings that go on, and reasons to stop before anything is published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..config import Limit
from ..errors import GateError

Level = Literal["warn", "stop"]


@dataclass(frozen=True)
class Finding:
    """One thing that a guard noticed: its name, as in the configuration where it has a limit, and a sentence."""

    level: Level
    guard: str
    text: str

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def judged(limit: Limit, guard: str, value: float, text: str) -> list[Finding]:
    """A finding where the value reaches the limit."""
    if limit.stop is not None and value >= limit.stop:
        return [Finding("stop", guard, f"{text} (scoring.limits.{guard}.stop: {limit.stop:g})")]
    if limit.warn is not None and value >= limit.warn:
        return [Finding("warn", guard, f"{text} (scoring.limits.{guard}.warn: {limit.warn:g})")]
    return []


def judged_columns(limit: Limit, guard: str, values: Iterable[tuple[str, float]], text: str) -> list[Finding]:
    """One finding for all columns that reach the limit: how many, and the worst of them."""
    ordered = sorted(values, key=lambda pair: (-pair[1], pair[0]))
    if not ordered:
        return []
    over = [pair for pair in ordered if judged(limit, guard, pair[1], "")]
    worst = ", ".join(f"{name} {value:.2f}" for name, value in over[:3])
    count = f"{len(over)} feature{'' if len(over) == 1 else 's'}"
    return judged(limit, guard, ordered[0][1], f"{text} in {count}: {worst}{', ...' if len(over) > 3 else ''}")


def stop_at(findings: Sequence[Finding], task: str) -> None:
    """Raise GateError with all reasons to stop, if there is one."""
    reasons = [finding.text for finding in findings if finding.level == "stop"]
    if reasons:
        raise GateError(
            f"{task}: nothing was published, for: {'; '.join(reasons)}. Mend the data, or raise the limit in the config"
        )
