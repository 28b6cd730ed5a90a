"""Lapsed donors: who gives again when he is asked, and how much; the list's best fifth against simpler lists.

    RAPPORT_DATA=... python benchmarks/published/donor.py

Data: 19,372 donors of a charity who had given nothing for 4 to 27 months when one mailing went out, with what they
gave; donor.parquet in the folder that RAPPORT_DATA names. All rows are of one day: so they are split by donors, by lot,
and not by time; 40 % of them are the test. Givers are a quarter here, far more than in the whole file of the charity:
the sample was drawn so, and amounts are those of this sample. Everybody was asked: so nothing is said of what asking
adds.

Ours is the two-part model of `winback`: Rapport's classifier times the gift to be expected of a giver, scaled on scores
out of fold. Beside it: who gave last first, the largest last gift first, his average gift (times the share of givers).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from development import read, skipped

from rapport.config import LearnerConfig
from rapport.language.declarations import FeatureColumn
from rapport.models.calibration import choose_calibrator, entity_folds
from rapport.models.classifier import BoostedClassifier, out_of_fold_scores
from rapport.models.worth import GivenWorth
from rapport.training.evaluate import Comparison, measure
from rapport.training.worth import CAPTURE, METRICS, WorthScores

sys.path.append(str(Path(__file__).resolve().parents[1]))
from results import table, write

TEST = 0.4
LEARNER = LearnerConfig(n_estimators=250, min_child_samples=40)


def main() -> None:
    data = read("donor")
    if data is None:
        sys.exit(skipped("donor"))
    gave = (data["Donate"] == "Yes").to_numpy(float)
    gift = np.nan_to_num(data["Donation.Amount"].to_numpy(float))
    known = data.drop(columns=["Donate", "Donation.Amount", "ID"])
    texts = {name: str for name, kind in known.dtypes.items() if kind.name in ("category", "object", "str", "string")}
    known = known.astype(texts | {name: float for name in known if name not in texts})
    rows = pa.Table.from_pandas(known, preserve_index=False)
    columns = tuple(
        FeatureColumn(name, "donor", "", "category" if name in texts else "number", "", None, name, "")
        for name in known
    )
    test = np.random.default_rng(0).random(len(gave)) < TEST
    learn, look = rows.filter(pa.array(~test)), rows.filter(pa.array(test))
    target, came = gave[~test], gift[~test]
    donors = np.arange(len(target))
    model = BoostedClassifier(LEARNER, columns, threads=1).fit(learn, target)
    raw = out_of_fold_scores(model, learn, target, donors)
    calibrator = choose_calibrator(raw, target, donors)
    means = np.empty(len(target))
    for rest, fold in entity_folds(donors):
        means[fold] = given(columns, learn.take(pa.array(rest)), came[rest]).of(learn.take(pa.array(fold)))
    worth = given(columns, learn, came).scaled(means, calibrator.apply(raw), came)
    probability = calibrator.apply(model.raw_score(look))
    share = float(target.mean())
    rules = {
        "his average gift": look["FILE_AVG_GIFT"].to_numpy() * share,
        "his last gift": look["LAST_GIFT_AMT"].to_numpy() * share,
    }
    scores = WorthScores(gift[test], worth.foretell(look, probability), rules)
    entities = pa.chunked_array([pa.array(np.arange(int(test.sum())))])
    money = scores.compare(entities, replicates=500, seed=0)
    lists = {"who gave last first": -look["MONTHS_SINCE_LAST_GIFT"].to_numpy(), "probability alone": probability}
    ranked = scores.lists(lists, entities, replicates=500, seed=0)
    auc = measure(["roc_auc"], gave[test], probability)["roc_auc"]
    by_last = measure(["roc_auc"], gave[test], -look["MONTHS_SINCE_LAST_GIFT"].to_numpy())["roc_auc"]
    lines = [
        [name, *(f"{found[metric].estimate:.3f}" for metric in METRICS), gained(name, money)]
        for name, found in money.estimates.items()
    ]
    lines += [
        [name, "", "", "", f"{ranked.estimates[name][CAPTURE].estimate:.3f}", gained(name, ranked)] for name in lists
    ]
    header = ["list", "RMSE", "MAE", "bias", "share of the gifts by its best 20 %", "gain of the model in that share"]
    covered = scores.coverage()
    about = (
        f"{len(gave):,} donors, {int(test.sum()):,} of them the test. AUC {auc:.4f}, by months since the last gift "
        f"{by_last:.4f}. 80 % intervals held {covered['worth_coverage_80pct']:.3f} "
        f"(plainly {covered['worth_coverage_80pct_plain']:.3f})."
    )
    text = table(header, lines)
    print(text, about, sep="\n")
    write(
        "Published: lapsed donors",
        "python benchmarks/published/donor.py",
        text,
        about,
        packages=("rapport", "lightgbm"),
    )


def given(columns: tuple[FeatureColumn, ...], table_: pa.Table, came: np.ndarray) -> GivenWorth:
    """The gift to be expected of a giver, learned from those who gave."""
    gave = came > 0
    rows = table_.filter(pa.array(gave))
    donors = pa.chunked_array([pa.array(np.arange(int(gave.sum())))])
    return GivenWorth.fit(LEARNER, columns, rows, came[gave], donors, threads=1)


def gained(name: str, comparison: Comparison) -> str:
    """The gain in capture over a rival, with its interval."""
    gain = comparison.gains.get(name)
    return (
        "" if gain is None else f"{gain[CAPTURE].estimate:+.3f} ({gain[CAPTURE].low:+.3f} to {gain[CAPTURE].high:+.3f})"
    )


if __name__ == "__main__":
    main()
