"""What every model must be able to do. A new model adds one line to MODELS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from rapport.config import LearnerConfig
from rapport.errors import ModelError
from rapport.language.declarations import FeatureColumn
from rapport.models.calibration import choose_calibrator
from rapport.models.classifier import BoostedClassifier

COLUMNS = (
    FeatureColumn("recency", "rhythm", "recency", unit="days"),
    FeatureColumn("visits", "rhythm", "frequency", unit="count"),
    FeatureColumn("empty", "profile", "empty"),
    FeatureColumn("region", "profile", "region", kind="category"),
    FeatureColumn("unheard", "profile", "unheard", kind="category"),
)


@dataclass(frozen=True)
class Case:
    """How to make one kind of model, unfitted, and how to read it back."""

    make: Callable[[], Any]
    load: Callable[[Path], Any]
    config: Any


LEARNER = LearnerConfig(n_estimators=25, learning_rate=0.2)
STARTED = LEARNER.model_copy(update={"linear_penalty": 50.0})
MODELS = {
    "boosted_classifier": Case(
        lambda: BoostedClassifier(LEARNER, COLUMNS, seed=1, threads=1), BoostedClassifier.load, LEARNER
    ),
    "boosted_classifier on sampled negatives": Case(
        lambda: BoostedClassifier(LEARNER, COLUMNS, seed=1, threads=1, negative_share=0.3),
        BoostedClassifier.load,
        LEARNER,
    ),
    "boosted_classifier from a linear start": Case(
        lambda: BoostedClassifier(STARTED, COLUMNS, seed=1, threads=1), BoostedClassifier.load, STARTED
    ),
}


@pytest.fixture(params=MODELS)
def case(request: pytest.FixtureRequest) -> Case:
    return MODELS[request.param]


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = np.random.default_rng(0)
    rows = 1_500
    return pa.table(
        {
            "customer_id": np.arange(rows) // 3,
            "region": pa.array(rng.choice(["n", "s", "e"], rows), mask=rng.random(rows) < 0.1),
            "visits": pa.array(rng.poisson(3, rows), mask=rng.random(rows) < 0.1),
            "recency": rng.exponential(20, rows),
            "empty": pa.nulls(rows, pa.float64()),
            "unheard": pa.nulls(rows, pa.string()),
        }
    )


@pytest.fixture(scope="module")
def target(table: pa.Table) -> np.ndarray:
    return (np.random.default_rng(1).random(table.num_rows) < table["recency"].to_numpy() / 60).astype(np.int8)


def test_config_survives_json_and_refuses_unknown_keys(case: Case) -> None:
    kind = type(case.config)
    assert kind.model_validate_json(case.config.model_dump_json()) == case.config
    with pytest.raises(ValidationError, match="colour"):
        kind.model_validate(case.config.model_dump() | {"colour": "red"})
    with pytest.raises(ValidationError, match="frozen"):
        case.config.seed = 7


def test_fit_leaves_its_input_alone_and_returns_the_model(case: Case, table: pa.Table, target: np.ndarray) -> None:
    before_table, before_target = table.to_pylist(), target.copy()
    model = case.make()
    assert model.fit(table, target) is model
    assert table.to_pylist() == before_table
    np.testing.assert_array_equal(target, before_target)


def test_fitted_twice_it_is_the_same_model(case: Case, table: pa.Table, target: np.ndarray) -> None:
    model = case.make().fit(table, target)
    first = model.raw_score(table)
    np.testing.assert_array_equal(model.fit(table, target).raw_score(table), first)
    np.testing.assert_array_equal(case.make().fit(table, target).raw_score(table), first)


def test_saved_and_loaded_it_is_the_same_model(case: Case, table: pa.Table, target: np.ndarray, tmp_path: Path) -> None:
    model = case.make().fit(table, target)
    raw = model.raw_score(table)
    model = model.with_calibrator(choose_calibrator(raw, target, table["customer_id"]))
    model.save(tmp_path)
    again = case.load(tmp_path)
    assert again.columns == model.columns
    for output in ("encode", "raw_score", "predict", "contributions"):
        np.testing.assert_array_equal(getattr(again, output)(table), getattr(model, output)(table), output)
    assert not any(path.read_bytes().startswith(b"\x80") for path in tmp_path.iterdir())
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".txt"}


def test_shapes_and_ranges(case: Case, table: pa.Table, target: np.ndarray) -> None:
    model = case.make().fit(table, target)
    rows = table.num_rows
    matrix, raw, probability = model.encode(table), model.raw_score(table), model.predict(table)
    contributions = model.contributions(table)
    assert (matrix.shape, matrix.dtype, matrix.flags.c_contiguous) == ((rows, 5), np.float64, True)
    assert (raw.shape, raw.dtype) == ((rows,), np.float64)
    assert ((probability > 0) & (probability < 1)).all()
    assert contributions.shape == (rows, 6)
    np.testing.assert_allclose(contributions.sum(axis=1), raw, atol=1e-10)
    assert (contributions[:, [2, 4]] == 0).all()
    order = np.argsort(raw, kind="stable")
    assert (np.diff(probability[order]) >= 0).all()


def test_rows_are_scored_one_by_one(case: Case, table: pa.Table, target: np.ndarray) -> None:
    model = case.make().fit(table, target)
    shuffled = np.random.default_rng(2).permutation(table.num_rows)
    np.testing.assert_array_equal(model.predict(table.take(pa.array(shuffled))), model.predict(table)[shuffled])
    np.testing.assert_array_equal(model.predict(table[7:8]), model.predict(table)[7:8])
    assert model.predict(table[:0]).shape == (0,)


def test_new_and_missing_values_are_scored_alike(case: Case, table: pa.Table, target: np.ndarray) -> None:
    model = case.make().fit(table, target)
    place = table.schema.get_field_index("region")
    new = table.set_column(place, "region", pa.array(["never seen"] * table.num_rows))
    missing = table.set_column(place, "region", pa.nulls(table.num_rows, pa.string()))
    np.testing.assert_array_equal(model.predict(new), model.predict(missing))


def test_faults_name_the_feature(case: Case, table: pa.Table, target: np.ndarray) -> None:
    model = case.make()
    with pytest.raises(ModelError, match="not fitted"):
        model.raw_score(table)
    model.fit(table, target)
    with pytest.raises(ModelError, match="'visits' is missing"):
        model.raw_score(table.drop_columns("visits"))
    with pytest.raises(ModelError, match="'recency' must be a number"):
        model.raw_score(table.set_column(3, "recency", table["recency"].cast(pa.string())))
    with pytest.raises(ModelError, match="no positives or no negatives"):
        case.make().fit(table, np.ones(table.num_rows))
