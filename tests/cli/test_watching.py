"""The commands around the nightly job: drift, monitor and forget, as an operator types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

Shop = tuple[Path, Path, str]


@pytest.fixture(scope="module")
def night(shop: Shop, rapport, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:  # type: ignore[no-untyped-def]
    """The config, a home of its own, and scores of churn as of two days, of which one has matured."""
    config, home, _ = shop
    place = tmp_path_factory.mktemp("night")
    shutil.copytree(home / "exports", place / "exports")
    for day in ("2023-03-01", "2023-05-01"):
        model = place / "exports/shop/churn"
        done = rapport("score", config, "churn", "--model", model, "--as-of", day, cwd=place)
        assert done.returncode == 0, done.stderr
    return config, place, place / "scores/shop/churn"


def test_drift_prints_a_table_and_one_line_and_draws(night, rapport) -> None:  # type: ignore[no-untyped-def]
    config, home, _ = night
    done = rapport("drift", config, "churn", cwd=home)
    assert done.returncode == (1 if "ALERT churn as of 2023-05-01" in done.stderr else 0), done.stderr
    assert "PSI since training" in done.stdout
    assert (home / "reports/shop/churn.drift.svg").read_text().startswith("<svg")
    done = rapport("drift", config, "churn", "--json", cwd=home)
    found = json.loads(done.stdout)
    assert found["as_of"] == "2023-05-01"
    assert {"name", "psi", "jump", "level"} <= set(found["columns"][0])
    assert set(found["over_time"]["score"]) == {"2023-03-01", "2023-05-01"}


@pytest.mark.parametrize(("level", "code", "begins"), [("warn", 0, "warning"), ("stop", 1, "ALERT")])
def test_drift_warns_and_goes_on_and_is_an_alert_where_a_limit_says_stop(  # type: ignore[no-untyped-def]
    night, rapport, tmp_path: Path, level: str, code: int, begins: str
) -> None:
    config, _, scores = night
    raw = yaml.safe_load(config.read_text())
    raw["sources"] = {name: str(config.parent / where) for name, where in raw["sources"].items()}
    raw["scoring"] = {"limits": {"population_change": {level: 0.0}}}
    strict = tmp_path / "strict.yaml"
    strict.write_text(yaml.safe_dump(raw))
    done = rapport("drift", strict, "churn", "--out", scores, cwd=tmp_path)
    assert done.returncode == code
    assert f"{begins} churn as of 2023-05-01" in done.stderr
    assert "Traceback" not in done.stderr


def test_monitor_judges_what_has_matured(night, rapport) -> None:  # type: ignore[no-untyped-def]
    config, home, _ = night
    done = rapport("monitor", config, "churn", "--json", cwd=home)
    found = json.loads(done.stdout)
    assert done.returncode == (1 if found["alerts"] else 0), done.stderr
    assert found["days"][0]["as_of"] == "2023-03-01"
    assert found["days"][0]["rows"] > 100
    assert found["text"] in done.stderr.replace("\n", " ")
    assert Path(found["picture"]).read_text().startswith("<svg")


def test_forget_removes_one_customer_for_good(night, rapport) -> None:  # type: ignore[no-untyped-def]
    config, home, scores = night
    ids = [pq.read_table(file, columns=["entity_id"])["entity_id"].to_pylist() for file in scores.rglob("part-*")]
    him = str(min(set(ids[0]) & set(ids[1])))
    done = rapport("forget", config, him, "--by", "the officer", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == {"scores": 2}
    model = home / "exports/shop/churn"
    done = rapport("score", config, "churn", "--model", model, "--as-of", "2023-05-01", "--force", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    for file in scores.rglob("part-*"):
        assert him not in map(str, pq.read_table(file, columns=["entity_id"])["entity_id"].to_pylist())


def test_forget_writes_the_pages_anew(shop: Shop, rapport) -> None:  # type: ignore[no-untyped-def]
    config, home, _ = shop
    page = home / "reports/shop/churn.html"
    table = pq.read_table(next((home / "scores/shop/churn").rglob("part-*")), columns=["entity_id"])
    shown = [one for one in map(str, table["entity_id"].to_pylist()) if f'"{one}"' in page.read_text()]
    if not shown:
        pytest.skip("nobody who is scored stands on the page")
    copy = home.parent / f"{home.name}-forgetting"
    shutil.copytree(home, copy)
    done = rapport("forget", config, shown[0], cwd=copy)
    assert done.returncode == 0, done.stderr
    anew = (copy / "reports/shop/churn.html").read_text()
    assert anew.startswith("<!doctype html>")
    assert f'"{shown[0]}"' not in anew
