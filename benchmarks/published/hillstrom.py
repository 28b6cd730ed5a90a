"""Hillstrom's e-mail experiment: what two plain regressions find, and what meta-learners find beside them.

    RAPPORT_DATA=... python benchmarks/published/hillstrom.py

Data: 64,000 customers of a retailer in three random arms, visits within two weeks (Hillstrom, "The MineThatData e-mail
analytics and data mining challenge", 2008); hillstrom.parquet in the folder that RAPPORT_DATA names. Here the arm of
the women's e-mail against no e-mail (42,693 customers), target `visit`, and then the men's, in which there is almost
nothing to find: the men's e-mail moves nearly everybody alike.

Protocol: 5 x 2 cross-validation, stratified by arm and target, attributes one-hot and standardised. The two-model
logistic regression fits one regression an arm and scores the difference of both probabilities. Published for it: Qini
.062, AUUC .029, uplift at 30 % .071, with standard deviations of .005 to .012 over the ten halves. Qini and AUUC are
those of `rapport.training.metrics.uplift`: normalised by the perfect curve, so that 1 cannot be reached.

The learners are those of `rapport.models.uplift`: T-, X- and DR-learner, each from logistic and ridge regressions, X-
and DR-learner also from small trees; all cross-fitted inside the half that they learn from. The interval is that of a
bootstrap over the customers whose scores are means over the five repeats, each from the half that had not seen them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
from development import read, skipped
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold

from rapport.models.uplift import DRLearner, TwoModels, XLearner
from rapport.training.evaluate import Interval
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


LEARNERS = {
    "T-learner, regressions": partial(TwoModels, partial(LogisticRegression, max_iter=1000)),
    "X-learner, regressions": partial(XLearner, partial(LogisticRegression, max_iter=1000), partial(Ridge, 10.0)),
    "DR-learner, regressions": partial(DRLearner, partial(LogisticRegression, max_iter=1000), partial(Ridge, 10.0)),
}
SMALL = {"num_leaves": 4, "n_estimators": 60, "learning_rate": 0.05, "min_child_samples": 300, "reg_lambda": 10.0}
SMALL |= {"n_jobs": 1, "verbose": -1, "deterministic": True, "force_row_wise": True}
TREES = (partial(lgb.LGBMClassifier, **SMALL), partial(lgb.LGBMRegressor, **SMALL))
LEARNERS |= {"X-learner, small trees": partial(XLearner, *TREES), "DR-learner, small trees": partial(DRLearner, *TREES)}
ANCHOR = "T-learner, regressions"


def two_models(features: np.ndarray, target: np.ndarray, treated: np.ndarray, look: np.ndarray) -> np.ndarray:
    """Difference of the probabilities of two logistic regressions, one an arm, (m,) for the rows of `look`."""
    return LEARNERS[ANCHOR]().fit(features, target, treated).predict(look)


def by_learner(name: str) -> Scores:
    """The effects of a learner by its name."""

    def scores(features: np.ndarray, target: np.ndarray, treated: np.ndarray, look: np.ndarray) -> np.ndarray:
        return LEARNERS[name]().fit(features, target, treated).predict(look)

    return scores


def looked_at(
    data: Experiment, scores: Scores = two_models, repeats: int = 5
) -> tuple[dict[str, tuple[float, float]], np.ndarray]:
    """Mean and standard deviation over the halves of each measure, and the mean score of each customer, (n,)."""
    found, effect = [], np.zeros(len(data.target))
    for fit, look in halves(data, repeats):
        own = scores(data.features[fit], data.target[fit], data.treated[fit], data.features[look])
        effect[look] += own / repeats
        judged = (data.target[look], own, data.treated[look])
        found.append((qini(*judged), auuc(*judged), uplift_at(*judged)))
    mean, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    return {name: (float(mean[i]), float(spread[i])) for i, name in enumerate(PUBLISHED)}, effect


def evaluate(data: Experiment, scores: Scores = two_models, repeats: int = 5) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation over the halves of each measure."""
    return looked_at(data, scores, repeats)[0]


def interval(data: Experiment, effect: np.ndarray, replicates: int = 100) -> Interval:
    """The Qini of scores (n,), and its 95 % interval over customers."""
    random, n = np.random.default_rng(0), len(effect)
    drawn = [
        qini(data.target[rows], effect[rows], data.treated[rows]) for rows in random.integers(0, n, (replicates, n))
    ]
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    return Interval(qini(data.target, effect, data.treated), low, high)


def section(data: Experiment, repeats: int = 5) -> str:
    """The table of an arm: every learner with each measure."""
    rows = []
    for name in LEARNERS:
        found, effect = looked_at(data, by_learner(name), repeats)
        of_qini = interval(data, effect)
        means = (f"{mean:.3f} ({spread:.3f})" for mean, spread in found.values())
        rows.append([name, *means, f"{of_qini.estimate:.3f} ({of_qini.low:.3f} to {of_qini.high:.3f})"])
    return table(["learner: mean over ten halves (standard deviation)", *PUBLISHED, "Qini, with interval"], rows)


def main() -> None:
    blocks = []
    for arm, says in (
        ("Womens E-Mail", f"Published for two regressions: {PUBLISHED}."),
        ("Mens E-Mail", "Whom the men's e-mail moves can hardly be told: a Qini near zero is the right answer here."),
    ):
        data = load(arm)
        if data is None:
            sys.exit(skipped("hillstrom"))
        moved = data.target[data.treated == 1].mean() - data.target[data.treated == 0].mean()
        about = f"{arm} against none: {len(data.target):,} customers, visit; it moves {moved:+.1%} of all. {says}"
        blocks += [about, section(data)]
    print(*blocks, sep="\n\n")
    command = "python benchmarks/published/hillstrom.py"
    write("Published: Hillstrom e-mail", command, *blocks, packages=("rapport", "scikit-learn", "lightgbm"))


if __name__ == "__main__":
    main()
