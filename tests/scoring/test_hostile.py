"""Hostile ids, names, numbers and dates: none breaks a file name, a query, or a neighbour's row."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kiosk import CUSTOMERS, TASKS, Kiosk, table_of, tables
from small_project import write_project

from rapport.config import ScoringConfig
from rapport.data.ingest import open_dataset
from rapport.scoring.batch import score
from rapport.scoring.forget import forget
from rapport.scoring.sinks import table_name

NOW = datetime(2024, 7, 1, 3, tzinfo=UTC)
KNOWN = (
    *("a", "A", "a ", " a", "a\t", "á", "a\u0301", "ａ", "ß", "SS"),
    *(
        "'",
        '"',
        "''",
        "`",
        "';DROP TABLE transactions;--",
        "\"; ATTACH 'x'",
        "%",
        "_",
        "$1",
        "{name}",
        "{{1}}",
        "\\",
        "\\n",
    ),
    *("\n", "\r\n", "a\nb", "\x00", "a\x00b", "\x1b[31m", "\u2028", "\ufeff", "\u200b"),
    *(
        "../../etc/passwd",
        "/",
        "a/b",
        "..",
        ".",
        "~",
        "C:\\x",
        "as_of=2024-01-01",
        "part-000.parquet",
        "__HIVE_DEFAULT_PARTITION__",
    ),
    *("\u202egnp.exe", "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627", "👩‍👩‍👧", "\U0010ffff", "\ud7ff"),
    *("NULL", "null", "None", "nan", "NaN", "inf", "-0", "0", "00", "7", "7.0", "1e3", "true", "0x10", "١"),
    *("<script>alert(1)</script>", "&amp;", "</td>", "x" * 5_000, "=1+1", "@x", "-", "--", "#", ";", ","),
)
letters = st.characters(exclude_categories=("Cs",))
texts = st.lists(st.text(letters, min_size=1, max_size=30), min_size=CUSTOMERS, max_size=CUSTOMERS, unique=True)
hostile = texts.map(lambda names: [*KNOWN, *(name for name in names if name not in KNOWN)][:CUSTOMERS])


def _spoilt(names: list[str]) -> dict[str, dict[str, Any]]:
    """The kiosk with other ids; the last three customers also have lines that cannot be, and a strange region."""
    good = tables()
    plain = [f"k{i:03d}" for i in range(CUSTOMERS)]
    new = dict(zip(plain, names, strict=True))
    for table, column in (("customers", "customer_id"), ("transactions", "customer_id"), ("contacts", "customer_id")):
        good[table] = {**good[table], column: [new[one] for one in good[table][column]]}  # type: ignore[attr-defined]
    lines: dict[str, list[Any]] = {name: list(values) for name, values in good["transactions"].items()}  # type: ignore[call-overload]
    orders = {order: f"{new[order[:4]]}/{order}" for order in lines["order_id"]}
    lines["order_id"] = [orders[order] for order in lines["order_id"]]
    moments = [
        datetime(1, 1, 1),
        datetime(1677, 9, 21),
        datetime(1969, 12, 31, 23, 59, 59, 999999),
        datetime(2024, 6, 1),
        datetime(9999, 12, 31, 23, 59, 59, 999999),
    ]
    amounts = [float("nan"), float("inf"), float("-inf"), -0.0, 1e308, 5e-324]
    for name in names[-3:]:
        for moment in moments:
            for amount in amounts:
                for column, value in zip(lines, (name, moment, amount, 0, f"odd {amount}"), strict=True):
                    lines[column].append(value)
    good["transactions"] = dict(lines)
    regions = list(good["customers"]["region"])  # type: ignore[call-overload]
    return {**good, "customers": {**good["customers"], "region": regions}}


@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(names=hostile)
def test_hostile_ids_leave_every_neighbour_as_he_was(kiosk: Kiosk, names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        config = write_project(place, _spoilt(names), name="kiosk", currency="EUR", tasks=TASKS, strict=False)  # type: ignore[arg-type]
        sink = place / "w.duckdb"
        config = config.model_copy(update={"scoring": ScoringConfig(sinks=(f"duckdb:{sink}",))})
        data = open_dataset(config)
        report = score(data, "churn", kiosk.bundle("churn"), clock=lambda: NOW)
        data.engine.close()
        here = table_of(report.folder)
        # Plain ids with the same odd lines: what is fitted to everybody (the visits to be expected) sees those, too.
        (place / "plain").mkdir()
        plain = [f"k{i:03d}" for i in range(CUSTOMERS)]
        same = write_project(place / "plain", _spoilt(plain), name="kiosk", currency="EUR", tasks=TASKS, strict=False)  # type: ignore[arg-type]
        other = open_dataset(same)
        there = table_of(score(other, "churn", kiosk.bundle("churn"), clock=lambda: NOW).folder)
        other.engine.close()
        with duckdb.connect(str(sink)) as connection:
            kept = connection.execute(f"SELECT entity_id FROM {table_name('kiosk', 'churn')}").fetchall()
        assert sorted(name for (name,) in kept) == sorted(here["entity_id"].to_pylist())
        bad = set(names[-3:])
        new = dict(zip(plain, names, strict=True))
        expected = {new[row.pop("entity_id")]: row for row in there.to_pylist()}
        found = {row.pop("entity_id"): row for row in here.to_pylist()}
        assert len(found) == here.num_rows
        assert {name: row for name, row in found.items() if name not in bad} == {
            name: row for name, row in expected.items() if name not in bad
        }
        assert {path.name for path in report.folder.parent.iterdir()} == {report.folder.name}
        assert not pc.any(pc.is_null(here["score"])).as_py()
        gone = next(name for name in found if name not in bad)
        assert forget(config, gone, now=NOW).rows["scores"] == 1
        assert set(table_of(report.folder)["entity_id"].to_pylist()) == set(found) - {gone}
