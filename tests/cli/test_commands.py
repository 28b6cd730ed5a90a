"""The commands that others call by name are there, each with a sentence of help."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from rapport.cli import main

NAMES = (
    *("run", "check", "features", "train", "backtest", "score", "review", "explain", "approve", "reject"),
    *("promote", "rollback", "export", "trace", "drift", "monitor", "look", "plan", "forget", "world"),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_there_and_says_what_it_does(name: str) -> None:
    assert main.commands[name].get_short_help_str()
    assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_wrong_usage_is_2() -> None:
    assert CliRunner().invoke(main, ["score"]).exit_code == 2
    assert CliRunner().invoke(main, ["no_such_command"]).exit_code == 2
