"""The guards warn or stop before anything is published; who must not be scored is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from kiosk import TASKS, Kiosk, table_of, tables
from small_project import write_project

from rapport.config import Limit, ScoringConfig, ScoringLimits
from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.errors import ConfigError, DataError, GateError, ModelError
from rapport.scoring.batch import ScoreReport, score

NOW = datetime(2024, 7, 1, 3, tzinfo=UTC)


def _with(kiosk: Kiosk, **scoring: object) -> Dataset:
    config = kiosk.data.config.model_copy(update={"scoring": ScoringConfig(**scoring)})  # type: ignore[arg-type]
    return replace(kiosk.data, config=config)


def _limits(**limits: Limit) -> ScoringLimits:
    nothing = dict.fromkeys(ScoringLimits.model_fields, Limit())
    return ScoringLimits(**{**nothing, **limits})  # type: ignore[arg-type]


def _guards(report: ScoreReport) -> dict[str, str]:
    return {finding.guard: finding.text for finding in report.findings}


@pytest.mark.parametrize(
    ("guard", "words"),
    [
        ("feature_psi", r"drift since training in \d+ features?: \w+ \d"),
        ("score_psi", r"the scores drifted since the calibration window \(PSI"),
        ("missing_rise", r"more missing values than in training in \d+ features?"),
        ("unseen_share", r"values never seen in training in 1 feature: region"),
    ],
)
def test_each_guard_warns_stops_or_is_silent_by_its_limit(kiosk: Kiosk, out: Path, guard: str, words: str) -> None:
    """One regional name changed and half of the regions went; the limit decides what comes of it."""
    bundle = kiosk.bundle("churn")
    encoder = bundle.model.encoder
    vocabulary = {**encoder.vocabulary, "region": tuple(v for v in encoder.vocabulary["region"] if v != "north")}
    counts = {name: count for name, count in encoder.quantiles["region"].items() if name != "north"}  # type: ignore[union-attr]
    object.__setattr__(encoder, "vocabulary", vocabulary)
    object.__setattr__(encoder, "quantiles", {**encoder.quantiles, "region": counts})
    object.__setattr__(encoder, "missing", dict.fromkeys(encoder.missing, 0.0))
    object.__setattr__(bundle, "distribution", bundle.distribution + 3)  # type: ignore[operator]
    warned = score(_with(kiosk, limits=_limits(**{guard: Limit(warn=0.01)})), "churn", bundle, out=out)
    assert list(_guards(warned)) == [guard]
    with pytest.raises(GateError, match=rf"churn: nothing was published, for: .*{words}.*scoring.limits.{guard}.stop"):
        score(_with(kiosk, limits=_limits(**{guard: Limit(stop=0.01)})), "churn", bundle, out=out / "stopped")
    assert not (out / "stopped").exists()


def test_a_stopped_job_leaves_the_day_before_as_it_was(kiosk: Kiosk, out: Path) -> None:
    first = score(kiosk.data, "churn", kiosk.bundle("churn"), out=out, clock=lambda: NOW)
    before = (first.folder / "_manifest.json").read_bytes()
    data = _with(kiosk, limits=_limits(population_change=Limit(stop=0.0)))
    with pytest.raises(GateError, match="population_change"):
        score(data, "churn", kiosk.bundle("churn"), out=out, as_of=date(2024, 7, 15))
    assert [folder.name for folder in out.iterdir()] == [first.folder.name]
    assert (first.folder / "_manifest.json").read_bytes() == before


def test_old_data_and_a_smaller_population_are_said(kiosk: Kiosk, out: Path) -> None:
    bundle, data = (
        kiosk.bundle("churn"),
        _with(kiosk, limits=_limits(days_behind=Limit(warn=3), population_change=Limit(warn=0.2))),
    )
    assert _guards(score(data, "churn", bundle, out=out)) == {}
    late = _guards(score(data, "churn", bundle, out=out, as_of=date(2024, 8, 10)))
    assert late["days_behind"].startswith("the data end 42.")
    assert "rows are scored, -" in late["population_change"]


def test_a_feature_that_the_data_give_no_more_is_named(kiosk: Kiosk, out: Path) -> None:
    attributes = {**kiosk.data.attributes, "customers": ()}
    with pytest.raises(ModelError, match=r"give 2 of the model's \d+ features no more, such as 'region'"):
        score(replace(kiosk.data, attributes=attributes), "churn", kiosk.bundle("churn"), out=out)


def test_a_feature_of_another_kind_is_named(kiosk: Kiosk, out: Path) -> None:
    columns = {**kiosk.data.columns, "customers": {**kiosk.data.columns["customers"], "region": "BIGINT"}}
    with pytest.raises(ModelError, match="feature 'region' is a number now and was a category in training"):
        score(replace(kiosk.data, columns=columns), "churn", kiosk.bundle("churn"), out=out)


# ------------------------------------------------------------------------------------------- whom never to score
@pytest.mark.parametrize("task", ["churn", "next_offer"])
def test_ids_of_the_list_are_never_scored(kiosk: Kiosk, out: Path, tmp_path: Path, task: str) -> None:
    everybody = table_of(score(kiosk.data, task, kiosk.bundle(task), out=out / "all").folder)
    ids = sorted(set(everybody["entity_id"].to_pylist()))
    (tmp_path / "never.txt").write_text(f"{ids[3]}\r\n\n{ids[5]}\nnobody\n")
    data = _with(kiosk, never=str(tmp_path / "never.txt"))
    report = score(data, task, kiosk.bundle(task), out=out / "some")
    some = table_of(report.folder)
    kept = everybody.filter(pa.array([one not in (ids[3], ids[5]) for one in everybody["entity_id"].to_pylist()]))
    assert some.drop_columns("scored_at").equals(kept.drop_columns("scored_at"))
    (tmp_path / "never.txt").write_text(f"{ids[3]}\n")  # another list is another job
    with pytest.raises(Exception, match="list of ids never scored"):
        score(data, task, kiosk.bundle(task), out=out / "some")


def test_a_list_that_cannot_be_read_stops_the_job(kiosk: Kiosk, out: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"scoring.never: the list .*nowhere.txt cannot be read"):
        score(_with(kiosk, never=str(tmp_path / "nowhere.txt")), "churn", kiosk.bundle("churn"), out=out)
    (tmp_path / "never.txt").write_bytes(b"\xff\xfe\x00k\x00")
    with pytest.raises(ConfigError, match="it is not UTF-8"):
        score(_with(kiosk, never=str(tmp_path / "never.txt")), "churn", kiosk.bundle("churn"), out=out)
    assert not out.exists()


def test_consent_needs_its_column(kiosk: Kiosk, out: Path) -> None:
    with pytest.raises(DataError, match=r"there is no column customers.consent"):
        score(_with(kiosk, consent=True), "churn", kiosk.bundle("churn"), out=out)


def test_only_customers_who_consented_are_scored(kiosk: Kiosk, out: Path, tmp_path: Path) -> None:
    data = tables()
    names = list(data["customers"]["customer_id"])  # type: ignore[call-overload]
    consent = [(True, False, None)[i % 3] for i in range(len(names))]
    data["customers"] = {**data["customers"], "consent": consent}
    config = write_project(tmp_path, data, name="kiosk", currency="EUR", tasks=TASKS, scoring={"consent": True})  # type: ignore[arg-type]
    opened = open_dataset(config)
    some = table_of(score(opened, "churn", kiosk.bundle("churn"), out=out / "some").folder)
    opened.engine.close()
    everybody = table_of(score(kiosk.data, "churn", kiosk.bundle("churn"), out=out / "all").folder)
    allowed = {name for name, yes in zip(names, consent, strict=True) if yes}
    assert set(some["entity_id"].to_pylist()) == set(everybody["entity_id"].to_pylist()) & allowed
    assert 10 < some.num_rows < everybody.num_rows / 2
