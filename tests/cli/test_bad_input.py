"""What a user can get wrong ends in one plain message and exit code 1, with nothing half written and no traceback."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

Shop = tuple[Path, Path, str]


@pytest.fixture
def spoilt(shop_config: Path, tmp_path: Path):
    """Writes the shop's config with something changed; returns its path. The data stay where they are."""

    def write(change) -> Path:
        raw = yaml.safe_load(shop_config.read_text())
        raw["sources"] = {name: str(shop_config.parent / where) for name, where in raw["sources"].items()}
        change(raw)
        path = tmp_path / "spoilt.yaml"
        path.write_text(yaml.safe_dump(raw))
        return path

    return write


def fails(rapport, *arguments: object, cwd: Path, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    done = rapport(*arguments, cwd=cwd)
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    left = [path for path in cwd.rglob("*") if path.is_file() and not {".cache", "mlruns"} & set(path.parts)]
    assert [path for path in left if path.name != "spoilt.yaml"] == []
    return done


def test_an_unknown_key(spoilt, rapport, tmp_path: Path) -> None:
    path = spoilt(lambda raw: raw["tasks"]["churn"].update(horizont=28))
    fails(rapport, "run", path, cwd=tmp_path, words=("tasks.churn.horizont", "unknown key"))


def test_a_missing_config(rapport, tmp_path: Path) -> None:
    fails(rapport, "check", "nowhere.yaml", cwd=tmp_path, words=("nowhere.yaml", "template.yaml"))


def test_an_unknown_task(spoilt, rapport, tmp_path: Path) -> None:
    fails(rapport, "train", spoilt(lambda raw: None), "chrun", cwd=tmp_path, words=("chrun", "churn"))


def test_a_missing_file(spoilt, rapport, tmp_path: Path) -> None:
    path = spoilt(lambda raw: raw["sources"].update(members=str(tmp_path / "gone.csv")))
    fails(rapport, "run", path, cwd=tmp_path, words=("members", "gone.csv"))


def test_a_renamed_column(spoilt, rapport, tmp_path: Path) -> None:
    path = spoilt(lambda raw: raw["tables"]["transactions"]["columns"].update(amount="cent / 100"))
    fails(rapport, "run", path, cwd=tmp_path, words=("transactions.amount", "cent"))


# What is wrong, how the second data set is spoilt so, and what the message must hold: table, column, count and remedy.
ROWS = {
    "text in an amount": (
        "transactions",
        "SELECT card, stamped, receipt, CASE WHEN receipt LIKE '%/3' THEN 'ten' ELSE (cents / 100)::VARCHAR END "
        "AS paid FROM tills",
        {"customer_id": "card", "at": "stamped", "order_id": "receipt", "amount": "paid"},
        ("transactions.amount", "number is expected", "ten"),
    ),
    "duplicated customer ids": (
        "customers",
        "SELECT * FROM members UNION ALL (SELECT * FROM members ORDER BY ALL LIMIT 7)",
        None,
        ("customers.customer_id", "14 rows", "keep one row of each"),
    ),
    "timestamps in the future": (
        "transactions",
        "SELECT * REPLACE (CASE WHEN receipt LIKE '%/3' THEN stamped + INTERVAL 30 YEAR ELSE stamped END AS stamped) "
        "FROM tills",
        None,
        ("transactions.at", "future"),
    ),
}


@pytest.mark.parametrize("fault", ROWS)
def test_rows_that_break_the_contract(fault: str, spoilt, rapport, tmp_path: Path) -> None:
    table, query, columns, words = ROWS[fault]

    def change(raw: dict) -> None:
        mapping = raw["tables"][table]
        del mapping["source"]
        mapping |= {"query": query} | ({} if columns is None else {"columns": columns})

    done = fails(rapport, "run", spoilt(change), cwd=tmp_path, words=words)
    assert re.search(r"error: .* \([\d,]+ rows?\)\n( +e\.g\. .*\n)+ +-> .+", done.stderr), done.stderr


def test_an_empty_population(spoilt, rapport, tmp_path: Path) -> None:
    def change(raw: dict) -> None:
        raw["tables"]["transactions"]["source"] = None
        columns = raw["tables"]["transactions"].pop("columns")
        picked = ", ".join(
            f'{text if " " in text else chr(34) + text + chr(34)} AS "{name}"' for name, text in columns.items()
        )
        raw["tables"]["transactions"] = {"query": f"SELECT {picked} FROM tills WHERE stamped < '2022-07-20'"}
        raw["tasks"] = {"churn": raw["tasks"]["churn"]}

    fails(rapport, "train", spoilt(change), "churn", cwd=tmp_path, words=("churn", "eligible", "train window"))


def test_a_target_with_no_positives(spoilt, rapport, tmp_path: Path) -> None:
    late = "SELECT letter, answered FROM replies WHERE answer = 'yes' ORDER BY answered DESC LIMIT 3"
    path = spoilt(lambda raw: raw["tables"]["responses"].update(query=late))
    fails(rapport, "train", path, "conversion", cwd=tmp_path, words=("conversion: the", "positives", "horizon"))


def test_an_empty_table(spoilt, rapport, tmp_path: Path) -> None:
    nothing = "SELECT letter, answered FROM replies WHERE 1 = 0"
    path = spoilt(lambda raw: raw["tables"]["responses"].update(query=nothing))
    fails(rapport, "train", path, "conversion", cwd=tmp_path, words=("responses", "the table is empty"))


def test_a_window_that_overlaps_the_next(spoilt, rapport, tmp_path: Path) -> None:
    def change(raw: dict) -> None:
        raw["tasks"]["churn"]["split"] = {"train": ["2022-12-01"], "test": ["2022-12-10"]}

    fails(rapport, "train", spoilt(change), "churn", cwd=tmp_path, words=("2022-12-10", "horizon"))


def test_a_score_date_before_the_data(shop: Shop, rapport, tmp_path: Path) -> None:
    config, home, _ = shop
    place = home / "copy"
    shutil.copytree(home / "exports/shop/churn", tmp_path / "model")
    done = rapport(
        "score", config, "churn", "--model", tmp_path / "model", "--as-of", "2019-01-01", "--out", place, cwd=home
    )
    assert done.returncode == 1
    assert "2019-01-01" in done.stderr
    assert "before the data" in done.stderr
    assert not place.exists()


def test_an_unknown_customer_is_told_who_is_near(shop: Shop, rapport) -> None:
    config, home, _ = shop
    done = rapport("explain", config, "churn", "--id", "nobody", cwd=home)
    assert done.returncode == 1
    assert "nobody" in done.stderr
    assert "close to it" in done.stderr


def test_wrong_usage_is_exit_code_2(rapport, tmp_path: Path) -> None:
    assert rapport("score", cwd=tmp_path).returncode == 2
    assert rapport("frobnicate", cwd=tmp_path).returncode == 2
