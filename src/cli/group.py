"""The group of commands and what they share.

Exit code 0 on success, 1 on a failed check or gate, 2 on wrong usage, always with one plain line.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..errors import RapportError

CONFIG = click.argument("config_path", metavar="CONFIG", type=click.Path(path_type=Path))
TASK = click.argument("task")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else.")
ENGINE = click.option("--engine", type=click.Choice(["duckdb", "spark"]), help="What computes; default: the config's.")
SEED = click.option("--seed", type=int, help="Of everything that is drawn by chance; default: the config's.")
DAY = click.DateTime(["%Y-%m-%d"])


def command(function: Callable[..., None]) -> click.Command:
    """A command whose faults by the user's hand end in one plain message and exit code 1."""

    @functools.wraps(function)
    def guarded(**arguments: Any) -> None:
        try:
            function(**arguments)
        except RapportError as error:
            click.echo(f"rapport {function.__name__.strip('_')}: {error}", err=True)
            sys.exit(1)

    return main.command(name=function.__name__.strip("_"))(guarded)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rapport")
def main() -> None:
    """Customer-relationship modelling: features as they were known, models with reasons, scores in batches."""
