"""What a command says: progress on stderr for the eye, results on stdout, or one JSON object and nothing else."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console as Terminal
from rich.status import Status
from rich.table import Table

WIDTH = 150  # of what is not a terminal, such as a log


def _terminal(*, stderr: bool) -> Terminal:
    terminal = Terminal(stderr=stderr, highlight=False)
    return terminal if terminal.is_terminal else Terminal(stderr=stderr, highlight=False, width=WIDTH)


class Console:
    """Steps with their seconds, and the result of a command."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.seconds: dict[str, float] = {}
        self._progress = _terminal(stderr=True)
        self._out = _terminal(stderr=False)
        self._status: Status | None = None

    @property
    def is_watched(self) -> bool:
        """True where progress goes to a terminal."""
        return self._progress.is_terminal

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step of the work: timed, and shown while it lasts."""
        started = time.monotonic()
        self._say_step(name)
        try:
            yield
        finally:
            if self._status is not None:
                self._status.stop()
                self._status = None
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - started, 2)

    def _say_step(self, name: str) -> None:
        if self._progress.is_terminal:
            self._status = self._progress.status(name)
            self._status.start()

    def say(self, text: str) -> None:
        """What goes on inside a step."""
        if self._status is not None:
            self._status.update(text)
        else:
            self._progress.print(f"  {text}", markup=False)

    def note(self, text: str) -> None:
        """A line that stays on the screen, on stderr."""
        self._progress.print(text, markup=False)

    def result(self, content: Mapping[str, Any], text: str | Table) -> None:
        """The command's result: as JSON where asked for, else as text or a table."""
        if self.as_json:
            sys.stdout.write(json.dumps(content, default=str, allow_nan=False) + "\n")
        elif isinstance(text, str):
            self._out.print(text, markup=False, soft_wrap=True)
        else:
            self._out.print(text)
