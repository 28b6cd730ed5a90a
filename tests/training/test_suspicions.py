"""Suspected leaks stop a training, name the feature and leave no version behind; on purpose it goes on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from training_shop import renamed

from rapport.errors import GateError
from rapport.language.declarations import FeatureColumn
from rapport.registry.versions import aliases
from rapport.training import suspicions as checks
from rapport.training.experiment import train
from rapport.training.suspicions import scoring_rows, suspicions


def with_settings(data, **changed):
    churn = data.config.tasks.churn.model_copy(update=changed)
    tasks = data.config.tasks.model_copy(update={"churn": churn})
    return replace(data, config=data.config.model_copy(update={"tasks": tasks}))


@pytest.fixture(scope="module")
def honest(shop):
    return train(renamed(shop, "suspicions"), "churn", trials=0)


def found(trained, **changed):
    explained = changed.pop("explained", trained.explained)
    return suspicions(trained.material, trained.fitted.model, changed.pop("auc", 0.8), explained)


def test_an_honest_shop_raises_no_alarm(honest):
    assert [alarm for alarm in honest.alarms if alarm.stops] == []


def test_too_good_a_score_stops_the_training_unless_it_is_allowed(shop):
    data = with_settings(renamed(shop, "too_good"), alarm_auc=0.55)
    said = r"AUC 0\.\d+ is above the alarm of 0.55; look first at its strongest feature, .+ \('\w+'\)"
    with pytest.raises(GateError, match=said):
        train(data, "churn", trials=0)
    assert aliases(data.config, "churn") == {}
    trained = train(with_settings(data, allow_suspected_leak=True), "churn", trials=0)
    assert aliases(data.config, "churn") == {"champion": trained.registered.version}
    assert trained.alarms[0].kind == "auc"


def test_a_feature_that_is_gone_when_it_counts_stops(honest, monkeypatch):
    name = honest.fitted.model.columns[0].name
    rows = scoring_rows(honest.material)
    gone = rows.set_column(rows.column_names.index(name), name, pa.nulls(rows.num_rows, pa.float64()))
    monkeypatch.setattr(checks, "scoring_rows", lambda material: gone)
    (alarm,) = [alarm for alarm in found(honest) if alarm.stops]
    assert (alarm.kind, alarm.feature) == ("availability", name)


def test_a_planted_leak_and_a_name_are_found(honest):
    rows = honest.explained
    target = rows["target"].to_numpy()
    names = [f"card {value}" for value in rows[honest.material.task.entity].to_pylist()]
    leak = target * 3 + np.random.default_rng(0).normal(0, 0.3, len(target))
    planted = rows.append_column("leak", pa.array(leak)).append_column("card", pa.array(names))
    columns = (
        *honest.fitted.model.columns,
        FeatureColumn("leak", block="test", family="leak"),
        FeatureColumn("card", block="test", family="card", kind="category"),
    )

    class Planted:
        encoder = type("E", (), {"missing": {**honest.fitted.model.encoder.missing, "leak": 0.0, "card": 0.0}})

    Planted.columns = columns
    scored = scoring_rows(honest.material)
    scored = scored.append_column("leak", pa.array(np.zeros(scored.num_rows)))
    scored = scored.append_column("card", pa.array(["x"] * scored.num_rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "scoring_rows", lambda material: scored)
        alarms = suspicions(honest.material, Planted(), 0.8, planted)
    assert {(alarm.kind, alarm.feature) for alarm in alarms if alarm.stops} == {
        ("separates", "leak"),
        ("overlap", "card"),
    }


def test_rows_to_score_are_those_of_the_end_of_the_data(honest):
    rows = scoring_rows(honest.material, most=50)
    assert rows.num_rows == 50
    assert set(rows["cutoff"].to_pylist()) == {honest.material.data.observed_until}
    assert {column.name for column in honest.material.snapshots.columns} <= set(rows.column_names)


def test_a_simpler_way_that_is_as_good_is_named(honest):
    judgement = honest.judgement
    metric = judgement.grade.metric
    gains = judgement.comparison.gains
    worse = replace(gains["logistic"][metric], estimate=-0.01, low=-0.02, high=0.001)
    better = replace(worse, estimate=0.05, low=0.01, high=0.1)

    def named(value) -> set[str]:
        changed = {name: {**own, metric: value} for name, own in gains.items()}
        comparison = replace(judgement.comparison, gains=changed)
        return set(replace(judgement, comparison=comparison).as_good())

    assert {"prior", "logistic"} < set(gains), "the rule is a rival too"
    assert named(better) == set()
    assert named(worse) == set(gains) - {"prior"}
