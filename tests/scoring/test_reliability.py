"""Killed jobs, damaged results, places that cannot be written, clocks and rivals: each is survived, or named."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kiosk import BUCKETS, Kiosk, copy_of, score_alone, table_of

from rapport.errors import DataError, ModelError, OutputError, RapportError
from rapport.models.bundle import load_bundle
from rapport.scoring.batch import ScoreReport, score
from rapport.scoring.lock import only_writer
from rapport.scoring.manifest import read_manifest

NOW = datetime(2024, 7, 1, 3, tzinfo=UTC)
KILLS = {False: 5, True: 3}  # of a job, of a forced one
Published = tuple[Path, ScoreReport]


def _score(kiosk: Kiosk, out: Path, task: str = "churn", now: datetime = NOW, **more: bool) -> ScoreReport:
    return score(kiosk.data, task, kiosk.bundle(task), out=out, clock=lambda: now, **more)


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def undisturbed(kiosk: Kiosk, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A result of churn that nothing has happened to; tests work on copies of it."""
    out = tmp_path_factory.mktemp("undisturbed")
    return out, _score(kiosk, out)


@pytest.fixture
def published(undisturbed: Published, out: Path) -> Path:
    copy_of(undisturbed[0], out)
    return out / undisturbed[1].folder.name


# ------------------------------------------------------------------------------------------- killed
@pytest.mark.parametrize("force", [False, True])
def test_killed_at_any_moment_and_started_again_the_bytes_are_the_same(
    kiosk: Kiosk, undisturbed: Published, out: Path, force: bool
) -> None:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["kiosk", "rapport.scoring.batch", "rapport.explain.tables"])
    chance = random.Random(7 + force)
    arguments = (kiosk.config, kiosk.data.config.home, kiosk.models["churn"], "churn", out, NOW, force)
    place = out / undisturbed[1].folder.name
    if force:  # an older result of another job stands in the place, and must stay whole until it is replaced
        older = score(kiosk.data, "churn", _other_model(kiosk), out=out, clock=lambda: NOW - timedelta(days=1))
        before = content(older.folder)
    first = processes.Process(target=score_alone, args=(*arguments[:4], out / "warm", NOW, False))
    begun = time.monotonic()
    first.start()
    first.join()
    assert first.exitcode == 0
    usual = time.monotonic() - begun
    for _ in range(KILLS[force]):
        job = processes.Process(target=score_alone, args=arguments)
        job.start()
        job.join(chance.uniform(0.2, 1.0) * usual)
        job.kill()
        job.join()
        if place.exists() and read_manifest(place) is not None:
            now_there = content(place)
            now_there.pop("_journal.jsonl", None)
            assert now_there in ([before] if force and job.exitcode else []) + [content(undisturbed[1].folder)]
    if force:
        _score(kiosk, out, force=True)
    assert _score(kiosk, out).rows == undisturbed[1].rows
    assert content(place) == content(undisturbed[1].folder)
    assert {file.name for file in out.iterdir()} == {"warm", place.name}


def _other_model(kiosk: Kiosk):  # type: ignore[no-untyped-def]
    bundle = kiosk.bundle("churn")
    object.__setattr__(bundle, "distribution", bundle.distribution[:-1])  # type: ignore[index]
    return bundle


def test_a_resumed_job_makes_only_what_is_missing(kiosk: Kiosk, undisturbed: Published, out: Path) -> None:
    hidden = _half_done(kiosk, undisturbed, out, parts=2)
    times = {file.name: file.stat().st_mtime_ns for file in hidden.glob("part-*")}
    report = _score(kiosk, out, now=NOW + timedelta(hours=1))
    assert report.made == BUCKETS - 2
    assert {name: (report.folder / name).stat().st_mtime_ns for name in times} == times
    assert content(report.folder) == content(undisturbed[1].folder)


def test_a_half_part_and_a_torn_line_of_the_journal_are_made_again(
    kiosk: Kiosk, undisturbed: Published, out: Path
) -> None:
    hidden = _half_done(kiosk, undisturbed, out, parts=3)
    (hidden / ".part-003.parquet.77").write_bytes(b"PAR1 half")
    with (hidden / "part-001.parquet").open("r+b") as stream:
        stream.truncate(1000)
    with (hidden / "_journal.jsonl").open("ab") as stream:
        stream.write(b'{"part": {"file": "part-00')
    report = _score(kiosk, out, now=NOW + timedelta(hours=1))
    assert report.made == 2
    assert content(report.folder) == content(undisturbed[1].folder)


def test_what_another_job_left_half_done_is_not_used(kiosk: Kiosk, undisturbed: Published, out: Path) -> None:
    hidden = _half_done(kiosk, undisturbed, out, parts=3)
    lines = (hidden / "_journal.jsonl").read_text().splitlines()
    head = json.loads(lines[0])
    head["job"]["data"] = "of yesterday"
    (hidden / "_journal.jsonl").write_text("\n".join([json.dumps(head), *lines[1:], ""]))
    assert _score(kiosk, out).made == BUCKETS


def test_what_a_forced_job_left_half_done_goes_when_the_result_is_complete(kiosk: Kiosk, published: Path) -> None:
    hidden = published.with_name(f".{published.name}.new")
    hidden.mkdir()
    (hidden / "part-000.parquet").write_bytes(b"half")
    assert _score(kiosk, published.parent).made == 0
    assert not hidden.exists()


def test_what_was_abandoned_on_another_day_goes_after_a_week(kiosk: Kiosk, out: Path) -> None:
    old, young, held = (out / f".as_of=2024-01-0{i}.new" for i in (1, 2, 3))
    for folder, days in ((old, 9), (young, 2), (held, 9)):
        folder.mkdir(parents=True)
        moment = (NOW - timedelta(days=days)).timestamp()
        os.utime(folder, (moment, moment))
    with only_writer(out / ".as_of=2024-01-03.lock"):
        _score(kiosk, out)
    assert (old.exists(), young.exists(), held.exists()) == (False, True, True)


def _half_done(kiosk: Kiosk, undisturbed: Published, out: Path, parts: int) -> Path:
    """The hidden folder of a job that was stopped after some parts."""

    class StoppedError(Exception):
        pass

    said = []

    def stop(text: str) -> None:
        said.append(text)
        if text.startswith(f"scoring part {parts + 1} of"):
            raise StoppedError

    with pytest.raises(StoppedError):
        score(kiosk.data, "churn", kiosk.bundle("churn"), out=out, clock=lambda: NOW, say=stop)
    (hidden,) = out.glob(".as_of=*.new")
    assert not (out / undisturbed[1].folder.name).exists()
    return hidden


# ------------------------------------------------------------------------------------------- damaged
def _truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _flip(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)


def _other_schema(file: Path) -> None:
    pq.write_table(pa.table({"entity_id": ["k001"], "score": ["high"]}), file)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (Path.unlink, "part-002.parquet is missing"),
        (_truncate, "part-002.parquet is cut short"),
        (_flip, "part-002.parquet was changed"),
        (_other_schema, "part-002.parquet (was changed|is cut short)"),
    ],
)
def test_a_damaged_part_is_named_and_made_again(kiosk: Kiosk, undisturbed, published: Path, damage, words) -> None:  # type: ignore[no-untyped-def]
    damage(published / "part-002.parquet")
    said: list[str] = []
    report = score(kiosk.data, "churn", kiosk.bundle("churn"), out=published.parent, say=said.append)
    assert report.made == 1
    assert any(re.search(words, text) for text in said)
    assert content(published) == content(undisturbed[1].folder)


def test_a_damaged_description_has_everything_made_again(kiosk: Kiosk, undisturbed, published: Path) -> None:  # type: ignore[no-untyped-def]
    _flip(published / "_profile.json")
    assert _score(kiosk, published.parent).made == BUCKETS
    assert content(published) == content(undisturbed[1].folder)


def test_a_strange_part_is_named_and_goes(kiosk: Kiosk, undisturbed, published: Path) -> None:  # type: ignore[no-untyped-def]
    shutil.copy(published / "part-000.parquet", published / "part-009.parquet")
    said: list[str] = []
    score(kiosk.data, "churn", kiosk.bundle("churn"), out=published.parent, say=said.append)
    assert any("part-009.parquet is not in the manifest" in text for text in said)
    assert content(published) == content(undisturbed[1].folder)


@pytest.mark.parametrize("harm", ["flip", "truncate", "no json", "parts"])
def test_a_changed_manifest_is_refused(kiosk: Kiosk, published: Path, harm: str) -> None:
    file = published / "_manifest.json"
    if harm == "flip":
        _flip(file)
    elif harm == "truncate":
        _truncate(file)
    elif harm == "no json":
        file.write_text("[]")
    else:
        raw = json.loads(file.read_text())
        raw["parts"][0]["rows"] += 1
        file.write_text(json.dumps(raw))
    before = content(published)
    with pytest.raises(OutputError, match=r"_manifest.json in .* was changed since it was written .* --force"):
        _score(kiosk, published.parent)
    assert content(published) == before
    assert _score(kiosk, published.parent, force=True).made == BUCKETS


def test_scores_of_another_model_are_named(kiosk: Kiosk, published: Path) -> None:
    with pytest.raises(OutputError, match=r"holds scores of another model .* --force"):
        score(kiosk.data, "churn", _other_model(kiosk), out=published.parent)


def test_a_folder_that_is_no_result_is_left_alone(kiosk: Kiosk, undisturbed: Published, out: Path) -> None:
    place = out / undisturbed[1].folder.name
    place.mkdir(parents=True)
    (place / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="is no result of Rapport"):
        _score(kiosk, out)
    assert (place / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("file", ["model.txt", "calibration.json", "features.json", "task.json", "scores.json"])
def test_one_changed_bit_in_the_model_is_refused(kiosk: Kiosk, tmp_path: Path, file: str) -> None:
    model = copy_of(kiosk.models["churn"], tmp_path / "model")
    _flip(model / file)
    with pytest.raises(ModelError, match=f"{file} in .* was changed"):
        load_bundle(model)


def test_a_source_that_vanished_is_named_and_earlier_results_stay(
    kiosk: Kiosk, published: Path, tmp_path: Path
) -> None:
    files = {
        table: (*paths[:3], paths[3].with_name("gone.parquet"))
        for table, paths in kiosk.data.files.items()
        if len(paths) > 3
    }
    data = replace(kiosk.data, files={**kiosk.data.files, **files})
    before = content(published)
    with pytest.raises(DataError, match=r"a file of the data is gone .*gone.parquet"):
        score(data, "churn", kiosk.bundle("churn"), out=published.parent, force=True)
    kiosk.data.register()
    assert content(published) == before


# ------------------------------------------------------------------------------------------- places
@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_named_and_earlier_results_stay(kiosk: Kiosk, small_disk: Path) -> None:
    out = small_disk / "scores"
    earlier = score(kiosk.data, "conversion", kiosk.bundle("conversion"), out=out)
    before = content(earlier.folder)
    rest = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(b"x" * max(rest.f_bavail * rest.f_frsize - 40_000, 0))
    with pytest.raises(OutputError, match=r"the disk is full; free some space .* Earlier results are untouched"):
        _score(kiosk, out)
    assert content(earlier.folder) == before
    assert not any(folder.name.endswith("06-29") for folder in out.iterdir() if not folder.name.startswith("."))
    (small_disk / "ballast").unlink()
    assert _score(kiosk, out).rows > 50


def test_a_read_only_place_is_named(kiosk: Kiosk, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    place.mkdir()
    if os.geteuid() == 0:  # the rights of a folder do not bind root, those of a file system do
        mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(place)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("needs the right to mount a file system")
    else:
        place.chmod(0o555)
    try:
        with pytest.raises(OutputError, match=r"it is read-only|there is no permission"):
            _score(kiosk, place / "scores")
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", str(place)], check=True)
    assert list(place.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_named(kiosk: Kiosk, tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("a file")
    with pytest.raises(OutputError, match="cannot write below"):
        _score(kiosk, tmp_path / "scores")


def test_of_two_writers_the_second_refuses(kiosk: Kiosk, undisturbed: Published, out: Path) -> None:
    name = undisturbed[1].folder.name
    out.mkdir()
    with only_writer(out / f".{name}.lock"):
        with pytest.raises(OutputError, match=rf"another job \(process {os.getpid()}\) is writing to"):
            _score(kiosk, out)
        assert [file.name for file in out.iterdir()] == [f".{name}.lock"]
    assert _score(kiosk, out).made == BUCKETS
    assert [file.name for file in out.iterdir()] == [name]


def test_a_clock_that_went_backwards_is_named(kiosk: Kiosk, out: Path) -> None:
    score(kiosk.data, "churn", kiosk.bundle("churn"), out=out, as_of=datetime(2024, 6, 1).date(), clock=lambda: NOW)
    report = _score(kiosk, out, now=NOW - timedelta(hours=3))
    (finding,) = [finding for finding in report.findings if finding.guard == "clock"]
    assert "the clock of this machine went backwards" in finding.text
    assert table_of(report.folder)["scored_at"][0].as_py() == NOW - timedelta(hours=3)


def test_every_fault_stands_in_the_log_with_the_id_of_its_run(kiosk: Kiosk, tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("a file")
    with pytest.raises(RapportError):
        _score(kiosk, tmp_path / "scores")
    _score(kiosk, tmp_path / "good")
    file = kiosk.data.config.home / "logs" / "kiosk" / "scoring.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    begins = [line for line in lines if line["event"] == "begin"]
    good, bad = ([line for line in lines if line["run"] == begin["run"]] for begin in (begins[-1], begins[-2]))
    assert [line["event"] for line in bad if line["event"] != "guard"] == ["begin", "failed"]
    assert bad[-1]["error"] == "OutputError"
    assert [line["event"] for line in good if line["event"] != "guard"] == ["begin", *["part"] * BUCKETS, "done"]
