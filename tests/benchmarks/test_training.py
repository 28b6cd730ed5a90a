"""The benchmark of tuning, small: its data are what they should be, and its report holds together."""

from __future__ import annotations

import numpy as np
import pytest

import training


@pytest.fixture(scope="module")
def data():
    return training.make(4_000, 30, 5, 500)


def test_the_data_have_the_asked_for_shape(data):
    assert [part.num_rows for part, _ in (data.fit, data.look, data.test)] == [3_200, 800, 500]
    assert [column.kind for column in data.columns].count("category") == 5
    assert 0.05 < data.fit[1].mean() < 0.4
    missing = data.fit[0]["number_0"].null_count / 3_200
    assert missing == pytest.approx(0.1, abs=0.03)
    assert data.fit[0].equals(training.make(4_000, 30, 5, 500).fit[0])


def test_all_methods_are_measured_on_the_same_rows(data):
    seconds, found = training.compare(data, trials=2, sample=1_000, replicates=20)
    assert set(seconds) == set(found.estimates) == {training.OURS, training.PLAIN, training.DEFAULTS}
    assert found.rows == 500
    assert all(found.estimates[name]["roc_auc"].estimate > 0.55 for name in seconds)
    text, said = training.report(seconds, found)
    losses = {name: found.estimates[name]["log_loss"].estimate for name in seconds}
    assert found.gains[training.PLAIN]["log_loss"].estimate == pytest.approx(
        losses[training.PLAIN] - losses[training.OURS]
    )
    assert f"{losses[training.OURS]:.4f}" in text
    assert "of the plain study's CPU seconds" in said
    assert np.isfinite(list(losses.values())).all()
