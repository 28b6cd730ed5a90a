"""Bank marketing: the same model judged by random folds and by time, so that nobody is fooled by the first.

    RAPPORT_DATA=... python benchmarks/published/bank_marketing.py

Data: 45,211 calls of a Portuguese bank in the order of their dates, May 2008 to November 2010, target `y`: the
customer subscribes a deposit (Moro, Cortez & Rita, "A data-driven approach to predict the success of bank
telemarketing", Decision Support Systems 62, 2014); bank_full.parquet in the folder that RAPPORT_DATA names. `duration`,
the length of the call, is known only after the call: a leak, left out but for the line that shows what it does.

Protocol: AUC over all rows by random stratified 5-fold cross-validation; AUC on the last 30 % of the calls after
training on the first 70 %. Known for LightGBM without `duration`: .804 random, .633 by time. The calls are no random
draw from one world: 6 % of the first 70 % subscribed, 25 % of the last 30 %.

Ours is Rapport's classifier as it is, with the same hyperparameters in both protocols (chosen by random folds), its
number of trees found by 5 folds inside each training part. LightGBM runs with its defaults on the same rows. Intervals
and gains: bootstrap over calls.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
from development import read, skipped
from sklearn.model_selection import StratifiedKFold

from rapport.config import LearnerConfig
from rapport.language.declarations import FeatureColumn
from rapport.models.calibration import entity_folds
from rapport.models.classifier import BoostedClassifier
from rapport.training.evaluate import Comparison, bootstrap

sys.path.append(str(Path(__file__).resolve().parents[1]))
from results import table, write

LEAK, TARGET = "duration", "y"
TRAINED = 0.7
LEARNER = LearnerConfig(
    num_leaves=31, max_depth=8, min_child_samples=20, colsample_bytree=0.4, cat_smooth=5, cat_l2=2, n_estimators=1500
)
PUBLISHED = {"random": ".804", "time": ".633"}
Fit = Callable[[pd.DataFrame, np.ndarray, pd.DataFrame], np.ndarray]


def ours(training: pd.DataFrame, target: np.ndarray, look: pd.DataFrame) -> np.ndarray:
    """Raw scores (m,) of Rapport's classifier for the rows of `look`."""
    columns = tuple(
        FeatureColumn(name, "bank", "", "number" if kind.kind in "if" else "category", "", None, name, "")
        for name, kind in training.dtypes.items()
    )
    rows = pa.Table.from_pandas(training, preserve_index=False)
    rounds = []
    for rest, fold in entity_folds(np.arange(len(target))):
        model = BoostedClassifier(LEARNER, columns, threads=1)
        held_out = (rows.take(pa.array(fold)), target[fold])
        rounds.append(model.fit(rows.take(pa.array(rest)), target[rest], validation=held_out).rounds)
    learner = LEARNER.model_copy(update={"n_estimators": int(np.mean(rounds))})
    model = BoostedClassifier(learner, columns, threads=1).fit(rows, target)
    return model.raw_score(pa.Table.from_pandas(look, preserve_index=False))


def defaults(training: pd.DataFrame, target: np.ndarray, look: pd.DataFrame) -> np.ndarray:
    """Probabilities (m,) of LightGBM with its defaults for the rows of `look`."""
    model = lgb.LGBMClassifier(n_jobs=1, verbose=-1)
    text = [name for name, kind in training.dtypes.items() if kind.kind not in "if"]
    known = {name: pd.CategoricalDtype(sorted(set(training[name]) | set(look[name]))) for name in text}
    return model.fit(training.astype(known), target).predict_proba(look.astype(known))[:, 1]


def random_folds(fits: dict[str, Fit], frame: pd.DataFrame, target: np.ndarray) -> Comparison:
    """All models on all rows, each row scored by a model that has not seen it."""
    scores = {name: np.empty(len(target)) for name in fits}
    for fit, look in StratifiedKFold(5, shuffle=True, random_state=0).split(frame, target):
        for name, learn in fits.items():
            scores[name][look] = learn(frame.iloc[fit], target[fit], frame.iloc[look])
    return bootstrap(["roc_auc"], target, scores, np.arange(len(target)))


def by_time(fits: dict[str, Fit], frame: pd.DataFrame, target: np.ndarray) -> Comparison:
    """All models on the last 30 % of the rows, trained on those before."""
    border = int(TRAINED * len(target))
    scores = {name: learn(frame.iloc[:border], target[:border], frame.iloc[border:]) for name, learn in fits.items()}
    return bootstrap(["roc_auc"], target[border:], scores, np.arange(len(target) - border))


def main() -> None:
    data = read("bank_full")
    if data is None:
        sys.exit(skipped("bank_full"))
    target = (data[TARGET] == "yes").to_numpy(float)
    honest = data.drop(columns=[TARGET, LEAK])
    fits: dict[str, Fit] = {"ours": ours, "LightGBM, defaults": defaults}
    found = {"random": random_folds(fits, honest, target), "time": by_time(fits, honest, target)}
    leaking = {"LightGBM, defaults, with `duration` (a leak)": defaults}
    with_leak = data.drop(columns=TARGET)
    leaked = {"random": random_folds(leaking, with_leak, target), "time": by_time(leaking, with_leak, target)}
    rows: list[list[object]] = [["LightGBM, known", PUBLISHED["random"], PUBLISHED["time"]]]
    for comparisons in (found, leaked):
        for name in comparisons["random"].estimates:
            both = [comparisons[protocol].estimates[name]["roc_auc"] for protocol in ("random", "time")]
            rows.append([name, *(f"{auc.estimate:.4f} ({auc.low:.4f} to {auc.high:.4f})" for auc in both)])
    text = table(["AUC", "random 5-fold", "last 30 % by time"], rows)
    gains = {name: each.gains["LightGBM, defaults"]["roc_auc"] for name, each in found.items()}
    said = "; ".join(
        f"{name} {gain.estimate:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})" for name, gain in gains.items()
    )
    about = f"{len(target):,} calls. Gain of ours over LightGBM's defaults: {said}."
    print(text, about, sep="\n")
    command = "python benchmarks/published/bank_marketing.py"
    write("Published: bank marketing", command, text, about, packages=("rapport", "lightgbm"))


if __name__ == "__main__":
    main()
