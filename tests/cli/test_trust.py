"""Backtest, promotion, rollback and lineage through the command line, on the project that the other tests ran."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

Shop = tuple[Path, Path, str]


@pytest.fixture(scope="module")
def churn(shop: Shop) -> dict:
    return json.loads(shop[2])["tasks"]["churn"]


def test_a_score_is_followed_back_to_its_run_data_and_model(shop: Shop, churn: dict, rapport) -> None:
    config, home, _ = shop
    (file, *_) = sorted(Path(churn["scores"]).glob("part-*.parquet"))
    table = pq.read_table(file)
    entity, score = table["entity_id"][0].as_py(), table["score"][0].as_py()
    done = rapport("trace", config, "churn", entity, "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rows"] == [{"entity_id": entity, "score": score, "raw_score": table["raw_score"][0].as_py()}]
    assert Path(found["file"]) == file
    origin = found["origin"]
    assert origin["same_model"] is True
    assert origin["run"]["id"] == churn["run_id"] == found["job"]["run_id"]
    assert origin["trained_on"] == found["job"]["data"]
    assert origin["run"]["config_file"].endswith(f"{churn['run_id']}/artifacts/config.yaml")
    assert origin["role"] == "champion"
    said = rapport("trace", config, "churn", entity, cwd=home).stdout
    assert f"in run {churn['run_id']}" in said
    assert "the very model that scored" in said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("trace", "churn", "nobody"), "'nobody' was not scored"),
        (("trace", "churn", "nobody", "--as-of", "1999-01-01"), "has no scores as of 1999-01-01"),
        (("promote", "churn"), "has no challenger"),
        (("rollback", "churn"), "nothing to go back to"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(shop: Shop, rapport, command: tuple[str, ...], said: str) -> None:
    config, home, _ = shop
    name, *rest = command
    done = rapport(name, config, *rest, cwd=home)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_backtest_writes_its_picture_and_table_and_keeps_the_grade(shop: Shop, churn: dict, rapport) -> None:
    config, home, _ = shop
    done = rapport("backtest", config, "churn", "--folds", 1, "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["stable"] is None
    assert Path(found["picture"]).read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(Path(found["table"]).read_text(encoding="utf-8").splitlines()))
    assert [row["part"] for row in rows][1:] == ["all folds", "known entities", "new entities"]
    assert int(rows[2]["rows"]) + int(rows[3]["rows"]) == int(rows[1]["rows"]) == int(rows[0]["rows"])
    assert found["grade"]["version"] == churn["model_version"]
    assert found["grade"]["grade"] == churn["grade"]  # one fold proves nothing, so nothing changes


def test_a_rejected_version_scores_nobody(shop: Shop, churn: dict, rapport) -> None:
    config, home, _ = shop
    version = churn["model_version"]
    rapport("reject", config, "churn", version, "--by", "A. Smith", "--note", "reason 1 makes no sense", cwd=home)
    done = rapport("score", config, "churn", "--dry-run", cwd=home)
    assert done.returncode == 1
    assert f"version {version} of churn was rejected by A. Smith (reason 1 makes no sense)" in done.stderr
    rapport("approve", config, "churn", version, "--by", "A. Smith", "--note", "it does after all", cwd=home)
    assert rapport("score", config, "churn", "--dry-run", cwd=home).returncode == 0
