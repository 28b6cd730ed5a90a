"""The command line: `rapport COMMAND CONFIG ...`; what each command does lies in the rooms below."""

from __future__ import annotations

import os

# Before anything imports numpy. Our systems of equations are small: several threads wait for one another and burn more
# of the processor's time than one needs, and the last digits of sums depend on the number of cores. DuckDB and LightGBM
# have threads of their own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

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
