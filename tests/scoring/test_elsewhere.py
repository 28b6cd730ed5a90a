"""A model on another machine: with nothing but its folder, and behind the server that MLflow brings."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from kiosk import Kiosk, table_of

from rapport.registry.envelope import wrap
from rapport.scoring.batch import score

NOW = datetime(2024, 7, 1, 3, tzinfo=UTC)
BARE = """
import importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        absent = ("mlflow", "optuna", "shap", "sklearn", "matplotlib")
        if name.split(".")[0] in absent or name.startswith("rapport.training"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Blocked())
from rapport.cli import main
main(sys.argv[1:])
"""


def test_a_machine_without_the_training_packages_scores_an_exported_folder(kiosk: Kiosk, tmp_path: Path) -> None:
    model = tmp_path / "model"
    wrap(kiosk.models["churn"], model)
    command = ["score", kiosk.config, "churn", "--model", model, "--out", tmp_path / "out", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", BARE, *map(str, command)],
        env=os.environ | {"RAPPORT_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    here = table_of(score(kiosk.data, "churn", kiosk.bundle("churn"), out=tmp_path / "here", clock=lambda: NOW).folder)
    there = table_of(Path(json.loads(done.stdout)["folder"]))
    assert (
        there.drop_columns("scored_at").sort_by("entity_id").equals(here.drop_columns("scored_at").sort_by("entity_id"))
    )


def test_mlflow_serves_the_same_numbers(kiosk: Kiosk, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # the server starts uvicorn by its name
    if shutil.which("uvicorn", path=path) is None:
        pytest.skip("uvicorn, which MLflow brings, is not on the path")
    bundle = kiosk.bundle("churn")
    wrap(kiosk.models["churn"], tmp_path / "model")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(tmp_path / "model"), "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--env-manager", "local", "--workers", "1"],
            env=os.environ | {"PATH": path},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        frame = bundle.frame(bundle.example())
        answer = _asked(port, frame, server)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait()
    expected = bundle.predict(bundle.example()).to_pandas()
    pd.testing.assert_frame_equal(pd.DataFrame(answer["predictions"]), expected, rtol=1e-12)


def _asked(port: int, frame: pd.DataFrame, server: subprocess.Popen[bytes]) -> dict[str, list[dict[str, float]]]:
    """What the server answers to some rows, as soon as it answers at all."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("split")  # `to_json` would round to ten digits
    body = json.dumps({"dataframe_split": rows}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
    for _ in range(600):
        assert server.poll() is None, "the server did not start"
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return dict(json.loads(response.read()))
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError):
                raise AssertionError(error.read().decode()) from error
            time.sleep(0.2)
    raise AssertionError("the server did not answer")
