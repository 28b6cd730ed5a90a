"""A project's whole configuration, and how it is read from a file."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, Field, ValidationError

from ..errors import ConfigError
from .base import Frozen, Name, PositiveInt, known_zone
from .plan import PlanConfig, RetentionConfig
from .scoring import ScoringConfig
from .tables import TableMapping
from .tasks import TaskConfig, TasksConfig


class SparkConfig(Frozen):
    """Where Spark runs: `master` (default: that of spark-submit, else this machine), and options of its own."""

    master: str | None = None
    options: dict[str, str] = Field(default_factory=dict)


class SimulatedWorld(Frozen):
    """The simulated world that a project's tables come from; it is written where its folder does not exist yet.

    `folder` is relative to the YAML file, `parameters` are those of `rapport.data.world.WorldConfig`. What the true
    probabilities reach on the test window (the ceiling) is measured beside every model; no feature can read them.
    """

    folder: str
    customers: PositiveInt = 20_000
    seed: Annotated[int, Field(ge=0)] = 7
    parameters: dict[str, Any] = Field(default_factory=dict)


class Config(Frozen):
    """A whole project, as read from its YAML file."""

    name: Name
    time_zone: Annotated[str, AfterValidator(known_zone)] = "UTC"
    currency: str = ""
    seed: int = 0
    strict: bool = True
    observed_until: datetime | None = Field(None, description="end of the observed world, local; default: last event")
    world: SimulatedWorld | None = None
    sources: dict[str, str]
    tables: dict[str, TableMapping]
    features: tuple[str, ...] = Field((), description="Python files with own features, see docs/own_features.md")
    tasks: TasksConfig = TasksConfig()
    fairness: tuple[str, ...] = Field((), description="attributes of customers by which every model is looked at")
    scoring: ScoringConfig = ScoringConfig()
    plan: PlanConfig | None = None
    retention: RetentionConfig | None = None
    engine: Literal["duckdb", "spark"] = Field("duckdb", description="what computes features")
    spark: SparkConfig = SparkConfig()
    memory_limit: str = "4GB"
    threads: PositiveInt | None = None
    folder: Path = Field(Path(), exclude=True, description="where the YAML file lies; set by load_config")
    home: Path = Field(Path(), exclude=True, description="where results are written; set by load_config")

    @property
    def zone(self) -> ZoneInfo:
        """The business time zone."""
        return ZoneInfo(self.time_zone)

    def resolved(self) -> dict[str, Any]:
        """The configuration with all defaults filled in, as plain JSON values, without machine paths and passwords."""
        raw = self.model_dump(mode="json")
        raw["sources"] = {name: _without_password(text) for name, text in raw["sources"].items()}
        raw["scoring"]["sinks"] = [_without_password(text) for text in raw["scoring"]["sinks"]]
        return raw

    def task(self, name: str) -> TaskConfig:
        """The configuration of one task; ConfigError where it is not configured."""
        tasks = self.tasks.named()
        if name not in tasks:
            known = ", ".join(tasks) or "none"
            raise ConfigError(f"task '{name}' is not in the configuration; it has: {known}")
        return tasks[name]


def _without_password(address: str) -> str:
    return re.sub(r"://([^:@/]*):(?!\$\{)[^@]*@", r"://\1:***@", address)


def load_config(path: str | Path, *, engine: str | None = None) -> Config:
    """Read and validate a YAML configuration; `engine` takes the place of the one that it names.

    Raises ConfigError with every fault found: a missing file, broken YAML, unknown keys, wrong types.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"no configuration at {path}; start from configs/template.yaml")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not readable YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} holds no mapping; start from configs/template.yaml")
    raw |= {} if engine is None else {"engine": engine}
    raw |= {"folder": path.resolve().parent, "home": Path(os.environ.get("RAPPORT_HOME", ".")).resolve()}
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_explain(path, error)) from error


def _explain(path: Path, error: ValidationError) -> str:
    """One line a fault: where it is, what is wrong there."""
    lines = [f"{path} has {error.error_count()} fault(s):"]
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"] if "Config" not in str(part)) or "(top)"
        what = "unknown key" if fault["type"] == "extra_forbidden" else fault["msg"].removeprefix("Value error, ")
        lines.append(f"  {where}: {what}")
    return "\n".join(lines)
