from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rapport.config import Config
from rapport.registry import store
from rapport.registry.tracking import git_tags, start_run


def test_a_run_keeps_what_was_logged(config: Config, tmp_path: Path) -> None:
    import matplotlib.pyplot as plt

    with start_run(config, "churn", fingerprint="f00d") as run:
        run.log_params(
            {"learner": {"num_leaves": 15}, "sources": config.sources, "long": "x" * 7_000, "a": {"<b>": ["c"]}}
        )
        run.log_params({f"p{i}": i for i in range(250)})
        run.log_metrics({"test.roc_auc": 0.8, "absent": None, "test.ece": math.nan})
        run.log_metrics({f"m{i}": i for i in range(1_200)})
        run.log_metrics({"validation.log_loss": 0.5}, step=3)
        run.log_text("# Card", "model_card.md")
        run.log_dict({"source": config.sources["till"]}, "config.json")
        figure = plt.figure()
        run.log_figure(figure, "plots/roc.png")
        plt.close(figure)
        (tmp_path / "a.txt").write_text("a")
        run.log_artifacts(tmp_path, "more")
        run.log_artifacts(tmp_path / "a.txt")
        run.set_tags({"grade": "B"})
    data = run.client.get_run(run.id)
    assert data.info.status == "FINISHED"
    assert data.data.params["learner.num_leaves"] == "15"
    assert data.data.params["sources.till"] == "postgresql://me:***@db/till"
    assert data.data.params["p249"] == "249"
    assert data.data.params["long"].endswith("…")
    assert data.data.metrics["test.roc_auc"] == 0.8
    assert math.isnan(data.data.metrics["test.ece"])
    assert "absent" not in data.data.metrics
    assert data.data.metrics["m1199"] == 1_199
    assert run.client.get_metric_history(run.id, "validation.log_loss")[0].step == 3
    assert data.data.tags["rapport.data_fingerprint"] == "f00d"
    assert data.data.tags["rapport.task"] == "churn"
    assert data.data.tags["rapport.version"]
    assert data.data.tags["grade"] == "B"
    files = {file.path for file in run.client.list_artifacts(run.id)}
    assert files == {"model_card.md", "config.json", "plots", "more", "a.txt"}
    folder = config.home / "mlruns" / "artifacts" / f"rapport.{config.name}.churn" / run.id / "artifacts"
    assert json.loads((folder / "config.json").read_text()) == {"source": "postgresql://me:***@db/till"}


def test_trials_are_children(config: Config) -> None:
    with start_run(config, "churn") as run:
        for number in range(2):
            with run.child(f"trial {number}") as trial:
                trial.log_metrics({"validation.log_loss": number})
    found = run.client.search_runs([run.experiment], f"tags.`mlflow.parentRunId` = '{run.id}'")
    assert sorted(child.info.run_name for child in found) == ["trial 0", "trial 1"]
    assert {child.info.status for child in found} == {"FINISHED"}
    assert run.client.get_experiment(run.experiment).name == f"rapport.{config.name}.churn"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_run_that_breaks_off_is_failed(config: Config, error: type[BaseException]) -> None:
    with pytest.raises(error), start_run(config, "churn") as run, run.child("trial") as trial:
        raise error
    assert run.client.get_run(run.id).info.status == "FAILED"
    assert run.client.get_run(trial.id).info.status == "FAILED"


def test_a_run_whose_process_was_killed_is_failed_by_the_next(config: Config) -> None:
    with start_run(config, "churn") as alive:
        gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        tags = {"rapport.process": alive.client.get_run(alive.id).data.tags["rapport.process"]}
        host = tags["rapport.process"].split("/")[0]
        killed = alive.client.create_run(alive.experiment, tags={"rapport.process": f"{host}/{int(gone.stdout)}/12345"})
        # The number of a dead process that a live one has now.
        reused = alive.client.create_run(alive.experiment, tags={"rapport.process": f"{host}/{os.getpid()}/12345"})
        elsewhere = alive.client.create_run(alive.experiment, tags={"rapport.process": "other/1/12345"})
        with start_run(config, "churn"):
            pass
        status = {run: alive.client.get_run(run.info.run_id).info.status for run in (killed, reused, elsewhere)}
        assert list(status.values()) == ["FAILED", "FAILED", "RUNNING"]
        assert alive.client.get_run(alive.id).info.status == "RUNNING"


def test_a_deleted_experiment_comes_back(config: Config) -> None:
    with start_run(config, "churn") as run:
        pass
    run.client.delete_experiment(run.experiment)
    with start_run(config, "churn") as again:
        assert again.experiment == run.experiment


def test_revision_of_the_checkout(tmp_path: Path) -> None:
    assert git_tags(tmp_path) == {}
    for command in (
        "init -q",
        "-c user.name=a -c user.email=a@b commit -q --allow-empty -m one",
    ):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    tags = git_tags(tmp_path)
    assert len(tags["rapport.git_revision"]) == 40
    assert tags["rapport.git_dirty"] == "false"
    (tmp_path / "a").write_text("a")
    subprocess.run(["git", "add", "a"], cwd=tmp_path, check=True)
    assert git_tags(tmp_path)["rapport.git_dirty"] == "true"


def test_the_environment_names_another_store(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.store_uri(config) == f"sqlite:///{config.home}/mlruns/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert store.store_uri(config) == "http://tracking:5000"
    assert not store.is_empty(config)


def test_nothing_is_printed_and_nothing_calls_home(config: Config, capfd: pytest.CaptureFixture[str]) -> None:
    with start_run(config, "churn") as run:
        run.log_text("x", "x.txt")
    assert capfd.readouterr() == ("", "")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
