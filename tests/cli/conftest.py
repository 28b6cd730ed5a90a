from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import CommandLine
from shop import write_shop

Rapport = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def rapport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rapport]:
    """Runs the command line in a process of its own, in a folder."""
    commands = CommandLine(tmp_path_factory.mktemp("streams"))
    yield commands
    commands.close()


@pytest.fixture(scope="session")
def shop_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second data set with names of its own; returns its config."""
    return write_shop(tmp_path_factory.mktemp("shop"), customers=600, seed=0)


@pytest.fixture(scope="session")
def shop(shop_config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """The shop run from beginning to end, by a Python that starts anew: (its config, the home, what was printed)."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-m", "rapport.cli", "run", str(shop_config), "--trials", "1", "--json"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=560, check=False)
    assert done.returncode == 0, done.stderr
    return shop_config, home, done.stdout
