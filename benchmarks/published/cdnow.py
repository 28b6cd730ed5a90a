"""CDNOW: who comes again, and how often; our BG/NBD and Pareto/NBD against published figures, and a model against both.

    python benchmarks/published/cdnow.py

Data: 23,570 customers of an online shop for compact discs whose first purchase fell into the first quarter of 1997,
with all of their purchases until June 1998 (Fader & Hardie, "Forecasting repeat sales at CDNOW: a case study",
Interfaces 31, 2001), and the systematic 1/10 sample of 2,357 of them; from the package lifetimes, which is not
imported. It is one cohort: a later day means older customers.

Visits. Protocol of Fader, Hardie & Lee, "Counting your customers the easy way" (Marketing Science 24, 2005): the
sample; 39 weeks in (until 1997-09-30), the visits of the 39 weeks after it are predicted for each customer. Published:
BG/NBD r .243, alpha 4.414, a .793, b 2.426. MAE, RMSE, correlation: BG/NBD .786, 1.608, .626; Pareto/NBD .755, 1.603,
.630.

Activity. All customers; a year in (until 1997-12-31), a visit in the half year after it is predicted. Published for
BG/NBD: accuracy .821, AUC .788 to .800, log loss .421.

The model learns what the Pareto/NBD gets wrong. It goes back to earlier days inside the weeks that may be known, fits
the Pareto/NBD to what was known then, and boosts trees on the difference between what it expected and what came: least
squares on visits in 39 weeks (activity: trees on whether someone came, with Pareto/NBD's probability as a feature),
from rhythm, spend and discs. The number of trees is found by five folds over customers on those earlier days. The
forecast is the plain mean of Pareto/NBD and of the corrected one (in log-odds for activity): equal weights, not fitted.
Once it learns from the sample alone, as the peers do, and once from the first 39 weeks of all 23,570 customers.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa

from rapport.config import LearnerConfig
from rapport.language.declarations import FeatureColumn
from rapport.models.buy_till_you_die import BgNbd, BuyTillYouDie, ParetoNbd
from rapport.models.calibration import entity_folds
from rapport.models.classifier import BoostedClassifier
from rapport.models.histories import Histories, histories_of
from rapport.training.evaluate import bootstrap, measure
from rapport.training.metrics import correlation

sys.path.append(str(Path(__file__).resolve().parents[1]))
from results import table, write

WEEK, DAY = pd.Timedelta(weeks=1), pd.Timedelta(days=1)
TREES = {"num_leaves": 6, "learning_rate": 0.03, "feature_fraction": 0.5, "bagging_fraction": 0.7, "bagging_freq": 1}
VISITS_IN, VISITS_OUT = pd.Timestamp("1997-09-30"), pd.Timestamp("1998-06-30")
YEAR_IN = pd.Timestamp("1997-12-31")
LOOKS = [pd.Timestamp(day) for day in ("1997-05-13", "1997-06-10", "1997-07-08", "1997-08-05")]


# ------------------------------------------------------------------------------------------- data and features
def read(sample: bool = False) -> pd.DataFrame | None:
    """Visits: customer, day, spend, discs, purchases of one day being one visit; None where lifetimes is absent.

    Customers have the numbers of the whole data set, in the sample too.
    """
    spec = find_spec("lifetimes")
    if spec is None or not spec.submodule_search_locations:
        return None
    file = (
        Path(spec.submodule_search_locations[0]) / "datasets" / ("CDNOW_sample.txt" if sample else "CDNOW_master.txt")
    )
    rows = [line.split() for line in file.read_text().splitlines() if line.strip()]
    rows = [row for row in rows if row[0].isdigit()]
    frame = pd.DataFrame([(row[0], *row[-3:]) for row in rows], columns=["customer", "day", "discs", "spend"])
    frame = frame.astype({"discs": int, "spend": float})
    frame["day"] = pd.to_datetime(frame.day, format="%Y%m%d")
    return frame.groupby(["customer", "day"], as_index=False).sum()


@dataclass(frozen=True)
class Known:
    """What is known of each customer on a day: histories, and features by customer in the same order."""

    until: pd.Timestamp
    histories: Histories
    features: pd.DataFrame

    def coming(self, visits: pd.DataFrame, end: pd.Timestamp) -> np.ndarray:
        """Visits of each after that day, up to `end`, (n,)."""
        later = visits[(visits.day > self.until) & (visits.day <= end)]
        return later.groupby("customer").size().reindex(self.features.index).fillna(0).to_numpy(float)


def know(visits: pd.DataFrame, until: pd.Timestamp, weeks: float) -> Known:
    """Histories on a day and features: rhythm, spend, discs, and what both models expect of `weeks` (as of 39)."""
    seen = visits[visits.day <= until].sort_values(["customer", "day"])
    ids, histories = histories_of(seen.customer.to_numpy(), seen.day.to_numpy(), until)
    by = seen.groupby("customer")
    gap = by["day"].diff() / WEEK
    gaps = gap.groupby(seen.customer)
    found = pd.DataFrame(
        {
            "spend_per_visit": by["spend"].mean(),
            "discs_per_visit": by["discs"].mean(),
            "spend_first": by["spend"].first(),
            "spend_last": by["spend"].last(),
            "spend_largest": by["spend"].max(),
            "gap_mean": gaps.mean(),
            "gap_spread": gaps.std(ddof=0),
            "gap_last": gaps.last(),
            **{
                f"visits_{number}w": (seen.day > until - number * WEEK).groupby(seen.customer).sum().astype(float)
                for number in (4, 8, 13, 20)
            },
        }
    ).reindex(ids.to_pylist())
    found["repeats"] = histories.frequency
    found["silence"] = histories.age - histories.recency
    found["recency_share"] = histories.recency / histories.age
    found["overdue"] = found.silence / found.gap_mean
    for model in (BgNbd().fit(histories), ParetoNbd().fit(histories)):
        found[f"{model.name}_visits"] = model.expected(histories, weeks) / weeks * 39
        found[f"{model.name}_active"] = model.active(histories, weeks)
        found[f"{model.name}_alive"] = model.alive(histories)
    return Known(until, histories, found)


# ------------------------------------------------------------------------------------------- visits
def learn_visits(visits: pd.DataFrame, now: pd.DataFrame, smallest_leaf: int, seeds: int = 5) -> np.ndarray:
    """Visits in the 39 weeks after VISITS_IN for the customers of `now` (n,), learned before that day alone.

    The correction is the mean of a few that differ in what they drew.
    """
    parts, missing, weight = [], [], []
    for look in LOOKS:
        weeks = (VISITS_IN - look) / WEEK
        known = know(visits, look, weeks)
        expected = known.features["pareto_nbd_visits"].to_numpy()
        parts.append(known.features)
        missing.append(known.coming(visits, VISITS_IN) / weeks * 39 - expected)
        weight.append(np.full(len(expected), weeks / 39))
    rows, target, weights = pd.concat(parts), np.concatenate(missing), np.concatenate(weight)
    settings = {"objective": "regression", "min_data_in_leaf": smallest_leaf, "lambda_l2": 10, "verbosity": -1} | TREES
    settings |= {"num_threads": 1, "deterministic": True}
    folds = list(entity_folds(rows.index.to_numpy()))
    data = lgb.Dataset(rows.to_numpy(), target, weight=weights, free_raw_data=False)
    tried = lgb.cv(settings, data, 400, folds=folds, metrics="l2")
    rounds = int(np.argmin(next(values for name, values in tried.items() if name.endswith("-mean")))) + 1
    made = [
        lgb.train(settings | {"seed": seed}, lgb.Dataset(rows.to_numpy(), target, weight=weights), rounds)
        for seed in range(seeds)
    ]
    expected = now["pareto_nbd_visits"].to_numpy()
    correction = np.mean([each.predict(now.to_numpy()) for each in made], axis=0)
    corrected = np.maximum(expected + correction, 0)
    return (expected + corrected) / 2


def visits_section(sample: pd.DataFrame, everyone: pd.DataFrame) -> tuple[list[str], dict[str, dict[str, float]]]:
    """The blocks about visits, and the figures by forecast."""
    now = know(sample, VISITS_IN, 39)
    of_all = know(everyone, VISITS_IN, 39).features.loc[now.features.index]
    target = now.coming(sample, VISITS_OUT)
    models: list[BuyTillYouDie] = [BgNbd().fit(now.histories), ParetoNbd().fit(now.histories)]
    scores = {
        "visits a week so far (x / T)": now.histories.frequency / now.histories.age,
        "BG/NBD": models[0].expected(now.histories, 39),
        "Pareto/NBD": models[1].expected(now.histories, 39),
        "ours, learned from the sample": learn_visits(sample, now.features, 100),
        "ours, learned from all customers": learn_visits(everyone, of_all, 300),
        "what came (oracle)": target,
    }
    published = {"BG/NBD": ".786 / 1.608 / .626", "Pareto/NBD": ".755 / 1.603 / .630"}
    figures, rows = {}, []
    for name, score in scores.items():
        found = measure(["mae", "rmse", "bias", "capture_at_20pct"], target, score)
        figures[name] = found | {"correlation": correlation(target, score)}
        shown = [figures[name][key] for key in ("mae", "rmse", "correlation", "bias", "capture_at_20pct")]
        rows.append([name, *shown, published.get(name, "")])
    rows[0][1:3], rows[0][4] = ["", ""], ""  # a rate is no forecast of 39 weeks
    header = [
        "forecast",
        "MAE",
        "RMSE",
        "correlation",
        "bias",
        "top-20 % capture",
        "published MAE / RMSE / correlation",
    ]
    parameters = ", ".join(f"{name} {value:.3f}" for name, value in models[0].parameters.items())
    gains = bootstrap(
        ["rmse", "capture_at_20pct"],
        target,
        {name: scores[name] for name in ("ours, learned from all customers", "Pareto/NBD")},
        np.arange(len(target)),
        replicates=1000,
    ).gains["Pareto/NBD"]
    said = "; ".join(
        f"{name} {gain.estimate:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})" for name, gain in gains.items()
    )
    return [
        f"Visits of 2,357 customers in weeks 40 to 78. BG/NBD: {parameters} (published r .243, alpha 4.414, a .793, "
        "b 2.426).",
        table(header, rows),
        f"Gain of ours, learned from all customers, over the Pareto/NBD: {said}.",
    ], figures


# ------------------------------------------------------------------------------------------- activity
def learn_activity(visits: pd.DataFrame, now: pd.DataFrame, seed: int = 0) -> np.ndarray:
    """Probability of a visit in the half year after YEAR_IN (n,), learned from the half year before it."""
    look = YEAR_IN - (VISITS_OUT - YEAR_IN)
    known = know(visits, look, 181 / 7)
    came = (known.coming(visits, YEAR_IN) > 0).astype(float)
    columns = tuple(FeatureColumn(name, "cdnow", "", "number", "", None, name, "") for name in known.features)
    learner = LearnerConfig(
        num_leaves=6, min_child_samples=300, subsample=0.7, reg_lambda=10, n_estimators=500, early_stopping_rounds=30
    )
    rows = pa.Table.from_pandas(known.features, preserve_index=False)
    rounds = []
    for rest, fold in entity_folds(known.features.index.to_numpy(), seed=seed):
        model = BoostedClassifier(learner, columns, seed=seed, threads=1)
        held_out = (rows.take(pa.array(fold)), came[fold])
        rounds.append(model.fit(rows.take(pa.array(rest)), came[rest], validation=held_out).rounds)
    learner = learner.model_copy(update={"n_estimators": int(np.mean(rounds))})
    model = BoostedClassifier(learner, columns, seed=seed, threads=1).fit(rows, came)
    raw = model.raw_score(pa.Table.from_pandas(now, preserve_index=False))
    chance = now["pareto_nbd_active"].to_numpy()
    return 1 / (1 + np.exp(-(raw + np.log(chance / (1 - chance))) / 2))


def activity_section(everyone: pd.DataFrame) -> tuple[list[str], dict[str, dict[str, float]]]:
    """The blocks about activity, and the figures by forecast."""
    now = know(everyone, YEAR_IN, 181 / 7)
    came = (now.coming(everyone, VISITS_OUT) > 0).astype(float)
    scores = {
        "ours": learn_activity(everyone, now.features),
        "BG/NBD": now.features["bg_nbd_active"].to_numpy(),
        "Pareto/NBD": now.features["pareto_nbd_active"].to_numpy(),
    }
    metrics = ["accuracy", "roc_auc", "log_loss"]
    found = bootstrap(metrics, came, scores, np.arange(len(came)), replicates=1000)
    figures = {name: {m: found.estimates[name][m].estimate for m in metrics} for name in scores}
    published = {"BG/NBD": ".821 / .788 to .800 / .421"}
    rows = [[name, *figures[name].values(), published.get(name, "")] for name in ("BG/NBD", "Pareto/NBD", "ours")]
    header = ["forecast", "accuracy", "AUC", "log loss", "published accuracy / AUC / log loss"]
    said = "; ".join(
        f"{name.replace('_', ' ')} {gain.estimate:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        for name, gain in found.gains["BG/NBD"].items()
    )
    return [
        f"A visit of each of {len(came):,} customers in the first half of 1998: {came.mean():.1%} came.",
        table(header, rows),
        f"Gain of ours over the BG/NBD: {said}. A gain is above zero where ours is better.",
    ], figures


def main() -> None:
    sample, everyone = read(sample=True), read()
    if sample is None or everyone is None:
        sys.exit("skipped: the data are not installed; run: pip install lifetimes")
    of_visits, _ = visits_section(sample, everyone)
    print(*of_visits, sep="\n", flush=True)
    of_activity, _ = activity_section(everyone)
    print(*of_activity, sep="\n")
    packages = ("rapport", "lightgbm", "scipy")
    write("Published: CDNOW", "python benchmarks/published/cdnow.py", *of_visits, *of_activity, packages=packages)


if __name__ == "__main__":
    main()
