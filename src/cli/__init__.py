"""The command line: `rapport COMMAND CONFIG ...`; what each command does lies in the rooms below."""

from __future__ import annotations

from .main import main

__all__ = ["main"]
