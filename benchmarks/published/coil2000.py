"""CoIL 2000: which 800 of 4,000 insurance customers have a caravan policy?

    RAPPORT_DATA=... python benchmarks/published/coil2000.py

Data: 5,822 customers with 85 attributes and whether they have a caravan policy (v86), 4,000 more without that answer
(van der Putten & van Someren, "CoIL challenge 2000: the insurance company case", 2000); coil2000_train.parquet and
coil2000_eval.parquet in the folder that RAPPORT_DATA names.

Protocol: learn on the 5,822, choose 800 of the 4,000; how many of their 238 policy holders are among them? The winner
found 121, linear models 118, chance finds 48; the standard deviation of such a number is about 8. The choice is
written to coil2000_choice.csv beside this file, a row number of coil2000_eval.parquet a line, counted from 0. The
answers are not here: what is printed is the cross-validated estimate, from five folds that keep customers of equal
attributes together (there are many, and they would flatter). The 4,000 are only scored.

The score is the mean rank of three: Rapport's boosted trees, its logistic regression, and a naive Bayes on the few
attributes that forward selection by AUC takes (inside each training part, cross-fitted). Of these four the one that
finds most in cross-validation chooses the 800.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from development import read, skipped

from rapport.config import LearnerConfig
from rapport.language.declarations import FeatureColumn
from rapport.models.calibration import entity_folds
from rapport.models.classifier import BoostedClassifier
from rapport.models.logistic import LogisticRegression
from rapport.training.metrics import cumulative_gain, roc_auc

sys.path.append(str(Path(__file__).resolve().parents[1]))
from results import table, write

CHOICE = Path(__file__).resolve().parent / "coil2000_choice.csv"
CHOSEN, HOLDERS, SHARE = 800, 238, 0.2
TARGET = "v86"
LEARNER = LearnerConfig(
    num_leaves=6, n_estimators=150, min_child_samples=60, colsample_bytree=0.4, subsample=0.7, reg_lambda=5
)
PRIOR_ROWS = 5  # a rate of few customers is drawn to the mean as if by so many more
LEAST_AUC = 0.001  # what another attribute must add
Score = Callable[[pd.DataFrame, np.ndarray, pd.DataFrame], np.ndarray]


def _columns(frame: pd.DataFrame) -> tuple[FeatureColumn, ...]:
    return tuple(FeatureColumn(name, "coil", "", "number", "", None, name, "") for name in frame.columns)


def boosted(training: pd.DataFrame, target: np.ndarray, look: pd.DataFrame) -> np.ndarray:
    """Raw scores (m,) of Rapport's boosted trees."""
    model = BoostedClassifier(LEARNER, _columns(training), threads=1)
    model.fit(pa.Table.from_pandas(training, preserve_index=False), target)
    return model.raw_score(pa.Table.from_pandas(look, preserve_index=False))


def logistic(training: pd.DataFrame, target: np.ndarray, look: pd.DataFrame) -> np.ndarray:
    """Scores (m,) of Rapport's logistic regression."""
    model = LogisticRegression(_columns(training))
    model.fit(pa.Table.from_pandas(training, preserve_index=False), target, groups=np.arange(len(target)))
    return model.score(pa.Table.from_pandas(look, preserve_index=False))


def evidence(values: pd.Series, target: np.ndarray, look: pd.Series) -> np.ndarray:
    """Log of the rate of positives among equals, against the rate of all, for the values of `look` (m,)."""
    rate = target.mean()
    counted = pd.DataFrame({"value": values.to_numpy(), "y": target}).groupby("value")["y"].agg(["sum", "count"])
    rates = (counted["sum"] + PRIOR_ROWS * rate) / (counted["count"] + PRIOR_ROWS)
    return np.log(look.map(rates).fillna(rate).to_numpy() / rate)


def naive_bayes(training: pd.DataFrame, target: np.ndarray, look: pd.DataFrame) -> np.ndarray:
    """Sum (m,) of the evidence of the attributes that forward selection takes."""
    crossed = {name: np.zeros(len(target)) for name in training.columns}
    for rest, fold in entity_folds(np.arange(len(target)), folds=4):
        for name, found in crossed.items():
            found[fold] = evidence(training[name].iloc[rest], target[rest], training[name].iloc[fold])
    taken: list[str] = []
    total, reached = np.zeros(len(target)), 0.5
    while len(taken) < len(crossed):
        best, name = max((roc_auc(target, total + found), name) for name, found in crossed.items() if name not in taken)
        if best < reached + LEAST_AUC:
            break
        taken.append(name)
        total, reached = total + crossed[name], best
    return sum((evidence(training[name], target, look[name]) for name in taken), np.zeros(len(look)))


def all_three(training: pd.DataFrame, target: np.ndarray, look: pd.DataFrame) -> np.ndarray:
    """Mean rank (m,) of the three."""
    scores = [score(training, target, look) for score in (boosted, logistic, naive_bayes)]
    return np.mean([pd.Series(score).rank(pct=True) for score in scores], axis=0)


SCORES: dict[str, Score] = {
    "boosted trees": boosted,
    "logistic regression": logistic,
    "naive Bayes, few attributes": naive_bayes,
    "mean rank of the three": all_three,
}


def cross_validated(frame: pd.DataFrame, target: np.ndarray, repeats: int = 3) -> dict[str, list[float]]:
    """Hits among the top 20 %, as of 238 holders, by score and repeat."""
    same = frame.groupby(list(frame.columns), sort=False).ngroup().to_numpy()
    hits: dict[str, list[float]] = {name: [] for name in SCORES}
    for repeat in range(repeats):
        ranks = {name: np.empty(len(target)) for name in SCORES}
        for rest, fold in entity_folds(same, seed=repeat):
            for name, score in SCORES.items():
                found = score(frame.iloc[rest], target[rest], frame.iloc[fold])
                ranks[name][fold] = pd.Series(found).rank(pct=True)
        for name, rank in ranks.items():
            hits[name].append(HOLDERS * cumulative_gain(target, rank, SHARE))
    return hits


def choose(score: Score, frame: pd.DataFrame, target: np.ndarray, look: pd.DataFrame) -> np.ndarray:
    """The rows of `look` with the highest scores, in order of their numbers."""
    order = np.argsort(-score(frame, target, look), kind="stable")
    return np.sort(order[:CHOSEN])


def main() -> None:
    training, look = read("coil2000_train"), read("coil2000_eval")
    if training is None or look is None:
        sys.exit(skipped("coil2000_train.parquet and coil2000_eval"))
    target = training.pop(TARGET).to_numpy(float)
    hits = cross_validated(training, target)
    best = max(hits, key=lambda name: float(np.mean(hits[name])))
    rows = choose(SCORES[best], training, target, look)
    CHOICE.write_text("row\n" + "\n".join(str(row) for row in rows) + "\n", encoding="utf-8")
    shown = [
        [name, f"{np.mean(found):.1f}", f"{np.min(found):.1f} to {np.max(found):.1f}"] for name, found in hits.items()
    ]
    known = [["winner of the challenge (evaluation rows)", "121", ""], ["linear (evaluation rows)", "118", ""]]
    text = table(["score", "hits of 238 in the top 20 %", "over repeats"], [*shown, *known, ["chance", "48", ""]])
    about = (
        f"Estimates from five folds of the {len(target):,} training customers, as of {HOLDERS} holders; a number like "
        f"this varies by about 8 from one set of customers to the next. Chosen by: {best}. The {CHOSEN} numbers are "
        "in `benchmarks/published/coil2000_choice.csv`, counted from 0; the answers are held elsewhere."
    )
    print(text, about, sep="\n")
    write(
        "Published: CoIL 2000", "python benchmarks/published/coil2000.py", text, about, packages=("rapport", "lightgbm")
    )


if __name__ == "__main__":
    main()
