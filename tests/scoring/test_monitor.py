"""Matured targets against old scores, and drift over days, with their pictures."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from kiosk import Kiosk, table_of

from rapport.config import MonitorConfig, ScoringConfig
from rapport.errors import OutputError
from rapport.features.snapshot import Snapshots
from rapport.language.moments import midnight
from rapport.scoring.batch import score
from rapport.scoring.drift import drift, look_at
from rapport.scoring.monitor import MonitorReport, monitor
from rapport.scoring.pictures import drift_picture, monitor_picture, save
from rapport.scoring.quality import calibration_error, chance_of_calibration, classification, lists
from rapport.tasks import declare

NOW = datetime(2024, 7, 1, 3, tzinfo=UTC)
DAYS = {
    "churn": (date(2024, 5, 1), date(2024, 6, 1), date(2024, 6, 25)),
    "conversion": (date(2024, 5, 21), date(2024, 6, 12)),
    "next_offer": (date(2024, 6, 1), date(2024, 6, 25)),
}


@pytest.fixture(scope="module")
def scored(kiosk: Kiosk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores of all tasks as of some days, of which the last has not matured."""
    base = tmp_path_factory.mktemp("monitored")
    for task, days in DAYS.items():
        for day in days:
            score(kiosk.data, task, kiosk.bundle(task), out=base / task, as_of=day, clock=lambda: NOW)
    return base


def _monitor(kiosk: Kiosk, scored: Path, task: str, **settings: object) -> MonitorReport:
    scoring = ScoringConfig(monitor=MonitorConfig(**settings))  # type: ignore[arg-type]
    data = replace(kiosk.data, config=kiosk.data.config.model_copy(update={"scoring": scoring}))
    return monitor(data, task, out=scored / task)


@pytest.mark.parametrize("task", DAYS)
def test_matured_days_are_judged_with_the_targets_of_training(kiosk: Kiosk, scored: Path, task: str) -> None:
    report = _monitor(kiosk, scored, task)
    assert [day.as_of for day in report.days] == list(DAYS[task][:-1])
    assert list(report.waiting) == [DAYS[task][-1]]
    declared = declare(task, kiosk.data.config.task(task))
    snapshots, day = Snapshots(kiosk.data, declared, blocks=()), report.days[0]
    cutoff = midnight(day.as_of, kiosk.data.config.zone)
    if declared.is_planned:
        truth = snapshots.planned(cutoff, cutoff, with_target=True)
    else:
        truth = snapshots.population([cutoff], with_target=True)
    rows = table_of(scored / task / f"as_of={day.as_of}")
    names = {"entity_id": declared.entity, "offer_id": "category"}
    rows = rows.rename_columns([names.get(name, name) for name in rows.column_names])
    joined = rows.join(truth, list(declared.keys), join_type="inner").to_pandas()
    assert day.rows == len(joined) == rows.num_rows
    assert day.metrics["positive_rate"] == joined["target"].mean()
    assert day.metrics["mean_score"] == pytest.approx(rows["score"].to_numpy().mean())
    if task == "next_offer":
        positives = truth.to_pandas().groupby("customer_id")["target"].sum()
        expected = []
        for customer, mine in joined.sort_values("rank").groupby("customer_id"):
            if positives[customer]:
                hits = mine["target"].to_numpy()
                precision = hits.cumsum() / np.arange(1, len(hits) + 1)
                expected.append((precision * hits).sum() / min(3, positives[customer]))
        assert day.metrics["map_at_3"] == pytest.approx(np.mean(expected))
        assert day.metrics["positive_entities"] == len(expected) > 5


def test_alerts_follow_their_limits(kiosk: Kiosk, scored: Path) -> None:
    quiet = _monitor(kiosk, scored, "churn", calibration_error=None, drop=None, least_rows=10)
    assert quiet.alerts == ()
    assert quiet.text.startswith("ok churn as of 2024-06-01: average_precision 0.")
    loud = _monitor(kiosk, scored, "churn", primary_metric=0.999, calibration_error=None, drop=None, least_rows=10)
    assert loud.text.startswith("ALERT churn as of 2024-06-01: average_precision 0.")
    assert loud.text.endswith("under 0.999")
    few = _monitor(kiosk, scored, "churn", primary_metric=0.999, least_rows=10_000)
    assert few.alerts == ()


def test_a_bad_calibration_and_a_fall_are_told(kiosk: Kiosk, tmp_path: Path) -> None:
    wrong = kiosk.bundle("churn")
    good = score(kiosk.data, "churn", wrong, out=tmp_path, as_of=DAYS["churn"][0])
    shifted = wrong.model.calibrator
    tilted = type("Tilted", (), {"apply": lambda self, raw: 1 - shifted.apply(raw) * 0.5, "to_json": shifted.to_json})()
    object.__setattr__(wrong, "model", wrong.model.with_calibrator(tilted))
    score(kiosk.data, "churn", wrong, out=tmp_path, as_of=DAYS["churn"][1])
    report = monitor(kiosk.data, "churn", out=tmp_path)
    assert good.rows > 50
    assert len(report.days) == 2
    assert any("calibration error" in alert and "came true" in alert for alert in report.days[1].alerts)
    assert any("down" in alert and "on the first day" in alert for alert in report.days[1].alerts)


def test_a_damaged_result_is_named(kiosk: Kiosk, tmp_path: Path) -> None:
    report = score(kiosk.data, "churn", kiosk.bundle("churn"), out=tmp_path, as_of=DAYS["churn"][0])
    (report.folder / "part-001.parquet").write_bytes(b"PAR1")
    with pytest.raises(OutputError, match=r"part-001.parquet is cut short .* run the job again, and it is mended"):
        monitor(kiosk.data, "churn", out=tmp_path)


def test_drift_over_days_and_now(kiosk: Kiosk, scored: Path) -> None:
    before = drift(kiosk.data.config, "churn", out=scored / "churn")
    assert [day.as_of for day in before.days] == list(DAYS["churn"])
    now = drift(kiosk.data.config, "churn", look_at(kiosk.data, "churn", kiosk.bundle("churn")), out=scored / "churn")
    assert [day.published for day in now.days] == [True, True, True, False]
    names = [line.name for line in now.lines]
    assert sorted(names) == sorted([*(column.name for column in kiosk.bundle("churn").columns), "score"])
    assert [line.psi for line in now.lines] == sorted((line.psi for line in now.lines), reverse=True)
    assert re.match("(ok|warning|ALERT) churn as of 2024-06-", now.text)
    assert set(now.as_json()["over_time"][names[0]]) == {day.as_of.isoformat() for day in now.days}


def test_drift_without_scores_says_so(kiosk: Kiosk, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no scores are published yet"):
        drift(kiosk.data.config, "churn", out=tmp_path)
    assert monitor(kiosk.data, "churn", out=tmp_path).text == "churn: nothing has matured yet; no scores are published"


def test_pictures(kiosk: Kiosk, scored: Path, tmp_path: Path) -> None:
    for task in DAYS:
        pictures = {
            "drift": drift_picture(drift(kiosk.data.config, task, out=scored / task)),
            "monitor": monitor_picture(_monitor(kiosk, scored, task)),
        }
        for name, picture in pictures.items():
            text = save(picture, tmp_path / f"{task}_{name}.svg").read_text()
            assert text.startswith("<svg")
            assert task in text


# ------------------------------------------------------------------------------------------- metrics
def test_metrics_of_probabilities_by_hand() -> None:
    found = classification(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9]))
    assert found["roc_auc"] == 0.75
    assert found["brier"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert "roc_auc" not in classification(np.zeros(3), np.array([0.1, 0.2, 0.3]))


def test_calibration_error_and_its_chance() -> None:
    score_ = np.repeat(np.linspace(0.05, 0.95, 10), 100)
    exact = (np.tile(np.arange(100), 10) < np.repeat(np.linspace(5, 95, 10), 100)).astype(float)
    assert calibration_error(exact, score_) == pytest.approx(0, abs=1e-12)
    assert calibration_error(np.ones(1000), np.full(1000, 0.4)) == pytest.approx(0.6)
    rng = np.random.default_rng(0)
    limit = chance_of_calibration(score_)
    errors = [calibration_error((rng.random(1000) < score_).astype(float), score_) for _ in range(300)]
    assert np.mean(np.array(errors) > limit) < 0.05
    assert limit < 0.06


def test_metrics_of_lists_by_hand() -> None:
    entity, rank = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 2, 3, 1, 2, 1])
    found = lists(entity, rank, np.array([1.0, 0, 1, 0, 0, 0]), np.array([4.0, 1, 0]), 3)
    assert found["map_at_3"] == pytest.approx(((1 + 2 / 3) / 3 + 0) / 2)
    assert found["recall_at_3"] == pytest.approx((2 / 4 + 0) / 2)
    assert found["positive_entities"] == 2
