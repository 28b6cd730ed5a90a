from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def load(name: str):  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location(name, ROOT / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


Rapport = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def rapport() -> Rapport:
    """Runs the command line in a process of its own, in a folder."""

    def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rapport.cli", *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=560, check=False)

    return run


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, rapport: Rapport) -> tuple[Path, Path, str]:
    """A second data set with names of its own, run from beginning to end: (its config, the home, what was printed)."""
    folder = tmp_path_factory.mktemp("shop")
    home = tmp_path_factory.mktemp("home")
    config = load("shop").write_shop(folder, customers=600, seed=0)
    done = rapport("run", config, "--trials", 1, "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    return config, home, done.stdout
