"""Tuning: what Rapport's search costs and finds, against a plain study of as many trials and LightGBM's defaults.

    python benchmarks/training.py [--rows 300000] [--features 120] [--categories 20] [--trials 30] [--test 100000]
                                  [--sample 120000] [--rounds 600] [--keep FOLDER]

Data: made up, from a seed, as a table of customers is: each trait of a customer (how often, how much, how long ago) is
seen through five skewed and noisy numbers, a tenth of them missing; half of the traits matter, by saturating effects,
steps and pairs; categories of 50 values, few of them common, a quarter of them matter. About a tenth are positives.
Four fifths of the rows are fitted to, one fifth is the validation window; the test rows come on top.

Ours is what `rapport train` does: `search` (a sample, coarse bins made once, pruning, sensible first trials), then one
fit to all rows (`fit_finalists`). The plain study has the same space, sampler and number of trials; each trial is
fitted to all rows with LightGBM's default bins, made anew, with early stopping and no pruning; its best model is kept.
The defaults are those of LGBMClassifier. All on one thread, in CPU seconds of the process: other work does not count.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lightgbm as lgb
import numpy as np
import optuna
import pyarrow as pa

from rapport.config import LearnerConfig, TuningConfig
from rapport.language.declarations import FeatureColumn
from rapport.models import boosting
from rapport.models.encoding import Encoder
from rapport.training.evaluate import Comparison, bootstrap
from rapport.training.finalists import fit_finalists
from rapport.training.folds import Fold
from rapport.training.tune import search

sys.path.append(str(Path(__file__).resolve().parent))
from results import table, write

LEVELS = 50
FAMILY = 5  # numbers that show one trait
LEARNER = LearnerConfig()
OURS, PLAIN, DEFAULTS = "ours", "plain study", "LightGBM's defaults"


@dataclass(frozen=True)
class Made:
    """Rows to fit on, to validate on and to test on, with their targets."""

    columns: tuple[FeatureColumn, ...]
    fit: tuple[pa.Table, np.ndarray]
    look: tuple[pa.Table, np.ndarray]
    test: tuple[pa.Table, np.ndarray]


def make(rows: int, features: int, categories: int, test: int, seed: int = 0) -> Made:
    """The data, the same for a seed: about a tenth of the targets are 1, and the best possible AUC is about .79."""
    random = np.random.default_rng(seed)
    size, numbers = rows + test, features - categories
    trait = random.normal(size=(size, -(-numbers // FAMILY)))
    score = np.full(size, -2.3)
    for i in range(0, trait.shape[1], 2):
        own, other = trait[:, i], trait[:, (i + 2) % trait.shape[1]]
        score += 0.5 * np.tanh(own) + 0.4 * (own > 1) - 0.4 * np.maximum(own, 0) * (other > 0)
    values = np.repeat(trait, FAMILY, axis=1)[:, :numbers]
    values += random.normal(0, 0.7, values.shape)
    values = np.round(np.exp(1 + values), 1)
    share = 1 / np.arange(1, LEVELS + 1)
    codes = random.choice(LEVELS, (size, categories), p=share / share.sum())
    for j in range(0, categories, 4):
        score += random.normal(0, 0.4, LEVELS)[codes[:, j]]
    target = (random.random(size) < 1 / (1 + np.exp(-score))).astype(float)
    values[random.random(values.shape) < 0.1] = np.nan
    held = {f"number_{i}": pa.array(values[:, i], from_pandas=True) for i in range(numbers)}
    words = pa.array([f"value {k}" for k in range(LEVELS)])
    held |= {f"category_{j}": words.take(pa.array(codes[:, j])) for j in range(categories)}
    whole = pa.table(held)
    columns = tuple(
        FeatureColumn(name, "made", "", "number" if name.startswith("number") else "category", "", None, name, "")
        for name in held
    )
    border = rows * 4 // 5
    parts = [(0, border), (border, rows), (rows, size)]
    fit, look, tested = ((whole.slice(a, b - a), target[a:b]) for a, b in parts)
    return Made(columns, fit, look, tested)


def ours(data: Made, trials: int, learner: LearnerConfig, sample: int) -> np.ndarray:
    """Probabilities (m,) of the test rows by Rapport's search on a sample and the fit to all rows."""
    budget = TuningConfig(trials=trials, rows=sample)
    fold = Fold(*data.fit, *data.look)
    found = search([fold], data.columns, learner, budget, seed=0, threads=1)
    return fit_finalists(found, fold, data.columns, learner, seed=0, threads=1).predict(data.test[0])


def plain(data: Made, trials: int, learner: LearnerConfig) -> np.ndarray:
    """Probabilities (m,) of the test rows by the best model of a plain study."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    encoder = Encoder.fit(data.columns, data.fit[0])
    fit, look, test = (encoder.encode(part) for part, _ in (data.fit, data.look, data.test))
    best: list[tuple[float, str]] = []

    def objective(trial: optuna.Trial) -> float:
        drawn = {
            name: (trial.suggest_int if isinstance(span.low, int) else trial.suggest_float)(
                name, span.low, span.high, log=span.log
            )
            for name, span in TuningConfig().space.ranges().items()
        }
        settings = boosting.parameters(learner.model_copy(update=drawn), threads=1)
        training = boosting.dataset(encoder, fit, data.fit[1])
        validation = boosting.dataset(encoder, look, data.look[1], reference=training)
        text = boosting.train(settings, training, rounds=learner.n_estimators, validation=validation)
        raw = boosting.from_text(text).predict(look, raw_score=True, num_threads=1)
        loss = float(np.mean(np.logaddexp(0, raw) - data.look[1] * raw))
        if not best or loss < best[0][0]:
            best[:] = [(loss, text)]
        return loss

    optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0)).optimize(objective, n_trials=trials)
    return boosting.from_text(best[0][1]).predict(test, num_threads=1)


def defaults(data: Made, trials: int, learner: LearnerConfig) -> np.ndarray:
    """Probabilities (m,) of the test rows by LightGBM's defaults."""
    encoder = Encoder.fit(data.columns, data.fit[0])
    model = lgb.LGBMClassifier(n_jobs=1, verbose=-1)
    model.fit(encoder.encode(data.fit[0]), data.fit[1], categorical_feature=list(encoder.categories))
    return model.predict_proba(encoder.encode(data.test[0]))[:, 1]


def compare(
    data: Made,
    trials: int,
    sample: int,
    *,
    learner: LearnerConfig = LEARNER,
    replicates: int = 200,
    keep: Path | None = None,
) -> tuple[dict[str, float], Comparison]:
    """CPU seconds by method, and all of them measured on the same test rows.

    With a folder to `keep` results in, a method that is found there is not run again: long studies can be run apart.
    """
    methods: dict[str, Callable[[Made, int, LearnerConfig], np.ndarray]] = {
        OURS: partial(ours, sample=sample),
        PLAIN: plain,
        DEFAULTS: defaults,
    }
    seconds, scores = {}, {}
    for name, learn in methods.items():
        file = None if keep is None else keep / f"{name}.npz"
        if file is not None and file.exists():
            with np.load(file) as kept:
                seconds[name], scores[name] = float(kept["seconds"]), kept["scores"]
        else:
            started = time.process_time()
            scores[name] = learn(data, trials, learner)
            seconds[name] = time.process_time() - started
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                np.savez(file, seconds=seconds[name], scores=scores[name])
        print(f"{name}: {seconds[name]:.0f} CPU s", flush=True)
    target = data.test[1]
    metrics = ["log_loss", "roc_auc"]
    return seconds, bootstrap(metrics, target, scores, np.arange(len(target)), replicates=replicates)


def report(seconds: dict[str, float], found: Comparison) -> tuple[str, str]:
    """The table, and the sentence that says what it shows."""
    rows = [
        [
            name,
            f"{seconds[name]:.0f}",
            found.estimates[name]["log_loss"].estimate,
            found.estimates[name]["roc_auc"].estimate,
        ]
        for name in seconds
    ]
    gain = found.gains[PLAIN]["log_loss"]
    low, high = sorted(abs(value) for value in (gain.low, gain.high))
    if gain.low <= 0 <= gain.high:
        how = f"is the same within the interval ({gain.low:+.5f} to {gain.high:+.5f} better)"
    else:
        how = f"is {'better' if gain.estimate > 0 else 'worse'} by {abs(gain.estimate):.5f} ({low:.5f} to {high:.5f})"
    said = f"Ours takes {seconds[OURS] / seconds[PLAIN]:.2f} of the plain study's CPU seconds; its log loss {how}."
    return table(["method", "CPU s", "log loss (test)", "AUC (test)"], rows), said


def main() -> None:
    parser = argparse.ArgumentParser(description="Tuning against a plain study")
    for name, value in (
        ("rows", 300_000),
        ("features", 120),
        ("categories", 20),
        ("trials", 30),
        ("test", 100_000),
        ("sample", TuningConfig().rows),
        ("rounds", LEARNER.n_estimators),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--keep", type=Path, help="folder in which each method's result is kept, to be found again")
    given = parser.parse_args()
    data = make(given.rows, given.features, given.categories, given.test)
    sizes = {name: value for name, value in vars(given).items() if name != "keep"}
    keep = None if given.keep is None else given.keep / "-".join(str(value) for value in sizes.values())
    learner = LEARNER.model_copy(update={"n_estimators": given.rounds})
    text, said = report(*compare(data, given.trials, given.sample, learner=learner, keep=keep))
    about = (
        f"{given.rows:,} rows x {given.features} features, {given.categories} of them categories; "
        f"{given.trials} trials of at most {given.rounds} trees, ours on a sample of "
        f"{min(given.sample, given.rows * 4 // 5):,}; "
        f"{given.test:,} test rows, {data.test[1].mean():.1%} positives."
    )
    print(about, text, said, sep="\n")
    asked = [f"--{name} {value}" for name, value in sizes.items() if value != parser.get_default(name)]
    command = " ".join(["python benchmarks/training.py", *asked])
    write("Tuning", command, about, text, said, packages=("lightgbm", "optuna"))


if __name__ == "__main__":
    main()
