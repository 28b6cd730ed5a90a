"""The published benchmarks: their data are read as they should be, and their parts work on small samples."""

from __future__ import annotations

import bank_marketing
import cdnow
import coil2000
import development
import hillstrom
import numpy as np
import pandas as pd
import pytest
import telco


def test_absent_data_are_said_to_be(tmp_path, monkeypatch):
    monkeypatch.delenv("RAPPORT_DATA", raising=False)
    assert development.read("hillstrom") is None
    monkeypatch.setenv("RAPPORT_DATA", str(tmp_path))
    assert development.read("hillstrom") is None
    assert "hillstrom.parquet" in development.skipped("hillstrom")
    for script in (hillstrom, bank_marketing, coil2000, telco):
        with pytest.raises(SystemExit, match="skipped: this needs"):
            script.main()


# ------------------------------------------------------------------------------------------- CDNOW
@pytest.fixture(scope="module")
def sample():
    visits = cdnow.read(sample=True)
    if visits is None:
        pytest.skip("the package lifetimes, which holds the CDNOW data, is not installed")
    return visits


def test_cdnow_sample_is_the_published_one(sample):
    known = cdnow.know(sample, cdnow.VISITS_IN, 39)
    assert len(known.features) == 2357
    assert known.histories.frequency.sum() == 2457
    assert known.coming(sample, cdnow.VISITS_OUT).sum() == 1882
    everyone = cdnow.read()
    assert everyone.customer.nunique() == 23570
    assert set(sample.customer) <= set(everyone.customer)


def test_cdnow_features_know_nothing_later(sample):
    look = cdnow.LOOKS[0]
    early = sample[sample.day <= look]
    pd.testing.assert_frame_equal(cdnow.know(sample, look, 20).features, cdnow.know(early, look, 20).features)


def test_cdnow_model_learns_before_the_day_alone(sample, monkeypatch):
    monkeypatch.setattr(cdnow, "LOOKS", cdnow.LOOKS[2:3])
    now = cdnow.know(sample, cdnow.VISITS_IN, 39).features
    seen = sample[sample.day <= cdnow.VISITS_IN]
    whole, cut = (cdnow.learn_visits(visits, now, 100, seeds=1) for visits in (sample, seen))
    assert (whole == cut).all()
    assert whole.min() >= 0


# ------------------------------------------------------------------------------------------- the others, made up
def test_uplift_of_a_known_effect():
    random = np.random.default_rng(0)
    features = random.normal(size=(4000, 2))
    treated = random.integers(0, 2, 4000)
    chance = 0.2 + 0.25 * treated * (features[:, 0] > 0)
    data = hillstrom.Experiment(features, (random.random(4000) < chance).astype(int), treated)
    found = hillstrom.evaluate(data, repeats=1)
    assert found["uplift at 30 %"][0] > 0.15
    assert found["Qini"][0] > 0.05


def test_bank_split_by_time_learns_from_the_past(monkeypatch):
    seen: list[tuple[int, int]] = []

    def learn(training, target, look):
        seen.append((int(training.index.max()), int(look.index.min())))
        return look["age"].to_numpy(float)

    frame = pd.DataFrame({"age": np.arange(100.0)})
    found = bank_marketing.by_time({"learn": learn}, frame, (np.arange(100) % 3 == 0).astype(float))
    assert seen == [(69, 70)]
    assert found.rows == 30


def test_bank_models_take_numbers_and_words():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"age": random.normal(size=300), "job": random.choice(["a", "b"], 300)})
    target = (frame.age + (frame.job == "a") + random.normal(size=300) > 0.5).to_numpy(float)
    look = frame.assign(job="never seen")
    for fit in (bank_marketing.ours, bank_marketing.defaults):
        assert np.corrcoef(fit(frame, target, look), look.age)[0, 1] > 0.5


def test_coil_scores_find_the_holders():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({f"v{i}": random.integers(0, 4, 600) for i in range(1, 5)})
    target = (random.random(600) < np.where(frame.v2 == 3, 0.6, 0.05)).astype(float)
    look = frame.iloc[:100]
    for name, score in coil2000.SCORES.items():
        assert np.corrcoef(score(frame, target, look), look.v2 == 3)[0, 1] > 0.5, name


def test_coil_choice_has_800_rows():
    rows = pd.read_csv(coil2000.CHOICE).row
    assert len(rows) == rows.nunique() == 800
    assert rows.between(0, 3999).all()
    assert rows.is_monotonic_increasing


# ------------------------------------------------------------------------------------------- telecom contracts
def contracts(customers=2000, seed=0):
    """Customers of whom those with a monthly contract leave early, and say which service they have as the reason."""
    rng = np.random.default_rng(seed)
    monthly = rng.random(customers) < 0.5
    months = np.minimum(1 + rng.exponential(np.where(monthly, 6, 60)), 70).astype(int)
    left = (months < 40) & (rng.random(customers) < 0.8)
    service = rng.choice(["DSL", "Cable"], customers)
    frame = pd.DataFrame({name: rng.choice(["a", "b"], customers) for name in telco.CATEGORIES})
    frame[list(telco.NUMBERS)] = rng.normal(size=(customers, len(telco.NUMBERS)))
    frame["Contract"] = np.where(monthly, "Month-to-Month", "Two Year")
    frame["Internet Type"] = service
    frame["Tenure in Months"] = months
    frame["Customer Status"] = np.where(left, "Churned", "Stayed")
    frame["Churn Category"] = np.where(left, np.where(service == "DSL", "Price", "Competitor"), None)
    return frame


def test_telco_curves_fall_and_find_the_contract():
    rows, time, left = telco.lives(contracts())
    assert time.max() == telco.MONTHS
    assert not left[time == telco.MONTHS].all()
    found = telco.curves(rows, time, left, folds=2)
    assert (np.diff(found[telco.OURS], axis=1) <= 0).all()
    gained = float(telco.gain(found, time, left, telco.KAPLAN, replicates=20).split()[0])
    assert gained > 0.02
    (ours, cox, kaplan) = telco.judged(found, time, left, replicates=5)
    assert ours[0] == telco.OURS
    assert cox[0] == telco.COX
    assert abs(float(kaplan[2].split()[0]) - 0.5) < 0.02  # one curve for all, but for the folds, ranks nobody


def test_telco_reasons_are_found_where_they_are_told():
    label, found = telco.reasons(contracts(), folds=2)
    for probability in found.values():
        assert np.allclose(probability.sum(axis=1), 1)
        assert telco.macro_roc_auc(label, probability) > 0.9
