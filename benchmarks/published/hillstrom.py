"""Hillstrom's e-mail experiment: what two plain regressions find, as the mark that uplift models must pass.

    RAPPORT_DATA=... python benchmarks/published/hillstrom.py

Data: 64,000 customers of a retailer in three random arms, visits within two weeks (Hillstrom, "The MineThatData e-mail
analytics and data mining challenge", 2008); hillstrom.parquet in the folder that RAPPORT_DATA names. Here the arm of
the women's e-mail against no e-mail (42,693 customers), target `visit`.

Protocol: 5 x 2 cross-validation, stratified by arm and target, attributes one-hot and standardised. The two-model
logistic regression fits one regression an arm and scores the difference of both probabilities. Published for it: Qini
.062, AUUC .029, uplift at 30 % .071, with standard deviations of .005 to .012 over the ten halves. Qini and AUUC are
those of `rapport.training.metrics.uplift`: normalised by the perfect curve, so that 1 cannot be reached.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from development import read, skipped
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from rapport.training.metrics import auuc, qini, uplift_at

sys.path.append(str(Path(__file__).resolve().parents[1]))
from results import table, write

PUBLISHED = {"Qini": 0.062, "AUUC": 0.029, "uplift at 30 %": 0.071}
Scores = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Experiment:
    """Attributes (n, p), target and treatment (n,) of 0 and 1."""

    features: np.ndarray
    target: np.ndarray
    treated: np.ndarray


def load(arm: str = "Womens E-Mail", target: str = "visit") -> Experiment | None:
    """One arm of the experiment against no e-mail; None where the file is absent."""
    frame = read("hillstrom")
    if frame is None:
        return None
    frame = frame[frame.segment.isin([arm, "No E-Mail"])]
    columns = pd.get_dummies(frame.drop(columns=["segment", "visit", "conversion", "spend"]), dtype=float)
    features = ((columns - columns.mean()) / columns.std()).to_numpy()
    return Experiment(features, frame[target].to_numpy(), (frame.segment == arm).to_numpy().astype(int))


def halves(data: Experiment, repeats: int = 5) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Row numbers to fit on and to look at: 5 x 2 cross-validation."""
    for repeat in range(repeats):
        splitter = StratifiedKFold(2, shuffle=True, random_state=repeat)
        yield from splitter.split(data.features, 2 * data.target + data.treated)


def two_models(features: np.ndarray, target: np.ndarray, treated: np.ndarray, look: np.ndarray) -> np.ndarray:
    """Difference of the probabilities of two logistic regressions, one an arm, (m,) for the rows of `look`."""
    chance = [
        LogisticRegression(max_iter=1000)
        .fit(features[treated == arm], target[treated == arm])
        .predict_proba(look)[:, 1]
        for arm in (1, 0)
    ]
    return chance[0] - chance[1]


def evaluate(data: Experiment, scores: Scores = two_models, repeats: int = 5) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation over the halves of each measure."""
    found = []
    for fit, look in halves(data, repeats):
        effect = scores(data.features[fit], data.target[fit], data.treated[fit], data.features[look])
        judged = (data.target[look], effect, data.treated[look])
        found.append((qini(*judged), auuc(*judged), uplift_at(*judged)))
    mean, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    return {name: (float(mean[i]), float(spread[i])) for i, name in enumerate(PUBLISHED)}


def main() -> None:
    data = load()
    if data is None:
        sys.exit(skipped("hillstrom"))
    found = evaluate(data)
    rows = [[name, mean, spread, f"{PUBLISHED[name]:.3f}"] for name, (mean, spread) in found.items()]
    text = table(["two-model logistic regression", "mean", "standard deviation", "published"], rows)
    about = f"{len(data.target):,} customers, women's e-mail against none, visit; ten halves."
    print(about, text, sep="\n")
    command = "python benchmarks/published/hillstrom.py"
    write("Published: Hillstrom e-mail", command, about, text, packages=("rapport", "scikit-learn"))


if __name__ == "__main__":
    main()
