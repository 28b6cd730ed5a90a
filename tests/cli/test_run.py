"""The whole job on a second data set, through the command line as a user would: no code written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from shop import GROUP

from rapport.cli.reviewing import stored_review
from rapport.config import load_config
from rapport.registry.store import connect

Shop = tuple[Path, Path, str]


def summary_of(shop: Shop) -> dict:
    return json.loads(shop[2])


def test_run_prints_one_object_that_is_the_summary(shop: Shop) -> None:
    _, home, printed = shop
    summary = json.loads(printed)
    assert summary == json.loads((home / "reports/shop/summary.json").read_text())
    assert set(summary) == {"config", "started_at", "seconds", "tasks"}
    assert set(summary["tasks"]) == {"churn", "conversion"}
    for task in summary["tasks"].values():
        assert {"grade", "metrics", "intervals", "run_id", "model_version", "scores", "review", "rows"} <= set(task)
        assert {"test.roc_auc", "baseline.test.roc_auc", "test.average_precision"} <= set(task["metrics"])
        assert Path(task["review"]).read_text().startswith("<!doctype html>")


def test_models_learn_what_the_shop_hides(shop: Shop) -> None:
    for name, task in summary_of(shop)["tasks"].items():
        low, _ = task["intervals"]["gain.test.average_precision"]
        assert task["metrics"]["test.roc_auc"] > 0.6, name
        assert low > -0.1, name


def test_campaigns_that_cannot_be_used_are_left_out_and_said_to_be(shop: Shop) -> None:
    task = summary_of(shop)["tasks"]["conversion"]
    (said,) = (text for text in task["left_out"] if text.startswith("Campaign"))
    assert said.startswith("Campaign 11 left out, ")
    assert said.endswith(" rows: ending after the data.")
    page = Path(task["review"]).read_text()
    assert said in page
    assert "Intervals hold for these campaigns" in page
    assert {"test.roc_auc_within", "baseline.test.roc_auc_within", "leave_one_out.roc_auc_within"} <= set(
        task["metrics"]
    )


@pytest.mark.parametrize(("task", "keys"), [("churn", ["entity_id"]), ("conversion", ["entity_id", "campaign_id"])])
def test_scores_have_the_contracts_columns_and_one_row_a_key(shop: Shop, task: str, keys: list[str]) -> None:
    folder = Path(summary_of(shop)["tasks"][task]["scores"])
    manifest = json.loads((folder / "_manifest.json").read_text())
    files = sorted(folder.glob("part-*.parquet"))
    table = pq.read_table(files[0]) if len(files) == 1 else ds.dataset(files).to_table()
    reasons = [
        name
        for k in range(1, 6)
        for name in (f"reason_{k}", *(f"reason_{k}_{p}" for p in ("group", "feature", "value", "contribution")))
    ]
    assert table.column_names == [
        *keys, "as_of", "score", "raw_score", "percentile", *reasons,
        "model_name", "model_version", "run_id", "scored_at",
    ]  # fmt: skip
    assert table.num_rows == table.select(keys).group_by(keys).aggregate([]).num_rows > 0
    assert table["score"].null_count == 0
    assert all(0 < value < 1 for value in table["score"].to_pylist())
    assert table["reason_1"].null_count == 0
    listed = {part["file"]: part["sha256"] for part in manifest["parts"]}
    assert listed == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    assert sum(part["rows"] for part in manifest["parts"]) == table.num_rows


def test_a_group_of_the_config_is_one_reason_everywhere(shop: Shop, rapport) -> None:
    config, home, _ = shop
    of_churn = summary_of(shop)["tasks"]["churn"]
    table = pq.read_table(next(Path(of_churn["scores"]).glob("part-*.parquet")))
    grouped = [(table[f"reason_{k}_group"].to_pylist(), table[f"reason_{k}_feature"].to_pylist()) for k in range(1, 6)]
    features = {
        feature for names, found in grouped for name, feature in zip(names, found, strict=True) if name == GROUP
    }
    assert features
    assert features <= {"days_since_visit", "visits_28d", "visits_56d", "visits_90d"}
    for names, found in grouped:
        assert not [f for n, f in zip(names, found, strict=True) if n != GROUP and f == "days_since_visit"]
    page = Path(of_churn["review"]).read_text()
    assert "=lately &amp; &lt;b&gt;often&lt;/b&gt;, $1$" in page
    assert "<b>often" not in page
    done = rapport("features", config, "churn", "--describe", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(json.dumps(GROUP)) == 4


def test_the_export_scores_as_the_registered_model_to_the_bit(shop: Shop, rapport, tmp_path: Path) -> None:
    config, home, _ = shop
    exported = home / "exports/shop/churn"
    done = rapport("score", config, "churn", "--model", exported, "--out", tmp_path / "out", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    again = pq.read_table(next(Path(json.loads(done.stdout)["folder"]).glob("part-*.parquet")))
    first = pq.read_table(next(Path(summary_of(shop)["tasks"]["churn"]["scores"]).glob("part-*.parquet")))
    for column in ("entity_id", "score", "raw_score", "percentile", "reason_1", "reason_5_contribution"):
        assert again[column].equals(first[column]), column


def test_scoring_again_changes_nothing(shop: Shop, rapport) -> None:
    config, home, _ = shop
    folder = Path(summary_of(shop)["tasks"]["churn"]["scores"])
    before = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()}
    done = rapport("score", config, "churn", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "complete already" in done.stdout
    assert before == {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()}


def test_explain_and_decision(shop: Shop, rapport) -> None:
    config, home, _ = shop
    table = pq.read_table(next(Path(summary_of(shop)["tasks"]["churn"]["scores"]).glob("part-*.parquet")))
    entity, score = table["entity_id"][0].as_py(), table["score"][0].as_py()
    done = rapport("explain", config, "churn", "--id", entity, "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["scores"][0]["score"] == score
    assert found["scores"][0]["reasons"][0]["words"] == table["reason_1"][0].as_py()
    version = summary_of(shop)["tasks"]["churn"]["model_version"]
    read_before = (home / "reports/shop/churn.html").read_bytes()
    done = rapport("approve", config, "churn", version, "--by", "R. Viewer", "--note", "<b>fits</b>", cwd=home)
    assert done.returncode == 0, done.stderr
    page = (home / "reports/shop/churn.html").read_text()
    assert "R. Viewer" in page
    assert "<b>fits</b>" not in page
    assert "champion, approved" in page
    kept = home / f"reports/shop/decided/churn_v{version}_approved.html"
    assert read_before == kept.read_bytes(), "the page that was read is the one that is kept"
    assert hashlib.sha256(read_before).hexdigest() in page


def test_the_pictures_of_the_page_lie_in_mlflow(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    path, home, _ = shop
    monkeypatch.chdir(home)
    config = load_config(path)
    of_churn = summary_of(shop)["tasks"]["churn"]
    client = connect(config)
    names = {file.path for file in client.list_artifacts(of_churn["run_id"])}
    shap = {f"shap_{name}_plot.png" for name in ("beeswarm", "summary", "feature_importance")}  # as `mlflow.evaluate`
    assert {*shap, "model_card.md", "review.json"} <= names
    plots = {Path(file.path).stem for file in client.list_artifacts(of_churn["run_id"], "plots")}
    review = stored_review(config, "churn", of_churn["model_version"])
    shown = {picture.name for picture in (*review.pictures, *review.stability, *review.driver_pictures)}
    assert {"gains", "calibration", "precision_recall", "roc", "beeswarm", "reason_bars"} <= shown <= plots


def test_what_if(shop: Shop, rapport, tmp_path: Path) -> None:
    config, home, _ = shop
    table = pq.read_table(next(Path(summary_of(shop)["tasks"]["churn"]["scores"]).glob("part-*.parquet")))
    entity, score = table["entity_id"][0].as_py(), table["score"][0].as_py()
    picture = tmp_path / "curve.svg"
    asked = ("--set", "days_since_visit=200", "--picture", picture, "--interaction", "days_since_visit,gap_mean")
    done = rapport("explain", config, "churn", "--id", entity, *asked, "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (changed,) = found["what_if"]["scores"]
    assert changed["was"] == score
    assert changed["score"] > score, "a customer who stays away longer is likelier to be gone"
    assert "training" in found["what_if"]["settings"][0]["range"]
    (curve,) = found["curves"]
    assert curve["feature"] == "days_since_visit"
    assert curve["probability_now"] == score
    assert curve["probability"][curve["values"].index(curve["now"])] == score
    assert curve["least"] <= curve["low"] < curve["high"] <= curve["most"]
    assert picture.read_text().startswith("<svg")
    (pair,) = found["interactions"]
    assert pair["together"] == 2 * pair["interaction"]
    text = rapport("explain", config, "churn", "--id", entity, "--set", "days_since_visit=", cwd=home).stdout
    assert "days_since_visit were not known" in text
    for wrong, words in (
        ("--set=days_since_visits=3", "close to it: days_since_visit"),
        ("--set=days_since_visit=soon", "is a number"),
        ("--set=days_since_visit", "FEATURE=VALUE"),
        ("--interaction=days_since_visit", "FIRST,SECOND"),
    ):
        done = rapport("explain", config, "churn", "--id", entity, wrong, cwd=home)
        assert done.returncode == 1
        assert words in done.stderr


def test_features_are_described_and_written(shop: Shop, rapport, tmp_path: Path) -> None:
    config, home, _ = shop
    done = rapport("features", config, "churn", "--describe", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    described = {row["name"]: row for row in json.loads(done.stdout)["features"]}
    assert described["days_since_visit"]["unit"] == "days"
    assert not any(name.startswith("categories") for name in described)  # this shop has no products
    two = ("--cutoffs", "2023-04-01", "--cutoffs", "2023-02-01")
    done = rapport("features", config, "churn", *two, "--out", tmp_path / "f", cwd=home)
    assert done.returncode == 0, done.stderr
    tables = [pq.read_table(tmp_path / f"f/cutoff=2023-0{month}-01.parquet", partitioning=None) for month in (2, 4)]
    (line,) = (line for line in done.stdout.splitlines() if "days_since_visit " in line)
    shown = [cell.strip() for cell in line.strip("│ ").split("│")]
    middle = [f"{np.median(table['days_since_visit'].to_numpy()):.4g}" for table in tables]
    assert shown[3] == f"{middle[1]} ({middle[0]})"  # the last cutoff, and the first in brackets
    done = rapport("features", config, "churn", "--cutoffs", "2019-01-01", "--out", tmp_path / "early", cwd=home)
    assert done.returncode == 1
    assert "the cutoff 2019-01-01 lies before the data begin" in done.stderr
    assert not (tmp_path / "early").exists()
    done = rapport("features", config, "churn", "--explain", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    parts = json.loads(done.stdout)["parts"]
    assert {part["formulation"] for part in parts} >= {"segments"}
    assert all(part["why"] and part["columns"] for part in parts)
    assert any("spend_30d" in part["columns"] and part["reads"] == ["transactions"] for part in parts)
    done = rapport("features", config, "churn", "--explain", "sql", "--cutoffs", "2023-02-01", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "SELECT" in done.stdout
    assert "reduced_" not in done.stdout  # a single cutoff: the loop
