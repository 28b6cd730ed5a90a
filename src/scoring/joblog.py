"""The log of scoring jobs: one JSON object a line, with the id of the run, for machines and for the morning after.

`<home>/logs/<config>/scoring.jsonl` grows by some lines a job. A log that cannot be written stops no job.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..config import Config

_log = logging.getLogger(__name__)


class JobLog:
    """Writes the events of one run of a job; `run` is its id."""

    def __init__(self, config: Config, task: str, clock: Callable[[], datetime]) -> None:
        self.run = uuid.uuid4().hex
        self.task = task
        self.file = log_file(config)
        self._clock = clock

    def write(self, event: str, **facts: Any) -> None:
        """One line: when, which run, which task, what happened, and its facts (plain JSON values)."""
        line = {"at": self._clock().astimezone(UTC).isoformat(), "run": self.run, "task": self.task, "event": event}
        text = json.dumps(line | facts, ensure_ascii=False, default=str)
        _log.info("%s", text)
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a", encoding="utf-8") as stream:
                stream.write(text + "\n")
        except OSError as error:
            _log.warning("the log %s cannot be written: %s", self.file, error)


def log_file(config: Config) -> Path:
    """Where the log lies."""
    return config.home / "logs" / config.name / "scoring.jsonl"
