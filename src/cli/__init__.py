"""The command line: `rapport COMMAND CONFIG ...`; what each command does lies in the rooms below."""

from __future__ import annotations

from . import (
    data_commands,
    look_commands,
    model_commands,
    plan_commands,
    review_commands,
    score_commands,
    trust_commands,
    world_commands,
)
from .group import main

__all__ = [
    "data_commands",
    "look_commands",
    "main",
    "model_commands",
    "plan_commands",
    "review_commands",
    "score_commands",
    "trust_commands",
    "world_commands",
]
