"""A folder that is not listed in pyproject vanishes from the wheel without a word: so the list is held against it."""

from __future__ import annotations

import pkgutil
import tomllib
from pathlib import Path

import rapport

ROOT = Path(__file__).parents[1]


def test_every_subpackage_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {m.name for m in pkgutil.walk_packages(rapport.__path__, "rapport.") if m.ispkg}
    assert set(listed) == {"rapport"} | found


def test_every_package_has_a_docstring() -> None:
    for folder in {path.parent for path in (ROOT / "src").rglob("*.py")}:
        text = (folder / "__init__.py").read_text()
        assert text.startswith('"""'), folder
