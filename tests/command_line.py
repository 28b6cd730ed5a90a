"""The command line in processes of their own, forked from one that has imported the libraries: that takes seconds.

The project itself is imported anew by each command, as at a prompt. `python command_line.py` is the process that forks:
it reads a command a line and answers each with its exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

LIBRARIES = (
    *("duckdb", "lightgbm", "matplotlib.pyplot", "optuna", "pandas", "pyarrow.parquet", "rich.progress", "sqlglot"),
    *("scipy.optimize", "scipy.stats", "mlflow", "mlflow.artifacts", "mlflow.store.tracking.sqlalchemy_store"),
    *("mlflow.store.model_registry.sqlalchemy_store", "mlflow.store.artifact.local_artifact_repo"),
)
SECONDS = 560


class CommandLine:
    """Runs `rapport` with arguments in a folder, and returns what came of it."""

    def __init__(self, folder: Path) -> None:
        """The streams of each command are kept in the folder for a while."""
        command = [sys.executable, __file__]
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._out, self._err = folder / "out", folder / "err"

    def __call__(self, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run one command; its standard input is empty."""
        said = {"arguments": list(map(str, arguments)), "cwd": str(cwd), "environment": dict(os.environ)}
        streams = {"out": str(self._out), "err": str(self._err)}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(said | streams), file=self._server.stdin, flush=True)
        code = int(self._server.stdout.readline())
        out, err = (file.read_text(encoding="utf-8") for file in (self._out, self._err))
        return subprocess.CompletedProcess(said["arguments"], code, out, err)

    def close(self) -> None:
        """End the process that forks."""
        self._server.communicate()


def _become(said: dict[str, Any]) -> None:
    """This process becomes the command; what it raises and where it exits ends the process."""
    signal.alarm(SECONDS)
    os.environ.clear()
    os.environ.update(said["environment"])
    os.chdir(said["cwd"])
    for number, name in ((0, os.devnull), (1, said["out"]), (2, said["err"])):
        opened = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["rapport", *said["arguments"]]
    runpy.run_module("rapport.cli", run_name="__main__", alter_sys=True)


def _serve() -> None:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # it is read when MLflow is imported
    for name in LIBRARIES:
        importlib.import_module(name)
    commands = os.fdopen(os.dup(0))
    for line in commands:
        child = os.fork()
        if child == 0:
            commands.close()
            return _become(json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
