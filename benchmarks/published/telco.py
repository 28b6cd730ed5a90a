"""Time to leave under contract, and why: customers of a telecom company, beside Kaplan-Meier and hazards.

    python benchmarks/published/telco.py          (with RAPPORT_DATA)

Data: 7,043 customers of a telecom company with their months of tenure, whether they left, and for 1,869 the category of
their reason. It is a vendor's sample and FICTIONAL: it holds the methods against peers on the shape of contractual data
(one row a customer, tenure, censoring), and says nothing of a market. Attributes are those of the last month seen, so
that a forecast from the first day on is flattered alike for all methods. What grows with tenure (totals, refunds,
referrals, offers by date) is left out; the time itself is the months of tenure, and who has not left is censored there.

Protocol: random 5-fold cross-validation, each customer's curve over 24 months by models that have not seen him. Ours is
Rapport's hazard model with its default learner; peers are Kaplan-Meier and proportional hazards (a Poisson regression
of scikit-learn on rows and months). Integrated Brier score and concordance with censoring weighed (see
`rapport.training.metrics.survival`), the gap of calibration at 3, 6, 12 and 24 months. The reasons: the same folds over
those who left, macro-averaged AUC of the five categories, beside naive Bayes. Intervals: bootstrap over customers.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from development import read, skipped
from sklearn.model_selection import KFold

from rapport.config import LearnerConfig
from rapport.language.declarations import FeatureColumn
from rapport.models.classifier import BoostedClassifier, out_of_fold_scores
from rapport.models.encoding import Encoder
from rapport.models.hazard import HazardModel, Periods, fit_trees
from rapport.models.one_of_several import OneOfSeveral, Scaling
from rapport.models.proportional_hazards import ProportionalHazards
from rapport.training.metrics.survival import calibration_gap, concordance, integrated_brier, kaplan_meier
from rapport.training.severally import macro_roc_auc

sys.path.append(str(Path(__file__).resolve().parents[1]))
from results import table, write

MONTHS, HORIZONS, REPLICATES = 24, (3, 6, 12, 24), 200
NUMBERS = (
    "Age",
    "Number of Dependents",
    "Avg Monthly Long Distance Charges",
    "Avg Monthly GB Download",
    "Monthly Charge",
)
CATEGORIES = (
    "Gender", "Married", "Phone Service", "Multiple Lines", "Internet Service", "Internet Type", "Online Security",
    "Online Backup", "Device Protection Plan", "Premium Tech Support", "Streaming TV", "Streaming Movies",
    "Streaming Music", "Unlimited Data", "Contract", "Paperless Billing", "Payment Method",
)  # fmt: skip
COLUMNS = tuple(FeatureColumn(name, "telco", name, "number") for name in NUMBERS) + tuple(
    FeatureColumn(name, "telco", name, "category") for name in CATEGORIES
)
OURS, COX, KAPLAN = "ours", "proportional hazards", "Kaplan-Meier"
Curves = dict[str, np.ndarray]


def lives(customers: pd.DataFrame) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """The attributes (n rows), months until somebody left or was last seen (n,), and whether he left then (n,)."""
    months = customers["Tenure in Months"].to_numpy()
    left = (customers["Customer Status"] == "Churned").to_numpy() & (months <= MONTHS)
    return attributes(customers), np.minimum(months, MONTHS).astype(np.int64), left


def attributes(customers: pd.DataFrame) -> pa.Table:
    """The features of customers."""
    frame = customers[[*NUMBERS, *CATEGORIES]].copy()
    frame[list(NUMBERS)] = frame[list(NUMBERS)].astype(float)
    return pa.Table.from_pandas(frame, preserve_index=False)


# ------------------------------------------------------------------------------------------- when
def curves(rows: pa.Table, time: np.ndarray, left: np.ndarray, folds: int = 5) -> Curves:
    """P(still there at the end of each month), (n, months), by method, each row by models that have not seen it."""
    found = {name: np.empty((len(time), MONTHS)) for name in (OURS, COX, KAPLAN)}
    for fit, look in KFold(folds, shuffle=True, random_state=0).split(time):
        training, looked = rows.take(pa.array(fit)), rows.take(pa.array(look))
        periods = Periods.of(time[fit], left[fit])
        found[OURS][look] = hazards(training, periods).curves(looked)
        found[COX][look] = ProportionalHazards.fit(COLUMNS, training, periods, MONTHS).curves(looked)
        found[KAPLAN][look] = kaplan_meier(time[fit], left[fit], MONTHS)
    return found


def hazards(rows: pa.Table, periods: Periods) -> HazardModel:
    """Rapport's hazard model, calibrated on months that its trees have not seen."""
    learner, encoder = LearnerConfig(), Encoder.fit(COLUMNS, rows)
    matrix, owners = encoder.encode(rows), np.arange(rows.num_rows)

    def model_of(chosen: Periods, rounds: int | None) -> HazardModel:
        text = fit_trees(learner, encoder, matrix, chosen, owners, threads=1, rounds=rounds)
        return HazardModel(encoder, text, 1, HORIZONS, threads=1)

    model = model_of(periods, None)
    raw = np.empty(len(periods.row))
    for fold in np.array_split(np.random.default_rng(0).permutation(rows.num_rows), 3):
        mine = np.isin(periods.row, fold)
        raw[mine] = model_of(periods.take(~mine), model.rounds).raw_hazards(matrix, periods.take(mine))
    return model.calibrated(raw, periods.left)


def judged(found: Curves, time: np.ndarray, left: np.ndarray, replicates: int = REPLICATES) -> list[list[str]]:
    """A row for each method: integrated Brier score and concordance with their intervals, gaps of calibration."""
    rng = np.random.default_rng(0)
    draws = [rng.multinomial(len(time), np.full(len(time), 1 / len(time))).astype(float) for _ in range(replicates)]
    rows = []
    for name, s in found.items():
        measures = (
            lambda w, s=s: integrated_brier(time, left, s, w),
            lambda w, s=s: concordance(time, left, 1 - s[:, -1], MONTHS, w),
        )
        texts = [interval(measure(None), [measure(w) for w in draws]) for measure in measures]
        gaps = [f"{calibration_gap(time, left, s[:, month - 1], month):.3f}" for month in HORIZONS]
        rows.append([name, *texts, *gaps])
    return rows


def gain(found: Curves, time: np.ndarray, left: np.ndarray, peer: str, replicates: int = REPLICATES) -> str:
    """By how much our integrated Brier score lies below a peer's, with a paired interval."""
    rng = np.random.default_rng(0)
    draws = [rng.multinomial(len(time), np.full(len(time), 1 / len(time))).astype(float) for _ in range(replicates)]

    def better(w: np.ndarray | None) -> float:
        return integrated_brier(time, left, found[peer], w) - integrated_brier(time, left, found[OURS], w)

    return f"{interval(better(None), [better(w) for w in draws], '+.4f')} over {peer}"


def interval(value: float, again: list[float], shape: str = ".3f") -> str:
    """A value with the 95 % interval of its bootstrap."""
    low, high = np.quantile(again, (0.025, 0.975))
    return f"{value:{shape}} ({low:{shape}} to {high:{shape}})"


# ------------------------------------------------------------------------------------------- why
def reasons(customers: pd.DataFrame, folds: int = 5) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    """The category of each who left (n,), and its probabilities (n, k) by method."""
    gone = customers[customers["Churn Category"].notna()]
    names, label = np.unique(gone["Churn Category"], return_inverse=True)
    rows = attributes(gone)
    found = {name: np.empty((len(label), len(names))) for name in (OURS, "naive Bayes")}
    for fit, look in KFold(folds, shuffle=True, random_state=0).split(label):
        training, looked = rows.take(pa.array(fit)), rows.take(pa.array(look))
        found[OURS][look] = causes(training, label[fit], list(names)).probabilities(looked)
        found["naive Bayes"][look] = naive_bayes(training, label[fit], looked)
    return label, found


def causes(rows: pa.Table, label: np.ndarray, names: list[str]) -> OneOfSeveral:
    """Rapport's model of one of several, small trees for few rows."""
    learner = LearnerConfig(n_estimators=60, num_leaves=5, learning_rate=0.05)
    models, raw = [], np.empty((len(label), len(names)))
    for number in range(len(names)):
        target = (label == number).astype(float)
        models.append(BoostedClassifier(learner, COLUMNS, threads=1).fit(rows, target))
        raw[:, number] = out_of_fold_scores(models[-1], rows, target, np.arange(len(label)))
    return OneOfSeveral(names, models, Scaling.fit(raw, label))


def naive_bayes(training: pa.Table, label: np.ndarray, looked: pa.Table) -> np.ndarray:
    """Probabilities (m, k) of a naive Bayes over the categories and numbers in fifths."""
    from sklearn.naive_bayes import CategoricalNB

    fit, look = training.to_pandas(), looked.to_pandas()
    for name in NUMBERS:
        edges = fit[name].quantile([0.2, 0.4, 0.6, 0.8]).to_numpy()
        fit[name], look[name] = np.searchsorted(edges, fit[name]), np.searchsorted(edges, look[name])
    both = pd.concat([fit, look]).astype(object).fillna("none").apply(lambda column: pd.factorize(column)[0]).to_numpy()
    model = CategoricalNB(min_categories=both.max(axis=0) + 1)
    return np.asarray(model.fit(both[: len(fit)], label).predict_proba(both[len(fit) :]))


def main() -> None:
    customers = read("telco_reasons")
    if customers is None:
        sys.exit(skipped("telco_reasons"))
    rows, time, left = lives(customers)
    found = curves(rows, time, left)
    gaps = [f"gap at {month} months" for month in HORIZONS]
    when = table(["method", "integrated Brier score", "concordance", *gaps], judged(found, time, left))
    falling = "fall for every customer" if bool((np.diff(found[OURS], axis=1) <= 0).all()) else "DO NOT ALL FALL"
    about = (
        f"{len(time):,} customers, {left.sum():,} left within {MONTHS} months; the data are fictional. Our integrated "
        f"Brier score is better by {gain(found, time, left, KAPLAN)}, by {gain(found, time, left, COX)}. Our curves "
        f"{falling}."
    )
    label, probability = reasons(customers)
    rng = np.random.default_rng(0)
    draws = [rng.multinomial(len(label), np.full(len(label), 1 / len(label))) for _ in range(REPLICATES)]
    lines = [
        [name, interval(macro_roc_auc(label, p), [macro_roc_auc(label, p, w) for w in draws])]
        for name, p in probability.items()
    ]
    why = table(["reason for leaving, five categories", "macro-averaged AUC"], lines)
    print(when, about, why, sep="\n\n")
    command = "python benchmarks/published/telco.py"
    few = f"{len(label):,} who left gave a reason; an AUC of .5 means that their attributes do not tell it."
    write("Published: telecom contracts", command, when, about, why, few, packages=("rapport", "lightgbm"))


if __name__ == "__main__":
    main()
