"""What the command line says of itself, and of an id that nobody has."""

from __future__ import annotations

import click
import pyarrow as pa

from rapport.cli import main
from rapport.cli.explaining import _nearest
from rapport.data.engine import DuckDBEngine


def test_the_nearest_ids_are_those_with_fewest_edits() -> None:
    ids = pa.chunked_array([[f"household {number}" for number in range(20_000)], ["o'neil", "household 7"]])
    with DuckDBEngine(memory_limit="500MB", threads=1) as engine:
        assert _nearest("o'neill", ids, engine)[0] == "o'neil"
        near = _nearest("household 1234x", ids, engine)
    assert near[0] == "household 1234"
    assert len(near) == len(set(near)) == 5


def test_every_option_says_what_it_is_for() -> None:
    silent = {
        f"{command.name} {option.opts[0]}"
        for command in main.commands.values()
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    }
    assert silent == set()
