"""A model with features of a data scientist's own file scores with the same file beside the configuration only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from kiosk import Kiosk, table_of, train_small

from rapport.data.dataset import Dataset
from rapport.errors import ModelError
from rapport.models.bundle import load_bundle
from rapport.scoring.batch import score

TEXT = """
from rapport.features.own import computed, feature
from rapport.language.declarations import Column, Count, Visits

dear = feature(Count(last=60, where=Column("amount") > 3), "items of more than 3 in the last 60 days", unit="count")

@computed("transactions", definition="visits in the last 60 days, squared")
def squared(visible, spine):
    return visible.values("transactions", Visits(last=60), spine) ** 2
"""


def with_file(kiosk: Kiosk, folder: Path, text: str | None) -> Dataset:
    if text is not None:
        (folder / "my_features.py").write_text(text, encoding="utf-8")
    named = () if text is None else ("my_features.py",)
    return replace(kiosk.data, config=kiosk.data.config.model_copy(update={"features": named, "folder": folder}))


def test_own_features_are_trained_and_scored_with_their_file_alone(kiosk: Kiosk, out: Path, tmp_path: Path) -> None:
    data = with_file(kiosk, tmp_path, TEXT)
    train_small(data, "churn", tmp_path / "model")
    assert not list((tmp_path / "model").rglob("*.py"))
    bundle = load_bundle(tmp_path / "model", threads=1)
    assert {"dear", "squared"} <= {column.name for column in bundle.columns}
    found = table_of(score(data, "churn", bundle, out=out).folder)
    assert found.num_rows > 50
    with pytest.raises(ModelError, match=r"trained with own features of my_features.py, which this configuration does"):
        score(with_file(kiosk, tmp_path, None), "churn", bundle, out=out)
    with pytest.raises(ModelError, match=r"my_features.py is not the file with which the model was trained"):
        score(with_file(kiosk, tmp_path, TEXT.replace("> 3", "> 4")), "churn", bundle, out=out)
